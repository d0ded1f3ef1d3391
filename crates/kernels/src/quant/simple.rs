//! The types with one scale for 32 values.

use super::{Quant, widen};
use crate::lanes::Lanes;
use sidestage_tensor::blocks::{BlockQ4_0, BlockQ4_1, BlockQ5_0, BlockQ5_1, BlockQ8_0};

/// Low nibbles first, then high ones.
#[inline(always)]
pub(super) fn nibbles<L: Lanes>(qs: &[u8; 16]) -> [L::B; 2] {
    let qs = L::bytes(qs);
    [L::shr_and(qs, 0, 15), L::shr_and(qs, 4, 15)]
}

#[inline(always)]
fn five_bits<L: Lanes>(qs: &[u8; 16], qh: [u8; 4]) -> [L::B; 2] {
    let [low, high] = nibbles::<L>(qs);
    let [a, b, c, d] = qh;
    let first = L::flags(u16::from_le_bytes([a, b]), 16);
    let last = L::flags(u16::from_le_bytes([c, d]), 16);
    [L::or(low, first), L::or(high, last)]
}

impl Quant for BlockQ4_0 {
    const ZERO: i16 = 8;
    type Scales = f32;

    #[inline(always)]
    fn scales(&self) -> f32 {
        widen(self.d)
    }
    #[inline(always)]
    fn scale(scales: &f32, _: usize) -> [f32; 2] {
        [*scales; 2]
    }
    #[inline(always)]
    fn values<L: Lanes>(&self, _: usize) -> [L::B; 2] {
        nibbles::<L>(&self.qs)
    }
}

impl Quant for BlockQ4_1 {
    const MINIMUM: bool = true;
    type Scales = [f32; 2];

    #[inline(always)]
    fn scales(&self) -> [f32; 2] {
        [widen(self.d), -widen(self.m)]
    }
    #[inline(always)]
    fn scale(scales: &[f32; 2], _: usize) -> [f32; 2] {
        [scales[0]; 2]
    }
    #[inline(always)]
    fn minimum(scales: &[f32; 2], _: usize) -> [f32; 2] {
        [scales[1]; 2]
    }
    #[inline(always)]
    fn values<L: Lanes>(&self, _: usize) -> [L::B; 2] {
        nibbles::<L>(&self.qs)
    }
}

impl Quant for BlockQ5_0 {
    const ZERO: i16 = 16;
    type Scales = f32;

    #[inline(always)]
    fn scales(&self) -> f32 {
        widen(self.d)
    }
    #[inline(always)]
    fn scale(scales: &f32, _: usize) -> [f32; 2] {
        [*scales; 2]
    }
    #[inline(always)]
    fn values<L: Lanes>(&self, _: usize) -> [L::B; 2] {
        five_bits::<L>(&self.qs, self.qh)
    }
}

impl Quant for BlockQ5_1 {
    const MINIMUM: bool = true;
    type Scales = [f32; 2];

    #[inline(always)]
    fn scales(&self) -> [f32; 2] {
        [widen(self.d), -widen(self.m)]
    }
    #[inline(always)]
    fn scale(scales: &[f32; 2], _: usize) -> [f32; 2] {
        [scales[0]; 2]
    }
    #[inline(always)]
    fn minimum(scales: &[f32; 2], _: usize) -> [f32; 2] {
        [scales[1]; 2]
    }
    #[inline(always)]
    fn values<L: Lanes>(&self, _: usize) -> [L::B; 2] {
        five_bits::<L>(&self.qs, self.qh)
    }
}

impl Quant for BlockQ8_0 {
    const SIGNED: bool = true;
    type Scales = f32;

    #[inline(always)]
    fn scales(&self) -> f32 {
        widen(self.d)
    }
    #[inline(always)]
    fn scale(scales: &f32, _: usize) -> [f32; 2] {
        [*scales; 2]
    }
    #[inline(always)]
    fn values<L: Lanes>(&self, _: usize) -> [L::B; 2] {
        let bytes: &[u8] = bytemuck::cast_slice(&self.qs);
        [L::bytes(super::sixteen(bytes, 0)), L::bytes(super::sixteen(bytes, 16))]
    }
}
