//! Products of matrices whose elements are all known only when they run.

use crate::Wide;
use sidestage_tensor::DType;

/// Rows that share what is read of `b`.
const ROWS: usize = 4;

/// `out[i, j] = sum over p of a[i, p] * b[p, j]` for some rows of `a`, all dense: `a` of `[rows, k]`,
/// `b` of `[k, n]`.
///
/// # Panics
/// If the lengths are not those.
pub fn matmul(a: &[f32], b: &[f32], (k, n): (usize, usize), out: &mut [f32]) {
    assert_eq!((a.len() * n, b.len()), (out.len() * k, k * n));
    out.fill(0.0);
    if k == 0 || n == 0 {
        return;
    }
    for (a, out) in a.chunks(ROWS * k).zip(out.chunks_mut(ROWS * n)) {
        for p in 0..k {
            let b = &b[p * n..][..n];
            for (a, out) in a.chunks_exact(k).zip(out.chunks_exact_mut(n)) {
                let a = a[p];
                out.iter_mut().zip(b).for_each(|(out, b)| *out += a * b);
            }
        }
    }
}

/// As [`matmul`], of elements of any plain type.
///
/// # Panics
/// If the type is quantised or the lengths are not those.
pub fn matmul_wide(dtype: DType, a: &[u8], b: &[u8], shape: (usize, usize), out: &mut [u8]) {
    let float = |a: f64, b: f64, sum: f64| sum + a * b;
    let int = |a: i64, b: i64, sum: i64| sum.wrapping_add(a.wrapping_mul(b));
    let uint = |a: u64, b: u64, sum: u64| sum.wrapping_add(a.wrapping_mul(b));
    wide(dtype, a, b, shape, out, 0.0, float);
    wide(dtype, a, b, shape, out, 0, int);
    wide(dtype, a, b, shape, out, 0, uint);
}

/// Does nothing if the elements are of another kind.
fn wide<W: Wide>(
    dtype: DType,
    a: &[u8],
    b: &[u8],
    (k, n): (usize, usize),
    out: &mut [u8],
    zero: W,
    add: impl Fn(W, W, W) -> W,
) {
    let (Some(load), Some(store)) = (W::load(dtype), W::store(dtype)) else { return };
    for at in 0..out.len() / dtype.block_bytes() {
        let (i, j) = (at / n, at % n);
        let sum = (0..k).fold(zero, |sum, p| add(load(a, i * k + p), load(b, p * n + j), sum));
        store(out, at, sum);
    }
}
