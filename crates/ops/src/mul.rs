use crate::rows::rows;
use crate::{OpInfo, rules};
use sidestage_ir::{Args, Operator, ValueType, Work};
use std::ops::Range;

pub(crate) const INFO: OpInfo = OpInfo { name: "Mul", summary: "a * b, same shape" };

/// `a * b` of two `f32` matrices `[rows, width]`.
#[derive(Debug)]
pub struct Mul;

impl Operator for Mul {
    fn name(&self) -> &'static str {
        INFO.name
    }

    fn infer(&self, inputs: &[&ValueType]) -> Result<Vec<ValueType>, String> {
        let [a, b] = rules::operands(inputs)?;
        rules::matrix("a", a)?;
        if a != b {
            return Err("a and b must have the same shape".into());
        }
        Ok(vec![a.clone()])
    }

    fn work(&self, args: &Args<'_>) -> Work {
        let extents = args.outputs[0].extents;
        Work { units: extents.rows(), grain: 1, cost: 3 * extents.inner() }
    }

    fn run(&self, args: &Args<'_>, units: Range<usize>) {
        let (span, out) = rows::<f32>(args, units);
        let (a, b) = (args.tensor(0).f32s(), args.tensor(1).f32s());
        sidestage_kernels::mul(&a[span.clone()], &b[span], out);
    }
}
