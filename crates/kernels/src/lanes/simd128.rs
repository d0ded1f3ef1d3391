//! WebAssembly SIMD, with the relaxed instructions where the build has them.

#![allow(unsafe_code, reason = "vector loads and stores take pointers")]

use super::Lanes;
use std::arch::wasm32::*;

/// See the module.
pub(crate) struct Simd128;

const RELAXED: bool = cfg!(target_feature = "relaxed-simd");

#[inline(always)]
fn load_bytes(from: &[u8; 16]) -> v128 {
    // SAFETY: sixteen bytes are readable; the load needs no alignment.
    unsafe { v128_load(from.as_ptr().cast()) }
}

/// Four 16-bit numbers in the low half of four 32-bit lanes.
#[inline(always)]
fn load_words(from: &[u8; 8]) -> v128 {
    // SAFETY: eight bytes are readable; the load needs no alignment.
    unsafe { i32x4_load_extend_u16x4(from.as_ptr().cast()) }
}

/// Of binary16 numbers: one in the exponent, all bits of it but the lowest, and the lowest of these.
static ONE: [u16; 8] = [0x400; 8];
static UPPER: [u16; 8] = [0x7800; 8];
static LEAST: [u16; 8] = [0x800; 8];
/// Sign, exponent and fraction in the upper half of an `f32`, and what the exponent lacks.
static KEPT: [u16; 8] = [0x8fff; 8];
static BIAS: [u16; 8] = [112 << 7; 8];

/// V8 makes a constant by three instructions in each block of code that uses it; a load is one.
#[inline(always)]
fn constant(from: &'static [u16; 8]) -> v128 {
    // SAFETY: sixteen bytes are readable; the load needs no alignment.
    unsafe { std::ptr::from_ref(from).cast::<v128>().read_volatile() }
}

#[inline(always)]
fn pair_of_words(sums: &[i16; 2]) -> v128 {
    // SAFETY: four bytes are readable; the load needs no alignment.
    unsafe { v128_load32_zero(sums.as_ptr().cast()) }
}

impl Lanes for Simd128 {
    const NAME: &'static str = if RELAXED { "relaxed" } else { "simd128" };
    type F = v128;
    type I = v128;
    type B = v128;
    /// Widened to 16 bits: the first and the last eight. The relaxed build keeps the bytes in the
    /// first vector and widens for signed weights only; what is not used is not computed.
    type X = [v128; 3];

