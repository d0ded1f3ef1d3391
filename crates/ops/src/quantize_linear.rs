#![allow(unsafe_code, reason = "each thread writes the elements it was given")]

use crate::{OpInfo, rules};
use sidestage_ir::{Args, Operator, ValueType, Work};
use sidestage_kernels::{Halves, quantize_int8};
use sidestage_tensor::{DType, TensorRef};
use std::ops::Range;

pub(crate) const INFO: OpInfo = OpInfo {
    name: "QuantizeLinear",
    summary: "numbers as bytes, with a scale and a zero that are operands",
};

/// `x / scale + zero` of `f32`, rounded to even and cut to the bytes of the zero's type (ONNX 10,
/// "QuantizeLinear"); one scale and one zero for all.
#[derive(Clone, Copy, Debug)]
pub struct QuantizeLinear;

/// The first of some bytes.
pub(crate) fn number(of: TensorRef<'_>) -> i32 {
    let byte = of.bytes[0];
    if of.dtype == DType::I8 { byte.cast_signed().into() } else { byte.into() }
}

impl Operator for QuantizeLinear {
    fn name(&self) -> &'static str {
        INFO.name
    }

    fn infer(&self, inputs: &[&ValueType]) -> Result<Vec<ValueType>, String> {
        let [x, scale, zero] = rules::operands(inputs)?;
        rules::dtype("x", x, DType::F32)?;
        rules::dtype("the scale", scale, DType::F32)?;
        if !matches!(zero.dtype, DType::I8 | DType::U8) {
            return Err(format!("is not defined for {}", zero.dtype));
        }
        for (what, one) in [("the number of scales", scale), ("the number of zeros", zero)] {
            rules::equal(what, rules::dims(what, one)?.iter().product(), 1)?;
        }
        Ok(vec![ValueType::new(zero.dtype, x.dims.clone())])
    }

    fn permuted(&self, _: &[usize]) -> Option<Box<dyn Operator>> {
        Some(Box::new(*self))
    }

    fn work(&self, args: &Args<'_>) -> Work {
        Work { units: args.outputs[0].extents.elements(), grain: 64, cost: 4 }
    }

    fn run(&self, args: &Args<'_>, units: Range<usize>) {
        let (x, scale, zero) = (args.tensor(0).f32s(), args.tensor(1).f32s()[0], args.tensor(2));
        // SAFETY: no two threads have the same elements.
        let out = unsafe { args.outputs[0].bytes.part(units.clone()) };
        let limits = if zero.dtype == DType::I8 { [-128, 127] } else { [0, 255] };
        quantize_int8(&x[units], (scale, number(zero)), limits, Halves::Even, out);
    }
}
