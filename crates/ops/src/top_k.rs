#![allow(unsafe_code, reason = "each thread writes the rows it was given")]

use crate::{OpInfo, rules};
use sidestage_ir::{Args, Operator, ValueType, Work};
use sidestage_kernels::{Wide, WideKind, wide_kind};
use sidestage_tensor::DType;
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
                Some(WideKind::Float) => self.order(keys(x.dtype, row_of, width, of_float)),
                Some(WideKind::Int) => self.order(keys(x.dtype, row_of, width, of_int)),
                _ => self.order(keys(x.dtype, row_of, width, |x: u64| x)),
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
    /// The places of the first ones.
    fn order(&self, keys: Vec<u64>) -> Vec<u32> {
        let key = |key: u64| if self.largest { !key } else { key };
        let mut order: Vec<(u64, u32)> = keys.into_iter().map(key).zip(0..).collect();
        if self.k < order.len() && self.k > 0 {
            order.select_nth_unstable(self.k - 1);
        }
        order.truncate(self.k);
        order.sort_unstable();
        order.into_iter().map(|(_, at)| at).collect()
    }
}

/// Numbers that are ordered as the elements of a row: one sort is enough for all types.
fn keys<W: Wide>(dtype: DType, row: &[u8], width: usize, key: impl Fn(W) -> u64) -> Vec<u64> {
    let Some(load) = W::load(dtype) else { return Vec::new() };
    (0..width).map(|at| key(load(row, at))).collect()
}

/// Both zeros are one number, and what is none is larger than all.
fn of_float(x: f64) -> u64 {
    let bits = (x + 0.0).to_bits();
    match bits >> 63 {
        _ if x.is_nan() => u64::MAX,
        0 => bits | 1 << 63,
        _ => !bits,
    }
}

fn of_int(x: i64) -> u64 {
    x.cast_unsigned() ^ 1 << 63
}