    #[inline(always)]
    fn splat(value: f32) -> Self::F {
        f32x4_splat(value)
    }
    #[inline(always)]
    fn load(from: &[f32; 4]) -> Self::F {
        // SAFETY: four floats are readable; the load needs no alignment.
        unsafe { v128_load(from.as_ptr().cast()) }
    }
    #[inline(always)]
    fn store(value: Self::F) -> [f32; 4] {
        let mut out = [0.0; 4];
        // SAFETY: four floats are writable; the store needs no alignment.
        unsafe { v128_store(out.as_mut_ptr().cast(), value) };
        out
    }
    #[inline(always)]
    fn add(a: Self::F, b: Self::F) -> Self::F {
        f32x4_add(a, b)
    }
    #[inline(always)]
    fn sub(a: Self::F, b: Self::F) -> Self::F {
        f32x4_sub(a, b)
    }
    #[inline(always)]
    fn mul(a: Self::F, b: Self::F) -> Self::F {
        f32x4_mul(a, b)
    }
    #[inline(always)]
    fn div(a: Self::F, b: Self::F) -> Self::F {
        f32x4_div(a, b)
    }
    #[inline(always)]
    fn max(a: Self::F, b: Self::F) -> Self::F {
        f32x4_pmax(a, b)
    }
    #[inline(always)]
    fn power(shifted: Self::F) -> Self::F {
        i32x4_add(i32x4_shl(shifted, 23), i32x4_splat(127 << 23))
    }
    #[inline(always)]
    fn madd(a: Self::F, b: Self::F, c: Self::F) -> Self::F {
        #[cfg(target_feature = "relaxed-simd")]
        return f32x4_relaxed_madd(a, b, c);
        #[cfg(not(target_feature = "relaxed-simd"))]
        f32x4_add(f32x4_mul(a, b), c)
    }
    #[inline(always)]
    fn at_least(value: Self::F, least: Self::F) -> Self::F {
        f32x4_pmax(value, least)
    }
    #[inline(always)]
    fn at_most(value: Self::F, most: Self::F) -> Self::F {
        f32x4_pmin(value, most)
    }
    #[inline(always)]
    fn largest(most: Self::F, value: Self::F) -> Self::F {
        let taken = v128_or(f32x4_gt(value, most), f32x4_ne(value, value));
        v128_bitselect(value, most, taken)
    }
    #[inline(always)]
    fn sloped(value: Self::F, slope: Self::F) -> Self::F {
        let below = f32x4_lt(value, f32x4_splat(0.0));
        v128_bitselect(f32x4_mul(value, slope), value, below)
    }
    #[inline(always)]
    fn load_f32(from: &[u8; 16]) -> Self::F {
        load_bytes(from)
    }
    #[inline(always)]
    fn load_f16(from: &[u8; 8]) -> Self::F {
        let value = Self::tiny_scales(from);
        // Infinity and NaN, which have come out as 65536 and above.
        let special = f32x4_ge(f32x4_abs(value), f32x4_splat(65536.0));
        v128_or(value, v128_and(special, i32x4_splat(0x7f80_0000)))
    }
    #[inline(always)]
    fn are_normal_f16<const C: usize>(from: [&[[u8; 8]; 4]; C]) -> bool {
        // No bit of the exponent but its lowest is set in its successor: it was 0 or 31.
        let (one, upper) = (constant(&ONE), constant(&UPPER));
        let mut least = upper;
        unrolled!(2 * C, i => {
            let halves: &[[u8; 16]; 2] = bytemuck::cast_ref(from[i / 2]);
            let next = i16x8_add(load_bytes(&halves[i % 2]), one);
            least = i16x8_min(least, v128_and(next, upper));
        });
        i8x16_bitmask(i16x8_sub(least, constant(&LEAST))) == 0
    }
    #[inline(always)]
    fn load_normal_f16(from: &[[u8; 8]; 4]) -> [Self::F; 4] {
        // Sixteen bits at a time: the sign, the exponent plus 112 and seven bits of the fraction;
        // the three others.
        let (kept, bias) = (constant(&KEPT), constant(&BIAS));
        let normal = |halves| {
            let high = i16x8_add(v128_and(i16x8_shr(halves, 3), kept), bias);
            let low = i16x8_shl(halves, 13);
            [
                i16x8_shuffle::<0, 8, 1, 9, 2, 10, 3, 11>(low, high),
                i16x8_shuffle::<4, 12, 5, 13, 6, 14, 7, 15>(low, high),
            ]
        };
        let halves: &[[u8; 16]; 2] = bytemuck::cast_ref(from);
        let ([a, b], [c, d]) = (normal(load_bytes(&halves[0])), normal(load_bytes(&halves[1])));
        [a, b, c, d]
    }
    #[inline(always)]
    fn load_shifted_f16(from: &[u8; 8]) -> Self::F {
        // SAFETY: eight bytes are readable; the load needs no alignment.
        let bits = unsafe { i32x4_load_extend_i16x4(from.as_ptr().cast()) };
        // Sign and magnitude in the places of an `f32` whose exponent is 112 too small.
        v128_and(i32x4_shl(bits, 13), i32x4_splat(0x8fff_e000_u32 as i32))
    }
    #[inline(always)]
    fn load_eight_shifted_f16(from: &[u8; 16]) -> [Self::F; 2] {
        // Sixteen bits at a time, the upper half of an `f32` and the lower: half an instruction less
        // a vector than in 32-bit lanes, and fewer of those for which products wait.
        let halves = load_bytes(from);
        let high = v128_and(i16x8_shr(halves, 3), constant(&KEPT));
        let low = i16x8_shl(halves, 13);
        [
            i16x8_shuffle::<0, 8, 1, 9, 2, 10, 3, 11>(low, high),
            i16x8_shuffle::<4, 12, 5, 13, 6, 14, 7, 15>(low, high),
        ]
    }
    #[inline(always)]
    fn load_i8(from: &[i8; 8]) -> [Self::F; 2] {
        // SAFETY: eight bytes are readable; the load needs no alignment.
        let words = unsafe { i16x8_load_extend_i8x8(from.as_ptr()) };
        let wide = [i32x4_extend_low_i16x8(words), i32x4_extend_high_i16x8(words)];
        wide.map(|four| f32x4_convert_i32x4(four))
    }
    #[inline(always)]
    fn tiny_scales(from: &[u8; 8]) -> Self::F {
        let bits = load_words(from);
        let magnitude = i32x4_shl(v128_and(bits, i32x4_splat(0x7fff)), 13);
        let normal = i32x4_add(magnitude, i32x4_splat(112 << 23));
        // 2^-14 with the subnormal's bits as its fraction, less 2^-14.
        let least = i32x4_splat(113 << 23);
        let tiny = f32x4_sub(i32x4_add(magnitude, least), least);
        let is_tiny = i32x4_lt(magnitude, i32x4_splat(1 << 23));
        let value = v128_bitselect(tiny, normal, is_tiny);
        v128_or(value, v128_and(i32x4_shl(bits, 16), i32x4_splat(i32::MIN)))
    }
    #[inline(always)]
    fn load_bf16(from: &[u8; 8]) -> Self::F {
        i32x4_shl(load_words(from), 16)
    }
    #[inline(always)]
    fn pair(from: [f32; 2]) -> Self::F {
        f32x4(from[0], from[1], 0.0, 0.0)
    }

