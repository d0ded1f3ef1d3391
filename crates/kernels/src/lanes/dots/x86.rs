//! SSE2 as wasm's `simd128`, and AVX2's instructions on 128 bits as its relaxed ones.

#![allow(unsafe_code, reason = "intrinsics of instructions that are there")]

use super::{Dots, Pairs, Task, kept_pairs, mixed_pairs};
use crate::lanes::Native;
use std::arch::x86_64::*;

/// Both operands widened to 16 bits.
pub(crate) struct Sse2;

/// Sums of 16 bits, as many steps as cannot overflow, then added to those of 32 bits.
pub(crate) struct Avx2;

impl Avx2 {
    /// Whether this processor has it.
    #[inline(always)]
    pub(super) fn is_there() -> bool {
        std::arch::is_x86_feature_detected!("avx2")
    }
}

/// As in `sse2.rs`.
macro_rules! simd {
    ($body:expr) => {
        // SAFETY: the target has SSE2. What needs more is inlined into `with_avx2`, the only way
        // from `Avx2::enter`.
        unsafe { $body }
    };
}

#[inline(always)]
fn splat(from: &[i8; 4]) -> __m128i {
    simd!(_mm_set1_epi32(bytemuck::cast(*from)))
}

#[inline(always)]
fn weigh(sums: &[i16; 2], by: [i16; 2]) -> __m128i {
    simd!(_mm_madd_epi16(_mm_set1_epi32(bytemuck::cast(*sums)), _mm_set1_epi32(bytemuck::cast(by))))
}

/// Times 256: see `simd128.rs`.
#[inline(always)]
fn widen(x: __m128i) -> [__m128i; 2] {
    simd!([_mm_slli_epi16::<8>(x), _mm_and_si128(x, _mm_set1_epi16(0xff00_u16 as i16))])
}

#[inline(always)]
fn dot_wide(sums: __m128i, x: [__m128i; 2], w: __m128i) -> __m128i {
    simd!({
        let first = _mm_madd_epi16(_mm_and_si128(w, _mm_set1_epi16(255)), x[0]);
        _mm_add_epi32(sums, _mm_add_epi32(first, _mm_madd_epi16(_mm_srli_epi16::<8>(w), x[1])))
    })
}

/// As in `simd128.rs`.
#[inline(always)]
fn signed_pairs(w: __m128i) -> [__m128i; 2] {
    simd!({
        let twice = [_mm_unpacklo_epi8(w, w), _mm_unpackhi_epi8(w, w)];
        let [low, high] = twice.map(|half| _mm_castsi128_ps(_mm_srai_epi16::<8>(half)));
        let first = _mm_shuffle_ps::<0b10_00_10_00>(low, high);
        [first, _mm_shuffle_ps::<0b11_01_11_01>(low, high)].map(|half| _mm_castps_si128(half))
    })
}

#[inline(always)]
fn dot_pairs(sums: __m128i, x: [__m128i; 2], w: [__m128i; 2]) -> __m128i {
    simd!({
        let sums = _mm_add_epi32(sums, _mm_madd_epi16(x[0], w[0]));
        _mm_add_epi32(sums, _mm_madd_epi16(x[1], w[1]))
    })
}

impl Dots for Sse2 {
    const NAME: &'static str = "sse2";
    /// For processors from before 2013.
    const SINGLE: bool = true;
    type L = Native;
    type X = [__m128i; 2];
    /// Times 256.
    type D = __m128i;
    type W = __m128i;

    #[inline(always)]
    fn chunk(from: &[i8; 4]) -> [__m128i; 2] {
        widen(splat(from))
    }
    #[inline(always)]
    fn begin(sums: &[i16; 2], by: [i16; 2]) -> __m128i {
        simd!(_mm_slli_epi32::<8>(weigh(sums, by)))
    }
    #[inline(always)]
    fn weights(_: u32, from: __m128i) -> __m128i {
        from
    }
    #[inline(always)]
    fn dot(sums: __m128i, _: u32, x: [__m128i; 2], w: __m128i) -> __m128i {
        dot_wide(sums, x, w)
    }
    type Y = [__m128i; 2];
    type V = [__m128i; 2];
    type Z = Pairs;
    const WIDENS_BYTES: bool = true;

