use crate::rows::rows;
use crate::{OpInfo, rules};
use sidestage_ir::{Args, Operator, ValueType, Work};
use std::ops::Range;

pub(crate) const INFO: OpInfo = OpInfo { name: "Scale", summary: "x * factor" };

/// `x * factor` of an `f32` matrix `[rows, width]`.
#[derive(Debug)]
pub struct Scale {
    /// Multiplies every value.
    pub factor: f32,
}

impl Operator for Scale {
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
        Work { units: extents.rows(), grain: 1, cost: 2 * extents.inner() }
    }

    fn run(&self, args: &Args<'_>, units: Range<usize>) {
        let (span, out) = rows::<f32>(args, units);
        sidestage_kernels::scale(&args.tensor(0).f32s()[span], self.factor, out);
    }
}
