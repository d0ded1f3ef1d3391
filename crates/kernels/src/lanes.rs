//! The few vector operations the kernels are written in.
//!
//! All sets but the relaxed one give the same bits: integer dot products are exact, and floats are
//! multiplied and added lane by lane in the same order. The relaxed set groups the products of a
//! dot differently and fuses `madd`, so it agrees to rounding only.

mod dots;
mod portable;
#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
mod simd128;
#[cfg(all(target_arch = "x86_64", target_feature = "sse2"))]
mod sse2;

pub(crate) use dots::{Dots, Generic, IntsOf, Task, Wide, every, native};
pub(crate) use portable::Portable;

#[cfg(not(any(
    all(target_arch = "wasm32", target_feature = "simd128"),
    all(target_arch = "x86_64", target_feature = "sse2")
)))]
pub(crate) use portable::Portable as Native;
#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
pub(crate) use simd128::Simd128 as Native;
#[cfg(all(target_arch = "x86_64", target_feature = "sse2"))]
pub(crate) use sse2::Sse2 as Native;

/// The set of lanes that this build's kernels use: `portable`, `sse2`, `simd128` or `relaxed`.
pub const LANES: &str = <Native as Lanes>::NAME;

/// One set of lanes.
pub(crate) trait Lanes {
    /// Its name.
    const NAME: &'static str;
    /// Whether results are only compared with: they are then computed one by one, which gives the
    /// same bits and keeps tiles of every type out of the module.
    const REFERENCE: bool = false;
    /// Four `f32`.
    type F: Copy;
    /// Four `i32`.
    type I: Copy;
    /// Sixteen bytes.
    type B: Copy;
    /// Sixteen signed activations, ready for a dot product.
    type X: Copy;

    fn splat(value: f32) -> Self::F;
    fn load(from: &[f32; 4]) -> Self::F;
    fn store(value: Self::F) -> [f32; 4];
    fn add(a: Self::F, b: Self::F) -> Self::F;
    fn sub(a: Self::F, b: Self::F) -> Self::F;
    fn mul(a: Self::F, b: Self::F) -> Self::F;
    fn div(a: Self::F, b: Self::F) -> Self::F;
    /// `b` where it is larger, else `a`; so a `b` that is not a number is left out.
    fn max(a: Self::F, b: Self::F) -> Self::F;
    /// `2^n` for the integer `n` in the low bits of `1.5 * 2^23 + n`, where that is a normal number.
    fn power(shifted: Self::F) -> Self::F;
    /// `a * b + c`, rounded once or twice.
    fn madd(a: Self::F, b: Self::F, c: Self::F) -> Self::F;
    /// `value`, or `least` where that is larger; what is no number stays.
    fn at_least(value: Self::F, least: Self::F) -> Self::F;
    /// `value`, or `most` where that is smaller; what is no number stays.
    fn at_most(value: Self::F, most: Self::F) -> Self::F;
    /// `value` where it is larger or no number, else `most`.
    fn largest(most: Self::F, value: Self::F) -> Self::F;
    /// `value`, multiplied by `slope` where it is below 0.
    fn sloped(value: Self::F, slope: Self::F) -> Self::F;
    /// The lanes' sum, always as `(0 + 2) + (1 + 3)`.
    #[inline(always)]
    fn sum(value: Self::F) -> f32 {
        let [a, b, c, d] = Self::store(value);
        (a + c) + (b + d)
    }
    /// Four little-endian `f32`.
    fn load_f32(from: &[u8; 16]) -> Self::F;
    /// Four little-endian binary16 numbers, exactly.
    fn load_f16(from: &[u8; 8]) -> Self::F;
    /// Whether `load_normal_f16` takes these numbers.
    #[inline(always)]
    fn are_normal_f16<const C: usize>(_from: [&[[u8; 8]; 4]; C]) -> bool {
        true
    }
    /// Sixteen little-endian binary16 numbers, exactly.
    #[inline(always)]
    fn load_normal_f16(from: &[[u8; 8]; 4]) -> [Self::F; 4] {
        from.each_ref().map(Self::load_f16)
    }
    /// Four finite little-endian binary16 numbers divided by 2^112, which spares a multiplication.
    fn load_shifted_f16(from: &[u8; 8]) -> Self::F;
    /// As `load_shifted_f16`, eight of them.
    fn load_eight_shifted_f16(from: &[u8; 16]) -> [Self::F; 2];
    /// Eight signed bytes.
    fn load_i8(from: &[i8; 8]) -> [Self::F; 2];
    /// Four little-endian binary16 numbers, exactly if they are finite.
    #[inline(always)]
    fn scales(from: &[u8; 8]) -> Self::F {
        Self::mul(Self::load_shifted_f16(from), Self::splat(f32::from_bits((127 + 112) << 23)))
    }
    /// As `scales`, not slower for subnormal numbers, which cost Intel processors 150 cycles a
    /// product. K types have such scales.
    #[inline(always)]
    fn tiny_scales(from: &[u8; 8]) -> Self::F {
        Self::scales(from)
    }
    /// Four little-endian bfloat16 numbers.
    fn load_bf16(from: &[u8; 8]) -> Self::F;
    /// `[a, b, 0, 0]`.
    fn pair(from: [f32; 2]) -> Self::F;

