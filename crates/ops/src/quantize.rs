use crate::{OpInfo, rules};
use sidestage_ir::{Args, Operator, ValueType, Work};
use sidestage_tensor::DType;
use sidestage_tensor::blocks::Act8;
use std::ops::Range;

pub(crate) const INFO: OpInfo =
    OpInfo { name: "Quantize", summary: "activations to 8 bits in blocks of 32" };

/// Quantises `x[rows, width]` to [`DType::Act8`]; the width is a multiple of 32. The rows lie as
/// [`sidestage_kernels::Act8Rows`] says.
#[derive(Debug)]
pub struct Quantize;

impl Operator for Quantize {
    fn name(&self) -> &'static str {
        INFO.name
    }

    fn infer(&self, inputs: &[&ValueType]) -> Result<Vec<ValueType>, String> {
        let [x] = rules::operands(inputs)?;
        let (_, width) = rules::matrix("x", x)?;
        rules::equal("the rest of the width by 32", width % 32, 0)?;
        Ok(vec![ValueType::new(DType::Act8, x.dims.clone())])
    }

    fn work(&self, args: &Args<'_>) -> Work {
        let extents = args.outputs[0].extents;
        Work { units: extents.rows(), grain: 1, cost: 3 * extents.inner() }
    }

    fn run(&self, args: &Args<'_>, units: Range<usize>) {
        let (x, out) = (args.tensor(0), args.outputs[0].cells::<Act8>());
        sidestage_kernels::quantize_act8(x.f32s(), x.extents.rows(), out, units);
    }
}
