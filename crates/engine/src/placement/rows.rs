//! Rows on their way from the type and order of the file to those of the weight.

use sidestage_formats::Part;
use sidestage_kernels::quantize_row;
use sidestage_tensor::DType;
use sidestage_tensor::blocks::F16;

/// Whole rows of a part.
pub(super) struct Rows<'a> {
    /// Their bytes in the file.
    pub(super) bytes: &'a [u8],
    /// The number of the first one in the part.
    pub(super) first: u64,
}

/// Writes `rows` of `part` to their places in `out`, all of the weight, as elements of `target`.
/// `row` has room for the values of one.
pub(super) fn convert(
    part: &Part,
    rows: &Rows<'_>,
    target: DType,
    row: &mut [f32],
    out: &mut [u8],
) {
    let width = part.width as usize;
    let size = part.source.block_bytes();
    let target_bytes = target.bytes_for(part.width).unwrap_or(0) as usize;
    let values = &mut row[..width];
    // A transposed part comes whole: its columns lie one after the other.
    let stride = if part.transposed { part.rows as usize * size } else { size };
    let count = rows.bytes.len() / (width * size).max(1);
    for index in 0..count {
        let start = if part.transposed { index * size } else { index * width * size };
        read(part.source, &rows.bytes[start..], stride, values);
        if part.add != 0.0 {
            values.iter_mut().for_each(|value| *value += part.add);
        }
        let to = (part.first + part.order.target(rows.first + index as u64)) as usize;
        quantize_row(target, values, &mut out[to * target_bytes..][..target_bytes]);
    }
}

/// Every `stride`th byte an element.
fn read(source: DType, bytes: &[u8], stride: usize, out: &mut [f32]) {
    fn all<const N: usize>(
        bytes: &[u8],
        stride: usize,
        out: &mut [f32],
        value: impl Fn([u8; N]) -> f32,
    ) {
        for (out, bytes) in out.iter_mut().zip(bytes.chunks(stride)) {
            if let Some(bytes) = bytes.first_chunk() {
                *out = value(*bytes);
            }
        }
    }
    match source {
        DType::F16 => all(bytes, stride, out, |b| F16(b).to_f32()),
        DType::BF16 => all(bytes, stride, out, |b: [u8; 2]| {
            f32::from_bits(u32::from(u16::from_le_bytes(b)) << 16)
        }),
        _ => all(bytes, stride, out, f32::from_le_bytes),
    }
}
