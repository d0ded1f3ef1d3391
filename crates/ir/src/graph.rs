use crate::Operator;
use sidestage_tensor::{DType, Extents, Tensor};

/// Names a value of a graph.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ValueId(pub(crate) u32);

impl ValueId {
    /// Its index in [`Graph::values`].
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// Names a node of a graph.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NodeId(pub(crate) u32);

/// Names a dimension that is known only at run time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Symbol(pub(crate) u8);

impl Symbol {
    /// Its index among the graph's symbols.
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// One dimension.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dim {
    /// Known when the graph is built.
    Fixed(usize),
    /// Known at run time, at most the symbol's limit.
    Symbol(Symbol),
}

/// Element type and shape of a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ValueType {
    /// Element type.
    pub dtype: DType,
    /// Dimensions, outermost first.
    pub dims: Vec<Dim>,
}

impl ValueType {
    /// A type.
    pub fn new(dtype: DType, dims: impl Into<Vec<Dim>>) -> Self {
        Self { dtype, dims: dims.into() }
    }

    /// A type without symbols.
    pub fn fixed(dtype: DType, dims: &[usize]) -> Self {
        Self { dtype, dims: dims.iter().map(|&dim| Dim::Fixed(dim)).collect() }
    }

    /// The innermost dimension, if it is fixed.
    pub fn inner(&self) -> Option<usize> {
        match self.dims.last() {
            Some(Dim::Fixed(dim)) => Some(*dim),
            _ => None,
        }
    }

    /// The extents when the symbols have these values.
    pub fn extents(&self, symbols: &[usize]) -> Extents {
        let mut dims = [1; Extents::MAX_RANK];
        let rank = self.dims.len().min(Extents::MAX_RANK);
        for (to, dim) in dims.iter_mut().zip(&self.dims) {
            *to = match dim {
                Dim::Fixed(dim) => *dim,
                Dim::Symbol(symbol) => symbols[symbol.index()],
            };
        }
        Extents::new(&dims[..rank])
    }

    /// Bytes when the symbols have these values; `None` if not whole blocks or too large.
    pub fn bytes(&self, symbols: &[usize]) -> Option<usize> {
        let mut elements = 1u64;
        for dim in self.extents(symbols).dims() {
            elements = elements.checked_mul(*dim as u64)?;
        }
        usize::try_from(self.dtype.bytes_for(elements)?).ok()
    }
}

/// Where a value comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Given by the caller before each run.
    Input,
    /// A constant of the model, found by its name.
    Weight,
    /// Pages kept from run to run; the value's type is that of one page.
    State,
    /// The n-th of [`Graph::constants`].
    Constant(usize),
    /// The same elements as another value, in another shape. That one is no view and no state.
    View(ValueId),
    /// Computed by this node.
    Computed(NodeId),
}

/// A value.
#[derive(Clone, Debug)]
pub struct Value {
    /// Its name: of a weight, as in the file.
    pub name: String,
    /// Its type.
    pub ty: ValueType,
    /// Where it comes from.
    pub kind: Kind,
}

/// An operator applied to values.
#[derive(Debug)]
pub struct Node {
    /// What is done.
    pub op: Box<dyn Operator>,
    /// Its operands.
    pub inputs: Vec<ValueId>,
    /// Its results.
    pub outputs: Vec<ValueId>,
    /// The passes that made it what it is, in order.
    pub passes: Vec<&'static str>,
}

/// A graph; its nodes stand in the order they run in.
#[derive(Debug, Default)]
pub struct Graph {
    /// All values.
    pub values: Vec<Value>,
    /// All nodes.
    pub nodes: Vec<Node>,
    /// What the caller reads after a run.
    pub outputs: Vec<ValueId>,
    /// Name and largest value of each symbol.
    pub symbols: Vec<(String, usize)>,
    /// Values that were known when the graph was built.
    pub constants: Vec<Tensor>,
}

impl Graph {
    /// A value.
    pub fn value(&self, id: ValueId) -> &Value {
        &self.values[id.index()]
    }

    /// The value whose bytes a value has: itself, if it is no view.
    pub fn root(&self, id: ValueId) -> ValueId {
        match self.value(id).kind {
            Kind::View(of) => of,
            _ => id,
        }
    }

    /// The values of one kind, in order.
    pub fn of_kind(&self, kind: Kind) -> impl Iterator<Item = (ValueId, &Value)> {
        let all = self.values.iter().enumerate();
        all.filter(move |(_, value)| value.kind == kind)
            .map(|(index, value)| (ValueId(index as u32), value))
    }

    /// Removes nodes whose results nobody reads and that have no effect.
    pub fn remove_dead_nodes(&mut self) {
        let mut read = vec![false; self.values.len()];
        for id in &self.outputs {
            read[self.root(*id).index()] = true;
        }
        let mut alive = vec![false; self.nodes.len()];
        for (index, node) in self.nodes.iter().enumerate().rev() {
            if node.op.has_effect() || node.outputs.iter().any(|id| read[id.index()]) {
                alive[index] = true;
                for id in &node.inputs {
                    read[self.root(*id).index()] = true;
                }
            }
        }
        let mut index = 0;
        self.nodes.retain(|_| {
            index += 1;
            alive[index - 1]
        });
        for (index, node) in self.nodes.iter().enumerate() {
            for id in &node.outputs {
                self.values[id.index()].kind = Kind::Computed(NodeId(index as u32));
            }
        }
    }
}