    #[inline(always)]
    fn zero() -> Self::I {
        i32x4_splat(0)
    }
    #[inline(always)]
    fn to_f(value: Self::I) -> Self::F {
        f32x4_convert_i32x4(value)
    }
    #[inline(always)]
    fn load_i(from: &[i32; 4]) -> Self::I {
        // SAFETY: four integers are readable; the load needs no alignment.
        unsafe { v128_load(from.as_ptr().cast()) }
    }
    #[inline(always)]
    fn store_i(value: Self::I) -> [i32; 4] {
        let mut out = [0; 4];
        // SAFETY: four integers are writable; the store needs no alignment.
        unsafe { v128_store(out.as_mut_ptr().cast(), value) };
        out
    }
    #[inline(always)]
    fn low_bytes([a, b, c, d]: [Self::F; 4]) -> Self::B {
        // By shifts and a blend: the compiler makes several instructions of `narrow`, for it knows what
        // saturates only as a minimum and a maximum.
        let words =
            |low, high| i16x8_shuffle::<0, 9, 2, 11, 4, 13, 6, 15>(low, i32x4_shl(high, 16));
        let low = v128_and(words(a, b), u16x8_splat(255));
        let bytes = v128_or(low, i16x8_shl(words(c, d), 8));
        i8x16_shuffle::<0, 4, 8, 12, 2, 6, 10, 14, 1, 5, 9, 13, 3, 7, 11, 15>(bytes, bytes)
    }
    #[inline(always)]
    fn weigh(sums: &[i16; 2], by: [i16; 2]) -> Self::I {
        i32x4_dot_i16x8(pair_of_words(sums), i16x8(by[0], by[1], 0, 0, 0, 0, 0, 0))
    }
    #[inline(always)]
    fn sums(sums: &[i16; 2]) -> Self::F {
        f32x4_convert_i32x4(i32x4_extend_low_i16x8(pair_of_words(sums)))
    }

