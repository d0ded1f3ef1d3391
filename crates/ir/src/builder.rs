use crate::{
    Dim, Graph, GraphError, Kind, Node, NodeId, Operator, Symbol, Value, ValueId, ValueType,
};
use sidestage_tensor::{DType, Tensor};

/// Builds a [`Graph`] node by node; the operators' shape rules run as it goes.
#[derive(Debug, Default)]
pub struct GraphBuilder {
    graph: Graph,
}

impl GraphBuilder {
    /// An empty graph.
    pub fn new() -> Self {
        Self::default()
    }

    /// A dimension known at run time, at most `limit`.
    pub fn symbol(&mut self, name: &str, limit: usize) -> Dim {
        self.graph.symbols.push((name.into(), limit));
        Dim::Symbol(Symbol(self.graph.symbols.len() as u8 - 1))
    }

    /// A value that the caller gives before each run.
    pub fn input(&mut self, name: &str, dtype: DType, dims: &[Dim]) -> ValueId {
        self.add(name.into(), ValueType::new(dtype, dims), Kind::Input)
    }

    /// A constant of the model; the same name gives the same value.
    pub fn weight(&mut self, name: &str, dtype: DType, dims: &[usize]) -> ValueId {
        let known = self.graph.of_kind(Kind::Weight).find(|(_, value)| value.name == name);
        if let Some((id, _)) = known {
            return id;
        }
        self.add(name.into(), ValueType::fixed(dtype, dims), Kind::Weight)
    }

    /// Pages kept from run to run, each of this type.
    pub fn state(&mut self, name: &str, dtype: DType, dims: &[usize]) -> ValueId {
        self.add(name.into(), ValueType::fixed(dtype, dims), Kind::State)
    }

    /// A value that is known; the same bytes in the same shape give the same value.
    pub fn constant(&mut self, tensor: &Tensor) -> ValueId {
        let same = |known: &Tensor| known.shares(tensor) && known == tensor;
        let at = self.graph.constants.iter().position(same).unwrap_or_else(|| {
            self.graph.constants.push(tensor.clone());
            self.graph.constants.len() - 1
        });
        if let Some((id, _)) = self.graph.of_kind(Kind::Constant(at)).next() {
            return id;
        }
        let ty = ValueType::fixed(tensor.dtype(), tensor.dims());
        self.add(String::new(), ty, Kind::Constant(at))
    }

    /// The elements of a value in another shape, without a copy; there must be as many.
    pub fn view(&mut self, of: ValueId, dims: &[usize]) -> ValueId {
        let (of, dtype) = (self.graph.root(of), self.ty(of).dtype);
        self.add(String::new(), ValueType::fixed(dtype, dims), Kind::View(of))
    }

    /// How many nodes there are.
    pub fn nodes(&self) -> usize {
        self.graph.nodes.len()
    }

    /// How many values there are.
    pub fn values(&self) -> usize {
        self.graph.values.len()
    }

    /// The type of a value.
    pub fn ty(&self, id: ValueId) -> &ValueType {
        &self.graph.value(id).ty
    }

    /// The result of the first node of this operator that reads only this value.
    pub fn reader(&self, id: ValueId, op: &str) -> Option<ValueId> {
        let node =
            self.graph.nodes.iter().find(|node| node.inputs == [id] && node.op.name() == op)?;
        node.outputs.first().copied()
    }

    /// Applies an operator with one result.
    ///
    /// # Errors
    /// The operator's refusal.
    pub fn apply(
        &mut self,
        name: &str,
        op: impl Operator + 'static,
        inputs: &[ValueId],
    ) -> Result<ValueId, GraphError> {
        let outputs = self.apply_boxed(name, Box::new(op), inputs)?;
        let first = outputs.first().copied();
        first.ok_or_else(|| GraphError::Size { value: name.into() })
    }

    /// Applies an operator with any number of results.
    ///
    /// # Errors
    /// The operator's refusal.
    pub fn apply_all(
        &mut self,
        name: &str,
        op: impl Operator + 'static,
        inputs: &[ValueId],
    ) -> Result<Vec<ValueId>, GraphError> {
        self.apply_boxed(name, Box::new(op), inputs)
    }

    /// Applies an operator that only changes a state.
    ///
    /// # Errors
    /// The operator's refusal.
    pub fn effect(
        &mut self,
        name: &str,
        op: impl Operator + 'static,
        inputs: &[ValueId],
    ) -> Result<(), GraphError> {
        self.apply_boxed(name, Box::new(op), inputs).map(|_| ())
    }

    /// Ends the graph; `outputs` are what the caller reads.
    pub fn finish(mut self, outputs: &[ValueId]) -> Graph {
        self.graph.outputs = outputs.to_vec();
        self.graph.remove_dead_nodes();
        self.graph
    }

    pub(crate) fn apply_boxed(
        &mut self,
        name: &str,
        op: Box<dyn Operator>,
        inputs: &[ValueId],
    ) -> Result<Vec<ValueId>, GraphError> {
        let types: Vec<&ValueType> = inputs.iter().map(|&id| self.ty(id)).collect();
        let results = op.infer(&types).map_err(|problem| GraphError::Operands {
            op: op.name(),
            at: name.into(),
            problem,
        })?;
        let node = NodeId(self.graph.nodes.len() as u32);
        let outputs: Vec<ValueId> =
            results.into_iter().map(|ty| self.add(name.into(), ty, Kind::Computed(node))).collect();
        self.graph.nodes.push(Node {
            op,
            inputs: inputs.to_vec(),
            outputs: outputs.clone(),
            passes: Vec::new(),
        });
        Ok(outputs)
    }

    fn add(&mut self, name: String, ty: ValueType, kind: Kind) -> ValueId {
        self.graph.values.push(Value { name, ty, kind });
        ValueId(self.graph.values.len() as u32 - 1)
    }
}
