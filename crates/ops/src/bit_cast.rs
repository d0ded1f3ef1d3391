#![allow(unsafe_code, reason = "each thread writes the elements it was given")]

use crate::{OpInfo, rules};
use sidestage_ir::{Args, Operator, ValueType, Work};
use sidestage_tensor::DType;
use std::ops::Range;

pub(crate) const INFO: OpInfo =
    OpInfo { name: "BitCast", summary: "the same bits as elements of another type" };

/// The bits of a tensor as another type of the same size (ONNX 26).
#[derive(Debug)]
pub struct BitCast {
    /// That type.
    pub to: DType,
}

impl Operator for BitCast {
    fn name(&self) -> &'static str {
        INFO.name
    }

    fn infer(&self, inputs: &[&ValueType]) -> Result<Vec<ValueType>, String> {
        let [x] = rules::operands(inputs)?;
        let plain = x.dtype.is_plain() && self.to.is_plain();
        if !plain || x.dtype.block_bytes() != self.to.block_bytes() {
            return Err(format!("{} as {}", x.dtype, self.to));
        }
        Ok(vec![ValueType::new(self.to, x.dims.clone())])
    }

    fn work(&self, args: &Args<'_>) -> Work {
        Work { units: args.outputs[0].extents.elements(), grain: 64, cost: 2 }
    }

    fn run(&self, args: &Args<'_>, units: Range<usize>) {
        let (x, out) = (args.tensor(0), args.outputs[0]);
        let size = out.dtype.block_bytes();
        let span = units.start * size..units.end * size;
        // SAFETY: no two threads have the same elements.
        unsafe { out.bytes.part(span.clone()) }.copy_from_slice(&x.bytes[span]);
    }
}
