//! Integers times numbers with a fraction, by integers only, as LiteRT's kernels round
//! (`MultiplyByQuantizedMultiplier`, and gemmlowp's `fixedpoint.h`).

/// A number over 0, as an integer of 31 bits and a power of two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Multiplier {
    /// In units of 2^-31.
    factor: i32,
    /// Bits to the left.
    shift: i32,
}

impl Multiplier {
    /// The number nearest to this one (`QuantizeMultiplier`); what cannot be one counts as 0.
    pub fn new(real: f64) -> Self {
        let zero = Self { factor: 0, shift: 0 };
        if !(real > 0.0 && real.is_finite() && real.is_normal()) {
            return zero;
        }
        // From 0.5 on, below 1, times a power of two.
        let mut shift = (real.to_bits() >> 52 & 0x7ff) as i32 - 1022;
        let fraction = f64::from_bits(real.to_bits() & !(0x7ff << 52) | 1022 << 52);
        let mut factor = (fraction * (1_i64 << 31) as f64).round() as i64;
        if factor == 1 << 31 {
            factor /= 2;
            shift += 1;
        }
        match shift {
            ..-31 => zero,
            31.. => Self { factor: i32::MAX, shift: 30 },
            _ => Self { factor: factor as i32, shift },
        }
    }

    /// `x` times it, rounded: halves of the product up, and then those of the shift away from 0.
    #[inline]
    pub fn of(self, x: i32) -> i32 {
        let (left, right) = (self.shift.max(0), (-self.shift).max(0));
        let x = x.wrapping_shl(left as u32);
        let high = if x == i32::MIN && self.factor == i32::MIN {
            i32::MAX
        } else {
            let product = i64::from(x) * i64::from(self.factor);
            // Cut towards 0, as C divides.
            let nudge = if product >= 0 { 1 << 30 } else { 1 - (1 << 30) };
            ((product + nudge) / (1 << 31)) as i32
        };
        let mask = ((1_i64 << right) - 1) as i32;
        let rest = high & mask;
        let half = (mask >> 1) + i32::from(high < 0);
        high.checked_shr(right as u32).unwrap_or(0) + i32::from(rest > half)
    }

    /// As [`Multiplier::of`], of a sum of 48 bits, with 16 bits of the factor.
    #[inline]
    pub fn of_long(self, x: i64) -> i32 {
        let factor =
            if self.factor < 0x7fff_0000 { (self.factor + (1 << 15)) >> 16 } else { 0x7fff };
        let shift = 15 - self.shift;
        let product = i128::from(x) * i128::from(factor);
        let rounded =
            if shift > 0 { (product + (1 << (shift - 1))) >> shift } else { product << -shift };
        rounded.clamp(i32::MIN.into(), i32::MAX.into()) as i32
    }
}

/// Products added in 32 bits before they go to 64: of 16 and 8 bits these cannot overflow.
const BLOCK: usize = 256;

/// The sum of products, of which each is below 2^22.
///
/// # Panics
/// If the lengths differ.
pub fn dot_i16(a: &[i16], b: &[i16]) -> i64 {
    assert!(a.len() == b.len(), "lengths differ");
    let block = |(a, b): (&[i16], &[i16])| {
        let products = a.iter().zip(b).map(|(a, b)| i32::from(*a).wrapping_mul(i32::from(*b)));
        i64::from(products.fold(0, i32::wrapping_add))
    };
    a.chunks(BLOCK).zip(b.chunks(BLOCK)).map(block).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn products_are_those_of_numbers_to_within_a_half() {
        for real in [1e-9, 0.000_37, 0.249_9, 0.5, 0.999_999_9, 1.0, 1.7, 123.4] {
            let multiplier = Multiplier::new(real);
            for x in [0, 1, -1, 7, -100, 12_345, -98_765, 1 << 20] {
                let exact = f64::from(x) * real;
                assert!((f64::from(multiplier.of(x)) - exact).abs() <= 0.51 + exact.abs() * 1e-8);
                let long = f64::from(multiplier.of_long(x.into()));
                assert!((long - exact).abs() <= 0.51 + exact.abs() / 32_768.0);
            }
        }
    }

    #[test]
    fn halves_of_the_product_go_up_and_those_of_the_shift_away_from_zero() {
        let half = Multiplier::new(0.5);
        assert_eq!([1, -1, 3, -3, 2].map(|x| half.of(x)), [1, 0, 2, -1, 1]);
        let quarter = Multiplier::new(0.25);
        assert_eq!([2, -2, 6, -6].map(|x| quarter.of(x)), [1, -1, 2, -2]);
    }

    #[test]
    fn what_is_no_multiplier_is_zero() {
        for real in [0.0, -1.0, f64::NAN, f64::INFINITY, 1e-300, 1e-12] {
            assert_eq!(Multiplier::new(real).of(1 << 30), 0);
        }
    }
}
