//! Plain arrays: the reference, and what a machine without a set of its own runs.

use super::Lanes;
use half::{bf16, f16};
use std::array::from_fn;

/// See the module.
pub(crate) struct Portable;

impl Lanes for Portable {
    const NAME: &'static str = "portable";
    const REFERENCE: bool =
        cfg!(any(target_feature = "simd128", all(target_arch = "x86_64", target_feature = "sse2")));
    type F = [f32; 4];
    type I = [i32; 4];
    type B = [u8; 16];
    type X = [i8; 16];

    #[inline(always)]
    fn splat(value: f32) -> Self::F {
        [value; 4]
    }
    #[inline(always)]
    fn load(from: &[f32; 4]) -> Self::F {
        *from
    }
    #[inline(always)]
    fn store(value: Self::F) -> [f32; 4] {
        value
    }
    #[inline(always)]
    fn add(a: Self::F, b: Self::F) -> Self::F {
        from_fn(|i| a[i] + b[i])
    }
    #[inline(always)]
    fn sub(a: Self::F, b: Self::F) -> Self::F {
        from_fn(|i| a[i] - b[i])
    }
    #[inline(always)]
    fn mul(a: Self::F, b: Self::F) -> Self::F {
        from_fn(|i| a[i] * b[i])
    }
    #[inline(always)]
    fn div(a: Self::F, b: Self::F) -> Self::F {
        from_fn(|i| a[i] / b[i])
    }
    #[inline(always)]
    fn max(a: Self::F, b: Self::F) -> Self::F {
        from_fn(|i| if b[i] > a[i] { b[i] } else { a[i] })
    }
    #[inline(always)]
    fn power(shifted: Self::F) -> Self::F {
        // All bits but the integer's leave at the top.
        shifted.map(|s| f32::from_bits((s.to_bits() << 23).wrapping_add(127 << 23)))
    }
    #[inline(always)]
    fn madd(a: Self::F, b: Self::F, c: Self::F) -> Self::F {
        from_fn(|i| a[i] * b[i] + c[i])
    }
    #[inline(always)]
    fn at_least(value: Self::F, least: Self::F) -> Self::F {
        from_fn(|i| if value[i] < least[i] { least[i] } else { value[i] })
    }
    #[inline(always)]
    fn at_most(value: Self::F, most: Self::F) -> Self::F {
        from_fn(|i| if value[i] > most[i] { most[i] } else { value[i] })
    }
    #[inline(always)]
    fn largest(most: Self::F, value: Self::F) -> Self::F {
        from_fn(|i| if value[i] > most[i] || value[i].is_nan() { value[i] } else { most[i] })
    }
    #[inline(always)]
    fn sloped(value: Self::F, slope: Self::F) -> Self::F {
        from_fn(|i| if value[i] < 0.0 { value[i] * slope[i] } else { value[i] })
    }
    #[inline(always)]
    fn load_f32(from: &[u8; 16]) -> Self::F {
        from_fn(|i| {
            f32::from_le_bytes([from[4 * i], from[4 * i + 1], from[4 * i + 2], from[4 * i + 3]])
        })
    }
    #[inline(always)]
    fn load_f16(from: &[u8; 8]) -> Self::F {
        from_fn(|i| f16::from_le_bytes([from[2 * i], from[2 * i + 1]]).to_f32())
    }
    #[inline(always)]
    fn load_shifted_f16(from: &[u8; 8]) -> Self::F {
        from_fn(|i| {
            let bits = i32::from(i16::from_le_bytes([from[2 * i], from[2 * i + 1]]));
            f32::from_bits((bits << 13) as u32 & 0x8fff_e000)
        })
    }
    #[inline(always)]
    fn load_eight_shifted_f16(from: &[u8; 16]) -> [Self::F; 2] {
        let fours: &[[u8; 8]; 2] = bytemuck::cast_ref(from);
        fours.each_ref().map(Self::load_shifted_f16)
    }
    #[inline(always)]
    fn load_i8(from: &[i8; 8]) -> [Self::F; 2] {
        bytemuck::cast(from.map(f32::from))
    }
    #[inline(always)]
    fn load_bf16(from: &[u8; 8]) -> Self::F {
        from_fn(|i| bf16::from_le_bytes([from[2 * i], from[2 * i + 1]]).to_f32())
    }
    #[inline(always)]
    fn pair(from: [f32; 2]) -> Self::F {
        [from[0], from[1], 0.0, 0.0]
    }

