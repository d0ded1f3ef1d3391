//! Ternary numbers and floats of 4 bits.

use super::k::twos;
use super::simple::nibbles;
use super::{Quant, sixteen, widen};
use crate::grid::FP4_LEVELS;
use crate::lanes::Lanes;
use sidestage_tensor::blocks::{BlockMXFP4, BlockNVFP4, BlockTQ1_0, BlockTQ2_0};
use std::array::from_fn;

impl Quant for BlockTQ1_0 {
    const ZERO: i16 = 1;
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
    fn values<L: Lanes>(&self, part: usize) -> [L::B; 2] {
        from_fn(|half| {
            let (bytes, powers) = match 2 * part + half {
                i @ 0..10 => (sixteen(&self.qs, 16 * half), i / 2),
                i @ 10..15 => (sixteen(&self.qs, 32), i - 10),
                _ => (&from_fn(|i| self.qh[i % 4]), 5),
            };
            L::trits(L::bytes(bytes), &POWERS[powers])
        })
    }
}

/// What brings a digit to the front: one for all bytes, or four bytes at a time.
const POWERS: [[u8; 16]; 6] = [
    [1; 16],
    [3; 16],
    [9; 16],
    [27; 16],
    [81; 16],
    [1, 1, 1, 1, 3, 3, 3, 3, 9, 9, 9, 9, 27, 27, 27, 27],
];

impl Quant for BlockTQ2_0 {
    const ZERO: i16 = 1;
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
    fn values<L: Lanes>(&self, part: usize) -> [L::B; 2] {
        twos::<L>(&self.qs, part)
    }
}

/// What is added to make the levels of E2M1 positive.
const OFFSET: i8 = 12;

/// The doubled levels of E2M1, made positive.
const LEVELS: [u8; 16] = {
    let mut levels = [0; 16];
    let mut i = 0;
    while i < 16 {
        levels[i] = (FP4_LEVELS[i] + OFFSET) as u8;
        i += 1;
    }
    levels
};

impl Quant for BlockMXFP4 {
    const ZERO: i16 = OFFSET as i16;
    type Scales = f32;

    #[inline(always)]
    fn scales(&self) -> f32 {
        // 2^(e - 128), as the levels are doubled. The two smallest are subnormal.
        let bits = if self.e < 2 { 0x0020_0000 << self.e } else { u32::from(self.e - 1) << 23 };
        f32::from_bits(bits)
    }
    #[inline(always)]
    fn scale(scales: &f32, _: usize) -> [f32; 2] {
        [*scales; 2]
    }
    #[inline(always)]
    fn values<L: Lanes>(&self, _: usize) -> [L::B; 2] {
        nibbles::<L>(&self.qs).map(|index| L::lookup(&LEVELS, index))
    }
}

impl Quant for BlockNVFP4 {
    const SPLIT: bool = true;
    const ZERO: i16 = OFFSET as i16;
    type Scales = [f32; 4];

    #[inline(always)]
    fn scales(&self) -> [f32; 4] {
        self.d.map(|scale| {
            let bits = u32::from(scale & 0x7f);
            // Halved, as the levels are doubled.
            let normal = f32::from_bits((bits << 20) + ((127 - 8) << 23));
            let tiny = bits as f32 / 1024.0;
            match (scale, bits) {
                (0x7f, _) => 0.0,
                (_, 0..8) => tiny,
                _ => normal,
            }
        })
    }
    #[inline(always)]
    fn scale(scales: &[f32; 4], part: usize) -> [f32; 2] {
        [scales[2 * part], scales[2 * part + 1]]
    }
    #[inline(always)]
    fn values<L: Lanes>(&self, part: usize) -> [L::B; 2] {
        const LOW: u64 = 0x0f0f_0f0f_0f0f_0f0f;
        let (groups, _) = self.qs.as_chunks::<8>();
        from_fn(|half| {
            let bytes = u64::from_le_bytes(groups[2 * part + half]);
            L::lookup(&LEVELS, L::words([bytes & LOW, bytes >> 4 & LOW]))
        })
    }
}
