//! How a layer whose weights lie in groups of four rows is cut into tiles.

#![allow(unsafe_code, reason = "threads write disjoint columns of one buffer")]

use super::Linear;
use crate::groups::{GROUP, grouped_rows};
use crate::lanes::Lanes;
use std::array::from_fn;
use std::ops::Range;

/// Groups of a tile of one row: as many streams of weights are read at once, far apart, so that the
/// processor prefetches each. Four streams read twice as fast as one.
pub(super) const STREAMS: usize = 4;

/// Groups that are multiplied with all tiles of rows before the next ones come: they stay in the
/// second-level cache.
const BAND: usize = 16;

/// Computes tiles and writes them. An element must come out the same from each of them.
pub(super) trait Bands {
    /// Whether groups are computed one by one.
    const SINGLE: bool;

    /// Some groups of the first `rows` rows, which are whole tiles of eight, and at most one of four.
    fn tiles(&self, groups: Range<usize>, rows: usize);
    /// Several groups of one row.
    fn streams(&self, groups: [usize; STREAMS], row: usize);
    /// A group of one row.
    fn one(&self, group: usize, row: usize);
}

/// Which groups lie in `columns`, and which columns that are in no group.
pub(super) fn split(args: &Linear<'_>, columns: Range<usize>) -> (Range<usize>, Range<usize>) {
    let grouped = grouped_rows(args.dtype, args.n);
    let part = columns.start.min(grouped)..columns.end.min(grouped);
    assert!(part.start.is_multiple_of(GROUP) && part.end.is_multiple_of(GROUP), "half a group");
    (part.start / GROUP..part.end / GROUP, columns.start.max(grouped)..columns.end)
}

/// So many of the rows lie in tiles ([`crate::Act8Rows`]).
pub(super) fn tiled(rows: usize) -> usize {
    rows / 4 * 4
}

/// Computes some groups of all rows.
#[inline(always)]
pub(super) fn run<T: Bands>(tiles: &T, rows: usize, groups: Range<usize>) {
    if T::SINGLE {
        for group in groups {
            (0..rows).for_each(|row| tiles.one(group, row));
        }
        return;
    }
    let tiled = tiled(rows);
    if tiled > 0 {
        for start in groups.clone().step_by(BAND) {
            tiles.tiles(start..groups.end.min(start + BAND), tiled);
        }
    }
    let apart = groups.len() / STREAMS;
    for row in tiled..rows {
        for first in groups.start..groups.start + apart {
            tiles.streams(from_fn(|stream| first + stream * apart), row);
        }
        (groups.start + apart * STREAMS..groups.end).for_each(|group| tiles.one(group, row));
    }
}

/// Writes the four results of a group in a row.
#[inline(always)]
pub(super) fn put<L: Lanes>(args: &Linear<'_>, row: usize, group: usize, values: L::F) {
    let column = GROUP * group;
    let bias = args.bias.and_then(|bias| bias[column..].first_chunk());
    let values = bias.map_or(values, |bias| L::add(values, L::load(bias)));
    let at = row * args.n + column;
    // SAFETY: these columns are ours, and other threads have others.
    let cells = unsafe { args.y.part(at..at + GROUP) };
    cells.copy_from_slice(&L::store(values));
}

/// Writes the sums of a group in a row up to some column.
#[inline(always)]
pub(super) fn keep<L: Lanes>(args: &Linear<'_>, row: usize, group: usize, sums: L::F) {
    let at = row * args.n + GROUP * group;
    // SAFETY: as in `put`.
    let cells = unsafe { args.y.part(at..at + GROUP) };
    cells.copy_from_slice(&L::store(sums));
}

/// What [`keep`] has written.
#[inline(always)]
pub(super) fn get<L: Lanes>(args: &Linear<'_>, row: usize, group: usize) -> L::F {
    let at = row * args.n + GROUP * group;
    // SAFETY: as in `put`.
    let cells = unsafe { args.y.part(at..at + GROUP) };
    L::load(&from_fn(|i| cells[i]))
}
