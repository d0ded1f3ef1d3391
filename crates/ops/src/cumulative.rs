#![allow(unsafe_code, reason = "each thread writes the rows it was given")]

use crate::{OpInfo, rules};
use sidestage_ir::{Args, Operator, ValueType, Work};
use sidestage_kernels::{Wide, WideKind, wide_kind};
use sidestage_tensor::DType;
use std::ops::Range;

pub(crate) const INFO: OpInfo =
    OpInfo { name: "Cumulative", summary: "sums or products of a row up to each element" };

/// Of each row of `[rows, width]`: element `i` is the sum, or product, of elements `..= i`.
#[derive(Debug)]
pub struct Cumulative {
    /// The product.
    pub product: bool,
    /// Without element `i` itself.
    pub exclusive: bool,
    /// From the row's end.
    pub reverse: bool,
}

impl Operator for Cumulative {
    fn name(&self) -> &'static str {
        INFO.name
    }

    fn infer(&self, inputs: &[&ValueType]) -> Result<Vec<ValueType>, String> {
        let [x] = rules::operands(inputs)?;
        rules::rank("x", x, 2)?;
        if wide_kind(x.dtype).is_none() || x.dtype == DType::Bool {
            return Err(format!("is not defined for {}", x.dtype));
        }
        Ok(vec![x.clone()])
    }

    fn work(&self, args: &Args<'_>) -> Work {
        let x = args.tensor(0).extents;
        Work { units: x.rows(), grain: 1, cost: 4 * x.inner() + 4 }
    }

    fn run(&self, args: &Args<'_>, units: Range<usize>) {
        let (x, out) = (args.tensor(0), args.outputs[0]);
        let row = x.extents.inner() * x.dtype.block_bytes();
        for unit in units {
            let span = unit * row..(unit + 1) * row;
            // SAFETY: units are whole rows, and no two threads have the same.
            let cells = unsafe { out.bytes.part(span.clone()) };
            let x_row = &x.bytes[span];
            let start = i64::from(self.product);
            match wide_kind(x.dtype) {
                Some(WideKind::Float) => {
                    let step = if self.product { |a, b| a * b } else { |a, b| a + b };
                    self.row::<f64>(x.dtype, x_row, cells, start as f64, step);
                }
                Some(WideKind::Int) => {
                    let step = if self.product { i64::wrapping_mul } else { i64::wrapping_add };
                    self.row::<i64>(x.dtype, x_row, cells, start, step);
                }
                _ => {
                    let step = if self.product { u64::wrapping_mul } else { u64::wrapping_add };
                    self.row::<u64>(x.dtype, x_row, cells, start as u64, step);
                }
            }
        }
    }
}

impl Cumulative {
    fn row<W: Wide>(&self, dtype: DType, x: &[u8], out: &mut [u8], start: W, step: fn(W, W) -> W) {
        let (Some(load), Some(store)) = (W::load(dtype), W::store(dtype)) else { return };
        let (width, mut all) = (x.len() / dtype.block_bytes(), start);
        for at in 0..width {
            let at = if self.reverse { width - 1 - at } else { at };
            let next = step(all, load(x, at));
            store(out, at, if self.exclusive { all } else { next });
            all = next;
        }
    }
}
