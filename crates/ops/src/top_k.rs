#![allow(unsafe_code, reason = "each thread writes the rows it was given")]

use crate::{OpInfo, rules};
use sidestage_ir::{Args, Operator, ValueType, Work};
use sidestage_kernels::{Wide, WideKind, wide_kind};
use sidestage_tensor::DType;
use std::cmp::Ordering;
use std::ops::Range;

pub(crate) const INFO: OpInfo = OpInfo {
    name: "TopK",
    summary: "the largest or smallest elements of a row, and where they are",
};

/// `[rows, width]` to `[rows, k]` twice: the elements in order, and their indices. Of equal ones the
/// first comes first; what is no number counts as the largest.
#[derive(Debug)]
pub struct TopK {
    /// How many.
    pub k: usize,
    /// The largest.
    pub largest: bool,
}

impl Operator for TopK {
    fn name(&self) -> &'static str {
        INFO.name
    }

    fn infer(&self, inputs: &[&ValueType]) -> Result<Vec<ValueType>, String> {
        let [x] = rules::operands(inputs)?;
        rules::rank("x", x, 2)?;
        let dims = rules::dims("x", x)?;
        if wide_kind(x.dtype).is_none() || dims[1] < self.k {
            return Err(format!("{} of rows of {} {}", self.k, dims[1], x.dtype));
        }
        let dims = [dims[0], self.k];
        Ok(vec![ValueType::fixed(x.dtype, &dims), ValueType::fixed(DType::I64, &dims)])
    }

    fn work(&self, args: &Args<'_>) -> Work {
        let x = args.tensor(0).extents;
        Work { units: x.rows(), grain: 1, cost: 8 * x.inner() + 4 }
    }

    fn run(&self, args: &Args<'_>, units: Range<usize>) {
        let x = args.tensor(0);
        let (width, size) = (x.extents.inner(), x.dtype.block_bytes());
        for row in units {
            let row_of = &x.bytes[row * width * size..(row + 1) * width * size];
            let order = match wide_kind(x.dtype) {
                Some(WideKind::Float) => self.order(x.dtype, row_of, width, |a: &f64, b: &f64| {
                    let rank = |x: &f64| x.is_nan();
                    a.partial_cmp(b).unwrap_or(rank(a).cmp(&rank(b)))
                }),
                Some(WideKind::Int) => self.order(x.dtype, row_of, width, i64::cmp),
                _ => self.order(x.dtype, row_of, width, u64::cmp),
            };
            let span = row * self.k..(row + 1) * self.k;
            let values = args.outputs[0].bytes;
            // SAFETY: units are whole rows, and no two threads have the same.
            let (values, places) = unsafe {
                let values = values.part(span.start * size..span.end * size);
                (values, args.outputs[1].cells::<i64>().part(span))
            };
            for ((from, value), place) in
                order.into_iter().zip(values.chunks_exact_mut(size)).zip(places)
            {
                value.copy_from_slice(&row_of[from as usize * size..][..size]);
                *place = from.into();
            }
        }
    }
}

impl TopK {
    fn order<W: Wide>(
        &self,
        dtype: DType,
        row: &[u8],
        width: usize,
        compare: impl Fn(&W, &W) -> Ordering,
    ) -> Vec<u32> {
        let Some(load) = W::load(dtype) else { return Vec::new() };
        let mut order: Vec<u32> = (0..width as u32).collect();
        let by = |a: &u32, b: &u32| {
            let order = compare(&load(row, *a as usize), &load(row, *b as usize));
            (if self.largest { order.reverse() } else { order }).then(a.cmp(b))
        };
        if self.k < width && self.k > 0 {
            order.select_nth_unstable_by(self.k - 1, by);
        }
        order.truncate(self.k);
        order.sort_unstable_by(by);
        order
    }
}
