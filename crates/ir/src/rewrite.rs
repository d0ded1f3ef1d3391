//! Passes: one operator in the place of several that compute the same.
//!
//! This knows no operator by name. It shows each node in turn to a pass's rule, which stands in the file
//! of the operator that it makes, with what made the node's operands and whether anyone else reads
//! them. A node is changed in its place, and what nobody reads any more goes; so the order of the
//! nodes stays, and a rule sees what it has made of earlier ones.

use crate::trace::fold;
use crate::{Dim, Graph, Kind, Node, NodeId, Operator, Value, ValueId, ValueType};
use sidestage_tensor::{DType, Tensor};
use std::any::Any;

/// What rewrites a graph without changing what it computes, but for rounding.
#[derive(Clone, Copy, Debug)]
pub struct Pass {
    /// Its name, by which it can be left out.
    pub name: &'static str,
    /// What it makes of what.
    pub summary: &'static str,
    /// What comes in a node's place; `None`: it stays.
    pub rule: Rule,
}

/// See [`Pass`].
pub type Rule = fn(&mut Site<'_>) -> Option<Made>;

/// What comes in the place of a node.
#[derive(Debug)]
pub struct Made {
    op: Box<dyn Operator>,
    inputs: Vec<ValueId>,
}

impl Made {
    /// An operator, of values that are there before the node.
    pub fn new(op: impl Operator, inputs: impl Into<Vec<ValueId>>) -> Self {
        Self { op: Box::new(op), inputs: inputs.into() }
    }
}

/// A rule is asked about one node so many times at most, each time about what it made.
const MOST: usize = 64;

/// A node that a rule is asked about.
#[derive(Debug)]
pub struct Site<'a> {
    graph: &'a mut Graph,
    /// For each value, how many nodes read it or a view of it, and once more for an output.
    readers: &'a [usize],
    node: usize,
}

impl Site<'_> {
    /// The node's operator, if it is of this kind.
    pub fn op<T: Operator>(&self) -> Option<&T> {
        operator(&self.graph.nodes[self.node])
    }

    /// The node's operands.
    pub fn inputs(&self) -> &[ValueId] {
        &self.graph.nodes[self.node].inputs
    }

    /// The node's first result.
    pub fn output(&self) -> Option<ValueId> {
        self.graph.nodes[self.node].outputs.first().copied()
    }

    /// The operator of this kind that makes a value, or what the value is a view of, as its only
    /// result; and its operands.
    pub fn made<T: Operator>(&self, value: ValueId) -> Option<(&T, &[ValueId])> {
        let Kind::Computed(node) = self.graph.value(self.graph.root(value)).kind else {
            return None;
        };
        let node = &self.graph.nodes[node.0 as usize];
        let op = operator(node).filter(|_| node.outputs.len() == 1)?;
        Some((op, &node.inputs))
    }

    /// Whether no other node reads a value, and no caller.
    pub fn only_here(&self, value: ValueId) -> bool {
        self.readers(value) == 1
    }

    /// How many nodes read a value or a view of it; one more if the caller does.
    pub fn readers(&self, value: ValueId) -> usize {
        self.readers.get(self.graph.root(value).index()).copied().unwrap_or(0)
    }

    /// What a value is a view of; itself, if it is none.
    pub fn root(&self, value: ValueId) -> ValueId {
        self.graph.root(value)
    }

    /// A value's type.
    pub fn ty(&self, value: ValueId) -> &ValueType {
        &self.graph.value(value).ty
    }

    /// The dimensions of a value without symbols.
    pub fn dims(&self, value: ValueId) -> Option<Vec<usize>> {
        let fixed = self.ty(value).dims.iter().map(|dim| match dim {
            Dim::Fixed(dim) => Some(*dim),
            Dim::Symbol(_) => None,
        });
        fixed.collect()
    }

    /// What a value holds, if that is known.
    pub fn known(&self, value: ValueId) -> Option<Tensor> {
        let Kind::Constant(at) = self.graph.value(self.graph.root(value)).kind else { return None };
        Some(self.graph.constants[at].reshaped(&self.dims(value)?))
    }

    /// The one number that a value of `f32` holds, if that is known.
    pub fn number(&self, value: ValueId) -> Option<f32> {
        let known = self.known(value).filter(|known| known.dtype() == DType::F32)?;
        match known.elements::<f32>() {
            [number] => Some(*number),
            _ => None,
        }
    }

    /// A value that is known.
    pub fn constant(&mut self, tensor: Tensor) -> ValueId {
        let ty = ValueType::fixed(tensor.dtype(), tensor.dims());
        self.graph.constants.push(tensor);
        let kind = Kind::Constant(self.graph.constants.len() - 1);
        self.add(Value { name: String::new(), ty, kind })
    }

    /// What an operator makes of values that are all known.
    pub fn folded(&mut self, op: &impl Operator, inputs: &[ValueId]) -> Option<ValueId> {
        let known: Vec<Tensor> =
            inputs.iter().map(|input| self.known(*input)).collect::<Option<_>>()?;
        let types: Vec<&ValueType> = inputs.iter().map(|input| self.ty(*input)).collect();
        let results = op.infer(&types).ok()?;
        let tensor = fold(op, &known.iter().collect::<Vec<_>>(), &results).ok()?.pop()?;
        Some(self.constant(tensor))
    }

    /// The same elements in another shape, if there are as many.
    pub fn view(&mut self, of: ValueId, dims: &[usize]) -> Option<ValueId> {
        let all = self.dims(of)?;
        let count =
            |dims: &[usize]| dims.iter().try_fold(1_usize, |all, dim| all.checked_mul(*dim));
        if count(&all) != count(dims) {
            return None;
        }
        if all == dims {
            return Some(of);
        }
        let ty = ValueType::fixed(self.ty(of).dtype, dims);
        let kind = Kind::View(self.graph.root(of));
        Some(self.add(Value { name: String::new(), ty, kind }))
    }

    fn add(&mut self, value: Value) -> ValueId {
        self.graph.values.push(value);
        ValueId(self.graph.values.len() as u32 - 1)
    }
}

