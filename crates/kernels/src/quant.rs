//! One scheme for all quantised weights: a part of 32 values is unpacked to small integers `u`, a
//! scale and an offset or a minimum, so that a weight is `scale * (u - ZERO) - minimum`.

mod iq;
mod k;
mod simple;
mod small;

use crate::lanes::Lanes;
use sidestage_tensor::blocks::{Block, F16};

/// A quantised type as the linear kernel sees it.
pub(crate) trait Quant: Block {
    /// Parts of 32 values in a block.
    const PARTS: usize = Self::LEN / 32;
    /// What is taken from each `u`; kept in integers, where it costs no accuracy.
    const ZERO: i16 = 0;
    /// Whether each half of a part (16 values) has a scale of its own.
    const SPLIT: bool = false;
    /// Whether there is a minimum.
    const MINIMUM: bool = false;
    /// Whether `u` is a signed byte; otherwise it is in 0..=127.
    const SIGNED: bool = false;
    /// The scales of a block, as floats.
    type Scales: Copy;

    /// Reads the scales.
    fn scales(&self) -> Self::Scales;
    /// The scales of a part's halves; where not [`Self::SPLIT`] the first one is for both.
    fn scale(scales: &Self::Scales, part: usize) -> [f32; 2];
    /// The minima of a part's halves.
    fn minimum(_scales: &Self::Scales, _part: usize) -> [f32; 2] {
        [0.0; 2]
    }
    /// The integers of a part's halves.
    fn values<L: Lanes>(&self, part: usize) -> [L::B; 2];
}

/// The sixteen bytes that begin at `start`.
#[inline(always)]
pub(crate) fn sixteen(bytes: &[u8], start: usize) -> &[u8; 16] {
    const NONE: &[u8; 16] = &[0; 16];
    // Never `NONE`: callers pass constants and part numbers that are in range.
    bytes[start..].first_chunk().unwrap_or(NONE)
}

/// A scale's value without branches. `half` takes a software path on wasm that costs more than the
/// block's arithmetic.
#[inline(always)]
pub(crate) fn widen(value: F16) -> f32 {
    let bits = u32::from(value.bits());
    let (magnitude, exponent) = ((bits & 0x7fff) << 13, bits & 0x7c00);
    let is_special = (exponent + 0x400) >> 15;
    let normal = magnitude + (112 << 23) * (1 + is_special);
    // 2^-14 with the subnormal's bits as its fraction, less 2^-14: exact, and unlike a product with
    // a subnormal not slow on Intel processors. K types have such scales.
    let tiny = f32::from_bits(magnitude + (113 << 23)) - f32::from_bits(113 << 23);
    let is_tiny = exponent.wrapping_sub(1) >> 31;
    let mask = is_tiny.wrapping_neg();
    f32::from_bits(tiny.to_bits() & mask | normal & !mask | (bits & 0x8000) << 16)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn widening_is_exact_for_every_half() {
        for bits in 0..=u16::MAX {
            let half = F16(bits.to_le_bytes());
            let (ours, theirs) = (widen(half), half.to_f32());
            assert!(ours.to_bits() == theirs.to_bits() || ours.is_nan() && theirs.is_nan());
        }
    }
}
