//! The K types: super-blocks of 256 values, whose scales are themselves quantised.

use super::{Quant, sixteen, widen};
use crate::lanes::Lanes;
use sidestage_tensor::blocks::{BlockQ2_K, BlockQ3_K, BlockQ4_K, BlockQ5_K, BlockQ6_K};
use std::array::from_fn;

/// A scale and a minimum for each of `N` groups.
#[derive(Clone, Copy)]
pub(crate) struct Table<const N: usize> {
    scale: [f32; N],
    minimum: [f32; N],
}

/// The eight 6-bit scales, then the eight 6-bit minima, of Q4_K and Q5_K (ggml's
/// `get_scale_min_k4`).
#[inline(always)]
pub(crate) fn six_bits(packed: &[u8; 12]) -> ([u8; 8], [u8; 8]) {
    let scale = from_fn(|i| match i {
        0..4 => packed[i] & 63,
        _ => packed[i + 4] & 15 | packed[i - 4] >> 6 << 4,
    });
    let minimum = from_fn(|i| match i {
        0..4 => packed[i + 4] & 63,
        _ => packed[i + 4] >> 4 | packed[i] >> 6 << 4,
    });
    (scale, minimum)
}

/// The sixteen scales of Q3_K, -32..32.
#[inline(always)]
pub(crate) fn signed_six_bits(packed: &[u8; 12]) -> [i8; 16] {
    from_fn(|i| {
        let low = packed[i % 8] >> (4 * (i / 8)) & 15;
        let high = packed[8 + i % 4] >> (2 * (i / 4)) & 3;
        (low | high << 4) as i8 - 32
    })
}

#[inline(always)]
fn table_of_8(d: f32, dmin: f32, packed: &[u8; 12]) -> Table<8> {
    let (scale, minimum) = six_bits(packed);
    Table { scale: scale.map(|s| d * f32::from(s)), minimum: minimum.map(|m| dmin * f32::from(m)) }
}

/// The pairs of bits of Q2_K, Q3_K and TQ2_0.
#[inline(always)]
pub(super) fn twos<L: Lanes>(qs: &[u8; 64], part: usize) -> [L::B; 2] {
    let (start, shift) = (32 * (part / 4), 2 * (part % 4) as u32);
    from_fn(|half| L::shr_and(L::bytes(sixteen(qs, start + 16 * half)), shift, 3))
}

/// The nibbles of Q4_K and Q5_K.
#[inline(always)]
fn nibbles<L: Lanes>(qs: &[u8; 128], part: usize) -> [L::B; 2] {
    let (start, shift) = (32 * (part / 2), 4 * (part % 2) as u32);
    from_fn(|half| L::shr_and(L::bytes(sixteen(qs, start + 16 * half)), shift, 15))
}

/// Bit `part` of each of 32 bytes, moved up by `shift`.
#[inline(always)]
fn top_bit<L: Lanes>(bits: &[u8; 32], part: usize, shift: u32) -> [L::B; 2] {
    from_fn(|half| {
        let bit = L::shr_and(L::bytes(sixteen(bits, 16 * half)), part as u32, 1);
        L::shl(bit, shift)
    })
}

impl Quant for BlockQ2_K {
    const SPLIT: bool = true;
    const MINIMUM: bool = true;
    type Scales = Table<16>;

    #[inline(always)]
    fn scales(&self) -> Table<16> {
        let (d, dmin) = (widen(self.d), widen(self.dmin));
        Table {
            scale: self.scales.map(|s| d * f32::from(s & 15)),
            minimum: self.scales.map(|s| dmin * f32::from(s >> 4)),
        }
    }
    #[inline(always)]
    fn scale(scales: &Table<16>, part: usize) -> [f32; 2] {
        [scales.scale[2 * part], scales.scale[2 * part + 1]]
    }
    #[inline(always)]
    fn minimum(scales: &Table<16>, part: usize) -> [f32; 2] {
        [scales.minimum[2 * part], scales.minimum[2 * part + 1]]
    }
    #[inline(always)]
    fn values<L: Lanes>(&self, part: usize) -> [L::B; 2] {
        twos::<L>(&self.qs, part)
    }
}

impl Quant for BlockQ3_K {
    const SPLIT: bool = true;
    const ZERO: i16 = 4;
    type Scales = [f32; 16];

    #[inline(always)]
    fn scales(&self) -> [f32; 16] {
        let d = widen(self.d);
        signed_six_bits(&self.scales).map(|s| d * f32::from(s))
    }
    #[inline(always)]
    fn scale(scales: &[f32; 16], part: usize) -> [f32; 2] {
        [scales[2 * part], scales[2 * part + 1]]
    }
    #[inline(always)]
    fn values<L: Lanes>(&self, part: usize) -> [L::B; 2] {
        let (low, high) = (twos::<L>(&self.qs, part), top_bit::<L>(&self.hmask, part, 2));
        from_fn(|half| L::or(low[half], high[half]))
    }
}

impl Quant for BlockQ4_K {
    const MINIMUM: bool = true;
    type Scales = Table<8>;

    #[inline(always)]
    fn scales(&self) -> Table<8> {
        table_of_8(widen(self.d), widen(self.dmin), &self.scales)
    }
    #[inline(always)]
    fn scale(scales: &Table<8>, part: usize) -> [f32; 2] {
        [scales.scale[part]; 2]
    }
    #[inline(always)]
    fn minimum(scales: &Table<8>, part: usize) -> [f32; 2] {
        [scales.minimum[part]; 2]
    }
    #[inline(always)]
    fn values<L: Lanes>(&self, part: usize) -> [L::B; 2] {
        nibbles::<L>(&self.qs, part)
    }
}

impl Quant for BlockQ5_K {
    const MINIMUM: bool = true;
    type Scales = Table<8>;

    #[inline(always)]
    fn scales(&self) -> Table<8> {
        table_of_8(widen(self.d), widen(self.dmin), &self.scales)
    }
    #[inline(always)]
    fn scale(scales: &Table<8>, part: usize) -> [f32; 2] {
        [scales.scale[part]; 2]
    }
    #[inline(always)]
    fn minimum(scales: &Table<8>, part: usize) -> [f32; 2] {
        [scales.minimum[part]; 2]
    }
    #[inline(always)]
    fn values<L: Lanes>(&self, part: usize) -> [L::B; 2] {
        let (low, high) = (nibbles::<L>(&self.qs, part), top_bit::<L>(&self.qh, part, 4));
        from_fn(|half| L::or(low[half], high[half]))
    }
}

impl Quant for BlockQ6_K {
    const SPLIT: bool = true;
    const ZERO: i16 = 32;
    type Scales = [f32; 16];

    #[inline(always)]
    fn scales(&self) -> [f32; 16] {
        let d = widen(self.d);
        self.scales.map(|s| d * f32::from(s))
    }
    #[inline(always)]
    fn scale(scales: &[f32; 16], part: usize) -> [f32; 2] {
        [scales[2 * part], scales[2 * part + 1]]
    }
    #[inline(always)]
    fn values<L: Lanes>(&self, part: usize) -> [L::B; 2] {
        let (n, j) = (part / 4, part % 4);
        from_fn(|half| {
            let low = L::bytes(sixteen(&self.ql, 64 * n + 32 * (j % 2) + 16 * half));
            let high = L::bytes(sixteen(&self.qh, 32 * n + 16 * half));
            let low = L::shr_and(low, 4 * (j / 2) as u32, 15);
            L::or(low, L::shl(L::shr_and(high, 2 * j as u32, 3), 4))
        })
    }
}
