//! What a planned model does, for people and tools to read.

use sidestage_ir::{Graph, Kind, Plan, ValueId};
use sidestage_tensor::DType;
use std::fmt;

/// The segments of a model that are planned.
#[derive(Clone, Debug, Default)]
pub struct Explanation {
    /// One after another, in the order in which they were planned.
    pub segments: Vec<ExplainedSegment>,
}

/// A part of a model that runs in one go.
#[derive(Clone, Debug)]
pub struct ExplainedSegment {
    /// Bytes of the values between its operators. Segments take turns with them.
    pub arena_bytes: usize,
    /// Bytes of what is known of it: weights, and what was computed of them.
    pub constant_bytes: usize,
    /// What runs, in order.
    pub nodes: Vec<ExplainedNode>,
    /// Values that it ends with because the model goes on as they say.
    pub needs: usize,
}

/// An operator that runs.
#[derive(Clone, Debug)]
pub struct ExplainedNode {
    /// The operator.
    pub op: &'static str,
    /// The call of the model that it does, or the last of several.
    pub call: String,
    /// Its operands.
    pub inputs: Vec<ExplainedValue>,
    /// Its results.
    pub outputs: Vec<ExplainedValue>,
    /// The passes that made it of several, in order.
    pub passes: Vec<&'static str>,
    /// Where it runs.
    pub device: &'static str,
    /// Why there.
    pub reason: &'static str,
}

/// What an operator reads or makes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExplainedValue {
    /// Type of its elements.
    pub dtype: DType,
    /// Dimensions, outermost first.
    pub dims: Vec<usize>,
}

impl fmt::Display for ExplainedValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {:?}", self.dtype, self.dims)
    }
}

impl ExplainedSegment {
    pub(crate) fn new(plan: &Plan, needs: usize) -> Self {
        let graph = &plan.graph;
        let nodes = graph.nodes.iter().map(|node| ExplainedNode {
            op: node.op.name(),
            call: node.outputs.first().map_or(String::new(), |id| graph.value(*id).name.clone()),
            inputs: node.inputs.iter().map(|id| shown(graph, *id)).collect(),
            outputs: node.outputs.iter().map(|id| shown(graph, *id)).collect(),
            passes: node.passes.clone(),
            device: "cpu",
            reason: "there is no other device",
        });
        Self {
            arena_bytes: plan.arena_bytes,
            constant_bytes: constants(graph),
            nodes: nodes.collect(),
            needs,
        }
    }
}

/// Bytes of the constants that nodes read.
fn constants(graph: &Graph) -> usize {
    let read = graph.nodes.iter().flat_map(|node| &node.inputs).map(|id| graph.root(*id));
    let mut read: Vec<ValueId> = read.collect();
    read.sort_unstable();
    read.dedup();
    let constant = |id: &ValueId| match graph.value(*id).kind {
        Kind::Constant(at) => graph.constants[at].bytes().len(),
        _ => 0,
    };
    read.iter().map(constant).sum()
}

fn shown(graph: &Graph, id: ValueId) -> ExplainedValue {
    let ty = &graph.value(id).ty;
    ExplainedValue { dtype: ty.dtype, dims: ty.extents(&[]).dims().to_vec() }
}

fn list(values: &[ExplainedValue]) -> String {
    values.iter().map(ExplainedValue::to_string).collect::<Vec<_>>().join(", ")
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, segment) in self.segments.iter().enumerate() {
            writeln!(
                f,
                "segment {at}: {} operators, {} bytes between them, {} bytes of constants",
                segment.nodes.len(),
                segment.arena_bytes,
                segment.constant_bytes,
            )?;
            for node in &segment.nodes {
                let (inputs, outputs) = (list(&node.inputs), list(&node.outputs));
                write!(f, "  {:<20} {inputs} -> {outputs}", node.op)?;
                if !node.call.is_empty() {
                    write!(f, "  {}", node.call)?;
                }
                if !node.passes.is_empty() {
                    write!(f, "  [{}]", node.passes.join(", "))?;
                }
                writeln!(f)?;
            }
            if segment.needs > 0 {
                writeln!(f, "  then it goes on as {} of its values say", segment.needs)?;
            }
        }
        Ok(())
    }
}
