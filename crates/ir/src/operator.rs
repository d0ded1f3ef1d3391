use crate::ValueType;
use sidestage_tensor::{SharedOut, TensorOut, TensorRef};
use std::any::Any;
use std::fmt;
use std::ops::Range;

/// What a node does. One implementation is one file of `crates/ops`.
pub trait Operator: Any + fmt::Debug + Send + Sync {
    /// The name in its specification (ONNX where it has one).
    fn name(&self) -> &'static str;

    /// The types of the results for these operands.
    ///
    /// This is the border: what it accepts, [`Operator::run`] computes without failing.
    ///
    /// # Errors
    /// A sentence on the operand that does not fit.
    fn infer(&self, inputs: &[&ValueType]) -> Result<Vec<ValueType>, String>;

    /// The operator that gives the same where the axes of all operands and results lie in the order
    /// `axes`, if there is one; operands with fewer axes are given with ones before theirs.
    fn permuted(&self, _axes: &[usize]) -> Option<Box<dyn Operator>> {
        None
    }

    /// Whether it changes a state, so that it must run even if nobody reads its results.
    fn has_effect(&self) -> bool {
        false
    }

    /// How the work of one run can be cut.
    fn work(&self, args: &Args<'_>) -> Work;

    /// Does these units of the work. Units may run in any order, on any thread, and write
    /// disjoint parts of the results; no element's value depends on how the units are cut.
    fn run(&self, args: &Args<'_>, units: Range<usize>);
}

/// The work of one node in one run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Work {
    /// Units in all.
    pub units: usize,
    /// Units are handed out in multiples of this.
    pub grain: usize,
    /// What one unit costs, in multiply-adds or as many bytes moved.
    pub cost: usize,
}

/// One operand at run time.
#[derive(Clone, Copy)]
pub enum Operand<'a> {
    /// A tensor.
    Tensor(TensorRef<'a>),
    /// The pages of a state.
    Pages(&'a [SharedOut<'a, u8>]),
}

/// Operands and results of a node at run time.
#[derive(Clone, Copy)]
pub struct Args<'a> {
    /// Operands, in the node's order.
    pub inputs: &'a [Operand<'a>],
    /// Results, in the node's order.
    pub outputs: &'a [TensorOut<'a>],
}

impl<'a> Args<'a> {
    /// An operand that is a tensor.
    ///
    /// # Panics
    /// If it is a state: planning made sure that it is not.
    pub fn tensor(&self, index: usize) -> TensorRef<'a> {
        match self.inputs[index] {
            Operand::Tensor(tensor) => tensor,
            Operand::Pages(_) => unreachable!("operand {index} is a state"),
        }
    }

    /// An operand that is a state.
    ///
    /// # Panics
    /// If it is a tensor: planning made sure that it is not.
    pub fn pages(&self, index: usize) -> &'a [SharedOut<'a, u8>] {
        match self.inputs[index] {
            Operand::Pages(pages) => pages,
            Operand::Tensor(_) => unreachable!("operand {index} is not a state"),
        }
    }
}

/// Why a graph cannot be built or planned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GraphError {
    /// An operator refuses its operands.
    Operands {
        /// The operator.
        op: &'static str,
        /// The name of its first result or operand.
        at: String,
        /// Which operand and why.
        problem: String,
    },
    /// A value has no size that can be planned.
    Size {
        /// The value.
        value: String,
    },
}

impl fmt::Display for GraphError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Operands { op, at, problem } => write!(f, "{op} at {at}: {problem}"),
            Self::Size { value } => write!(f, "the size of {value} cannot be planned"),
        }
    }
}

impl std::error::Error for GraphError {}
