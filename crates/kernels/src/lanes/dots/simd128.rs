//! Without relaxed instructions: both operands are widened to 16 bits.

#![allow(unsafe_code, reason = "vector loads take pointers")]

#[cfg(not(target_feature = "relaxed-simd"))]
use {
    super::{Dots, Pairs, Wide, kept_pairs, mixed_pairs},
    crate::lanes::{Lanes, Native},
};

use std::arch::wasm32::*;

/// See the module.
#[cfg(not(target_feature = "relaxed-simd"))]
pub(crate) struct Simd128;

/// Four bytes in every lane.
#[inline(always)]
pub(super) fn splat(from: &[i8; 4]) -> v128 {
    // SAFETY: four bytes are readable; the load needs no alignment.
    unsafe { v128_load32_splat(from.as_ptr().cast()) }
}

/// `sums[0] * by[0] + sums[1] * by[1]` in every lane.
#[inline(always)]
pub(super) fn weigh(sums: &[i16; 2], by: [i16; 2]) -> v128 {
    let [a, b] = by;
    if by == [0, 0] {
        // Callers know it where they are compiled, but LLVM does not see through the product: 6 %
        // of a prompt of types with minima.
        return i32x4_splat(0);
    }
    // SAFETY: four bytes are readable; the load needs no alignment.
    let sums = unsafe { v128_load32_splat(sums.as_ptr().cast()) };
    i32x4_dot_i16x8(sums, i16x8(a, b, a, b, a, b, a, b))
}

/// The first and third activation of four, and the second and fourth, times 256, so that neither
/// needs a step to get its sign.
#[inline(always)]
pub(super) fn widen(x: v128) -> [v128; 2] {
    [i16x8_shl(x, 8), v128_and(x, u16x8_splat(0xff00))]
}

/// `sums` plus 256 times the products.
#[cfg(target_feature = "relaxed-simd")]
#[inline(always)]
pub(super) fn dot_wide(sums: v128, x: [v128; 2], w: v128) -> v128 {
    let first = i32x4_dot_i16x8(v128_and(w, u16x8_splat(255)), x[0]);
    i32x4_add(sums, i32x4_add(first, i32x4_dot_i16x8(u16x8_shr(w, 8), x[1])))
}

/// The first two of each four bytes, and the other two, as 16 bits with their sign.
#[inline(always)]
pub(super) fn signed_pairs(w: v128) -> [v128; 2] {
    let (low, high) = (i16x8_extend_low_i8x16(w), i16x8_extend_high_i8x16(w));
    [i32x4_shuffle::<0, 2, 4, 6>(low, high), i32x4_shuffle::<1, 3, 5, 7>(low, high)]
}

/// `sums` plus the products of both.
#[inline(always)]
pub(super) fn dot_pairs(sums: v128, x: [v128; 2], w: [v128; 2]) -> v128 {
    i32x4_add(i32x4_add(sums, i32x4_dot_i16x8(x[0], w[0])), i32x4_dot_i16x8(x[1], w[1]))
}

#[cfg(not(target_feature = "relaxed-simd"))]
impl Dots for Simd128 {
    const NAME: &'static str = "simd128";
    type L = Native;
    type X = [v128; 2];
    /// Times 256: at most 32 * 127 * 255 * 256.
    type D = v128;
    /// The first and third of each four, and the second and fourth, in 16 bits.
    type W = [v128; 2];
    const WIDENS_ACTIVATIONS: bool = true;
    const STEPS: usize = 2;
    const FACTOR: f32 = 1.0 / 256.0;

    #[inline(always)]
    fn chunk(from: &[i8; 4]) -> [v128; 2] {
        widen(splat(from))
    }
    #[inline(always)]
    fn begin(sums: &[i16; 2], by: [i16; 2]) -> v128 {
        weigh(sums, by.map(|by| by << 8))
    }
    #[inline(always)]
    fn weights(_: u32, from: v128) -> [v128; 2] {
        [v128_and(from, u16x8_splat(255)), u16x8_shr(from, 8)]
    }
    #[inline(always)]
    fn dot(sums: v128, _: u32, x: [v128; 2], w: [v128; 2]) -> v128 {
        dot_pairs(sums, x, w)
    }
    /// Half of the values, so that what a step needs are half as many registers.
    #[inline(always)]
    fn dot_step(step: usize, sums: v128, _: u32, x: [v128; 2], w: [v128; 2]) -> v128 {
        i32x4_add(sums, i32x4_dot_i16x8(x[step], w[step]))
    }
    /// Nibbles are masked where they stand in 16 bits, the activations have what is left of 256: 12
    /// instructions for 32 values instead of 15, so an answer of Q4_0 is 1.08 times as fast.
    #[inline(always)]
    fn dot_nibbles(sums: v128, low: [v128; 2], high: [v128; 2], w: v128) -> v128 {
        let at = |mask| v128_and(w, u16x8_splat(mask));
        let even = i32x4_dot_i16x8(at(0x000f), low[0]);
        let even = i32x4_add(even, i32x4_dot_i16x8(at(0x00f0), high[0]));
        let odd = i32x4_dot_i16x8(at(0x0f00), low[1]);
        let odd = i32x4_add(odd, i32x4_dot_i16x8(u16x8_shr(w, 12), high[1]));
        i32x4_add(sums, i32x4_add(even, odd))
    }
    #[inline(always)]
    fn widen(from: &[i8; 32], nibbles: bool) -> Wide {
        let [first, last]: [[u8; 16]; 2] = bytemuck::cast(*from);
        let halves = [first, last].map(|half| widen(Native::bytes(&half)));
        let [[a, mut b], [mut c, d]] = halves;
        if nibbles {
            (b, c) = (i16x8_shr(b, 8), i16x8_shr(c, 4));
        }
        bytemuck::cast([a, b, c, d].map(Native::store_bytes))
    }
    #[inline(always)]
    fn wide_chunk(from: &Wide, chunk: usize) -> [v128; 2] {
        let four = |at: usize| splat(&from[2 * (chunk / 4) + at].as_chunks().0[chunk % 4]);
        [four(0), four(1)]
    }
    type Y = [v128; 2];
    type V = [v128; 2];
    type Z = Pairs;
    const WIDENS_BYTES: bool = true;

    #[inline(always)]
    fn kept(from: v128) -> [Pairs; 4] {
        kept_pairs::<Native>(from)
    }
    #[inline(always)]
    fn four(from: &Pairs) -> [v128; 2] {
        from.each_ref().map(|half| splat(bytemuck::cast_ref(half)))
    }
    #[inline(always)]
    fn mixed(from: [v128; 4]) -> [[v128; 2]; 4] {
        mixed_pairs::<Native>(from)
    }
    #[inline(always)]
    fn whole(from: v128) -> [v128; 2] {
        signed_pairs(from)
    }
    #[inline(always)]
    fn add_products(sums: v128, x: [v128; 2], w: [v128; 2]) -> v128 {
        dot_pairs(sums, x, w)
    }
    #[inline(always)]
    fn finish(sums: v128) -> v128 {
        f32x4_convert_i32x4(sums)
    }
}
