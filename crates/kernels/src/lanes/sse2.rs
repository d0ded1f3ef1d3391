//! SSE2, which every x86-64 processor has.

#![allow(unsafe_code, reason = "vector loads and stores take pointers")]

use super::Lanes;
use std::arch::x86_64::*;

/// See the module.
pub(crate) struct Sse2;

/// Intrinsics are unsafe to call from functions without `#[target_feature]`, which trait methods
/// that must inline cannot have.
macro_rules! sse2 {
    ($body:expr) => {
        // SAFETY: this module exists only where the target has SSE2. Pointers come from references
        // to as many bytes as are read or written, by instructions that need no alignment.
        unsafe { $body }
    };
}

#[inline(always)]
fn load_bytes(from: &[u8; 16]) -> __m128i {
    sse2!(_mm_loadu_si128(from.as_ptr().cast()))
}

/// Four 16-bit numbers in the low half of four 32-bit lanes.
#[inline(always)]
fn load_words(from: &[u8; 8]) -> __m128i {
    sse2!({
        let words = _mm_loadl_epi64(from.as_ptr().cast());
        _mm_unpacklo_epi16(words, _mm_setzero_si128())
    })
}

#[inline(always)]
fn pair_of_words(sums: &[i16; 2]) -> __m128i {
    sse2!(_mm_cvtsi32_si128(bytemuck::cast(*sums)))
}

impl Lanes for Sse2 {
    const NAME: &'static str = "sse2";
    type F = __m128;
    type I = __m128i;
    type B = __m128i;
    /// Widened to 16 bits: the first and the last eight.
    type X = [__m128i; 2];

