#![allow(unsafe_code, reason = "each thread writes the elements it was given")]

use crate::{OpInfo, rules};
use sidestage_ir::{Args, Operator, ValueType, Work};
use sidestage_tensor::DType;
use std::ops::Range;

pub(crate) const INFO: OpInfo = OpInfo { name: "Cast", summary: "elements as another type" };

/// The elements of a tensor as another type (ONNX 13, without saturation).
#[derive(Debug)]
pub struct Cast {
    /// That type.
    pub to: DType,
}

impl Operator for Cast {
    fn name(&self) -> &'static str {
        INFO.name
    }

    fn infer(&self, inputs: &[&ValueType]) -> Result<Vec<ValueType>, String> {
        let [x] = rules::operands(inputs)?;
        for dtype in [x.dtype, self.to] {
            if sidestage_kernels::wide_kind(dtype).is_none() {
                return Err(format!("{dtype} cannot be cast"));
            }
        }
        Ok(vec![ValueType::new(self.to, x.dims.clone())])
    }

    fn permuted(&self, _: &[usize]) -> Option<Box<dyn Operator>> {
        Some(Box::new(Self { to: self.to }))
    }

    fn work(&self, args: &Args<'_>) -> Work {
        Work { units: args.outputs[0].extents.elements(), grain: 64, cost: 4 }
    }

    fn run(&self, args: &Args<'_>, units: Range<usize>) {
        let (x, out) = (args.tensor(0), args.outputs[0]);
        let span = |size: usize| units.start * size..units.end * size;
        // SAFETY: no two threads have the same elements.
        let cells = unsafe { out.bytes.part(span(out.dtype.block_bytes())) };
        sidestage_kernels::cast(x.dtype, &x.bytes[span(x.dtype.block_bytes())], out.dtype, cells);
    }
}
