//! The IQ types: entries of their grids, unpacked to bytes.

use super::simple::nibbles;
use super::{Quant, widen};
use crate::grid::{
    IQ1, IQ2_LEVELS, IQ2_S, IQ2_XS, IQ2_XXS, IQ3_S, IQ3_S_LEVELS, IQ3_XXS, IQ3_XXS_LEVELS,
    IQ4_LEVELS,
};
use crate::lanes::Lanes;
use sidestage_tensor::blocks::{
    BlockIQ1_M, BlockIQ1_S, BlockIQ2_S, BlockIQ2_XS, BlockIQ2_XXS, BlockIQ3_S, BlockIQ3_XXS,
    BlockIQ4_NL, BlockIQ4_XS, F16,
};
use std::array::from_fn;

/// The levels and, eight further on, their negatives, all moved up by the largest.
const fn signed_levels<const N: usize>(levels: [i8; N]) -> [u8; 16] {
    let mut table = [0; 16];
    let mut i = 0;
    while i < N {
        table[i] = (levels[N - 1] + levels[i]) as u8;
        table[i + 8] = (levels[N - 1] - levels[i]) as u8;
        i += 1;
    }
    table
}

/// Bit `i` of the index in bit 3 of nibble `i`.
static SIGNS: [u32; 256] = {
    let mut table = [0; 256];
    let mut at = 0;
    while at < 256 * 8 {
        let (bits, i) = (at as u32 / 8, at % 8);
        table[bits as usize] |= (bits >> i & 1) << (4 * i + 3);
        at += 1;
    }
    table
};

/// Seven signs and an eighth that makes the number of set bits even.
#[inline(always)]
fn even(bits: u32) -> u8 {
    let seven = bits & 127;
    // Bit `n` tells whether `n` has an odd number of set bits.
    let odd = 0x6996 >> ((seven ^ seven >> 4) & 15) & 1;
    (seven | odd << 7) as u8
}

/// Levels by two entries of eight nibbles, and signs.
#[inline(always)]
fn signed<L: Lanes>(table: &[u8; 16], entries: [u32; 2], signs: [u8; 2]) -> L::B {
    let [first, last]: [u32; 2] = from_fn(|i| entries[i] | SIGNS[usize::from(signs[i])]);
    L::lookup(table, L::nibbles(u64::from(first) | u64::from(last) << 32))
}

#[inline(always)]
fn nibble(bytes: &[u8], at: usize) -> u8 {
    bytes[at / 2] >> (4 * (at % 2)) & 15
}

/// `d * (2 * scale + 1) / divisor` for each group; the divisor is a power of two.
#[inline(always)]
fn odd<const N: usize>(d: F16, divisor: f32, scale: impl Fn(usize) -> u8) -> [f32; N] {
    let d = widen(d) / divisor;
    from_fn(|group| d * f32::from(2 * scale(group) + 1))
}

/// Indices are below the length of their grid, a power of two; the mask says so to the compiler.
#[inline(always)]
fn entry<T: Copy, const N: usize>(grid: &[T; N], index: u32) -> T {
    grid[index as usize & (N - 1)]
}

/// Two entries of four nibbles.
#[inline(always)]
fn pair<const N: usize>(grid: &[u16; N], indices: [u32; 2]) -> u32 {
    u32::from(entry(grid, indices[0])) | u32::from(entry(grid, indices[1])) << 16
}

/// Nine or more bits of an index: a byte, and the low bits of `high`.
#[inline(always)]
fn wide(low: u8, high: u8) -> u32 {
    u32::from(low) | u32::from(high) << 8
}

/// `8 * (g + shift) + 9` for the three numbers of the IQ1 grid, first with the shift up: the 1-bit
/// types without fractions and signs.
const IQ1_SHIFTED: [u8; 16] = [2, 10, 18, 0, 0, 0, 0, 0, 0, 8, 16, 0, 0, 0, 0, 0];

/// Sixteen of them by two indices, and whether the shift is down.
#[inline(always)]
fn shifted<L: Lanes>(indices: [u32; 2], down: [bool; 2]) -> L::B {
    let [first, last]: [u32; 2] =
        from_fn(|i| entry(&IQ1, indices[i]) | if down[i] { 0x8888_8888 } else { 0 });
    L::lookup(&IQ1_SHIFTED, L::nibbles(u64::from(first) | u64::from(last) << 32))
}

