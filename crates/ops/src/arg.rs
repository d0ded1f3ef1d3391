#![allow(unsafe_code, reason = "each thread writes the elements it was given")]

use crate::{OpInfo, rules};
use sidestage_ir::{Args, Operator, ValueType, Work};
use sidestage_kernels::{Wide, WideKind, wide_kind};
use sidestage_tensor::DType;
use std::ops::Range;

pub(crate) const INFO: OpInfo =
    OpInfo { name: "Arg", summary: "where the largest or smallest element of a row is" };

/// `[rows, width]` to `[rows]`: the index of the largest element, or of the smallest.
#[derive(Debug)]
pub struct Arg {
    /// The largest.
    pub largest: bool,
    /// Of equal ones the last.
    pub last: bool,
}

impl Operator for Arg {
    fn name(&self) -> &'static str {
        INFO.name
    }

    fn infer(&self, inputs: &[&ValueType]) -> Result<Vec<ValueType>, String> {
        let [x] = rules::operands(inputs)?;
        rules::rank("x", x, 2)?;
        if wide_kind(x.dtype).is_none() || rules::dims("x", x)?[1] == 0 {
            return Err(format!("is not defined for empty rows, or for {}", x.dtype));
        }
        Ok(vec![ValueType::new(DType::I64, [x.dims[0]])])
    }

    fn work(&self, args: &Args<'_>) -> Work {
        let x = args.tensor(0).extents;
        Work { units: x.rows(), grain: 1, cost: 2 * x.inner() + 4 }
    }

    fn run(&self, args: &Args<'_>, units: Range<usize>) {
        let (x, out) = (args.tensor(0), args.outputs[0].cells::<i64>());
        for row in units {
            let place = match wide_kind(x.dtype) {
                Some(WideKind::Float) => {
                    self.place::<f64>(x.dtype, x.bytes, row, x.extents.inner())
                }
                Some(WideKind::Int) => self.place::<i64>(x.dtype, x.bytes, row, x.extents.inner()),
                _ => self.place::<u64>(x.dtype, x.bytes, row, x.extents.inner()),
            };
            // SAFETY: no two threads have the same elements.
            unsafe { out.part(row..row + 1)[0] = place as i64 };
        }
    }
}

impl Arg {
    fn place<W: Wide + PartialOrd>(
        &self,
        dtype: DType,
        x: &[u8],
        row: usize,
        width: usize,
    ) -> usize {
        let Some(load) = W::load(dtype) else { return 0 };
        let (mut best, mut place) = (load(x, row * width), 0);
        for at in 1..width {
            let value = load(x, row * width + at);
            let better = if self.largest { value > best } else { value < best };
            if better || self.last && value == best {
                (best, place) = (value, at);
            }
        }
        place
    }
}