    #[inline(always)]
    fn splat(value: f32) -> Self::F {
        sse2!(_mm_set1_ps(value))
    }
    #[inline(always)]
    fn load(from: &[f32; 4]) -> Self::F {
        sse2!(_mm_loadu_ps(from.as_ptr()))
    }
    #[inline(always)]
    fn store(value: Self::F) -> [f32; 4] {
        sse2!({
            let mut out = [0.0; 4];
            _mm_storeu_ps(out.as_mut_ptr(), value);
            out
        })
    }
    #[inline(always)]
    fn add(a: Self::F, b: Self::F) -> Self::F {
        sse2!(_mm_add_ps(a, b))
    }
    #[inline(always)]
    fn sub(a: Self::F, b: Self::F) -> Self::F {
        sse2!(_mm_sub_ps(a, b))
    }
    #[inline(always)]
    fn mul(a: Self::F, b: Self::F) -> Self::F {
        sse2!(_mm_mul_ps(a, b))
    }
    #[inline(always)]
    fn div(a: Self::F, b: Self::F) -> Self::F {
        sse2!(_mm_div_ps(a, b))
    }
    #[inline(always)]
    fn max(a: Self::F, b: Self::F) -> Self::F {
        // The second operand is the result unless the first is larger.
        sse2!(_mm_max_ps(b, a))
    }
    #[inline(always)]
    fn power(shifted: Self::F) -> Self::F {
        sse2!({
            let integers = _mm_slli_epi32::<23>(_mm_castps_si128(shifted));
            _mm_castsi128_ps(_mm_add_epi32(integers, _mm_set1_epi32(127 << 23)))
        })
    }
    #[inline(always)]
    fn madd(a: Self::F, b: Self::F, c: Self::F) -> Self::F {
        sse2!(_mm_add_ps(_mm_mul_ps(a, b), c))
    }
    #[inline(always)]
    fn at_least(value: Self::F, least: Self::F) -> Self::F {
        sse2!(_mm_max_ps(least, value))
    }
    #[inline(always)]
    fn at_most(value: Self::F, most: Self::F) -> Self::F {
        sse2!(_mm_min_ps(most, value))
    }
    #[inline(always)]
    fn largest(most: Self::F, value: Self::F) -> Self::F {
        let taken = sse2!(_mm_or_ps(_mm_cmpgt_ps(value, most), _mm_cmpunord_ps(value, value)));
        sse2!(_mm_or_ps(_mm_and_ps(taken, value), _mm_andnot_ps(taken, most)))
    }
    #[inline(always)]
    fn sloped(value: Self::F, slope: Self::F) -> Self::F {
        let below = sse2!(_mm_cmplt_ps(value, _mm_setzero_ps()));
        let product = sse2!(_mm_mul_ps(value, slope));
        sse2!(_mm_or_ps(_mm_and_ps(below, product), _mm_andnot_ps(below, value)))
    }
    #[inline(always)]
    fn load_f32(from: &[u8; 16]) -> Self::F {
        sse2!(_mm_castsi128_ps(load_bytes(from)))
    }
    #[inline(always)]
    fn load_f16(from: &[u8; 8]) -> Self::F {
        sse2!({
            let set = _mm_set1_epi32;
            let value = Self::tiny_scales(from);
            // Infinity and NaN, which have come out as 65536 and above.
            let magnitude = _mm_and_ps(value, _mm_castsi128_ps(set(0x7fff_ffff)));
            let special = _mm_cmpge_ps(magnitude, _mm_set1_ps(65536.0));
            _mm_or_ps(value, _mm_and_ps(special, _mm_castsi128_ps(set(0x7f80_0000))))
        })
    }
    #[inline(always)]
    fn are_normal_f16<const C: usize>(from: [&[[u8; 8]; 4]; C]) -> bool {
        sse2!({
            // No bit of the exponent but its lowest is set in its successor: it was 0 or 31.
            let upper = _mm_set1_epi16(0x7800);
            let mut least = upper;
            unrolled!(2 * C, i => {
                let halves: &[[u8; 16]; 2] = bytemuck::cast_ref(from[i / 2]);
                let next = _mm_add_epi16(load_bytes(&halves[i % 2]), _mm_set1_epi16(0x400));
                least = _mm_min_epi16(least, _mm_and_si128(next, upper));
            });
            _mm_movemask_epi8(_mm_sub_epi16(least, _mm_set1_epi16(0x800))) == 0
        })
    }
    #[inline(always)]
    fn load_normal_f16(from: &[[u8; 8]; 4]) -> [Self::F; 4] {
        sse2!({
            // Sixteen bits at a time: the sign, the exponent plus 112 and seven bits of the fraction;
            // the three others.
            let normal = |halves| {
                let high = _mm_srai_epi16::<3>(halves);
                let high = _mm_and_si128(high, _mm_set1_epi16(0x8fff_u16 as i16));
                let high = _mm_add_epi16(high, _mm_set1_epi16(112 << 7));
                let low = _mm_slli_epi16::<13>(halves);
                [_mm_unpacklo_epi16(low, high), _mm_unpackhi_epi16(low, high)]
            };
            let halves: &[[u8; 16]; 2] = bytemuck::cast_ref(from);
            let ([a, b], [c, d]) = (normal(load_bytes(&halves[0])), normal(load_bytes(&halves[1])));
            [a, b, c, d].map(|four| _mm_castsi128_ps(four))
        })
    }
    #[inline(always)]
    fn load_shifted_f16(from: &[u8; 8]) -> Self::F {
        sse2!({
            // A word in the upper half of its lane, shifted down with its sign: sign and magnitude
            // in the places of an `f32` whose exponent is 112 too small.
            let bits = _mm_slli_epi32::<16>(load_words(from));
            let mask = _mm_set1_epi32(0x8fff_e000_u32 as i32);
            _mm_castsi128_ps(_mm_and_si128(_mm_srai_epi32::<3>(bits), mask))
        })
    }
    #[inline(always)]
    fn load_eight_shifted_f16(from: &[u8; 16]) -> [Self::F; 2] {
        sse2!({
            let halves = load_bytes(from);
            let kept = _mm_set1_epi16(0x8fff_u16 as i16);
            let high = _mm_and_si128(_mm_srai_epi16::<3>(halves), kept);
            let low = _mm_slli_epi16::<13>(halves);
            [_mm_unpacklo_epi16(low, high), _mm_unpackhi_epi16(low, high)]
                .map(|four| _mm_castsi128_ps(four))
        })
    }
    #[inline(always)]
    fn load_i8(from: &[i8; 8]) -> [Self::F; 2] {
        sse2!({
            // A byte four times, shifted down with its sign.
            let bytes = _mm_loadl_epi64(from.as_ptr().cast());
            let twice = _mm_unpacklo_epi8(bytes, bytes);
            [_mm_unpacklo_epi16(twice, twice), _mm_unpackhi_epi16(twice, twice)]
                .map(|four| _mm_cvtepi32_ps(_mm_srai_epi32::<24>(four)))
        })
    }
    #[inline(always)]
    fn tiny_scales(from: &[u8; 8]) -> Self::F {
        sse2!({
            let bits = load_words(from);
            let magnitude = _mm_slli_epi32::<13>(_mm_and_si128(bits, _mm_set1_epi32(0x7fff)));
            let normal = _mm_add_epi32(magnitude, _mm_set1_epi32(112 << 23));
            // 2^-14 with the subnormal's bits as its fraction, less 2^-14.
            let least = _mm_set1_epi32(113 << 23);
            let tiny = _mm_castsi128_ps(_mm_add_epi32(magnitude, least));
            let tiny = _mm_castps_si128(_mm_sub_ps(tiny, _mm_castsi128_ps(least)));
            let is_tiny = _mm_cmplt_epi32(magnitude, _mm_set1_epi32(1 << 23));
            let value =
                _mm_or_si128(_mm_and_si128(is_tiny, tiny), _mm_andnot_si128(is_tiny, normal));
            let sign = _mm_and_si128(_mm_slli_epi32::<16>(bits), _mm_set1_epi32(i32::MIN));
            _mm_castsi128_ps(_mm_or_si128(value, sign))
        })
    }
    #[inline(always)]
    fn load_bf16(from: &[u8; 8]) -> Self::F {
        sse2!(_mm_castsi128_ps(_mm_slli_epi32::<16>(load_words(from))))
    }
    #[inline(always)]
    fn pair(from: [f32; 2]) -> Self::F {
        sse2!(_mm_setr_ps(from[0], from[1], 0.0, 0.0))
    }

