//! Functions of one element in single precision, without branches or calls, so that their loops
//! vectorise.

use super::Unary;
use crate::exp;

/// Computes a function of `f32` elements, if it has a loop of its own.
pub(super) fn run(function: Unary, x: &[f32], out: &mut [f32]) -> bool {
    match function {
        Unary::Abs => map(x, out, f32::abs),
        Unary::Ceil => map(x, out, f32::ceil),
        Unary::Clip(least, most) => map(x, out, |x| {
            let x = if x < least { least } else { x };
            if x > most { most } else { x }
        }),
        Unary::Elu(alpha) => map(x, out, |x| if x < 0.0 { alpha * exp_m1(x) } else { x }),
        Unary::Erf => map(x, out, erf),
        Unary::Exp => map(x, out, exp),
        Unary::Floor => map(x, out, f32::floor),
        Unary::Gelu => crate::gelu_erf(x, out),
        Unary::GeluTanh => crate::gelu_tanh(x, out),
        Unary::HardSigmoid(alpha, beta) => map(x, out, |x| (alpha * x + beta).clamp(0.0, 1.0)),
        Unary::HardSwish => map(x, out, |x| x * (x / 6.0 + 0.5).clamp(0.0, 1.0)),
        Unary::LeakyRelu(alpha) => map(x, out, |x| if x < 0.0 { alpha * x } else { x }),
        Unary::Log => map(x, out, ln),
        Unary::Neg => map(x, out, |x| -x),
        Unary::Reciprocal => map(x, out, |x| 1.0 / x),
        Unary::Relu => map(x, out, |x| if x < 0.0 { 0.0 } else { x }),
        Unary::Round => map(x, out, f32::round_ties_even),
        Unary::Sigmoid => map(x, out, |x| 1.0 / (1.0 + exp(-x))),
        Unary::Sqrt => map(x, out, f32::sqrt),
        Unary::Swish(alpha) => map(x, out, |x| x / (1.0 + exp(-alpha * x))),
        Unary::Tanh => map(x, out, |x| {
            let e = exp(-2.0 * x.abs());
            // Near 0 the difference would lose the digits.
            let (near, far) = (x - x * x * x / 3.0, ((1.0 - e) / (1.0 + e)).copysign(x));
            if x.abs() < 0.02 { near } else { far }
        }),
        _ => return false,
    }
    true
}

#[inline(always)]
fn map(x: &[f32], out: &mut [f32], f: impl Fn(f32) -> f32) {
    assert_eq!(x.len(), out.len());
    out.iter_mut().zip(x).for_each(|(out, x)| *out = f(*x));
}

/// `e^x - 1` for numbers under 0.
#[inline(always)]
fn exp_m1(x: f32) -> f32 {
    // The series, as far as 2^-24 of it.
    let near = x + x * x * (0.5 + x * (1.0 / 6.0 + x * (1.0 / 24.0 + x / 120.0)));
    if x > -0.1 { near } else { exp(x) - 1.0 }
}

/// The error function, to within 3e-7.
///
/// Near 0 the polynomial of Cephes's `erff`, which keeps the digits of small numbers; else
/// Abramowitz and Stegun, 7.1.26.
#[inline(always)]
fn erf(x: f32) -> f32 {
    let z = x * x;
    let p = 7.853_861e-5 * z - 8.010_194e-4;
    let p = p * z + 5.188_327_5e-3;
    let p = p * z - 2.685_381_2e-2;
    let p = p * z + 1.128_358_5e-1;
    let p = p * z - 3.761_262_6e-1;
    let near = x * (p * z + std::f32::consts::FRAC_2_SQRT_PI);
    let size = x.abs();
    let t = 1.0 / (1.0 + 0.327_591_1 * size);
    let p = 1.061_405_4 * t - 1.453_152;
    let p = p * t + 1.421_413_7;
    let p = p * t - 0.284_496_74;
    let p = p * t + 0.254_829_6;
    let far = (1.0 - p * t * exp(-z)).copysign(x);
    if size < 1.0 { near } else { far }
}

