//! Runs plans and models on the CPU: memory, a cursor that can stop at any node, and the threads' shares.

mod executor;
mod explain;
mod inputs;
mod memory;
mod profile;
mod runner;
mod together;
mod weights;

pub use executor::{Executor, Progress, Timer};
pub use explain::{ExplainedNode, ExplainedSegment, ExplainedValue, Explanation};
pub use inputs::{InputError, inputs};
pub use profile::{OpTime, OpTimes};
pub use runner::{RunError, Runner, Value};
pub use weights::{SLAB_BYTES, Weights};
