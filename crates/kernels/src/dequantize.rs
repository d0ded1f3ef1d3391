//! Weights to `f32`, straight from ggml's definitions (`dequantize_row_*` in `ggml-quants.c`).
//!
//! It shares no code with the linear kernel's unpacking, so that each checks the other.

use crate::lanes::{Lanes, Native};
use half::{bf16, f16};
use sidestage_tensor::DType;
use sidestage_tensor::blocks::{
    Block, BlockQ2_K, BlockQ3_K, BlockQ4_0, BlockQ4_1, BlockQ4_K, BlockQ5_0, BlockQ5_1, BlockQ5_K,
    BlockQ6_K, BlockQ8_0,
};

/// Whether the kernels take weights of this type.
pub fn supports(dtype: DType) -> bool {
    matches!(
        dtype,
        DType::F32
            | DType::F16
            | DType::BF16
            | DType::Q8_0
            | DType::Q4_0
            | DType::Q4_1
            | DType::Q5_0
            | DType::Q5_1
            | DType::Q2_K
            | DType::Q3_K
            | DType::Q4_K
            | DType::Q5_K
            | DType::Q6_K
    )
}

/// Writes the exact values of `bytes` (whole blocks of `dtype`) to `out`.
///
/// Stops at the shorter of the two.
///
/// # Panics
/// If `dtype` is not one that [`supports`] names: check it when the model is loaded.
pub fn dequantize_row(dtype: DType, bytes: &[u8], out: &mut [f32]) {
    match dtype {
        DType::F32 => plain(bytes, out, f32::from_le_bytes),
        DType::F16 => halves(bytes, out),
        DType::BF16 => plain(bytes, out, |b| bf16::from_le_bytes(b).to_f32()),
        DType::Q8_0 => blocks(bytes, out, q8_0),
        DType::Q4_0 => blocks(bytes, out, q4_0),
        DType::Q4_1 => blocks(bytes, out, q4_1),
        DType::Q5_0 => blocks(bytes, out, q5_0),
        DType::Q5_1 => blocks(bytes, out, q5_1),
        DType::Q2_K => blocks(bytes, out, q2_k),
        DType::Q3_K => blocks(bytes, out, q3_k),
        DType::Q4_K => blocks(bytes, out, q4_k),
        DType::Q5_K => blocks(bytes, out, q5_k),
        DType::Q6_K => blocks(bytes, out, q6_k),
        other => panic!("weights of type {other} are not supported"),
    }
}

/// Row `index` of a table of rows of `width` values, as `f32`.
///
/// # Panics
/// If the row lies outside the table, or as [`dequantize_row`].
pub fn embed(dtype: DType, table: &[u8], width: usize, index: usize, out: &mut [f32]) {
    let row = width / dtype.block_len() * dtype.block_bytes();
    dequantize_row(dtype, &table[index * row..][..row], out);
}

fn plain<const N: usize>(bytes: &[u8], out: &mut [f32], value: impl Fn([u8; N]) -> f32) {
    for (out, bytes) in out.iter_mut().zip(bytes.as_chunks().0) {
        *out = value(*bytes);
    }
}

/// `half` takes a software path on wasm.
fn halves(bytes: &[u8], out: &mut [f32]) {
    let (fours, rest) = out.as_chunks_mut();
    let whole = 8 * fours.len().min(bytes.len() / 8);
    for (out, bytes) in fours.iter_mut().zip(bytes.as_chunks().0) {
        *out = Native::store(Native::load_f16(bytes));
    }
    plain(&bytes[whole..], rest, |b| f16::from_le_bytes(b).to_f32());
}

fn blocks<B: Block>(bytes: &[u8], out: &mut [f32], values: impl Fn(&B, &mut [f32])) {
    for (block, out) in bytes.chunks_exact(size_of::<B>()).zip(out.chunks_exact_mut(B::LEN)) {
        values(bytemuck::from_bytes(block), out);
    }
}

fn q8_0(b: &BlockQ8_0, y: &mut [f32]) {
    for (y, q) in y.iter_mut().zip(b.qs) {
        *y = f32::from(q) * b.d.to_f32();
    }
}

fn q4_0(b: &BlockQ4_0, y: &mut [f32]) {
    let d = b.d.to_f32();
    for i in 0..16 {
        y[i] = f32::from((b.qs[i] & 15) as i8 - 8) * d;
        y[i + 16] = f32::from((b.qs[i] >> 4) as i8 - 8) * d;
    }
}

fn q4_1(b: &BlockQ4_1, y: &mut [f32]) {
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

fn q5_0(b: &BlockQ5_0, y: &mut [f32]) {
    let d = b.d.to_f32();
    for i in 0..16 {
        let (first, last) = fifth(b.qh, i);
        y[i] = f32::from((b.qs[i] & 15 | first) as i8 - 16) * d;
        y[i + 16] = f32::from((b.qs[i] >> 4 | last) as i8 - 16) * d;
    }
}

fn q5_1(b: &BlockQ5_1, y: &mut [f32]) {
    let (d, m) = (b.d.to_f32(), b.m.to_f32());
    for i in 0..16 {
        let (first, last) = fifth(b.qh, i);
        y[i] = f32::from(b.qs[i] & 15 | first) * d + m;
        y[i + 16] = f32::from(b.qs[i] >> 4 | last) * d + m;
    }
}

fn q2_k(b: &BlockQ2_K, y: &mut [f32]) {
    let (d, dmin) = (b.d.to_f32(), b.dmin.to_f32());
    for (i, y) in y.iter_mut().enumerate() {
        let (n, j, l) = (i / 128, i / 32 % 4, i % 32);
        let q = b.qs[32 * n + l] >> (2 * j) & 3;
        let scale = b.scales[i / 16];
        *y = d * f32::from(scale & 15) * f32::from(q) - dmin * f32::from(scale >> 4);
    }
}

fn q3_k(b: &BlockQ3_K, y: &mut [f32]) {
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

fn q4_k(b: &BlockQ4_K, y: &mut [f32]) {
    let (d, dmin) = (b.d.to_f32(), b.dmin.to_f32());
    for (i, y) in y.iter_mut().enumerate() {
        let (group, l) = (i / 32, i % 32);
        let (scale, minimum) = scale_and_minimum(group, &b.scales);
        let q = b.qs[group / 2 * 32 + l] >> (4 * (group % 2)) & 15;
        *y = d * scale * f32::from(q) - dmin * minimum;
    }
}

fn q5_k(b: &BlockQ5_K, y: &mut [f32]) {
    let (d, dmin) = (b.d.to_f32(), b.dmin.to_f32());
    for (i, y) in y.iter_mut().enumerate() {
        let (group, l) = (i / 32, i % 32);
        let (scale, minimum) = scale_and_minimum(group, &b.scales);
        let low = b.qs[group / 2 * 32 + l] >> (4 * (group % 2)) & 15;
        let high = b.qh[l] >> group & 1;
        *y = d * scale * f32::from(low + 16 * high) - dmin * minimum;
    }
}

fn q6_k(b: &BlockQ6_K, y: &mut [f32]) {
    let d = b.d.to_f32();
    for (i, y) in y.iter_mut().enumerate() {
        let (n, j, l) = (i / 128, i / 32 % 4, i % 32);
        let low = b.ql[64 * n + 32 * (j & 1) + l] >> (4 * (j / 2)) & 15;
        let high = b.qh[32 * n + l] >> (2 * j) & 3;
        *y = d * f32::from(b.scales[i / 16]) * f32::from((low | high << 4) as i8 - 32);
    }
}
