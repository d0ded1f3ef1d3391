//! Rows on their way from the type and order of the file to those of the weight.

use sidestage_formats::Part;
use sidestage_kernels::{dequantize_row, quantize_row};
use sidestage_tensor::DType;

/// Whole rows of a part.
pub(super) struct Rows<'a> {
    /// Their bytes in the file.
    pub(super) bytes: &'a [u8],
    /// The number of the first one in the part.
    pub(super) first: u64,
}

/// Columns of a transposed part that are gathered at once: as many as a cache line has, so that no
/// line is read twice.
pub(super) const COLUMNS: usize = 16;

/// Writes `rows` of `part` to their places in `out`, all of the weight, as elements of `target`.
/// `room` has the values of one row, of a transposed part those of [`COLUMNS`].
pub(super) fn convert(
    part: &Part,
    rows: &Rows<'_>,
    target: DType,
    room: &mut [f32],
    out: &mut [u8],
) {
    let width = part.width as usize;
    let source_bytes = part.source.bytes_for(part.width).unwrap_or(0).max(1) as usize;
    let target_bytes = target.bytes_for(part.width).unwrap_or(0) as usize;
    let mut put = |row: usize, values: &mut [f32]| {
        if part.add != 0.0 {
            values.iter_mut().for_each(|value| *value += part.add);
        }
        let to = (part.first + part.order.target(rows.first + row as u64)) as usize;
        quantize_row(target, values, &mut out[to * target_bytes..][..target_bytes]);
    };
    if !part.transposed {
        for (row, bytes) in rows.bytes.chunks_exact(source_bytes).enumerate() {
            dequantize_row(part.source, bytes, &mut room[..width]);
            put(row, &mut room[..width]);
        }
        return;
    }
    // It comes whole, and what is a row of the weight is a column of the file.
    let count = part.rows as usize;
    let element = part.source.block_bytes();
    let mut line = [0.0; COLUMNS];
    for first in (0..count).step_by(COLUMNS) {
        let columns = COLUMNS.min(count - first);
        for (at, bytes) in rows.bytes.chunks_exact(count * element).enumerate() {
            let bytes = &bytes[first * element..][..columns * element];
            dequantize_row(part.source, bytes, &mut line[..columns]);
            for (column, value) in line[..columns].iter().enumerate() {
                room[column * width + at] = *value;
            }
        }
        for column in 0..columns {
            put(first + column, &mut room[column * width..][..width]);
        }
    }
}
