//! Activations in 8 bits, for the integer kernels.

#![allow(unsafe_code, reason = "threads write disjoint rows of one matrix")]

use sidestage_tensor::blocks::Act8;
use sidestage_tensor::{DType, SharedOut};
use std::ops::Range;

/// The type in which a linear layer with these weights takes its activations: [`DType::Act8`] for
/// quantised weights, else [`DType::F32`].
pub fn activation_dtype(weight: DType) -> DType {
    if weight.is_quantized() { DType::Act8 } else { DType::F32 }
}

/// Rows of one matrix that lie together: a tile of the linear layer reads them with one pointer.
const TILES: [usize; 2] = [8, 4];

/// First block of a row and the step to its next one, in a matrix of `rows` with `per_row` blocks.
fn place(rows: usize, per_row: usize, row: usize) -> (usize, usize) {
    let mut first = 0;
    for tile in TILES {
        let end = first + (rows - first) / tile * tile;
        if row < end {
            let start = first + (row - first) / tile * tile;
            return (start * per_row + (row - start), tile);
        }
        first = end;
    }
    (row * per_row, 1)
}

/// A matrix of activations in 8 bits.
///
/// Its rows lie in tiles of eight, then of four, then alone. In a tile the first blocks of all its
/// rows lie side by side, then their second ones, and so on.
#[derive(Clone, Copy)]
pub struct Act8Rows<'a> {
    blocks: &'a [Act8],
    rows: usize,
    per_row: usize,
}

impl<'a> Act8Rows<'a> {
    /// As [`quantize_act8`] has written it.
    ///
    /// # Panics
    /// If the blocks are not `rows` whole rows.
    pub fn new(blocks: &'a [Act8], rows: usize) -> Self {
        let per_row = blocks.len() / rows.max(1);
        assert_eq!(blocks.len(), rows * per_row, "activations are not whole rows");
        Self { blocks, rows, per_row }
    }

    /// Rows in all.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Blocks of a row.
    pub fn per_row(&self) -> usize {
        self.per_row
    }

    /// One row.
    ///
    /// # Panics
    /// If there is no such row.
    #[inline(always)]
    pub fn row(&self, row: usize) -> Act8Row<'a> {
        assert!(row < self.rows, "row out of range");
        let (start, step) = place(self.rows, self.per_row, row);
        Act8Row { blocks: &self.blocks[start..], step, len: self.per_row }
    }
}

/// A row of activations in 8 bits, or a part of one.
#[derive(Clone, Copy)]
pub struct Act8Row<'a> {
    /// From its first block on.
    blocks: &'a [Act8],
    step: usize,
    len: usize,
}

impl<'a> Act8Row<'a> {
    /// Blocks in all.
    #[allow(clippy::len_without_is_empty, reason = "it is a size, and nobody asks")]
    pub fn len(&self) -> usize {
        self.len
    }

    /// One block.
    #[inline(always)]
    pub(crate) fn block(&self, index: usize) -> &'a Act8 {
        &self.blocks[index * self.step]
    }

    /// The same block of this row and of the `R - 1` behind it in its tile.
    #[inline(always)]
    pub(crate) fn tile<const R: usize>(&self, index: usize) -> &'a [Act8; R] {
        match self.blocks[index * self.step..].first_chunk() {
            Some(blocks) => blocks,
            None => panic!("a tile has no such row"),
        }
    }

    /// Some of its blocks.
    ///
    /// # Panics
    /// If it has not so many.
    pub fn part(&self, blocks: Range<usize>) -> Self {
        assert!(blocks.start <= blocks.end && blocks.end <= self.len, "blocks out of range");
        let start = (blocks.start * self.step).min(self.blocks.len());
        Self { blocks: &self.blocks[start..], step: self.step, len: blocks.len() }
    }
}

/// Quantises the rows `which` of `x`, a matrix of `rows`, in blocks of 32 to their places in `out`
/// ([`Act8Rows`]): scale `max|x| / 127`, values rounded to nearest, ties to even. Threads that work
/// on one matrix at once must take disjoint rows.
///
/// A block with an infinity or a NaN gets a scale that is not finite, so that the fault stays
/// visible in the result.
///
/// # Panics
/// If `x` has not exactly 32 values for each block of `out`, these are not whole rows, or `which`
/// exceeds them.
pub fn quantize_act8(x: &[f32], rows: usize, out: SharedOut<'_, Act8>, which: Range<usize>) {
    let per_row = out.len() / rows.max(1);
    assert_eq!(out.len(), rows * per_row, "activations are not whole rows");
    assert_eq!(x.len(), 32 * out.len(), "activations and blocks differ in number");
    for row in which {
        assert!(row < rows, "row out of range");
        let (start, step) = place(rows, per_row, row);
        let x = &x[32 * row * per_row..32 * (row + 1) * per_row];
        for (at, x) in x.as_chunks().0.iter().enumerate() {
            let to = start + at * step;
            // SAFETY: no two rows share a block, and other threads have other rows.
            let out = unsafe { out.part(to..to + 1) };
            out[0] = block(x);
        }
    }
}

