//! The IQ types.

use crate::grid::{
    IQ1, IQ2_LEVELS, IQ2_S, IQ2_XS, IQ2_XXS, IQ3_S, IQ3_S_LEVELS, IQ3_XXS, IQ3_XXS_LEVELS,
    IQ4_LEVELS,
};
use sidestage_tensor::blocks::{
    BlockIQ1_M, BlockIQ1_S, BlockIQ2_S, BlockIQ2_XS, BlockIQ2_XXS, BlockIQ3_S, BlockIQ3_XXS,
    BlockIQ4_NL, BlockIQ4_XS, F16,
};

/// What the 1-bit types add to a number of the grid, or take from it.
const SHIFT: f32 = 0.125;

/// Value `j` of an entry of a grid.
fn level(entry: u32, j: usize, levels: &[i8]) -> f32 {
    f32::from(levels[(entry >> (4 * j) & 15) as usize])
}

/// -1 where the bit is set, else 1.
fn sign(bits: u8, j: usize) -> f32 {
    if bits >> j & 1 == 1 { -1.0 } else { 1.0 }
}

/// Seven signs and an eighth that makes the number of set bits even.
fn even(seven: u32) -> u8 {
    (0..7).fold(seven as u8 & 127, |bits, j| bits ^ ((seven >> j & 1) as u8 * 128))
}

/// The nibble of each group of 16 or 32.
fn nibble(bytes: &[u8], group: usize) -> f32 {
    f32::from(bytes[group / 2] >> (4 * (group % 2)) & 15)
}

/// `d * (scale + 1/2)`.
fn odd(d: F16, scale: f32) -> f32 {
    d.to_f32() * (0.5 + scale)
}

/// Eight values by an entry of a grid.
fn eight(y: &mut [f32], d: f32, entry: u32, signs: u8) {
    for (j, y) in y.iter_mut().enumerate() {
        *y = d * level(entry, j, &IQ2_LEVELS) * sign(signs, j);
    }
}

/// Eight values by two entries of a grid.
fn twice_four(y: &mut [f32], d: f32, entries: [u16; 2], levels: &[i8], signs: u8) {
    for (j, y) in y.iter_mut().enumerate() {
        *y = d * level(u32::from(entries[j / 4]), j % 4, levels) * sign(signs, j);
    }
}

/// Eight values of the 1-bit types.
fn shifted(y: &mut [f32], d: f32, index: usize, shift: f32) {
    for (j, y) in y.iter_mut().enumerate() {
        *y = d * (level(IQ1[index], j, &[-1, 0, 1]) + shift);
    }
}

pub(super) fn iq1_s(b: &BlockIQ1_S, y: &mut [f32]) {
    for (i, y) in y.chunks_exact_mut(8).enumerate() {
        let word = u16::from_le_bytes(b.qh[i / 4]);
        let d = b.d.to_f32() * f32::from(2 * (word >> 12 & 7) + 1);
        let index = usize::from(b.qs[i]) | usize::from(word >> (3 * (i % 4)) & 7) << 8;
        shifted(y, d, index, if word >> 15 == 0 { SHIFT } else { -SHIFT });
    }
}

pub(super) fn iq1_m(b: &BlockIQ1_M, y: &mut [f32]) {
    let words = b.scales.map(u16::from_le_bytes);
    let bits = (0..4).fold(0, |bits, i| bits | words[i] >> 12 << (4 * i));
    let d = F16(bits.to_le_bytes()).to_f32();
    for (i, y) in y.chunks_exact_mut(8).enumerate() {
        let scale = words[i / 8] >> (3 * (i / 2 % 4)) & 7;
        let high = b.qh[i / 2] >> (4 * (i % 2)) & 15;
        let index = usize::from(b.qs[i]) | usize::from(high & 7) << 8;
        let shift = if high & 8 == 0 { SHIFT } else { -SHIFT };
        shifted(y, d * f32::from(2 * scale + 1), index, shift);
    }
}

