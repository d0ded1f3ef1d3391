//! Quantisers: round to nearest, with the scales that the largest values ask for.

use sidestage_tensor::DType;

/// `values`, whole blocks of them, as bytes of this type.
pub(crate) fn to(dtype: DType, values: &[f32]) -> Vec<u8> {
    let blocks = values.chunks_exact(dtype.block_len());
    match dtype {
        DType::Q8_0 => blocks.flat_map(q8_0).collect(),
        DType::Q4_0 => blocks.flat_map(q4_0).collect(),
        DType::Q4_K => blocks.flat_map(|block| q45_k(block, 15.0)).collect(),
        DType::Q5_K => blocks.flat_map(|block| q45_k(block, 31.0)).collect(),
        DType::Q6_K => blocks.flat_map(q6_k).collect(),
        _ => panic!("there is no quantiser for {dtype}"),
    }
}

/// binary16, and the number it stands for.
fn half(value: f32) -> ([u8; 2], f32) {
    let half = half::f16::from_f32(value);
    (half.to_le_bytes(), half.to_f32())
}

/// The value of largest magnitude.
fn extreme(values: &[f32]) -> f32 {
    values.iter().copied().fold(0.0, |a: f32, b| if b.abs() > a.abs() { b } else { a })
}

fn inverse(value: f32) -> f32 {
    if value == 0.0 { 0.0 } else { 1.0 / value }
}

fn q8_0(values: &[f32]) -> Vec<u8> {
    let (bytes, d) = half(extreme(values).abs() / 127.0);
    let quants = values.iter().map(|x| (x * inverse(d)).round().clamp(-127.0, 127.0) as i8 as u8);
    bytes.into_iter().chain(quants).collect()
}

fn q4_0(values: &[f32]) -> Vec<u8> {
    let (bytes, d) = half(extreme(values) / -8.0);
    let quant = |x: f32| (x * inverse(d) + 8.0).round().clamp(0.0, 15.0) as u8;
    let pairs = (0..16).map(|i| quant(values[i]) | quant(values[i + 16]) << 4);
    bytes.into_iter().chain(pairs).collect()
}

/// `Q4_K` (`most` 15) and `Q5_K` (31): 8 parts of 32 with a 6-bit scale and minimum each.
fn q45_k(values: &[f32], most: f32) -> Vec<u8> {
    let parts = || values.chunks_exact(32);
    let minima: Vec<f32> = parts().map(|part| -part.iter().copied().fold(0.0, f32::min)).collect();
    let scales: Vec<f32> = parts()
        .zip(&minima)
        .map(|(part, minimum)| (part.iter().copied().fold(0.0, f32::max) + minimum) / most)
        .collect();
    let (d_bytes, d) = half(extreme(&scales) / 63.0);
    let (m_bytes, m) = half(extreme(&minima) / 63.0);
    let six = |x: &f32, by: f32| (x * inverse(by)).round().clamp(0.0, 63.0) as u8;
    let ls: Vec<u8> = scales.iter().map(|scale| six(scale, d)).collect();
    let lm: Vec<u8> = minima.iter().map(|minimum| six(minimum, m)).collect();
    let mut packed = [0u8; 12];
    for j in 0..4 {
        packed[j] = ls[j] | ls[j + 4] >> 4 << 6;
        packed[j + 4] = lm[j] | lm[j + 4] >> 4 << 6;
        packed[j + 8] = ls[j + 4] & 15 | lm[j + 4] << 4;
    }
    let quants: Vec<u8> = (0..256)
        .map(|i| {
            let (scale, minimum) = (d * f32::from(ls[i / 32]), m * f32::from(lm[i / 32]));
            ((values[i] + minimum) * inverse(scale)).round().clamp(0.0, most) as u8
        })
        .collect();
    let mut out: Vec<u8> = d_bytes.into_iter().chain(m_bytes).chain(packed).collect();
    if most > 15.0 {
        out.extend((0..32).map(|i| (0..8).fold(0, |bits, j| bits | quants[32 * j + i] >> 4 << j)));
    }
    for pair in quants.chunks_exact(64) {
        out.extend((0..32).map(|i| pair[i] & 15 | pair[i + 32] << 4));
    }
    out
}

/// 16 parts of 16 with a signed 8-bit scale each.
fn q6_k(values: &[f32]) -> Vec<u8> {
    let scales: Vec<f32> = values.chunks_exact(16).map(|part| extreme(part) / -32.0).collect();
    let (d_bytes, d) = half(extreme(&scales).abs() / 127.0);
    let packed: Vec<i8> = scales
        .iter()
        .map(|scale| (scale * inverse(d)).round().clamp(-127.0, 127.0) as i8)
        .collect();
    let quants: Vec<u8> = (0..256)
        .map(|i| {
            let scale = d * f32::from(packed[i / 16]);
            ((values[i] * inverse(scale)).round().clamp(-32.0, 31.0) + 32.0) as u8
        })
        .collect();
    let mut out = Vec::with_capacity(210);
    for half in quants.chunks_exact(128) {
        out.extend((0..64).map(|i| half[i] & 15 | half[i + 64] << 4));
    }
    for half in quants.chunks_exact(128) {
        out.extend(
            (0..32).map(|i| (0..4).fold(0, |bits, j| bits | half[32 * j + i] >> 4 << (2 * j))),
        );
    }
    out.extend(packed.iter().map(|scale| *scale as u8));
    out.extend(d_bytes);
    out
}