    #[inline(always)]
    fn zero() -> Self::I {
        sse2!(_mm_setzero_si128())
    }
    #[inline(always)]
    fn to_f(value: Self::I) -> Self::F {
        sse2!(_mm_cvtepi32_ps(value))
    }
    #[inline(always)]
    fn load_i(from: &[i32; 4]) -> Self::I {
        sse2!(_mm_loadu_si128(from.as_ptr().cast()))
    }
    #[inline(always)]
    fn store_i(value: Self::I) -> [i32; 4] {
        sse2!({
            let mut out = [0; 4];
            _mm_storeu_si128(out.as_mut_ptr().cast(), value);
            out
        })
    }
    #[inline(always)]
    fn low_bytes(values: [Self::F; 4]) -> Self::B {
        sse2!({
            let low = |value| _mm_and_si128(_mm_castps_si128(value), _mm_set1_epi32(255));
            let [a, b, c, d] = values.map(low);
            _mm_packus_epi16(_mm_packs_epi32(a, b), _mm_packs_epi32(c, d))
        })
    }
    #[inline(always)]
    fn weigh(sums: &[i16; 2], by: [i16; 2]) -> Self::I {
        sse2!(_mm_madd_epi16(pair_of_words(sums), pair_of_words(&by)))
    }
    #[inline(always)]
    fn sums(sums: &[i16; 2]) -> Self::F {
        sse2!({
            let words = pair_of_words(sums);
            _mm_cvtepi32_ps(_mm_srai_epi32::<16>(_mm_unpacklo_epi16(words, words)))
        })
    }