pub(super) fn iq2_xxs(b: &BlockIQ2_XXS, y: &mut [f32]) {
    for (group, y) in b.qs.iter().zip(y.chunks_exact_mut(32)) {
        let [i0, i1, i2, i3, s0, s1, s2, s3] = *group;
        let word = u32::from_le_bytes([s0, s1, s2, s3]);
        let d = odd(b.d, (word >> 28) as f32) * 0.25;
        for (j, index) in [i0, i1, i2, i3].into_iter().enumerate() {
            let entry = IQ2_XXS[usize::from(index)];
            eight(&mut y[8 * j..][..8], d, entry, even(word >> (7 * j)));
        }
    }
}

pub(super) fn iq2_xs(b: &BlockIQ2_XS, y: &mut [f32]) {
    for (i, (word, y)) in b.qs.iter().zip(y.chunks_exact_mut(8)).enumerate() {
        let word = u16::from_le_bytes(*word);
        let d = odd(b.d, nibble(&b.scales, i / 2)) * 0.25;
        eight(y, d, IQ2_XS[usize::from(word & 511)], even(u32::from(word >> 9)));
    }
}

pub(super) fn iq2_s(b: &BlockIQ2_S, y: &mut [f32]) {
    for (i, y) in y.chunks_exact_mut(8).enumerate() {
        let high = usize::from(b.qh[i / 4] >> (2 * (i % 4)) & 3) << 8;
        let d = odd(b.d, nibble(&b.scales, i / 2)) * 0.25;
        eight(y, d, IQ2_S[usize::from(b.qs[i]) | high], b.signs[i]);
    }
}

pub(super) fn iq3_xxs(b: &BlockIQ3_XXS, y: &mut [f32]) {
    for (i, y) in y.chunks_exact_mut(8).enumerate() {
        let word = u32::from_le_bytes(b.scales[i / 4]);
        let d = odd(b.d, (word >> 28) as f32) * 0.5;
        let entries = [b.qs[2 * i], b.qs[2 * i + 1]].map(|index| IQ3_XXS[usize::from(index)]);
        twice_four(y, d, entries, &IQ3_XXS_LEVELS, even(word >> (7 * (i % 4))));
    }
}

pub(super) fn iq3_s(b: &BlockIQ3_S, y: &mut [f32]) {
    for (i, y) in y.chunks_exact_mut(8).enumerate() {
        let d = b.d.to_f32() * (1.0 + 2.0 * nibble(&b.scales, i / 4));
        let entries = [2 * i, 2 * i + 1].map(|at| {
            let high = usize::from(b.qh[at / 8] >> (at % 8) & 1) << 8;
            IQ3_S[usize::from(b.qs[at]) | high]
        });
        twice_four(y, d, entries, &IQ3_S_LEVELS, b.signs[i]);
    }
}

/// 32 values by the nibbles of 16 bytes.
fn nonlinear(d: f32, qs: &[u8; 16], y: &mut [f32]) {
    for i in 0..16 {
        y[i] = d * f32::from(IQ4_LEVELS[usize::from(qs[i] & 15)]);
        y[i + 16] = d * f32::from(IQ4_LEVELS[usize::from(qs[i] >> 4)]);
    }
}

pub(super) fn iq4_nl(b: &BlockIQ4_NL, y: &mut [f32]) {
    nonlinear(b.d.to_f32(), &b.qs, y);
}

pub(super) fn iq4_xs(b: &BlockIQ4_XS, y: &mut [f32]) {
    let high = u16::from_le_bytes(b.scales_h);
    for (i, (qs, y)) in b.qs.iter().zip(y.chunks_exact_mut(32)).enumerate() {
        let low = b.scales_l[i / 2] >> (4 * (i % 2)) & 15;
        let scale = low | ((high >> (2 * i) & 3) as u8 * 16);
        nonlinear(b.d.to_f32() * (f32::from(scale) - 32.0), qs, y);
    }
}
