//! The types with one scale for 32 values.

use sidestage_tensor::blocks::{BlockQ4_0, BlockQ4_1, BlockQ5_0, BlockQ5_1, BlockQ8_0};

pub(super) fn q8_0(b: &BlockQ8_0, y: &mut [f32]) {
    for (y, q) in y.iter_mut().zip(b.qs) {
        *y = f32::from(q) * b.d.to_f32();
    }
}

pub(super) fn q4_0(b: &BlockQ4_0, y: &mut [f32]) {
    let d = b.d.to_f32();
    for i in 0..16 {
        y[i] = f32::from((b.qs[i] & 15) as i8 - 8) * d;
        y[i + 16] = f32::from((b.qs[i] >> 4) as i8 - 8) * d;
    }
}

pub(super) fn q4_1(b: &BlockQ4_1, y: &mut [f32]) {
    let (d, m) = (b.d.to_f32(), b.m.to_f32());
    for i in 0..16 {
        y[i] = f32::from(b.qs[i] & 15) * d + m;
        y[i + 16] = f32::from(b.qs[i] >> 4) * d + m;
    }
}

/// The fifth bits of values `i` and `i + 16`, in place.
fn fifth(qh: [u8; 4], i: usize) -> (u8, u8) {
    let bits = u32::from_le_bytes(qh);
    ((bits >> i & 1) as u8 * 16, (bits >> (i + 16) & 1) as u8 * 16)
}

pub(super) fn q5_0(b: &BlockQ5_0, y: &mut [f32]) {
    let d = b.d.to_f32();
    for i in 0..16 {
        let (first, last) = fifth(b.qh, i);
        y[i] = f32::from((b.qs[i] & 15 | first) as i8 - 16) * d;
        y[i + 16] = f32::from((b.qs[i] >> 4 | last) as i8 - 16) * d;
    }
}

pub(super) fn q5_1(b: &BlockQ5_1, y: &mut [f32]) {
    let (d, m) = (b.d.to_f32(), b.m.to_f32());
    for i in 0..16 {
        let (first, last) = fifth(b.qh, i);
        y[i] = f32::from(b.qs[i] & 15 | first) * d + m;
        y[i + 16] = f32::from(b.qs[i] >> 4 | last) * d + m;
    }
}
