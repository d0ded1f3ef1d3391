//! The graph: values, nodes, symbolic dimensions, operators as a trait, and what can be done to a
//! graph without knowing any operator by name: dead-code removal, passes, liveness, the memory plan.
//!
//! A graph is built by a decoder builder with [`GraphBuilder`], or from a [`Model`], which is what a
//! file of ONNX, TFLite or TensorFlow.js says, by a [`Trace`]. It is planned once by [`Plan::new`] and
//! run many times by a runtime (`crates/cpu`) with different values of its symbols.

mod builder;
mod graph;
mod model;
mod operator;
mod plan;
mod rewrite;
mod trace;

pub use builder::GraphBuilder;
pub use graph::{Dim, Graph, Kind, Node, NodeId, Symbol, Value, ValueId, ValueType};
pub use model::{
    Attribute, Body, BodyId, Call, Model, Port, PortDim, PortKind, Quantization, State, Var,
};
pub use operator::{Args, GraphError, Operand, Operator, Work};
pub use plan::{Place, Plan};
pub use rewrite::{Made, Pass, Rule, Site};
pub use trace::{
    Draft, Given, Lower, Memo, Outcome, Rounds, Scope, Segment, Stop, Table, Trace, TraceError,
    Traced, Transpose, Val, computed,
};
