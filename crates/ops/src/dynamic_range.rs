use crate::{OpInfo, rules};
use sidestage_ir::{Args, Operator, ValueType, Work};
use sidestage_kernels::range_with_zero;
use sidestage_tensor::DType;
use std::ops::Range;

pub(crate) const INFO: OpInfo =
    OpInfo { name: "DynamicRange", summary: "scale and zero of numbers that become bytes" };

/// The scale and the zero with which numbers of `f32`, and 0, take all bytes without a sign: one `f32`, one
/// byte (ONNX 11, "DynamicQuantizeLinear"). Where all are 0 the scale is 1.
#[derive(Clone, Copy, Debug)]
pub struct DynamicRange;

impl Operator for DynamicRange {
    fn name(&self) -> &'static str {
        INFO.name
    }

    fn infer(&self, inputs: &[&ValueType]) -> Result<Vec<ValueType>, String> {
        let [x] = rules::operands(inputs)?;
        rules::dtype("x", x, DType::F32)?;
        rules::dims("x", x)?;
        Ok(vec![ValueType::fixed(DType::F32, &[]), ValueType::fixed(DType::U8, &[])])
    }

    fn work(&self, args: &Args<'_>) -> Work {
        Work { units: 1, grain: 1, cost: args.tensor(0).extents.elements().max(1) }
    }

    fn run(&self, args: &Args<'_>, _: Range<usize>) {
        let [least, most] = range_with_zero(args.tensor(0).f32s());
        let width = most - least;
        let scale = if width == 0.0 { 1.0 } else { width / 255.0 };
        let zero = (0.0 - least / scale).clamp(0.0, 255.0).round_ties_even();
        let (_, of_scale) = crate::rows::rows_of::<f32>(args, 0, 0..1);
        of_scale[0] = scale;
        let (_, of_zero) = crate::rows::rows_of::<u8>(args, 1, 0..1);
        of_zero[0] = zero as u8;
    }
}