impl Quant for BlockIQ1_S {
    const ZERO: i16 = 9;
    type Scales = [f32; 8];

    #[inline(always)]
    fn scales(&self) -> [f32; 8] {
        odd(self.d, 8.0, |part| self.qh[part][1] >> 4 & 7)
    }
    #[inline(always)]
    fn scale(scales: &[f32; 8], part: usize) -> [f32; 2] {
        [scales[part]; 2]
    }
    #[inline(always)]
    fn values<L: Lanes>(&self, part: usize) -> [L::B; 2] {
        let word = u16::from_le_bytes(self.qh[part]);
        from_fn(|half| {
            let index = |i: usize| {
                wide(self.qs[4 * part + 2 * half + i], (word >> (6 * half + 3 * i) & 7) as u8)
            };
            shifted::<L>([index(0), index(1)], [word >> 15 == 1; 2])
        })
    }
}

impl Quant for BlockIQ1_M {
    const SPLIT: bool = true;
    const ZERO: i16 = 9;
    type Scales = [f32; 16];

    #[inline(always)]
    fn scales(&self) -> [f32; 16] {
        let words = self.scales.map(u16::from_le_bytes);
        let d = words[0] >> 12 | words[1] >> 12 << 4 | words[2] >> 12 << 8 | words[3] >> 12 << 12;
        odd(F16(d.to_le_bytes()), 8.0, |group| (words[group / 4] >> (3 * (group % 4)) & 7) as u8)
    }
    #[inline(always)]
    fn scale(scales: &[f32; 16], part: usize) -> [f32; 2] {
        [scales[2 * part], scales[2 * part + 1]]
    }
    #[inline(always)]
    fn values<L: Lanes>(&self, part: usize) -> [L::B; 2] {
        from_fn(|half| {
            let first = 4 * part + 2 * half;
            let high = self.qh[first / 2];
            let indices = [wide(self.qs[first], high & 7), wide(self.qs[first + 1], high >> 4 & 7)];
            shifted::<L>(indices, [high & 8 != 0, high & 128 != 0])
        })
    }
}

const IQ2: [u8; 16] = signed_levels(IQ2_LEVELS);
const IQ2_ZERO: i16 = IQ2_LEVELS[2] as i16;

impl Quant for BlockIQ2_XXS {
    const ZERO: i16 = IQ2_ZERO;
    type Scales = [f32; 8];

    #[inline(always)]
    fn scales(&self) -> [f32; 8] {
        odd(self.d, 8.0, |part| self.qs[part][7] >> 4)
    }
    #[inline(always)]
    fn scale(scales: &[f32; 8], part: usize) -> [f32; 2] {
        [scales[part]; 2]
    }
    #[inline(always)]
    fn values<L: Lanes>(&self, part: usize) -> [L::B; 2] {
        let [i0, i1, i2, i3, s0, s1, s2, s3] = self.qs[part];
        let signs = u32::from_le_bytes([s0, s1, s2, s3]);
        let eight = |index: u8| entry(&IQ2_XXS, u32::from(index));
        [
            signed::<L>(&IQ2, [eight(i0), eight(i1)], [even(signs), even(signs >> 7)]),
            signed::<L>(&IQ2, [eight(i2), eight(i3)], [even(signs >> 14), even(signs >> 21)]),
        ]
    }
}

impl Quant for BlockIQ2_XS {
    const SPLIT: bool = true;
    const ZERO: i16 = IQ2_ZERO;
    type Scales = [f32; 16];

    #[inline(always)]
    fn scales(&self) -> [f32; 16] {
        odd(self.d, 8.0, |group| nibble(&self.scales, group))
    }
    #[inline(always)]
    fn scale(scales: &[f32; 16], part: usize) -> [f32; 2] {
        [scales[2 * part], scales[2 * part + 1]]
    }
    #[inline(always)]
    fn values<L: Lanes>(&self, part: usize) -> [L::B; 2] {
        from_fn(|half| {
            let first = 4 * part + 2 * half;
            let words = [self.qs[first], self.qs[first + 1]].map(u16::from_le_bytes).map(u32::from);
            let eight = words.map(|word| entry(&IQ2_XS, word & 511));
            signed::<L>(&IQ2, eight, words.map(|word| even(word >> 9)))
        })
    }
}

impl Quant for BlockIQ2_S {
    const SPLIT: bool = true;
    const ZERO: i16 = IQ2_ZERO;
    type Scales = [f32; 16];

