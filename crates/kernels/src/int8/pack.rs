use super::requantize::EIGHT as COLUMNS;
use std::ops::Range;

/// Bytes of a step: four of each column.
pub(super) const STEP: usize = 4 * COLUMNS;

/// Steps of a panel of weights of `k` rows: four rows each, and before them one that holds the columns'
/// sums.
pub fn packed_steps(k: usize) -> usize {
    k.div_ceil(4).saturating_add(1)
}

/// Packs some panels of `b[k, n]`, or of `b[n, k]` that is to be transposed: in each panel the sums of
/// its eight columns as `i32`, then for each four rows those of every column, as bytes with a sign; what
/// is missing is 0. Bytes without a sign are made 128 less, so that their zero is, too.
///
/// # Panics
/// If a panel is not there, or `out` is not as long as they are.
pub fn pack_int8(
    b: &[u8],
    signed: bool,
    (k, n): (usize, usize),
    transposed: bool,
    panels: Range<usize>,
    out: &mut [u8],
) {
    let flip = if signed { 0 } else { 0x80 };
    let (across, down) = if transposed { (k, 1) } else { (1, n) };
    for (panel, out) in panels.zip(out.chunks_exact_mut(packed_steps(k) * STEP)) {
        let (sums, steps) = out.split_at_mut(STEP);
        sums.fill(0);
        steps.fill(0);
        for column in panel * COLUMNS..n.min((panel + 1) * COLUMNS) {
            let (lane, mut sum) = (column % COLUMNS, 0_i32);
            for row in 0..k {
                let weight = b[column * across + row * down] ^ flip;
                steps[row / 4 * STEP + lane * 4 + row % 4] = weight;
                sum = sum.wrapping_add(weight.cast_signed().into());
            }
            sums[4 * lane..][..4].copy_from_slice(&sum.to_le_bytes());
        }
    }
}

/// The sum of each of eight columns.
pub(super) fn sums(step: &[[u8; 4]; COLUMNS]) -> [i32; COLUMNS] {
    step.map(i32::from_le_bytes)
}
