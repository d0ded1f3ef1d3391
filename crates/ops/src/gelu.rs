use crate::rows::rows;
use crate::{OpInfo, rules};
use sidestage_ir::{Args, Operator, ValueType, Work};
use std::ops::Range;

pub(crate) const INFO: OpInfo = OpInfo {
    name: "Gelu",
    summary: "x times the normal distribution's share below x (ONNX 20; arXiv:1606.08415)",
};

/// `gelu(x)` of an `f32` matrix `[rows, width]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gelu {
    /// By the error function.
    Exact,
    /// By the approximation with `tanh`.
    Tanh,
}

impl Operator for Gelu {
    fn name(&self) -> &'static str {
        INFO.name
    }

    fn infer(&self, inputs: &[&ValueType]) -> Result<Vec<ValueType>, String> {
        let [x] = rules::operands(inputs)?;
        rules::matrix("x", x)?;
        Ok(vec![x.clone()])
    }

    fn work(&self, args: &Args<'_>) -> Work {
        let extents = args.outputs[0].extents;
        Work { units: extents.rows(), grain: 1, cost: 12 * extents.inner() }
    }

    fn run(&self, args: &Args<'_>, units: Range<usize>) {
        let (span, out) = rows::<f32>(args, units);
        let x = &args.tensor(0).f32s()[span];
        match self {
            Self::Exact => sidestage_kernels::gelu_erf(x, out),
            Self::Tanh => sidestage_kernels::gelu_tanh(x, out),
        }
    }
}