    #[inline(always)]
    fn scales(&self) -> [f32; 16] {
        odd(self.d, 8.0, |group| nibble(&self.scales, group))
    }
    #[inline(always)]
    fn scale(scales: &[f32; 16], part: usize) -> [f32; 2] {
        [scales[2 * part], scales[2 * part + 1]]
    }
    #[inline(always)]
    fn values<L: Lanes>(&self, part: usize) -> [L::B; 2] {
        from_fn(|half| {
            let first = 4 * part + 2 * half;
            let eight = from_fn(|i| {
                let high = self.qh[part] >> (4 * half + 2 * i) & 3;
                entry(&IQ2_S, wide(self.qs[first + i], high))
            });
            signed::<L>(&IQ2, eight, [self.signs[first], self.signs[first + 1]])
        })
    }
}

impl Quant for BlockIQ3_XXS {
    const ZERO: i16 = IQ3_XXS_LEVELS[7] as i16;
    type Scales = [f32; 8];

    #[inline(always)]
    fn scales(&self) -> [f32; 8] {
        odd(self.d, 4.0, |part| self.scales[part][3] >> 4)
    }
    #[inline(always)]
    fn scale(scales: &[f32; 8], part: usize) -> [f32; 2] {
        [scales[part]; 2]
    }
    #[inline(always)]
    fn values<L: Lanes>(&self, part: usize) -> [L::B; 2] {
        const LEVELS: [u8; 16] = signed_levels(IQ3_XXS_LEVELS);
        let signs = u32::from_le_bytes(self.scales[part]);
        from_fn(|half| {
            let index = |i: usize| u32::from(self.qs[8 * part + 4 * half + i]);
            let eight = from_fn(|i| pair(&IQ3_XXS, [index(2 * i), index(2 * i + 1)]));
            let signs = signs >> (14 * half);
            signed::<L>(&LEVELS, eight, [even(signs), even(signs >> 7)])
        })
    }
}

impl Quant for BlockIQ3_S {
    const ZERO: i16 = IQ3_S_LEVELS[7] as i16;
    type Scales = [f32; 8];

    #[inline(always)]
    fn scales(&self) -> [f32; 8] {
        odd(self.d, 1.0, |part| nibble(&self.scales, part))
    }
    #[inline(always)]
    fn scale(scales: &[f32; 8], part: usize) -> [f32; 2] {
        [scales[part]; 2]
    }
    #[inline(always)]
    fn values<L: Lanes>(&self, part: usize) -> [L::B; 2] {
        const LEVELS: [u8; 16] = signed_levels(IQ3_S_LEVELS);
        from_fn(|half| {
            let index = |i: usize| {
                let high = self.qh[part] >> (4 * half + i) & 1;
                wide(self.qs[8 * part + 4 * half + i], high)
            };
            let eight = from_fn(|i| pair(&IQ3_S, [index(2 * i), index(2 * i + 1)]));
            let first = 4 * part + 2 * half;
            signed::<L>(&LEVELS, eight, [self.signs[first], self.signs[first + 1]])
        })
    }
}

/// The levels' bytes.
const IQ4: [u8; 16] = {
    let mut bytes = [0; 16];
    let mut i = 0;
    while i < 16 {
        bytes[i] = IQ4_LEVELS[i] as u8;
        i += 1;
    }
    bytes
};

impl Quant for BlockIQ4_NL {
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
        nibbles::<L>(&self.qs).map(|index| L::lookup(&IQ4, index))
    }
}

impl Quant for BlockIQ4_XS {
    const SIGNED: bool = true;
    type Scales = [f32; 8];

    #[inline(always)]
    fn scales(&self) -> [f32; 8] {
        let (d, high) = (widen(self.d), u16::from_le_bytes(self.scales_h));
        from_fn(|part| {
            let scale = nibble(&self.scales_l, part) | ((high >> (2 * part) & 3) as u8 * 16);
            d * f32::from(scale as i8 - 32)
        })
    }
    #[inline(always)]
    fn scale(scales: &[f32; 8], part: usize) -> [f32; 2] {
        [scales[part]; 2]
    }
    #[inline(always)]
    fn values<L: Lanes>(&self, part: usize) -> [L::B; 2] {
        nibbles::<L>(&self.qs[part]).map(|index| L::lookup(&IQ4, index))
    }
}
