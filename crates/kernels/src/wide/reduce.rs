//! Rows to one element each.

use super::{Wide, WideKind, wide_kind};
use crate::norm::sum;
use sidestage_tensor::DType;

/// What a row of elements becomes, by ONNX's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "ONNX's names")]
pub enum Reduction {
    L1,
    L2,
    LogSum,
    LogSumExp,
    Max,
    Mean,
    Min,
    Prod,
    Sum,
    SumSquare,
}

impl Reduction {
    /// Whether it is defined for such elements.
    pub fn takes(self, dtype: DType) -> bool {
        match wide_kind(dtype) {
            None => false,
            _ if dtype == DType::Bool => matches!(self, Self::Max | Self::Min),
            _ => true,
        }
    }

    /// Reduces rows of `width` elements.
    ///
    /// # Panics
    /// If it is not defined for `dtype`, or the bytes are not as many rows as results.
    pub fn run(self, dtype: DType, width: usize, x: &[u8], out: &mut [u8]) {
        if dtype == DType::F32 && width >= LANES {
            let x: &[f32] = bytemuck::cast_slice(x);
            let out: &mut [f32] = bytemuck::cast_slice_mut(out);
            let rows = out.iter_mut().zip(x.chunks_exact(width));
            match self {
                Self::L1 => rows.for_each(|(out, x)| *out = singles(x, f32::abs) as f32),
                Self::L2 => rows.for_each(|(out, x)| *out = singles(x, |x| x * x).sqrt() as f32),
                Self::Max => rows.for_each(|(out, x)| *out = most(x, |x| x)),
                Self::Mean => {
                    let mean = |x: &[f32]| singles(x, |x| x) / width as f64;
                    rows.for_each(|(out, x)| *out = mean(x) as f32);
                }
                Self::Min => rows.for_each(|(out, x)| *out = -most(x, |x| -x)),
                Self::Sum => rows.for_each(|(out, x)| *out = singles(x, |x| x) as f32),
                Self::SumSquare => rows.for_each(|(out, x)| *out = singles(x, |x| x * x) as f32),
                _ => {
                    return self.each(
                        dtype,
                        width,
                        bytemuck::cast_slice(x),
                        bytemuck::cast_slice_mut(out),
                    );
                }
            }
            return;
        }
        self.each(dtype, width, x, out);
    }

    /// One element after the other.
    fn each(self, dtype: DType, width: usize, x: &[u8], out: &mut [u8]) {
        match wide_kind(dtype) {
            Some(WideKind::Float) => {
                rows(dtype, width, x, out, |row: &mut dyn Iterator<Item = f64>| {
                    self.float(row, width)
                })
            }
            Some(WideKind::Int) => {
                rows(dtype, width, x, out, |row: &mut dyn Iterator<Item = i64>| {
                    self.int(row, width, dtype)
                })
            }
            Some(WideKind::Uint) => {
                rows(dtype, width, x, out, |row: &mut dyn Iterator<Item = u64>| match self {
                    Self::Max => row.max().unwrap_or(0),
                    Self::Min => row.min().unwrap_or(u64::MAX),
                    _ => self.int(&mut row.map(|x| x as i64), width, dtype) as u64,
                })
            }
            None => unreachable!("{self:?} of {dtype}"),
        }
    }

    fn float(self, row: &mut dyn Iterator<Item = f64>, width: usize) -> f64 {
        match self {
            Self::L1 => row.map(f64::abs).sum(),
            Self::L2 => row.map(|x| x * x).sum::<f64>().sqrt(),
            Self::LogSum => row.sum::<f64>().ln(),
            Self::LogSumExp => {
                let all: Vec<f64> = row.collect();
                let most = all.iter().copied().fold(f64::NEG_INFINITY, f64::max);
                let most = if most.is_finite() { most } else { 0.0 };
                all.iter().map(|x| (x - most).exp()).sum::<f64>().ln() + most
            }
            Self::Max => {
                row.fold(f64::NEG_INFINITY, |a, b| if a > b || a.is_nan() { a } else { b })
            }
            Self::Min => row.fold(f64::INFINITY, |a, b| if a < b || a.is_nan() { a } else { b }),
            Self::Mean => row.sum::<f64>() / width as f64,
            Self::Prod => row.product(),
            Self::Sum => row.sum(),
            Self::SumSquare => row.map(|x| x * x).sum(),
        }
    }

    fn int(self, row: &mut dyn Iterator<Item = i64>, width: usize, dtype: DType) -> i64 {
        let sum = |row: &mut dyn Iterator<Item = i64>| row.fold(0, i64::wrapping_add);
        let as_float = |row: &mut dyn Iterator<Item = i64>| {
            self.float(&mut row.map(|x| x as f64), width) as i64
        };
        // The least that the type holds, which is what remains of no elements.
        let least = match dtype {
            DType::Bool => 0,
            _ => i64::MIN >> (64 - 8 * dtype.block_bytes()),
        };
        match self {
            Self::L1 => sum(&mut row.map(i64::wrapping_abs)),
            Self::Max => row.max().unwrap_or(least),
            Self::Min => row.min().unwrap_or(!least),
            Self::Prod => row.fold(1, i64::wrapping_mul),
            Self::Sum => sum(row),
            Self::SumSquare => sum(&mut row.map(|x| x.wrapping_mul(x))),
            Self::Mean => sum(row).checked_div(width as i64).unwrap_or(0),
            Self::L2 | Self::LogSum | Self::LogSumExp => as_float(row),
        }
    }
}

/// Shorter rows are reduced one element after the other.
const LANES: usize = 16;

/// Elements that are added in single precision; their sums are added in double.
const PART: usize = 1024;

/// The sum of a term of each element, of eight lanes, always in the same order.
#[inline(always)]
fn singles(x: &[f32], term: impl Fn(f32) -> f32) -> f64 {
    x.chunks(PART).map(|part| f64::from(sum(part, &term))).sum()
}

/// The largest term; what is no number is the largest of all.
#[inline(always)]
fn most(x: &[f32], term: impl Fn(f32) -> f32) -> f32 {
    let larger = |a: f32, b: f32| if a > b || a.is_nan() { a } else { b };
    let mut lanes = [f32::NEG_INFINITY; 8];
    let (eights, rest) = x.as_chunks::<8>();
    for eight in eights {
        for lane in 0..8 {
            lanes[lane] = larger(lanes[lane], term(eight[lane]));
        }
    }
    let rest = rest.iter().map(|x| term(*x));
    lanes.into_iter().chain(rest).fold(f32::NEG_INFINITY, larger)
}

fn rows<W: Wide>(
    dtype: DType,
    width: usize,
    x: &[u8],
    out: &mut [u8],
    reduce: impl Fn(&mut dyn Iterator<Item = W>) -> W,
) {
    let (Some(load), Some(store)) = (W::load(dtype), W::store(dtype)) else {
        unreachable!("{dtype} is of another kind")
    };
    for row in 0..out.len() / dtype.block_bytes() {
        let mut row_of = (row * width..(row + 1) * width).map(|i| load(x, i));
        store(out, row, reduce(&mut row_of));
    }
}