#[inline(always)]
fn block(x: &[f32; 32]) -> Act8 {
    // As integers the magnitudes keep their order, and NaN comes last.
    let mut top = [0; 4];
    for four in x.as_chunks::<4>().0 {
        for lane in 0..4 {
            let bits = (four[lane].to_bits() & 0x7fff_ffff) as i32;
            top[lane] = if bits > top[lane] { bits } else { top[lane] };
        }
    }
    let top = f32::from_bits(top[0].max(top[1]).max(top[2]).max(top[3]) as u32);
    // Below this the inverse would overflow; such a block is zero for every purpose.
    let inverse = if top > 1e-30 { 127.0 / top } else { 0.0 };
    let wide: [i32; 32] = std::array::from_fn(|i| nearest(x[i] * inverse));
    let sum = |half: &[i32]| half.iter().fold(0, |sum: i32, q| sum.wrapping_add(*q)) as i16;
    let sums = [sum(&wide[..16]), sum(&wide[16..])];
    let d = top / 127.0;
    let s = d * f32::from(sums[0].wrapping_add(sums[1]));
    Act8 { d, s, sums, q: wide.map(|q| q as i8) }
}

/// The nearest integer of a number in -127..=127. `f32::round` is a call on wasm.
#[inline(always)]
fn nearest(x: f32) -> i32 {
    /// 1.5 * 2^23: adding it leaves the integer in the low bits.
    const MAGIC: f32 = 12_582_912.0;
    // Wraps only for what is not finite, whose value does not matter.
    ((x + MAGIC).to_bits() as i32).wrapping_sub(MAGIC.to_bits() as i32)
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytemuck::Zeroable;

    fn one(x: [f32; 32]) -> Act8 {
        let mut out = [Act8::zeroed()];
        quantize_act8(&x, 1, SharedOut::new(&mut out), 0..1);
        out[0]
    }

    #[test]
    fn values_are_within_half_a_step() {
        for seed in 0..50 {
            let x = std::array::from_fn(|i| ((i * 37 + seed * 11) as f32).sin() * (seed as f32));
            let a = one(x);
            let top = x.iter().fold(0.0, |top: f32, x| top.max(x.abs()));
            assert_eq!(a.d, top / 127.0);
            for (x, q) in x.iter().zip(a.q) {
                assert!(
                    (f64::from(*x) - f64::from(q) * f64::from(a.d)).abs()
                        <= 0.5001 * f64::from(a.d)
                );
            }
            let sum = |q: &[i8]| q.iter().map(|&q| i16::from(q)).sum::<i16>();
            assert_eq!(a.sums, [sum(&a.q[..16]), sum(&a.q[16..])]);
            assert_eq!(a.s, a.d * f32::from(sum(&a.q)));
        }
    }

    #[test]
    fn edges_are_defined() {
        assert_eq!(one([0.0; 32]), Act8::zeroed());
        assert_eq!(one([1e-38; 32]).q, [0; 32]);
        assert_eq!(one([-3.0; 32]).q, [-127; 32]);
        let mut x = [1.0; 32];
        x[7] = f32::NAN;
        assert!(one(x).d.is_nan());
        x[7] = f32::NEG_INFINITY;
        assert!(one(x).d.is_infinite());
    }

    #[test]
    fn every_row_is_where_its_readers_look() {
        for rows in [1, 3, 4, 7, 8, 13, 15, 23] {
            let x: Vec<f32> = (0..rows * 3 * 32).map(|i| (i as f32).sin()).collect();
            let mut all = vec![Act8::zeroed(); rows * 3];
            for row in (0..rows).rev() {
                quantize_act8(&x, rows, SharedOut::new(&mut all), row..row + 1);
            }
            let all = Act8Rows::new(&all, rows);
            for (row, x) in x.chunks_exact(3 * 32).enumerate() {
                for (at, x) in x.as_chunks().0.iter().enumerate() {
                    assert_eq!(*all.row(row).block(at), one(*x), "row {row} of {rows}");
                    assert_eq!(all.row(row).part(at..3).block(0), all.row(row).block(at));
                }
            }
        }
    }
}
