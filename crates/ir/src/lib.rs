//! The graph: values, nodes, symbolic dimensions, operators as a trait, and what can be done to a
//! graph without knowing any operator by name: dead-code removal, liveness, the memory plan.
//!
//! A graph is built by a front end (a decoder builder, later an ONNX importer) with
//! [`GraphBuilder`], planned once by [`Plan::new`] and run many times by a runtime (`crates/cpu`)
//! with different values of its symbols.

mod builder;
mod graph;
mod operator;
mod plan;

pub use builder::GraphBuilder;
pub use graph::{Dim, Graph, Kind, Node, NodeId, Symbol, Value, ValueId, ValueType};
pub use operator::{Args, GraphError, Operand, Operator, Work};
pub use plan::{Place, Plan};