fn operator<T: Operator>(node: &Node) -> Option<&T> {
    let op: &dyn Any = &*node.op;
    op.downcast_ref()
}

/// A graph that is being rewritten, and how many read each value.
struct Work<'a> {
    graph: &'a mut Graph,
    readers: Vec<usize>,
}

impl Graph {
    /// Rewrites a graph without symbols by each pass in turn.
    pub fn rewrite(&mut self, passes: &[Pass]) {
        if !self.symbols.is_empty() {
            return;
        }
        for pass in passes {
            let readers = vec![0; self.values.len()];
            let mut work = Work { graph: self, readers };
            work.count();
            for node in 0..work.graph.nodes.len() {
                for _ in 0..MOST {
                    if work.dead(node) {
                        break;
                    }
                    let mut site = Site { graph: work.graph, readers: &work.readers, node };
                    let Some(made) = (pass.rule)(&mut site) else { break };
                    let Some(types) = work.fits(node, &made) else { break };
                    work.put(node, made, types, pass.name);
                }
            }
            self.remove_dead_nodes();
        }
    }
}

impl Work<'_> {
    fn count(&mut self) {
        for at in 0..self.graph.outputs.len() {
            let root = self.graph.root(self.graph.outputs[at]);
            self.readers[root.index()] += 1;
        }
        for node in (0..self.graph.nodes.len()).rev() {
            if !self.dead(node) {
                self.reads(node).into_iter().for_each(|id| self.readers[id.index()] += 1);
            }
        }
    }

    fn dead(&self, node: usize) -> bool {
        let node = &self.graph.nodes[node];
        !node.op.has_effect() && node.outputs.iter().all(|id| self.readers[id.index()] == 0)
    }

    /// What a node reads, each once.
    fn reads(&self, node: usize) -> Vec<ValueId> {
        let inputs = self.graph.nodes[node].inputs.iter();
        let mut read: Vec<ValueId> = inputs.map(|id| self.graph.root(*id)).collect();
        read.sort_unstable();
        read.dedup();
        read
    }

    /// The types of what is made, if it can stand for a node.
    fn fits(&self, node: usize, made: &Made) -> Option<Vec<ValueType>> {
        let types: Vec<&ValueType> =
            made.inputs.iter().map(|id| &self.graph.value(*id).ty).collect();
        let results = made.op.infer(&types).ok()?;
        let outputs = &self.graph.nodes[node].outputs;
        let same = |(id, ty): (&ValueId, &ValueType)| {
            let old = &self.graph.value(*id).ty;
            old.dtype == ty.dtype && old.bytes(&[]) == ty.bytes(&[])
        };
        let fit = results.len() == outputs.len() && outputs.iter().zip(&results).all(same);
        fit.then_some(results)
    }

    /// Puts what was made in the place of a node. A result that has another shape now is a view.
    fn put(&mut self, node: usize, made: Made, types: Vec<ValueType>, pass: &'static str) {
        self.readers.resize(self.graph.values.len(), 0);
        let before = self.reads(node);
        let changed = &mut self.graph.nodes[node];
        changed.op = made.op;
        changed.inputs = made.inputs;
        changed.passes.push(pass);
        self.reads(node).into_iter().for_each(|id| self.readers[id.index()] += 1);
        before.into_iter().for_each(|id| self.release(id));
        for (output, ty) in types.into_iter().enumerate() {
            let old = self.graph.nodes[node].outputs[output];
            if self.graph.value(old).ty == ty {
                continue;
            }
            let name = self.graph.value(old).name.clone();
            let new = ValueId(self.graph.values.len() as u32);
            self.graph.values.push(Value { name, ty, kind: Kind::Computed(NodeId(node as u32)) });
            self.graph.nodes[node].outputs[output] = new;
            self.graph.values[old.index()].kind = Kind::View(new);
            for value in &mut self.graph.values {
                if value.kind == Kind::View(old) {
                    value.kind = Kind::View(new);
                }
            }
            let readers = std::mem::take(&mut self.readers[old.index()]);
            self.readers.push(readers);
        }
    }

    /// One reader fewer; what only that one needed is needed no more.
    fn release(&mut self, value: ValueId) {
        let mut all = vec![value];
        while let Some(value) = all.pop() {
            self.readers[value.index()] -= 1;
            if let Kind::Computed(node) = self.graph.value(value).kind
                && self.readers[value.index()] == 0
                && self.dead(node.0 as usize)
            {
                all.extend(self.reads(node.0 as usize));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Args, GraphBuilder, Plan, Work as Units};
    use std::ops::Range;

    /// Adds a number to the first operand; its result may be a list of the same elements.
    #[derive(Debug)]
    struct More {
        by: usize,
        list: bool,
    }

    impl Operator for More {
        fn name(&self) -> &'static str {
            "More"
        }

        fn infer(&self, inputs: &[&ValueType]) -> Result<Vec<ValueType>, String> {
            let all: usize = inputs[0].extents(&[]).dims().iter().product();
            let list = ValueType::fixed(DType::F32, &[all]);
            Ok(vec![if self.list { list } else { inputs[0].clone() }])
        }

        fn work(&self, _: &Args<'_>) -> Units {
            Units { units: 1, grain: 1, cost: 1 }
        }

        fn run(&self, _: &Args<'_>, _: Range<usize>) {}
    }

    const JOIN: Pass = Pass {
        name: "join",
        summary: "two to one",
        rule: |site| {
            let by = site.op::<More>()?.by;
            let from = site.inputs()[0];
            let (inner, inputs) = site.made::<More>(from).filter(|_| site.only_here(from))?;
            Some(Made::new(More { by: by + inner.by, list: true }, inputs))
        },
    };

    #[test]
    fn chains_become_one_but_for_what_others_read() {
        let mut graph = GraphBuilder::new();
        let x = graph.input("x", DType::F32, &[Dim::Fixed(2), Dim::Fixed(3)]);
        let mut more = |of| graph.apply("more", More { by: 1, list: false }, &[of]).unwrap();
        let a = more(x);
        let b = more(a);
        let (c, d) = (more(b), more(b));
        let e = more(d);
        let mut graph = graph.finish(&[c, e]);
        graph.rewrite(&[JOIN]);
        let of = |node: &Node| operator::<More>(node).map(|more| more.by);
        let by: Vec<_> = graph.nodes.iter().map(of).collect();
        assert_eq!(by, [Some(2), Some(1), Some(2)]);
        assert_eq!(graph.nodes[0].passes, ["join"]);
        // What has another shape now is still read in the old one, by the caller too.
        assert_eq!(graph.nodes[1].inputs, [b]);
        for output in [b, e] {
            assert_eq!(graph.value(output).ty.extents(&[]).dims(), [2, 3]);
            assert_eq!(graph.value(graph.root(output)).ty.extents(&[]).dims(), [6]);
        }
        let plan = Plan::new(graph).unwrap();
        assert_ne!(plan.places[c.index()], plan.places[e.index()]);
    }

    #[test]
    fn what_does_not_fit_stays() {
        let mut graph = GraphBuilder::new();
        let x = graph.input("x", DType::F32, &[Dim::Fixed(6)]);
        let longer = graph.input("y", DType::F32, &[Dim::Fixed(7)]);
        let a = graph.apply("more", More { by: 1, list: false }, &[x]).unwrap();
        let sum = graph.apply("more", More { by: 2, list: false }, &[a, longer]).unwrap();
        let mut graph = graph.finish(&[sum]);
        let wrong = Pass {
            name: "wrong",
            summary: "of another size",
            rule: |site| Some(Made::new(More { by: 9, list: false }, [*site.inputs().get(1)?])),
        };
        graph.rewrite(&[wrong]);
        assert_eq!(graph.nodes.len(), 2);
        assert!(graph.nodes.iter().all(|node| node.passes.is_empty()));
    }
}
