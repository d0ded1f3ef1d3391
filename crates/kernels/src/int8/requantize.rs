//! From sums to bytes in single precision, as XNNPACK and ONNX Runtime round: times a factor, to the
//! nearest integer, halves to the even one.
//!
//! A product of two floats and a sum, each rounded by itself: every machine gives the same bits.

use crate::lanes::Lanes;

/// Columns whose constants lie together.
pub(crate) const EIGHT: usize = 8;

/// 1.5 * 2^23: a sum with it has no place for a fraction, so it is rounded to even, and its bits are an
/// integer's.
const MAGIC: f32 = 12_582_912.0;

/// What becomes of sums.
#[derive(Clone, Debug)]
pub struct Requantize {
    factors: Vec<f32>,
    /// The least and the most, without the zero.
    ends: [f32; 2],
    zero: i32,
    signed: bool,
}

/// The same in lanes.
pub(crate) struct Rounding<L: Lanes> {
    least: L::F,
    most: L::F,
    magic: L::F,
    zero: L::B,
}

impl Requantize {
    /// With factors from sums to the result's unit, for each column or all (at least one; what is no
    /// number over 0 counts as 0), what stands for 0 in the result, the least and the most, and whether
    /// results have a sign.
    pub fn new(mut factors: Vec<f32>, zero: i32, limits: [i32; 2], signed: bool) -> Self {
        for factor in &mut factors {
            if !(*factor > 0.0 && factor.is_finite()) {
                *factor = 0.0;
            }
        }
        let bytes = if signed { [-128, 127] } else { [0, 255] };
        // Exact beside numbers of single precision.
        let zero = zero.clamp(-1 << 20, 1 << 20);
        let ends = limits.map(|limit| (limit.clamp(bytes[0], bytes[1]) - zero) as f32);
        Self { factors, ends, zero, signed }
    }

    /// From sums to the result's unit, for each column or all.
    pub fn factors(&self) -> &[f32] {
        &self.factors
    }

    /// Whether results have a sign.
    pub fn signed(&self) -> bool {
        self.signed
    }

    /// The factor of a column.
    pub(crate) fn factor(&self, column: usize) -> f32 {
        *self.factors.get(column).unwrap_or(&self.factors[0])
    }

    /// A result, of a column's sum.
    pub fn of(&self, column: usize, sum: i32) -> u8 {
        let value = (sum as f32 * self.factor(column)).max(self.ends[0]).min(self.ends[1]);
        ((value + MAGIC).to_bits() as u8).wrapping_add(self.zero as u8)
    }

    pub(crate) fn lanes<L: Lanes>(&self) -> Rounding<L> {
        Rounding {
            least: L::splat(self.ends[0]),
            most: L::splat(self.ends[1]),
            magic: L::splat(MAGIC),
            zero: L::bytes(&[self.zero as u8; 16]),
        }
    }
}

/// Results of sums of four columns each, whose factors are given.
#[inline(always)]
pub(crate) fn sixteen<L: Lanes>(sums: [L::I; 4], factors: [L::F; 4], to: &Rounding<L>) -> L::B {
    let mut values = [to.least; 4];
    unrolled!(4, i => values[i] = L::mul(L::to_f(sums[i]), factors[i]));
    sixteen_of(values, to)
}

/// Results of numbers in their unit; what is no number is the least.
#[inline(always)]
pub(crate) fn sixteen_of<L: Lanes>(mut values: [L::F; 4], to: &Rounding<L>) -> L::B {
    unrolled!(4, i => {
        let value = L::at_most(L::max(to.least, values[i]), to.most);
        values[i] = L::add(value, to.magic);
    });
    L::add_bytes(L::low_bytes(values), to.zero)
}
