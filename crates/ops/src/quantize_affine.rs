#![allow(unsafe_code, reason = "each thread writes the elements it was given")]

use crate::{OpInfo, rules};
use sidestage_ir::{Args, Operator, ValueType, Work};
use sidestage_kernels::{Halves, Wide, WideKind, quantize_int8, wide_kind};
use sidestage_tensor::DType;
use std::ops::Range;

pub(crate) const INFO: OpInfo = OpInfo {
    name: "QuantizeAffine",
    summary: "numbers as integers with a scale, halves away from 0",
};

/// `x / scale`, rounded, and `zero` more, of `f32`, cut to limits (LiteRT, "QUANTIZE"). What is no
/// number becomes `zero`.
#[derive(Clone, Copy, Debug)]
pub struct QuantizeAffine {
    /// The integers' type.
    pub to: DType,
    /// What one more means.
    pub scale: f32,
    /// What stands for 0.
    pub zero: i32,
    /// The least and the most.
    pub limits: [i32; 2],
}

impl Operator for QuantizeAffine {
    fn name(&self) -> &'static str {
        INFO.name
    }

    fn infer(&self, inputs: &[&ValueType]) -> Result<Vec<ValueType>, String> {
        let [x] = rules::operands(inputs)?;
        rules::dtype("x", x, DType::F32)?;
        if !matches!(wide_kind(self.to), Some(WideKind::Int | WideKind::Uint)) {
            return Err(format!("{} are no integers", self.to));
        }
        Ok(vec![ValueType::new(self.to, x.dims.clone())])
    }

    fn permuted(&self, _: &[usize]) -> Option<Box<dyn Operator>> {
        Some(Box::new(*self))
    }

    fn work(&self, args: &Args<'_>) -> Work {
        Work { units: args.outputs[0].extents.elements(), grain: 64, cost: 8 }
    }

    fn run(&self, args: &Args<'_>, units: Range<usize>) {
        let (x, out) = (args.tensor(0).f32s(), args.outputs[0]);
        let size = out.dtype.block_bytes();
        // SAFETY: no two threads have the same elements.
        let cells = unsafe { out.bytes.part(units.start * size..units.end * size) };
        if matches!(out.dtype, DType::I8 | DType::U8) && (-256..256).contains(&self.zero) {
            let of = (self.scale, self.zero);
            return quantize_int8(&x[units], of, self.limits, Halves::Away, cells);
        }
        let [least, most] = self.limits.map(f64::from);
        let of = |x: f32| {
            let rounded = f64::from((x / self.scale).round());
            if rounded.is_nan() { f64::from(self.zero) } else { rounded + f64::from(self.zero) }
        };
        let x = x[units].iter().map(|x| of(*x).max(least).min(most) as i64).enumerate();
        if let Some(store) = i64::store(out.dtype) {
            x.for_each(|(at, value)| store(cells, at, value));
        } else if let Some(store) = u64::store(out.dtype) {
            x.for_each(|(at, value)| store(cells, at, value as u64));
        }
    }
}
