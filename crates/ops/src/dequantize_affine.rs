#![allow(unsafe_code, reason = "each thread writes the elements it was given")]

use crate::{OpInfo, rules};
use sidestage_ir::{Args, Operator, ValueType, Work};
use sidestage_kernels::{Int8, Wide, WideKind, dequantize_int8, wide_kind};
use sidestage_tensor::DType;
use std::ops::Range;

pub(crate) const INFO: OpInfo =
    OpInfo { name: "DequantizeAffine", summary: "integers with a scale as numbers" };

/// `(x - zero) * scale`, in `f32` (LiteRT, "DEQUANTIZE").
#[derive(Clone, Copy, Debug)]
pub struct DequantizeAffine {
    /// What one more means.
    pub scale: f32,
    /// What stands for 0.
    pub zero: i64,
}

impl Operator for DequantizeAffine {
    fn name(&self) -> &'static str {
        INFO.name
    }

    fn infer(&self, inputs: &[&ValueType]) -> Result<Vec<ValueType>, String> {
        let [x] = rules::operands(inputs)?;
        if !matches!(wide_kind(x.dtype), Some(WideKind::Int | WideKind::Uint)) {
            return Err(format!("{} are no integers", x.dtype));
        }
        Ok(vec![ValueType::new(DType::F32, x.dims.clone())])
    }

    fn permuted(&self, _: &[usize]) -> Option<Box<dyn Operator>> {
        Some(Box::new(*self))
    }

    fn work(&self, args: &Args<'_>) -> Work {
        Work { units: args.outputs[0].extents.elements(), grain: 64, cost: 4 }
    }

    fn run(&self, args: &Args<'_>, units: Range<usize>) {
        let x = args.tensor(0);
        // SAFETY: no two threads have the same elements.
        let out = unsafe { args.outputs[0].cells::<f32>().part(units.clone()) };
        if let (DType::I8 | DType::U8, Ok(zero)) = (x.dtype, i32::try_from(self.zero)) {
            let signed = x.dtype == DType::I8;
            let x = Int8 { bytes: &x.bytes[units], signed, zero };
            return dequantize_int8(x, self.scale, out);
        }
        let of = |x: i64| x.wrapping_sub(self.zero) as f32 * self.scale;
        if let Some(load) = i64::load(x.dtype) {
            out.iter_mut().zip(units).for_each(|(out, at)| *out = of(load(x.bytes, at)));
        } else if let Some(load) = u64::load(x.dtype) {
            out.iter_mut().zip(units).for_each(|(out, at)| *out = of(load(x.bytes, at) as i64));
        }
    }
}
