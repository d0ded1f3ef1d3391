//! `f32` to weights: the plain types and those of 32 values bit for bit as gguf-py's
//! `gguf.quants.quantize` (ggml's `quantize_row_*_ref`), K types in a way of our own.

mod k;
mod simple;

use half::{bf16, f16};
use sidestage_tensor::DType;
use sidestage_tensor::blocks::Block;

/// Whether [`quantize_row`] makes this type.
pub fn quantizes(dtype: DType) -> bool {
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
            | DType::Q4_K
            | DType::Q5_K
            | DType::Q6_K
    )
}

/// Writes `values` (whole blocks of `dtype`: a row, or several) to `out` as the file has them.
///
/// Numbers are rounded to the nearest: floats to even, as IEEE 754 has it. A value too large for
/// binary16 becomes an infinity; where it is a block's scale, the block is not finite.
///
/// # Panics
/// If `dtype` is not one that [`quantizes`] names, `values` are not whole blocks, or `out` has not
/// exactly [`DType::bytes_for`] them.
pub fn quantize_row(dtype: DType, values: &[f32], out: &mut [u8]) {
    let bytes = dtype.bytes_for(values.len() as u64);
    assert_eq!(bytes, Some(out.len() as u64), "{} values as {dtype}", values.len());
    match dtype {
        DType::F32 => plain(values, out, f32::to_le_bytes),
        DType::F16 => plain(values, out, |x| f16::from_f32(x).to_le_bytes()),
        DType::BF16 => plain(values, out, |x| bf16::from_f32(x).to_le_bytes()),
        DType::Q8_0 => blocks(values, out, simple::q8_0),
        DType::Q4_0 => blocks(values, out, simple::q4_0),
        DType::Q4_1 => blocks(values, out, simple::q4_1),
        DType::Q5_0 => blocks(values, out, simple::q5_0),
        DType::Q5_1 => blocks(values, out, simple::q5_1),
        DType::Q4_K => blocks(values, out, k::q4_k),
        DType::Q5_K => blocks(values, out, k::q5_k),
        DType::Q6_K => blocks(values, out, k::q6_k),
        other => panic!("there is no quantiser for {other}"),
    }
}

fn plain<const N: usize>(values: &[f32], out: &mut [u8], bytes: impl Fn(f32) -> [u8; N]) {
    for (x, out) in values.iter().zip(out.as_chunks_mut().0) {
        *out = bytes(*x);
    }
}

fn blocks<B: Block, const N: usize>(
    values: &[f32],
    out: &mut [u8],
    block: impl Fn(&[f32; N]) -> B,
) {
    const { assert!(N == B::LEN) };
    for (x, out) in values.as_chunks().0.iter().zip(out.chunks_exact_mut(size_of::<B>())) {
        out.copy_from_slice(bytemuck::bytes_of(&block(x)));
    }
}
