//! From numbers to bytes, and back.

use super::Int8;

/// How a half is rounded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Halves {
    /// Away from 0, as LiteRT does.
    Away,
    /// To the even integer, as ONNX says.
    Even,
}

/// Integers are told from bits of numbers of this size: 1.5 * 2^23.
const MAGIC: f32 = 12_582_912.0;

/// More than any byte is away from any other.
const MOST: f32 = 512.0;

/// `x / scale`, rounded, plus `zero`, not below the first limit and not above the second: bytes of either
/// kind, as the limits say. What is no number is 0.
///
/// # Panics
/// If there are not as many results as numbers.
pub fn quantize_int8(
    x: &[f32],
    (scale, zero): (f32, i32),
    limits: [i32; 2],
    halves: Halves,
    out: &mut [u8],
) {
    assert_eq!(x.len(), out.len(), "as many results as numbers");
    let [least, most] = limits;
    match halves {
        Halves::Even => {
            for (x, out) in x.iter().zip(out) {
                // The sum has no place for a fraction: it is rounded to even.
                let bits = (within(x / scale) + MAGIC).to_bits() as i32;
                let y = bits.wrapping_sub(MAGIC.to_bits() as i32).wrapping_add(zero);
                *out = y.max(least).min(most) as u8;
            }
        }
        Halves::Away => {
            // The largest number below a half: with it no sum is rounded up to the next integer.
            let half = 0.5 - f32::EPSILON / 4.0;
            for (x, out) in x.iter().zip(out) {
                let x = within(x / scale);
                let y = (x + half.copysign(x)) as i32;
                *out = y.wrapping_add(zero).max(least).min(most) as u8;
            }
        }
    }
}

/// `(x - zero) * scale` of bytes.
///
/// # Panics
/// If there are not as many results as bytes.
pub fn dequantize_int8(x: Int8<'_>, scale: f32, out: &mut [f32]) {
    assert_eq!(x.bytes.len(), out.len(), "as many results as bytes");
    let of = |x: i32, zero: i32| x.wrapping_sub(zero) as f32 * scale;
    let all = x.bytes.iter().zip(out);
    match x.signed {
        true => all.for_each(|(byte, out)| *out = of(byte.cast_signed().into(), x.zero)),
        false => all.for_each(|(byte, out)| *out = of((*byte).into(), x.zero)),
    }
}

#[inline(always)]
fn within(x: f32) -> f32 {
    let x = if x.is_nan() { 0.0 } else { x };
    let x = if x > -MOST { x } else { -MOST };
    if x < MOST { x } else { MOST }
}

/// The least and the largest of numbers and 0.
pub fn range_with_zero(x: &[f32]) -> [f32; 2] {
    let (chunks, rest) = x.as_chunks::<16>();
    let (mut least, mut most) = ([0.0_f32; 16], [0.0_f32; 16]);
    for chunk in chunks {
        for (lane, &x) in chunk.iter().enumerate() {
            least[lane] = if x < least[lane] { x } else { least[lane] };
            most[lane] = if x > most[lane] { x } else { most[lane] };
        }
    }
    let all =
        |from: [f32; 16], f: fn(f32, f32) -> f32| rest.iter().copied().chain(from).fold(0.0, f);
    [all(least, f32::min), all(most, f32::max)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves_are_rounded_as_it_is_said() {
        let x = [0.5, -0.5, 1.5, -2.5, 0.499_999_97, -0.499_999_97, 1e30, f32::NEG_INFINITY, 7.25];
        let of = |halves| {
            let mut out = [0; 9];
            quantize_int8(&x, (1.0, 3), [-128, 127], halves, &mut out);
            out.map(u8::cast_signed)
        };
        assert_eq!(of(Halves::Even), [3, 3, 5, 1, 3, 3, 127, -128, 10]);
        assert_eq!(of(Halves::Away), [4, 2, 5, 0, 3, 3, 127, -128, 10]);
    }

    #[test]
    fn every_half_of_bytes_is_that_of_the_standard_library() {
        let x: Vec<f32> = (-2400..2400).map(|x| x as f32 / 8.0).collect();
        for scale in [1.0, 0.3, 0.25] {
            for (halves, round) in
                [(Halves::Even, f32::round_ties_even as fn(f32) -> f32), (Halves::Away, f32::round)]
            {
                let mut out = vec![0; x.len()];
                quantize_int8(&x, (scale, 128), [0, 255], halves, &mut out);
                let theirs = x.iter().map(|x| (round(x / scale) + 128.0).clamp(0.0, 255.0) as u8);
                assert!(out.iter().copied().eq(theirs));
            }
        }
    }

    #[test]
    fn bytes_are_numbers_of_their_scale() {
        let bytes = [0, 1, 127, 128, 255];
        let of = |signed, zero| {
            let mut out = [0.0; 5];
            dequantize_int8(Int8 { bytes: &bytes, signed, zero }, 0.5, &mut out);
            out
        };
        assert_eq!(of(false, 3), [-1.5, -1.0, 62.0, 62.5, 126.0]);
        assert_eq!(of(true, -3), [1.5, 2.0, 65.0, -62.5, 1.0]);
    }

    #[test]
    fn the_range_has_zero_in_it() {
        let x: Vec<f32> = (0..37).map(|x| ((x * 29) % 37) as f32 - 11.5).collect();
        assert_eq!(range_with_zero(&x), [-11.5, 24.5]);
        assert_eq!(range_with_zero(&[3.0]), [0.0, 3.0]);
        assert_eq!(range_with_zero(&[]), [0.0, 0.0]);
    }
}