    #[inline(always)]
    fn bytes(from: &[u8; 16]) -> Self::B {
        load_bytes(from)
    }
    #[inline(always)]
    fn shr_and(value: Self::B, shift: u32, mask: u8) -> Self::B {
        // 16-bit lanes: a byte shift is three instructions on x86.
        v128_and(u16x8_shr(value, shift), u8x16_splat(mask))
    }
    #[inline(always)]
    fn shr(value: Self::B, shift: u32) -> Self::B {
        u16x8_shr(value, shift)
    }
    #[inline(always)]
    fn shl_and(value: Self::B, shift: u32, mask: u8) -> Self::B {
        v128_and(i16x8_shl(value, shift), u8x16_splat(mask))
    }
    #[inline(always)]
    fn byte(value: Self::B, index: usize) -> Self::F {
        f32x4_convert_i32x4(v128_and(u32x4_shr(value, 8 * index as u32), i32x4_splat(255)))
    }
    #[inline(always)]
    fn signed_byte(value: Self::B, index: usize) -> Self::F {
        f32x4_convert_i32x4(i32x4_shr(i32x4_shl(value, 24 - 8 * index as u32), 24))
    }
    #[inline(always)]
    fn shl(value: Self::B, shift: u32) -> Self::B {
        i16x8_shl(value, shift)
    }
    #[inline(always)]
    fn or(a: Self::B, b: Self::B) -> Self::B {
        v128_or(a, b)
    }
    #[inline(always)]
    fn xor(a: Self::B, b: Self::B) -> Self::B {
        v128_xor(a, b)
    }
    #[inline(always)]
    fn add_bytes(a: Self::B, b: Self::B) -> Self::B {
        u8x16_add(a, b)
    }
    #[inline(always)]
    fn interleave(a: Self::B, b: Self::B) -> [Self::B; 2] {
        [
            i8x16_shuffle::<0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23>(a, b),
            i8x16_shuffle::<8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31>(a, b),
        ]
    }
    #[inline(always)]
    fn interleave_pairs(a: Self::B, b: Self::B) -> [Self::B; 2] {
        [
            i16x8_shuffle::<0, 8, 1, 9, 2, 10, 3, 11>(a, b),
            i16x8_shuffle::<4, 12, 5, 13, 6, 14, 7, 15>(a, b),
        ]
    }
    #[inline(always)]
    fn store_bytes(value: Self::B) -> [u8; 16] {
        let mut out = [0; 16];
        // SAFETY: sixteen bytes are writable; the store needs no alignment.
        unsafe { v128_store(out.as_mut_ptr().cast(), value) };
        out
    }
    #[inline(always)]
    fn words(from: [u64; 2]) -> Self::B {
        u64x2(from[0], from[1])
    }
    #[inline(always)]
    fn nibbles(from: u64) -> Self::B {
        let bytes = u64x2_splat(from);
        let (low, high) = (Self::shr_and(bytes, 0, 15), Self::shr_and(bytes, 4, 15));
        i8x16_shuffle::<0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23>(low, high)
    }
    #[inline(always)]
    fn trits(bytes: Self::B, powers: &[u8; 16]) -> Self::B {
        let powers = load_bytes(powers);
        let product = |wide: v128| {
            let low = v128_and(wide, u16x8_splat(255));
            u16x8_shr(u16x8_mul(low, u16x8_splat(3)), 8)
        };
        let first = product(u16x8_extmul_low_u8x16(bytes, powers));
        u8x16_narrow_i16x8(first, product(u16x8_extmul_high_u8x16(bytes, powers)))
    }
    #[inline(always)]
    fn flags(bits: u16, value: u8) -> Self::B {
        let [low, high] = bits.to_le_bytes().map(|byte| u64::from(byte) * 0x0101_0101_0101_0101);
        let each = u64x2_splat(0x8040_2010_0804_0201);
        let set = i8x16_eq(v128_and(u64x2(low, high), each), each);
        v128_and(set, u8x16_splat(value))
    }
    #[inline(always)]
    fn lookup(table: &[u8; 16], index: Self::B) -> Self::B {
        // The relaxed instruction differs only for indices past the table.
        #[cfg(target_feature = "relaxed-simd")]
        return i8x16_relaxed_swizzle(load_bytes(table), index);
        #[cfg(not(target_feature = "relaxed-simd"))]
        i8x16_swizzle(load_bytes(table), index)
    }

    #[inline(always)]
    fn activations(from: &[i8; 16]) -> Self::X {
        let at = from.as_ptr();
        // SAFETY: twice eight of sixteen bytes are readable; the loads need no alignment.
        let wide = unsafe { [i16x8_load_extend_i8x8(at), i16x8_load_extend_i8x8(at.add(8))] };
        [load_bytes(bytemuck::cast_ref(from)), wide[0], wide[1]]
    }
    #[inline(always)]
    fn dot_u7(acc: Self::I, x: Self::X, w: Self::B) -> Self::I {
        #[cfg(target_feature = "relaxed-simd")]
        return i32x4_relaxed_dot_i8x16_i7x16_add(x[0], w, acc);
        #[cfg(not(target_feature = "relaxed-simd"))]
        Self::dot_i8(acc, x, w)
    }
    #[inline(always)]
    fn dot_i8(acc: Self::I, x: Self::X, w: Self::B) -> Self::I {
        let low = i32x4_dot_i16x8(x[1], i16x8_extend_low_i8x16(w));
        let high = i32x4_dot_i16x8(x[2], i16x8_extend_high_i8x16(w));
        i32x4_add(i32x4_add(acc, low), high)
    }
}