    #[inline(always)]
    fn zero() -> Self::I {
        [0; 4]
    }
    #[inline(always)]
    fn to_f(value: Self::I) -> Self::F {
        value.map(|v| v as f32)
    }
    #[inline(always)]
    fn load_i(from: &[i32; 4]) -> Self::I {
        *from
    }
    #[inline(always)]
    fn store_i(value: Self::I) -> [i32; 4] {
        value
    }
    #[inline(always)]
    fn low_bytes(values: [Self::F; 4]) -> Self::B {
        from_fn(|i| values[i / 4][i % 4].to_bits() as u8)
    }
    #[inline(always)]
    fn weigh(sums: &[i16; 2], by: [i16; 2]) -> Self::I {
        let first = i32::from(sums[0]) * i32::from(by[0]);
        [first + i32::from(sums[1]) * i32::from(by[1]), 0, 0, 0]
    }
    #[inline(always)]
    fn sums(sums: &[i16; 2]) -> Self::F {
        [f32::from(sums[0]), f32::from(sums[1]), 0.0, 0.0]
    }

    #[inline(always)]
    fn bytes(from: &[u8; 16]) -> Self::B {
        *from
    }
    #[inline(always)]
    fn shr_and(value: Self::B, shift: u32, mask: u8) -> Self::B {
        value.map(|v| (v >> shift) & mask)
    }
    #[inline(always)]
    fn shr(value: Self::B, shift: u32) -> Self::B {
        let word = |i: usize| u16::from_le_bytes([value[2 * i], value[2 * i + 1]]) >> shift;
        from_fn(|i| word(i / 2).to_le_bytes()[i % 2])
    }
    #[inline(always)]
    fn shl_and(value: Self::B, shift: u32, mask: u8) -> Self::B {
        value.map(|v| (v << shift) & mask)
    }
    #[inline(always)]
    fn byte(value: Self::B, index: usize) -> Self::F {
        from_fn(|i| f32::from(value[4 * i + index]))
    }
    #[inline(always)]
    fn signed_byte(value: Self::B, index: usize) -> Self::F {
        from_fn(|i| f32::from(value[4 * i + index] as i8))
    }
    #[inline(always)]
    fn shl(value: Self::B, shift: u32) -> Self::B {
        value.map(|v| v << shift)
    }
    #[inline(always)]
    fn or(a: Self::B, b: Self::B) -> Self::B {
        from_fn(|i| a[i] | b[i])
    }
    #[inline(always)]
    fn xor(a: Self::B, b: Self::B) -> Self::B {
        from_fn(|i| a[i] ^ b[i])
    }
    #[inline(always)]
    fn add_bytes(a: Self::B, b: Self::B) -> Self::B {
        from_fn(|i| a[i].wrapping_add(b[i]))
    }
    #[inline(always)]
    fn interleave(a: Self::B, b: Self::B) -> [Self::B; 2] {
        [0, 8].map(|first| from_fn(|i| [a, b][i % 2][first + i / 2]))
    }
    #[inline(always)]
    fn interleave_pairs(a: Self::B, b: Self::B) -> [Self::B; 2] {
        [0, 8].map(|first| from_fn(|i| [a, b][i / 2 % 2][first + i / 4 * 2 + i % 2]))
    }
    #[inline(always)]
    fn store_bytes(value: Self::B) -> [u8; 16] {
        value
    }
    #[inline(always)]
    fn words(from: [u64; 2]) -> Self::B {
        bytemuck::cast(from.map(u64::to_le_bytes))
    }
    #[inline(always)]
    fn nibbles(from: u64) -> Self::B {
        from_fn(|i| (from >> (4 * i) & 15) as u8)
    }
    #[inline(always)]
    fn trits(bytes: Self::B, powers: &[u8; 16]) -> Self::B {
        from_fn(|i| ((u16::from(bytes[i].wrapping_mul(powers[i])) * 3) >> 8) as u8)
    }
    #[inline(always)]
    fn flags(bits: u16, value: u8) -> Self::B {
        from_fn(|i| (bits >> i & 1) as u8 * value)
    }
    #[inline(always)]
    fn lookup(table: &[u8; 16], index: Self::B) -> Self::B {
        index.map(|i| table[usize::from(i & 15)])
    }

    #[inline(always)]
    fn activations(from: &[i8; 16]) -> Self::X {
        *from
    }
    #[inline(always)]
    fn dot_u7(acc: Self::I, x: Self::X, w: Self::B) -> Self::I {
        Self::dot_i8(acc, x, w)
    }
    #[inline(always)]
    fn dot_i8(acc: Self::I, x: Self::X, w: Self::B) -> Self::I {
        // Lane `i` takes the pairs at 2 i and 8 + 2 i, as `i32x4.dot_i16x8_s` and `pmaddwd` do.
        let product = |i: usize| i32::from(x[i]) * i32::from(w[i] as i8);
        from_fn(|i| {
            let low = product(2 * i) + product(2 * i + 1);
            acc[i] + low + product(8 + 2 * i) + product(8 + 2 * i + 1)
        })
    }
}
