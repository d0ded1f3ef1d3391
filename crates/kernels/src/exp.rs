//! `exp` without branches or calls, so that loops over it vectorise on every target and every
//! build gives the same bits.

use crate::lanes::Lanes;
use std::array::from_fn;

/// 1.5 * 2^23: adding it rounds to an integer and leaves that in the low bits.
const MAGIC: f32 = 12_582_912.0;

/// `e^x` to within 2 units in the last place; 0 below -104, infinity above 88.73.
///
/// Method and coefficients: Cephes `expf` (reduction by ln 2 in two parts, a polynomial of degree
/// seven), with the power of two applied in two factors so that neither overflows.
#[inline(always)]
pub fn exp(x: f32) -> f32 {
    /// ln 2 with few enough bits that its multiples up to 150 are exact, and the rest.
    const LN_2: [f32; 2] = [0.693_359_4, -2.121_944_4e-4];
    // Written as comparisons, which let NaN pass.
    let x = if x > 89.0 { 89.0 } else { x };
    let x = if x < -104.0 { -104.0 } else { x };
    let shifted = x * std::f32::consts::LOG2_E + MAGIC;
    let n = shifted - MAGIC;
    let r = (x - n * LN_2[0]) - n * LN_2[1];
    let p = 1.987_569_1e-4 * r + 1.398_2e-3;
    let p = p * r + 8.333_452e-3;
    let p = p * r + 4.166_579_6e-2;
    let p = p * r + 1.666_666_5e-1;
    let p = p * r + 0.5;
    let p = p * (r * r) + r + 1.0;
    let n = (shifted.to_bits() as i32).wrapping_sub(MAGIC.to_bits() as i32);
    let half = n >> 1;
    let power = |n: i32| f32::from_bits((n.wrapping_add(127) << 23) as u32);
    p * power(half) * power(n.wrapping_sub(half))
}

/// What [`exp2`] makes of all that is under -125.
pub(crate) const TINY: f32 = f32::from_bits(2 << 23);

/// `2^x` for `x` of at most 0, to within 2 units in the last place; what is under -125 gives 2^-125.
/// Made for softmax, where half the operations of [`exp`] are for numbers that do not occur.
///
/// Method and coefficients: Cephes `exp2f`.
#[inline(always)]
pub(crate) fn exp2<L: Lanes, const N: usize>(x: [L::F; N]) -> [L::F; N] {
    const COEFFICIENTS: [f32; 6] =
        [1.339_887_4e-3, 9.618_437e-3, 5.550_332_4e-2, 2.402_264_8e-1, 6.931_472e-1, 1.0];
    let (least, magic) = (L::splat(-125.0), L::splat(MAGIC));
    // What is not a number stays so.
    let x = x.map(|x| L::max(x, least));
    let shifted = x.map(|x| L::add(x, magic));
    let r: [L::F; N] = from_fn(|i| L::sub(x[i], L::sub(shifted[i], magic)));
    let mut p = [L::splat(1.535_336_2e-4); N];
    for next in COEFFICIENTS {
        p = from_fn(|i| L::madd(p[i], r[i], L::splat(next)));
    }
    from_fn(|i| L::mul(p[i], L::power(shifted[i])))
}

#[cfg(test)]
mod tests {
    use super::exp;
    use crate::lanes::{Lanes, Native};

    fn exp2(x: f32) -> f32 {
        Native::store(super::exp2::<Native, 1>([Native::splat(x)])[0])[0]
    }

    #[test]
    fn powers_of_two_are_within_two_ulp_of_the_exact_value() {
        let mut worst = 0.0f64;
        for i in -1_250_000..=0 {
            let x = i as f32 * 1e-4;
            let exact = f64::from(x).exp2();
            let ulp =
                f64::from(f32::from_bits((exact as f32).to_bits() + 1)) - f64::from(exact as f32);
            worst = worst.max((f64::from(exp2(x)) - exact).abs() / ulp);
        }
        assert!(worst <= 2.0, "{worst} ulp");
        assert_eq!([exp2(0.0), exp2(-3.0)], [1.0, 0.125]);
        assert_eq!([exp2(f32::NEG_INFINITY), exp2(-125.0)], [super::TINY; 2]);
        assert!(exp2(f32::NAN).is_nan());
    }

    #[test]
    fn it_is_within_two_ulp_of_the_exact_value() {
        let mut worst = 0.0f64;
        for i in -8_700_000..8_872_000 {
            let x = i as f32 * 1e-5;
            let exact = f64::from(x).exp();
            let (low, high) = ((exact as f32).to_bits(), (exact as f32).to_bits() + 1);
            let ulp = f64::from(f32::from_bits(high)) - f64::from(f32::from_bits(low));
            worst = worst.max((f64::from(exp(x)) - exact).abs() / ulp);
        }
        assert!(worst <= 2.0, "{worst} ulp");
    }

    #[test]
    fn edges_are_as_expected() {
        assert_eq!(exp(0.0), 1.0);
        assert_eq!(exp(-105.0), 0.0);
        assert_eq!(exp(f32::NEG_INFINITY), 0.0);
        assert_eq!(exp(89.0), f32::INFINITY);
        assert_eq!(exp(f32::INFINITY), f32::INFINITY);
        assert!(exp(f32::NAN).is_nan());
        let subnormal = exp(-100.0);
        assert!((f64::from(subnormal) / (-100f64).exp() - 1.0).abs() < 0.05);
    }
}
