//! Weights to `f32`, straight from ggml's definitions (`dequantize_row_*` in `ggml-quants.c`).
//!
//! It shares no code with the linear kernel's unpacking, so that each checks the other.

mod iq;
mod k;
mod simple;
mod small;

use crate::lanes::{Lanes, Native};
use half::{bf16, f16};
use sidestage_tensor::DType;
use sidestage_tensor::blocks::Block;

/// Writes the exact values of `bytes` (whole blocks of `dtype`) to `out`.
///
/// Stops at the shorter of the two.
///
/// # Panics
/// If `dtype` is not one that [`supports`](crate::supports) names: check it when the model is loaded.
pub fn dequantize_row(dtype: DType, bytes: &[u8], out: &mut [f32]) {
    match dtype {
        DType::Q5_0 => blocks(bytes, out, simple::q5_0),
        DType::Q5_1 => blocks(bytes, out, simple::q5_1),
        DType::Q2_K => blocks(bytes, out, k::q2_k),
        DType::Q3_K => blocks(bytes, out, k::q3_k),
        DType::Q4_K => blocks(bytes, out, k::q4_k),
        DType::Q5_K => blocks(bytes, out, k::q5_k),
        DType::Q6_K => blocks(bytes, out, k::q6_k),
        DType::TQ1_0 => blocks(bytes, out, small::tq1_0),
        DType::TQ2_0 => blocks(bytes, out, small::tq2_0),
        DType::MXFP4 => blocks(bytes, out, small::mxfp4),
        DType::NVFP4 => blocks(bytes, out, small::nvfp4),
        DType::IQ1_S => blocks(bytes, out, iq::iq1_s),
        DType::IQ1_M => blocks(bytes, out, iq::iq1_m),
        DType::IQ2_XXS => blocks(bytes, out, iq::iq2_xxs),
        DType::IQ2_XS => blocks(bytes, out, iq::iq2_xs),
        DType::IQ2_S => blocks(bytes, out, iq::iq2_s),
        DType::IQ3_XXS => blocks(bytes, out, iq::iq3_xxs),
        DType::IQ3_S => blocks(bytes, out, iq::iq3_s),
        DType::IQ4_NL => blocks(bytes, out, iq::iq4_nl),
        DType::IQ4_XS => blocks(bytes, out, iq::iq4_xs),
        other => dequantize_graphs(other, bytes, out),
    }
}

/// As [`dequantize_row`], of the types that [`supports_graphs`](crate::supports_graphs) names.
pub(crate) fn dequantize_graphs(dtype: DType, bytes: &[u8], out: &mut [f32]) {
    match dtype {
        DType::F32 => plain(bytes, out, f32::from_le_bytes),
        DType::F16 => halves(bytes, out),
        DType::BF16 => plain(bytes, out, |b| bf16::from_le_bytes(b).to_f32()),
        DType::Q8_0 => blocks(bytes, out, simple::q8_0),
        DType::Q4_0 => blocks(bytes, out, simple::q4_0),
        DType::Q4_1 => blocks(bytes, out, simple::q4_1),
        other => panic!("weights of type {other} are not supported"),
    }
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
