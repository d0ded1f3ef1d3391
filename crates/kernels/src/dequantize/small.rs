//! Ternary numbers and floats of 4 bits.

use crate::grid::FP4_LEVELS;
use sidestage_tensor::blocks::{BlockMXFP4, BlockNVFP4, BlockTQ1_0, BlockTQ2_0};

pub(super) fn tq1_0(b: &BlockTQ1_0, y: &mut [f32]) {
    const POWERS: [u8; 5] = [1, 3, 9, 27, 81];
    let d = b.d.to_f32();
    for (i, y) in y.iter_mut().enumerate() {
        let (byte, digit) = match i {
            0..160 => (b.qs[i % 32], i / 32),
            160..240 => (b.qs[32 + i % 16], (i - 160) / 16),
            _ => (b.qh[i % 4], (i - 240) / 4),
        };
        let trit = (u16::from(byte.wrapping_mul(POWERS[digit])) * 3) >> 8;
        *y = d * (f32::from(trit) - 1.0);
    }
}

pub(super) fn tq2_0(b: &BlockTQ2_0, y: &mut [f32]) {
    let d = b.d.to_f32();
    for (i, y) in y.iter_mut().enumerate() {
        let (n, j, l) = (i / 128, i / 32 % 4, i % 32);
        *y = d * (f32::from(b.qs[32 * n + l] >> (2 * j) & 3) - 1.0);
    }
}

pub(super) fn mxfp4(b: &BlockMXFP4, y: &mut [f32]) {
    // Half of the power, since the levels are doubled: 2^(e - 128).
    let d = match b.e {
        0 => f32::from_bits(0x0020_0000),
        1 => f32::from_bits(0x0040_0000),
        e => f32::from_bits(u32::from(e - 1) << 23),
    };
    for i in 0..16 {
        y[i] = d * f32::from(FP4_LEVELS[usize::from(b.qs[i] & 15)]);
        y[i + 16] = d * f32::from(FP4_LEVELS[usize::from(b.qs[i] >> 4)]);
    }
}

pub(super) fn nvfp4(b: &BlockNVFP4, y: &mut [f32]) {
    for (group, (scale, y)) in b.d.iter().zip(y.chunks_exact_mut(16)).enumerate() {
        let (exponent, fraction) = (scale >> 3 & 15, f32::from(scale & 7));
        // Halved, as above.
        let d = match (scale, exponent) {
            (0x7f, _) => 0.0,
            (_, 0) => fraction * 2f32.powi(-10),
            _ => (1.0 + fraction / 8.0) * 2f32.powi(i32::from(exponent) - 8),
        };
        for (i, byte) in b.qs[8 * group..][..8].iter().enumerate() {
            y[i] = d * f32::from(FP4_LEVELS[usize::from(byte & 15)]);
            y[i + 8] = d * f32::from(FP4_LEVELS[usize::from(byte >> 4)]);
        }
    }
}