/// The natural logarithm, to within 2 units in the last place; of numbers under 0 there is none.
///
/// Method and coefficients: Cephes `logf`.
#[inline(always)]
fn ln(x: f32) -> f32 {
    /// ln 2, the first part with few bits.
    const LN_2: [f32; 2] = [0.693_359_4, -2.121_944_4e-4];
    // Subnormal numbers have no exponent of their own.
    let tiny = x < f32::MIN_POSITIVE;
    let scaled = if tiny { x * 8_388_608.0 } else { x };
    let bits = scaled.to_bits() as i32;
    let m = f32::from_bits((bits & 0x007f_ffff | 0x3f00_0000) as u32);
    let e = ((bits >> 23) - 126 - if tiny { 23 } else { 0 }) as f32;
    let low = m < std::f32::consts::FRAC_1_SQRT_2;
    let e = if low { e - 1.0 } else { e };
    let m = if low { m + m - 1.0 } else { m - 1.0 };
    let z = m * m;
    let p = 7.037_683_6e-2 * m - 1.151_461e-1;
    let p = p * m + 1.167_699_8e-1;
    let p = p * m - 1.242_014_1e-1;
    let p = p * m + 1.424_932_3e-1;
    let p = p * m - 1.666_805_7e-1;
    let p = p * m + 2.000_071_4e-1;
    let p = p * m - 2.499_999_4e-1;
    let p = p * m + 3.333_333e-1;
    let y = p * m * z + LN_2[1] * e - 0.5 * z;
    let y = m + y + LN_2[0] * e;
    let y = if x == f32::INFINITY { x } else { y };
    let y = if x == 0.0 { f32::NEG_INFINITY } else { y };
    if x >= 0.0 { y } else { f32::NAN }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The largest error of a function, as part of what `size` says.
    fn worst(
        ours: fn(f32) -> f32,
        exact: impl Fn(f64) -> f64,
        numbers: impl Iterator<Item = f32>,
        size: impl Fn(f64) -> f64,
    ) -> f64 {
        numbers.fold(0.0, |worst, x| {
            let exact = exact(x.into());
            worst.max((f64::from(ours(x)) - exact).abs() / size(exact))
        })
    }

    #[test]
    fn logarithms_are_near_the_exact_ones() {
        // Of every size, subnormal numbers too.
        let all = (1..f32::INFINITY.to_bits()).step_by(997).map(f32::from_bits);
        assert!(worst(ln, f64::ln, all, |y| y.abs().max(1e-3)) < 2e-7);
        let near = (-9000..9000).map(|i| 1.0 + i as f32 * 1e-5);
        assert!(worst(ln, f64::ln, near, |y| y.abs() + 1e-9) < 2e-7);
        assert_eq!([ln(0.0), ln(-0.0)], [f32::NEG_INFINITY; 2]);
        assert_eq!(ln(f32::INFINITY), f32::INFINITY);
        assert!([-1.0, f32::NEG_INFINITY, f32::NAN].iter().all(|x| ln(*x).is_nan()));
    }

    #[test]
    fn small_differences_keep_their_digits() {
        let small = (1..20_000).map(|i| -(1.0005_f32.powi(-i)));
        assert!(worst(exp_m1, f64::exp_m1, small.clone(), f64::abs) < 1e-6);
        // erf x = 2 / √π (x - x³ / 3 + x⁵ / 10 - …)
        let series = |x: f64| {
            let x2 = x * x;
            std::f64::consts::FRAC_2_SQRT_PI
                * x
                * (1.0 - x2 / 3.0 + x2 * x2 / 10.0 - x2.powi(3) / 42.0)
        };
        let small = small.filter(|x| x.abs() < 0.1);
        assert!(worst(erf, series, small, f64::abs) < 1e-6);
        assert_eq!([erf(40.0), erf(f32::NEG_INFINITY)], [1.0, -1.0]);
        assert!(erf(f32::NAN).is_nan());
    }
}
