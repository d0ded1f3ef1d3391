//! Q4_K, Q5_K and Q6_K. The formats leave the choice of scales to the writer: here values are
//! rounded by the scale that their range asks for, then the scale that fits the rounded values best
//! (least squares) takes its place. llama.cpp's own search is longer and a little better.

use sidestage_tensor::blocks::{BlockQ4_K, BlockQ5_K, BlockQ6_K, F16};
use std::array::from_fn;

/// How often integers and scales are fitted to each other.
const ROUNDS: usize = 3;

/// Steps by which the first range is taken for smaller or larger than it is: a fit from there may
/// end at a better place.
const RANGES: [f32; 4] = [-1.0, 0.0, 1.0, 2.0];

pub(super) fn q4_k(x: &[f32; 256]) -> BlockQ4_K {
    let Parts { d, dmin, scales, q } = parts(x, 15.0);
    BlockQ4_K { d, dmin, scales, qs: nibbles(&q) }
}

pub(super) fn q5_k(x: &[f32; 256]) -> BlockQ5_K {
    let Parts { d, dmin, scales, q } = parts(x, 31.0);
    let qh = from_fn(|i| (0..8).fold(0, |bits, part| bits | (q[32 * part + i] >> 4) << part));
    BlockQ5_K { d, dmin, scales, qh, qs: nibbles(&q) }
}

pub(super) fn q6_k(x: &[f32; 256]) -> BlockQ6_K {
    let scales: [f32; 16] = from_fn(|group| symmetric(&x[16 * group..][..16]));
    let d = F16::from_f32(largest(&scales) / 127.0);
    let (wide, by) = (d.to_f32(), inverse(d.to_f32()));
    let scales = scales.map(|scale| nearest(scale * by, -127.0, 127.0) as i8);
    let q: [u8; 256] = from_fn(|i| {
        let by = inverse(wide * f32::from(scales[i / 16]));
        (nearest(x[i] * by, -32.0, 31.0) + 32.0) as u8
    });
    let ql = from_fn(|i| {
        let low = 128 * (i / 64) + i % 64;
        q[low] & 15 | q[low + 64] << 4
    });
    let qh = from_fn(|i| {
        let first = 128 * (i / 32) + i % 32;
        (0..4).fold(0, |bits, j| bits | (q[first + 32 * j] >> 4) << (2 * j))
    });
    BlockQ6_K { ql, qh, scales, d }
}

/// Eight parts of 32 with a scale and a minimum each.
struct Parts {
    d: F16,
    dmin: F16,
    scales: [u8; 12],
    q: [u8; 256],
}

/// The integers are in `0..=most`.
fn parts(x: &[f32; 256], most: f32) -> Parts {
    let fits: [(f32, f32); 8] = from_fn(|part| with_minimum(&x[32 * part..][..32], most));
    let d = F16::from_f32(largest(&fits.map(|fit| fit.0)) / 63.0);
    let dmin = F16::from_f32(largest(&fits.map(|fit| fit.1)) / 63.0);
    let (by, by_min) = (inverse(d.to_f32()), inverse(dmin.to_f32()));
    let scale = fits.map(|fit| nearest(fit.0 * by, 0.0, 63.0) as u8);
    let minimum = fits.map(|fit| nearest(fit.1 * by_min, 0.0, 63.0) as u8);
    let q = from_fn(|i| {
        let by = inverse(d.to_f32() * f32::from(scale[i / 32]));
        let minimum = dmin.to_f32() * f32::from(minimum[i / 32]);
        nearest((x[i] + minimum) * by, 0.0, most) as u8
    });
    Parts { d, dmin, scales: six_bits(&scale, &minimum), q }
}

/// A scale and a minimum (at least 0), so that `scale * q - minimum` is near `x`; not finite if `x`
/// is not.
fn with_minimum(x: &[f32], most: f32) -> (f32, f32) {
    let low = x.iter().copied().fold(0.0, f32::min);
    let high = x.iter().copied().fold(f32::MIN, f32::max);
    let sum_x: f32 = x.iter().sum();
    if !sum_x.is_finite() {
        return (f32::NAN, 0.0);
    }
    let (mut best, mut least) = ((0.0, -low), f32::INFINITY);
    for more in RANGES {
        let start = ((high - low) / (most + more), -low);
        let (fit, error) = fit(x, sum_x, most, start);
        if error < least {
            (best, least) = (fit, error);
        }
    }
    best
}

/// The best of a few fits that begin at `start`, and its squared error.
fn fit(x: &[f32], sum_x: f32, most: f32, start: (f32, f32)) -> ((f32, f32), f32) {
    let count = x.len() as f32;
    let (mut best, mut least) = (start, f32::INFINITY);
    let (mut scale, mut minimum) = start;
    for _ in 0..ROUNDS {
        let by = inverse(scale);
        let (mut sum, mut squares, mut products, mut error) = (0.0, 0.0, 0.0, 0.0);
        for x in x {
            let q = nearest((x + minimum) * by, 0.0, most);
            (sum, squares, products) = (sum + q, squares + q * q, products + q * x);
            let off = scale * q - minimum - x;
            error += off * off;
        }
        if error < least {
            (best, least) = ((scale, minimum), error);
        }
        let spread = count * squares - sum * sum;
        if spread <= 0.0 {
            break;
        }
        scale = (count * products - sum * sum_x) / spread;
        minimum = (scale * sum - sum_x) / count;
        if minimum < 0.0 {
            (scale, minimum) = (products / squares, 0.0);
        }
    }
    (best, least)
}

/// A scale of either sign, so that `scale * q` is near `x` for q in -32..=31.
fn symmetric(x: &[f32]) -> f32 {
    let extreme = x.iter().fold(0.0, |a: f32, x| if x.abs() > a.abs() { *x } else { a });
    let mut scale = extreme / -32.0;
    for _ in 0..ROUNDS {
        let by = inverse(scale);
        let (mut squares, mut products) = (0.0, 0.0);
        for x in x {
            let q = nearest(x * by, -32.0, 31.0);
            (squares, products) = (squares + q * q, products + q * x);
        }
        if squares <= 0.0 {
            break;
        }
        scale = products / squares;
    }
    scale
}

/// The largest magnitude; a NaN if there is one.
fn largest(values: &[f32]) -> f32 {
    // As integers the magnitudes keep their order, and NaN comes last.
    f32::from_bits(values.iter().map(|x| x.to_bits() & 0x7fff_ffff).max().unwrap_or(0))
}

fn inverse(x: f32) -> f32 {
    if x == 0.0 { 0.0 } else { 1.0 / x }
}

/// The nearest whole number within bounds, ties to even; `round_ties_even` is one instruction on
/// wasm.
fn nearest(x: f32, low: f32, high: f32) -> f32 {
    x.round_ties_even().clamp(low, high)
}

/// Scales and minima as ggml's `get_scale_min_k4` finds them.
fn six_bits(scale: &[u8; 8], minimum: &[u8; 8]) -> [u8; 12] {
    from_fn(|i| match i {
        0..4 => scale[i] | scale[i + 4] >> 4 << 6,
        4..8 => minimum[i - 4] | minimum[i] >> 4 << 6,
        _ => scale[i - 4] & 15 | minimum[i - 4] << 4,
    })
}

/// Two parts side by side.
fn nibbles(q: &[u8; 256]) -> [u8; 128] {
    from_fn(|i| {
        let low = 64 * (i / 32) + i % 32;
        q[low] & 15 | q[low + 32] << 4
    })
}