    #[inline(always)]
    fn kept(from: __m128i) -> [Pairs; 4] {
        kept_pairs::<Native>(from)
    }
    #[inline(always)]
    fn four(from: &Pairs) -> [__m128i; 2] {
        from.each_ref().map(|half| splat(bytemuck::cast_ref(half)))
    }
    #[inline(always)]
    fn mixed(from: [__m128i; 4]) -> [[__m128i; 2]; 4] {
        mixed_pairs::<Native>(from)
    }
    #[inline(always)]
    fn whole(from: __m128i) -> [__m128i; 2] {
        signed_pairs(from)
    }
    #[inline(always)]
    fn add_products(sums: __m128i, x: [__m128i; 2], w: [__m128i; 2]) -> __m128i {
        dot_pairs(sums, x, w)
    }
    #[inline(always)]
    fn finish(sums: __m128i) -> __m128 {
        simd!(_mm_cvtepi32_ps(_mm_srai_epi32::<8>(sums)))
    }
}

/// # Safety
/// The processor has AVX2.
#[target_feature(enable = "avx2")]
unsafe fn with_avx2<T: Task>(task: T) -> T::Output {
    task.run()
}

impl Dots for Avx2 {
    const NAME: &'static str = "avx2";
    type L = Native;
    type X = __m128i;
    /// In 16 bits since they were settled, in 32, and those of eight bits, times 256.
    type D = [__m128i; 3];
    type W = __m128i;

    #[inline(always)]
    fn chunk(from: &[i8; 4]) -> __m128i {
        splat(from)
    }
    #[inline(always)]
    fn begin(sums: &[i16; 2], by: [i16; 2]) -> [__m128i; 3] {
        simd!([_mm_setzero_si128(), weigh(sums, by), _mm_setzero_si128()])
    }
    #[inline(always)]
    fn weights(_: u32, from: __m128i) -> __m128i {
        from
    }
    #[inline(always)]
    fn dot([narrow, sums, wide]: [__m128i; 3], bits: u32, x: __m128i, w: __m128i) -> [__m128i; 3] {
        if bits == 8 {
            return [narrow, sums, dot_wide(wide, widen(x), w)];
        }
        simd!([_mm_add_epi16(narrow, _mm_maddubs_epi16(w, x)), sums, wide])
    }
    #[inline(always)]
    fn settle([narrow, sums, wide]: [__m128i; 3]) -> [__m128i; 3] {
        simd!({
            let pairs = _mm_madd_epi16(narrow, _mm_set1_epi16(1));
            [_mm_setzero_si128(), _mm_add_epi32(sums, pairs), wide]
        })
    }
    type Y = [__m128i; 2];
    type V = [__m128i; 2];
    type Z = Pairs;
    const WIDENS_BYTES: bool = true;

    #[inline(always)]
    fn kept(from: __m128i) -> [Pairs; 4] {
        kept_pairs::<Native>(from)
    }
    #[inline(always)]
    fn four(from: &Pairs) -> [__m128i; 2] {
        from.each_ref().map(|half| splat(bytemuck::cast_ref(half)))
    }
    #[inline(always)]
    fn mixed(from: [__m128i; 4]) -> [[__m128i; 2]; 4] {
        mixed_pairs::<Native>(from)
    }
    #[inline(always)]
    fn whole(from: __m128i) -> [__m128i; 2] {
        signed_pairs(from)
    }
    #[inline(always)]
    fn add_products(sums: __m128i, x: [__m128i; 2], w: [__m128i; 2]) -> __m128i {
        dot_pairs(sums, x, w)
    }
    #[inline(always)]
    fn finish(sums: [__m128i; 3]) -> __m128 {
        let [_, sums, wide] = Self::settle(sums);
        simd!(_mm_cvtepi32_ps(_mm_add_epi32(sums, _mm_srai_epi32::<8>(wide))))
    }
    #[inline(always)]
    fn enter<T: Task>(task: T) -> T::Output {
        // SAFETY: the set is chosen only where `is_there` says so.
        unsafe { with_avx2(task) }
    }
}