    fn zero() -> Self::I;
    fn to_f(value: Self::I) -> Self::F;
    fn load_i(from: &[i32; 4]) -> Self::I;
    fn store_i(value: Self::I) -> [i32; 4];
    /// The lowest eight of each number's bits.
    fn low_bytes(values: [Self::F; 4]) -> Self::B;
    /// Lanes whose sum is `sums[0] * by[0] + sums[1] * by[1]`.
    fn weigh(sums: &[i16; 2], by: [i16; 2]) -> Self::I;
    /// `[sums[0], sums[1], 0, 0]`.
    fn sums(sums: &[i16; 2]) -> Self::F;

    fn bytes(from: &[u8; 16]) -> Self::B;
    /// `(byte >> shift) & mask` for each byte, where `mask < 1 << (8 - shift)`.
    fn shr_and(value: Self::B, shift: u32, mask: u8) -> Self::B;
    /// `value >> shift` for each 16 bits.
    fn shr(value: Self::B, shift: u32) -> Self::B;
    /// `(byte << shift) & mask` for each byte, where `mask >= 1 << shift`.
    fn shl_and(value: Self::B, shift: u32, mask: u8) -> Self::B;
    /// Byte `index` of each word of four.
    fn byte(value: Self::B, index: usize) -> Self::F;
    /// As `byte`, with its sign.
    fn signed_byte(value: Self::B, index: usize) -> Self::F;
    /// `byte << shift` for each byte, where nothing is shifted out.
    fn shl(value: Self::B, shift: u32) -> Self::B;
    fn or(a: Self::B, b: Self::B) -> Self::B;
    fn xor(a: Self::B, b: Self::B) -> Self::B;
    /// Sums of bytes, modulo 256.
    fn add_bytes(a: Self::B, b: Self::B) -> Self::B;
    /// The first byte of a, of b, the second of a, of b, and so on.
    fn interleave(a: Self::B, b: Self::B) -> [Self::B; 2];
    /// As `interleave`, two bytes at a time.
    fn interleave_pairs(a: Self::B, b: Self::B) -> [Self::B; 2];
    fn store_bytes(value: Self::B) -> [u8; 16];
    /// The first eight bytes and the last, little-endian.
    fn words(from: [u64; 2]) -> Self::B;
    /// Sixteen nibbles, the lowest first, to a byte each.
    fn nibbles(from: u64) -> Self::B;
    /// `(byte * power mod 256) * 3 / 256`, rounded down, for each byte.
    fn trits(bytes: Self::B, powers: &[u8; 16]) -> Self::B;
    /// Byte `i` is `value` where bit `i` is set, else 0.
    fn flags(bits: u16, value: u8) -> Self::B;
    /// `table[index]` for each byte of `index`, all in 0..16.
    fn lookup(table: &[u8; 16], index: Self::B) -> Self::B;

    fn activations(from: &[i8; 16]) -> Self::X;
    /// `acc` plus the 16 products of activations in -127..=127 and weights in 0..=127, spread over
    /// the lanes in some way.
    fn dot_u7(acc: Self::I, x: Self::X, w: Self::B) -> Self::I;
    /// As `dot_u7`, for weights of full signed bytes.
    fn dot_i8(acc: Self::I, x: Self::X, w: Self::B) -> Self::I;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_half_is_widened_exactly() {
        for first in (0..=u16::MAX).step_by(4) {
            let halves: [u16; 4] = std::array::from_fn(|i| first + i as u16);
            let bytes: [u8; 8] = bytemuck::cast(halves.map(u16::to_le_bytes));
            let ours = Native::store(Native::load_f16(&bytes));
            let theirs = Portable::load_f16(&bytes);
            let normal = halves.iter().all(|half| (1..31).contains(&(half >> 10 & 31)));
            for sixteen in [[bytes, [0x2c; 8], [0xac; 8], [0x2c; 8]], [bytes; 4]] {
                if !Native::are_normal_f16([&[[0x2c; 8]; 4], &sixteen]) {
                    assert!(!normal, "{halves:x?}");
                    continue;
                }
                let bits = |four| Native::store(four).map(f32::to_bits);
                let each = sixteen.each_ref().map(Native::load_f16);
                assert_eq!(Native::load_normal_f16(&sixteen).map(bits), each.map(bits));
            }
            for (ours, theirs) in ours.iter().zip(theirs) {
                let same = ours.to_bits() == theirs.to_bits();
                assert!(same || ours.is_nan() && theirs.is_nan(), "{ours} is not {theirs}");
            }
        }
    }
}
