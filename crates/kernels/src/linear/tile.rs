//! How a layer is cut into tiles of columns and rows.

#![allow(unsafe_code, reason = "threads write disjoint columns of one buffer")]

use super::Linear;
use std::ops::Range;

/// Computes tiles. An element must come out the same from each of them.
pub(super) trait Tiles {
    /// Columns of a tile of one row: as many streams of weights are read at once. One stream
    /// reaches half of the speed of four.
    const STREAMS: usize;

    /// Whether elements are computed one by one.
    const SINGLE: bool;

    /// Two columns of four rows: weights are unpacked once for the four.
    fn block(&self, columns: [usize; 2], rows: [usize; 4]) -> [[f32; 4]; 2];
    /// [`Self::STREAMS`] columns of one row, handed to `put`.
    fn streams(&self, column: impl Fn(usize) -> usize, row: usize, put: impl FnMut(usize, f32));
    /// One element.
    fn one(&self, column: usize, row: usize) -> f32;
}

/// Writes one element.
#[inline(always)]
fn put(args: &Linear<'_>, row: usize, column: usize, value: f32) {
    let at = row * args.n + column;
    // SAFETY: `column` is one of ours, and other threads have other columns.
    let cell = unsafe { args.y.part(at..at + 1) };
    cell[0] = args.bias.map_or(value, |bias| value + bias[column]);
}

/// Computes elements one by one.
#[inline(always)]
pub(super) fn singly(args: &Linear<'_>, columns: Range<usize>, one: impl Fn(usize, usize) -> f32) {
    for column in columns {
        (0..args.rows).for_each(|row| put(args, row, column, one(column, row)));
    }
}

#[inline(always)]
pub(super) fn run<T: Tiles>(args: &Linear<'_>, tiles: &T, columns: Range<usize>) {
    if T::SINGLE {
        return singly(args, columns, |column, row| tiles.one(column, row));
    }
    let put = |row, column, value| put(args, row, column, value);
    let fours = args.rows / 4 * 4;
    if fours > 0 {
        let pairs = columns.len() / 2 * 2;
        for pair in (columns.start..columns.start + pairs).step_by(2) {
            for row in (0..fours).step_by(4) {
                let tile = tiles.block([pair, pair + 1], [row, row + 1, row + 2, row + 3]);
                for (c, values) in tile.iter().enumerate() {
                    for (r, value) in values.iter().enumerate() {
                        put(row + r, pair + c, *value);
                    }
                }
            }
        }
        for column in columns.start + pairs..columns.end {
            (0..fours).for_each(|row| put(row, column, tiles.one(column, row)));
        }
    }
    // Streams far apart: the processor prefetches each.
    let apart = columns.len() / T::STREAMS;
    for row in fours..args.rows {
        for first in columns.start..columns.start + apart {
            let column = |stream: usize| first + stream * apart;
            tiles.streams(column, row, |stream, value| put(row, column(stream), value));
        }
        for column in columns.start + apart * T::STREAMS..columns.end {
            put(row, column, tiles.one(column, row));
        }
    }
}
