//! The relaxed dot products: `i32x4.relaxed_dot_i8x16_i7x16_add_s` and its 16-bit form.
//!
//! What they do with a second operand over 127 is the machine's choice (relaxed-simd proposal,
//! "Relaxed integer dot product"); three are in use.

use super::simd128::{dot_pairs, dot_wide, signed_pairs, splat, weigh, widen};
use super::{Bytes, Dots, Pairs, kept_pairs, mixed_bytes, mixed_pairs};
use crate::lanes::{Lanes, Native};
use std::arch::wasm32::*;
use std::hint::black_box;

/// What the machine makes of a second operand over 127.
pub(super) enum Semantics {
    /// A number without a sign: `vpdpbusd` of AVX-VNNI and AVX-512.
    Unsigned,
    /// A number with a sign: `sdot` of ARM.
    Signed,
    /// A number without a sign, and sums of two products saturate at 16 bits: `pmaddubsw`.
    Saturating,
}

/// Asks the machine. It is one instruction, so that nobody needs to remember the answer.
#[inline(always)]
pub(super) fn semantics() -> Semantics {
    let (x, w) = (black_box(i8x16_splat(127)), black_box(u8x16_splat(255)));
    match i32x4_extract_lane::<0>(i32x4_relaxed_dot_i8x16_i7x16_add(x, w, i32x4_splat(0))) {
        129_540 => Semantics::Unsigned,
        -508 => Semantics::Signed,
        _ => Semantics::Saturating,
    }
}

/// 1.5 * 2^23: an integer added to its bits is added to the number. Sums begin here, as x86 has more
/// units that subtract floats than such as convert integers, which are those of the products too.
const MAGIC: f32 = 12_582_912.0;

/// Chained sums of 32 bits, where values of eight bits are taken with or without a sign.
pub(crate) struct Chained<const SIGNED: bool>;

/// Sums of 16 bits, as many steps as cannot overflow, then added to those of 32 bits: a third more
/// speed than the 32-bit form, which needs two instructions for each step there. Values of eight
/// bits are widened.
pub(crate) struct Saturating;

impl<const SIGNED: bool> Dots for Chained<SIGNED> {
    const NAME: &'static str = if SIGNED { "relaxed signed" } else { "relaxed unsigned" };
    type L = Native;
    type X = v128;
    type D = v128;
    type W = v128;
    const BYTE_ZERO: i16 = if SIGNED { 0 } else { 128 };

    #[inline(always)]
    fn chunk(from: &[i8; 4]) -> v128 {
        splat(from)
    }
    #[inline(always)]
    fn begin(sums: &[i16; 2], by: [i16; 2]) -> v128 {
        let magic = f32x4_splat(MAGIC);
        if by == [0, 0] { magic } else { i32x4_add(magic, weigh(sums, by)) }
    }
    #[inline(always)]
    fn weights(bits: u32, from: v128) -> v128 {
        if SIGNED && bits == 8 { v128_xor(from, u8x16_splat(128)) } else { from }
    }
    #[inline(always)]
    fn dot(sums: v128, _: u32, x: v128, w: v128) -> v128 {
        i32x4_relaxed_dot_i8x16_i7x16_add(x, w, sums)
    }
    type Y = v128;
    type V = v128;
    type Z = Bytes;
    const SIGNED: bool = SIGNED;

    #[inline(always)]
    fn kept(from: v128) -> [Bytes; 4] {
        bytemuck::cast::<[u8; 16], _>(<Native as Lanes>::store_bytes(from))
    }
    #[inline(always)]
    fn four(from: &Bytes) -> v128 {
        splat(bytemuck::cast_ref(from))
    }
    #[inline(always)]
    fn mixed(from: [v128; 4]) -> [v128; 4] {
        mixed_bytes::<Native>(from)
    }
    #[inline(always)]
    fn whole(from: v128) -> v128 {
        from
    }
    #[inline(always)]
    fn add_products(sums: v128, x: v128, w: v128) -> v128 {
        i32x4_relaxed_dot_i8x16_i7x16_add(w, x, sums)
    }
    #[inline(always)]
    fn finish(sums: v128) -> v128 {
        f32x4_sub(sums, f32x4_splat(MAGIC))
    }
}

impl Dots for Saturating {
    const NAME: &'static str = "relaxed saturating";
    type L = Native;
    type X = v128;
    /// In 16 bits since they were settled, and in 32; those of eight bits in 32 only, times 256.
    type D = [v128; 3];
    type W = v128;

    #[inline(always)]
    fn chunk(from: &[i8; 4]) -> v128 {
        splat(from)
    }
    #[inline(always)]
    fn begin(sums: &[i16; 2], by: [i16; 2]) -> [v128; 3] {
        [i16x8_splat(0), weigh(sums, by), i32x4_splat(0)]
    }
    #[inline(always)]
    fn weights(_: u32, from: v128) -> v128 {
        from
    }
    #[inline(always)]
    fn dot([narrow, sums, wide]: [v128; 3], bits: u32, x: v128, w: v128) -> [v128; 3] {
        if bits == 8 {
            return [narrow, sums, dot_wide(wide, widen(x), w)];
        }
        [i16x8_add(narrow, i16x8_relaxed_dot_i8x16_i7x16(x, w)), sums, wide]
    }
    #[inline(always)]
    fn settle([narrow, sums, wide]: [v128; 3]) -> [v128; 3] {
        let sums = i32x4_add(sums, i32x4_dot_i16x8(narrow, i16x8_splat(1)));
        [i16x8_splat(0), sums, wide]
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
    fn finish(sums: [v128; 3]) -> v128 {
        let [_, sums, wide] = Self::settle(sums);
        f32x4_convert_i32x4(i32x4_add(sums, i32x4_shr(wide, 8)))
    }
}