    #[inline(always)]
    fn bytes(from: &[u8; 16]) -> Self::B {
        load_bytes(from)
    }
    #[inline(always)]
    fn shr_and(value: Self::B, shift: u32, mask: u8) -> Self::B {
        sse2!({
            let shifted = _mm_srl_epi16(value, _mm_cvtsi32_si128(shift as i32));
            _mm_and_si128(shifted, _mm_set1_epi8(mask as i8))
        })
    }
    #[inline(always)]
    fn shr(value: Self::B, shift: u32) -> Self::B {
        sse2!(_mm_srl_epi16(value, _mm_cvtsi32_si128(shift as i32)))
    }
    #[inline(always)]
    fn shl_and(value: Self::B, shift: u32, mask: u8) -> Self::B {
        sse2!({
            let shifted = _mm_sll_epi16(value, _mm_cvtsi32_si128(shift as i32));
            _mm_and_si128(shifted, _mm_set1_epi8(mask as i8))
        })
    }
    #[inline(always)]
    fn byte(value: Self::B, index: usize) -> Self::F {
        sse2!({
            let shifted = _mm_srl_epi32(value, _mm_cvtsi32_si128(8 * index as i32));
            _mm_cvtepi32_ps(_mm_and_si128(shifted, _mm_set1_epi32(255)))
        })
    }
    #[inline(always)]
    fn signed_byte(value: Self::B, index: usize) -> Self::F {
        sse2!({
            let shifted = _mm_sll_epi32(value, _mm_cvtsi32_si128(24 - 8 * index as i32));
            _mm_cvtepi32_ps(_mm_srai_epi32::<24>(shifted))
        })
    }
    #[inline(always)]
    fn shl(value: Self::B, shift: u32) -> Self::B {
        sse2!(_mm_sll_epi16(value, _mm_cvtsi32_si128(shift as i32)))
    }
    #[inline(always)]
    fn or(a: Self::B, b: Self::B) -> Self::B {
        sse2!(_mm_or_si128(a, b))
    }
    #[inline(always)]
    fn xor(a: Self::B, b: Self::B) -> Self::B {
        sse2!(_mm_xor_si128(a, b))
    }
    #[inline(always)]
    fn add_bytes(a: Self::B, b: Self::B) -> Self::B {
        sse2!(_mm_add_epi8(a, b))
    }
    #[inline(always)]
    fn interleave(a: Self::B, b: Self::B) -> [Self::B; 2] {
        sse2!([_mm_unpacklo_epi8(a, b), _mm_unpackhi_epi8(a, b)])
    }
    #[inline(always)]
    fn interleave_pairs(a: Self::B, b: Self::B) -> [Self::B; 2] {
        sse2!([_mm_unpacklo_epi16(a, b), _mm_unpackhi_epi16(a, b)])
    }
    #[inline(always)]
    fn store_bytes(value: Self::B) -> [u8; 16] {
        sse2!({
            let mut out = [0; 16];
            _mm_storeu_si128(out.as_mut_ptr().cast(), value);
            out
        })
    }
    #[inline(always)]
    fn words(from: [u64; 2]) -> Self::B {
        sse2!(_mm_set_epi64x(from[1] as i64, from[0] as i64))
    }
    #[inline(always)]
    fn nibbles(from: u64) -> Self::B {
        sse2!({
            let bytes = _mm_set_epi64x(0, from as i64);
            _mm_unpacklo_epi8(Self::shr_and(bytes, 0, 15), Self::shr_and(bytes, 4, 15))
        })
    }
    #[inline(always)]
    fn trits(bytes: Self::B, powers: &[u8; 16]) -> Self::B {
        sse2!({
            let (powers, zero) = (load_bytes(powers), _mm_setzero_si128());
            let product = |bytes, powers| {
                let low = _mm_and_si128(_mm_mullo_epi16(bytes, powers), _mm_set1_epi16(255));
                _mm_srli_epi16::<8>(_mm_mullo_epi16(low, _mm_set1_epi16(3)))
            };
            let first = product(_mm_unpacklo_epi8(bytes, zero), _mm_unpacklo_epi8(powers, zero));
            let last = product(_mm_unpackhi_epi8(bytes, zero), _mm_unpackhi_epi8(powers, zero));
            _mm_packus_epi16(first, last)
        })
    }
    #[inline(always)]
    fn flags(bits: u16, value: u8) -> Self::B {
        sse2!({
            let [low, high] =
                bits.to_le_bytes().map(|byte| u64::from(byte) * 0x0101_0101_0101_0101);
            let spread = _mm_set_epi64x(high as i64, low as i64);
            let each = _mm_set1_epi64x(0x8040_2010_0804_0201_u64 as i64);
            let set = _mm_cmpeq_epi8(_mm_and_si128(spread, each), each);
            _mm_and_si128(set, _mm_set1_epi8(value as i8))
        })
    }
    #[inline(always)]
    fn lookup(table: &[u8; 16], index: Self::B) -> Self::B {
        // SSE2 has no such instruction; SSSE3 brought it.
        let mut bytes = [0; 16];
        sse2!(_mm_storeu_si128(bytes.as_mut_ptr().cast(), index));
        load_bytes(&bytes.map(|i: u8| table[usize::from(i & 15)]))
    }

    #[inline(always)]
    fn activations(from: &[i8; 16]) -> Self::X {
        sse2!({
            let bytes = load_bytes(bytemuck::cast_ref(from));
            // A byte beside itself, shifted down with its sign.
            let low = _mm_srai_epi16::<8>(_mm_unpacklo_epi8(bytes, bytes));
            [low, _mm_srai_epi16::<8>(_mm_unpackhi_epi8(bytes, bytes))]
        })
    }
    #[inline(always)]
    fn dot_u7(acc: Self::I, x: Self::X, w: Self::B) -> Self::I {
        sse2!({
            let zero = _mm_setzero_si128();
            let low = _mm_madd_epi16(x[0], _mm_unpacklo_epi8(w, zero));
            let high = _mm_madd_epi16(x[1], _mm_unpackhi_epi8(w, zero));
            _mm_add_epi32(_mm_add_epi32(acc, low), high)
        })
    }
    #[inline(always)]
    fn dot_i8(acc: Self::I, x: Self::X, w: Self::B) -> Self::I {
        sse2!({
            let low = _mm_srai_epi16::<8>(_mm_unpacklo_epi8(w, w));
            let high = _mm_srai_epi16::<8>(_mm_unpackhi_epi8(w, w));
            let sum = _mm_add_epi32(acc, _mm_madd_epi16(x[0], low));
            _mm_add_epi32(sum, _mm_madd_epi16(x[1], high))
        })
    }
}
