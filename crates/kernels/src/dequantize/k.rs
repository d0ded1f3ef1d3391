//! The K types.

use sidestage_tensor::blocks::{BlockQ2_K, BlockQ3_K, BlockQ4_K, BlockQ5_K, BlockQ6_K};

pub(super) fn q2_k(b: &BlockQ2_K, y: &mut [f32]) {
    let (d, dmin) = (b.d.to_f32(), b.dmin.to_f32());
    for (i, y) in y.iter_mut().enumerate() {
        let (n, j, l) = (i / 128, i / 32 % 4, i % 32);
        let q = b.qs[32 * n + l] >> (2 * j) & 3;
        let scale = b.scales[i / 16];
        *y = d * f32::from(scale & 15) * f32::from(q) - dmin * f32::from(scale >> 4);
    }
}

pub(super) fn q3_k(b: &BlockQ3_K, y: &mut [f32]) {
    // ggml unpacks the scales four at a time in words.
    let word = |i: usize| {
        u32::from_le_bytes([
            b.scales[4 * i],
            b.scales[4 * i + 1],
            b.scales[4 * i + 2],
            b.scales[4 * i + 3],
        ])
    };
    let (low, high) = (0x0f0f_0f0f, 0x0303_0303);
    let top = word(2);
    let words = [
        word(0) & low | (top & high) << 4,
        word(1) & low | (top >> 2 & high) << 4,
        word(0) >> 4 & low | (top >> 4 & high) << 4,
        word(1) >> 4 & low | (top >> 6 & high) << 4,
    ];
    let d = b.d.to_f32();
    for (i, y) in y.iter_mut().enumerate() {
        let (n, j, l) = (i / 128, i / 32 % 4, i % 32);
        let scale = words[i / 64].to_le_bytes()[i / 16 % 4] as i8 - 32;
        let low = (b.qs[32 * n + l] >> (2 * j) & 3) as i8;
        let q = if b.hmask[l] & (1 << (i / 32)) == 0 { low - 4 } else { low };
        *y = d * f32::from(scale) * f32::from(q);
    }
}

/// ggml's `get_scale_min_k4`.
fn scale_and_minimum(group: usize, packed: &[u8; 12]) -> (f32, f32) {
    let (scale, minimum) = if group < 4 {
        (packed[group] & 63, packed[group + 4] & 63)
    } else {
        (
            packed[group + 4] & 0xf | (packed[group - 4] >> 6) << 4,
            packed[group + 4] >> 4 | (packed[group] >> 6) << 4,
        )
    };
    (f32::from(scale), f32::from(minimum))
}

pub(super) fn q4_k(b: &BlockQ4_K, y: &mut [f32]) {
    let (d, dmin) = (b.d.to_f32(), b.dmin.to_f32());
    for (i, y) in y.iter_mut().enumerate() {
        let (group, l) = (i / 32, i % 32);
        let (scale, minimum) = scale_and_minimum(group, &b.scales);
        let q = b.qs[group / 2 * 32 + l] >> (4 * (group % 2)) & 15;
        *y = d * scale * f32::from(q) - dmin * minimum;
    }
}

pub(super) fn q5_k(b: &BlockQ5_K, y: &mut [f32]) {
    let (d, dmin) = (b.d.to_f32(), b.dmin.to_f32());
    for (i, y) in y.iter_mut().enumerate() {
        let (group, l) = (i / 32, i % 32);
        let (scale, minimum) = scale_and_minimum(group, &b.scales);
        let low = b.qs[group / 2 * 32 + l] >> (4 * (group % 2)) & 15;
        let high = b.qh[l] >> group & 1;
        *y = d * scale * f32::from(low + 16 * high) - dmin * minimum;
    }
}

pub(super) fn q6_k(b: &BlockQ6_K, y: &mut [f32]) {
    let d = b.d.to_f32();
    for (i, y) in y.iter_mut().enumerate() {
        let (n, j, l) = (i / 128, i / 32 % 4, i % 32);
        let low = b.ql[64 * n + 32 * (j & 1) + l] >> (4 * (j / 2)) & 15;
        let high = b.qh[32 * n + l] >> (2 * j) & 3;
        *y = d * f32::from(b.scales[i / 16]) * f32::from((low | high << 4) as i8 - 32);
    }
}
