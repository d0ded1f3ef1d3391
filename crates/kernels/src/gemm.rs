//! Products of matrices in single precision, and convolutions as such products.
//!
//! The right side lies in panels of eight columns, so that a lane is a column: for each step along
//! the sum a tile loads eight weights and one activation a row. What the left side's rows are is
//! told by a [`Source`]: the rows of a matrix, or windows that are gathered a block at a time.

#![allow(unsafe_code, reason = "threads write disjoint parts of one buffer; indices are in range")]

use crate::epilogue::{Epilogue, load, store};
use crate::lanes::{Lanes, Native};
use sidestage_tensor::SharedOut;
use std::array::{from_fn, from_ref};
use std::ops::Range;

/// Columns of a panel.
pub const PANEL: usize = 8;

/// Rows of a tile: its eight sums, two vectors of weights and an activation stay in registers.
const ROWS: usize = 4;

/// Rows of a block, all of whose tiles take the same part of each panel. A model's weights are in no cache
/// when their turn comes, so that the 128 rows of an encoder are to read them once.
const BLOCK: usize = 128;

/// Steps along the sum between visits of the results: a panel's part, 12 KB, stays in the first-level
/// cache, a block's rows, 192 KB, in the second. With 64 rows and 256 steps MiniLM takes 1.04 times as
/// long, MobileNetV2 1.06 times and ResNet-18 as long or longer (Chromium, two threads, in turns); with
/// 128 rows and 256 steps MiniLM 1.03 times.
const DEPTH: usize = 384;

/// Panels that hold `n` columns.
pub fn panels(n: usize) -> usize {
    n.div_ceil(PANEL)
}

/// Where the rows of the left side come from.
///
/// # Safety
/// At each place that `block` leaves there must lie as many values as the run has steps, for as long
/// as neither the room nor what the source borrows changes.
pub(crate) unsafe trait Source {
    /// Says where these steps of some rows lie. They may be gathered in the room.
    fn block(&self, rows: Range<usize>, steps: Range<usize>, room: &mut Room);
}

/// Where some steps of some rows lie, and room for what is gathered.
#[derive(Default)]
pub(crate) struct Room {
    pub(crate) values: Vec<f32>,
    /// Run after run of steps, in each for every row where it begins.
    pub(crate) places: Vec<*const f32>,
    /// Steps of a run; only the last one may have fewer.
    pub(crate) run: usize,
}

impl Room {
    /// Rows that are each in one run, so far apart.
    pub(crate) fn rows(&mut self, a: &[f32], count: usize, steps: usize, apart: usize) {
        assert!(count == 0 || (count - 1) * apart + steps <= a.len());
        self.run = steps;
        self.places.clear();
        self.places.extend((0..count).map(|row| a.as_ptr().wrapping_add(row * apart)));
    }
}

/// Rows that are so many values apart.
pub(crate) struct Dense<'a> {
    pub(crate) a: &'a [f32],
    pub(crate) apart: usize,
}

// SAFETY: the rows lie in `a`, as `rows` asserts.
unsafe impl Source for Dense<'_> {
    fn block(&self, rows: Range<usize>, steps: Range<usize>, room: &mut Room) {
        let a = &self.a[rows.start * self.apart..];
        room.rows(a.get(steps.start..).unwrap_or(&[]), rows.len(), steps.len(), self.apart);
    }
}

/// The left side, the right side and the results of a product.
#[derive(Clone, Copy)]
pub(crate) struct Product<'a> {
    pub(crate) source: &'a dyn Source,
    /// Steps along the sum.
    pub(crate) k: usize,
    /// Panel after panel, in each for every step the weights of its columns.
    pub(crate) b: &'a [[[f32; 4]; 2]],
    /// Columns.
    pub(crate) n: usize,
    /// The first column's place in a row of results, and how long that is.
    pub(crate) place: (usize, usize),
    pub(crate) epilogue: Epilogue<'a>,
    pub(crate) c: SharedOut<'a, f32>,
}

/// `c = epilogue(a · b)`: `a` has rows of `k` values, `b` is packed ([`pack`]) of `n` columns.
pub struct Gemm<'a> {
    /// Rows of `k` values.
    pub a: &'a [f32],
    /// Values from one row of `a` to the next, and of `c`: at least as many as a row has.
    pub apart: [usize; 2],
    /// What [`pack`] has made.
    pub b: &'a [f32],
    /// Steps along the sum, and columns.
    pub shape: (usize, usize),
    /// What becomes of a sum.
    pub epilogue: Epilogue<'a>,
    /// As many rows of `n` values.
    pub c: SharedOut<'a, f32>,
}

/// Computes some panels of some rows. No two threads may do the same ones at once.
///
/// # Panics
/// If a part is not there.
pub fn gemm(args: &Gemm<'_>, rows: Range<usize>, panels: Range<usize>) {
    let Gemm { a, apart, b, shape: (k, n), epilogue, c } = *args;
    let source = Dense { a, apart: apart[0] };
    let b = bytemuck::cast_slice(b);
    Product { source: &source, k, b, n, place: (0, apart[1]), epilogue, c }
        .run::<Native>(rows, panels);
}

/// Packs some panels of a matrix `[k, n]` whose elements are so far apart in `b` along `k` and `n`, one
/// of which is 1: in each panel for every step along `k` its eight columns, those past the last one 0.
///
/// # Panics
/// If a panel is not there, or `out` is not as long as they are.
pub fn pack(
    b: &[f32],
    (k, n): (usize, usize),
    apart: [usize; 2],
    panels: Range<usize>,
    out: &mut [f32],
) {
    if k == 0 {
        return;
    }
    for (panel, out) in panels.zip(out.chunks_exact_mut(k * PANEL)) {
        let columns = panel * PANEL..n.min((panel + 1) * PANEL);
        if columns.len() < PANEL {
            out.fill(0.0);
        }
        let (to, _) = out.as_chunks_mut::<PANEL>();
        if apart[1] == 1 {
            for (row, to) in to.iter_mut().enumerate() {
                let from = &b[row * apart[0]..][columns.clone()];
                match from.first_chunk() {
                    Some(from) => *to = *from,
                    None => to[..from.len()].copy_from_slice(from),
                }
            }
        } else if columns.len() == PANEL && k >= 4 {
            let rows: [&[f32]; PANEL] =
                from_fn(|lane| &b[(columns.start + lane) * apart[1]..][..k]);
            for start in (0..k).step_by(4) {
                // The last ones are written again, the same.
                let start = start.min(k - 4);
                for (lane, row) in rows.iter().enumerate() {
                    for (to, from) in to[start..start + 4].iter_mut().zip(&row[start..start + 4]) {
                        to[lane] = *from;
                    }
                }
            }
        } else {
            for (lane, column) in columns.enumerate() {
                let from = &b[column * apart[1]..][..k];
                to.iter_mut().zip(from).for_each(|(to, from)| to[lane] = *from);
            }
        }
    }
}

/// As [`pack`] of weights `[n, k]` that lie row by row, each row `channels` times `taps` values; the steps
/// are tap by tap.
///
/// # Panics
/// If a panel is not there, or `out` is not as long as they are.
pub fn pack_taps(
    b: &[f32],
    (n, channels, taps): (usize, usize, usize),
    panels: Range<usize>,
    out: &mut [f32],
) {
    let k = channels * taps;
    if taps == 1 {
        return pack(b, (k, n), [1, k], panels, out);
    }
    if k == 0 {
        return;
    }
    let row = |column: usize| &b[column * k..][..k];
    for (panel, out) in panels.zip(out.chunks_exact_mut(k * PANEL)) {
        let columns = panel * PANEL..n.min((panel + 1) * PANEL);
        let steps = (0..taps).flat_map(|tap| (tap..k).step_by(taps));
        if columns.len() == PANEL {
            // All at once: what is written lies side by side.
            let rows: [&[f32]; PANEL] = from_fn(|lane| row(columns.start + lane));
            for (to, at) in out.chunks_exact_mut(PANEL).zip(steps) {
                to.iter_mut().zip(rows).for_each(|(to, row)| *to = row[at]);
            }
            continue;
        }
        out.fill(0.0);
        for (lane, column) in columns.enumerate() {
            let (row, to) = (row(column), out[lane..].iter_mut().step_by(PANEL));
            to.zip(steps.clone()).for_each(|(to, at)| *to = row[at]);
        }
    }
}

/// As [`pack_taps`] of weights in their own place, where `n` is a multiple of eight: a panel then
/// lies where its columns did. `None`: there is no memory for one.
///
/// # Panics
/// If `b` is not so long.
pub fn pack_in_place(b: &mut [f32], channels: usize, taps: usize) -> Option<()> {
    let size = channels * taps * PANEL;
    assert!(size > 0 && b.len().is_multiple_of(size), "whole panels of {size} values");
    let mut rows = Vec::new();
    rows.try_reserve_exact(size).ok()?;
    for part in b.chunks_exact_mut(size) {
        rows.clear();
        rows.extend_from_slice(part);
        pack_taps(&rows, (PANEL, channels, taps), 0..1, part);
    }
    Some(())
}

/// A part of the sums of a block of rows.
struct Part<'a> {
    rows: Range<usize>,
    steps: Range<usize>,
    room: &'a Room,
}

impl Product<'_> {
    pub(crate) fn run<L: Lanes>(&self, rows: Range<usize>, panels: Range<usize>) {
        let columns = panels.start * PANEL..self.n.min(panels.end * PANEL);
        if columns.is_empty() {
            return;
        }
        let mut room = Room::default();
        for start in rows.clone().step_by(BLOCK) {
            let rows = start..rows.end.min(start + BLOCK);
            // A sum of no steps is written, too.
            for start in (0..self.k.max(1)).step_by(DEPTH) {
                let steps = start..self.k.min(start + DEPTH);
                self.source.block(rows.clone(), steps.clone(), &mut room);
                let part = Part { rows: rows.clone(), steps, room: &room };
                self.part::<L>(&part, panels.clone());
            }
            if !self.epilogue.passes() {
                continue;
            }
            let (first, width) = self.place;
            let (rows, count) = match columns.len() == width {
                // All of them, side by side: the pass over a short row is half calls.
                true => (rows.start..rows.start + 1, rows.len() * width),
                false => (rows, columns.len()),
            };
            for row in rows {
                let at = first + row * width + columns.start;
                // SAFETY: these columns of the rows are ours.
                self.epilogue.pass(unsafe { self.c.part(at..at + count) });
            }
        }
    }

    fn part<L: Lanes>(&self, part: &Part<'_>, panels: Range<usize>) {
        if L::REFERENCE {
            for panel in panels {
                part.rows.clone().for_each(|row| self.tile::<L, 1, 1>(part, row, [panel]));
            }
            return;
        }
        let rest = part.rows.len() % ROWS;
        let whole = part.rows.start..part.rows.end - rest;
        for panel in panels.clone() {
            self.fours::<L>(part, whole.clone(), panel);
            match rest {
                3 => self.three::<L>(part, whole.end, panel),
                2 => self.two::<L>(part, whole.end, panel),
                _ => {}
            }
        }
        if rest == 1 {
            // Streams far apart: the processor prefetches each.
            let apart = panels.len() / 4;
            for first in panels.start..panels.start + apart {
                self.one::<L>(part, whole.end, from_fn(|stream| first + stream * apart));
            }
            for panel in panels.start + 4 * apart..panels.end {
                self.last::<L>(part, whole.end, panel);
            }
        }
    }

    #[inline(never)]
    fn four<L: Lanes>(&self, part: &Part<'_>, row: usize, panel: usize) {
        self.tile::<L, ROWS, 1>(part, row, [panel]);
    }

    /// Rows four at a time, as many fours as there are. Around a tile of a short sum there is as much to
    /// ask as it has products: here that is asked once. Convolutions of 16, 24 and 32 channels are 1.7,
    /// 1.25 and 1.15 times as fast, of 64 to 576 up to 1.1 times.
    #[inline(never)]
    fn fours<L: Lanes>(&self, part: &Part<'_>, rows: Range<usize>, panel: usize) {
        let steps = part.steps.len();
        let place = self.whole(panel).filter(|_| steps == self.k && !rows.is_empty());
        let Some(place) = place else {
            return rows.step_by(ROWS).for_each(|row| self.four::<L>(part, row, panel));
        };
        let b = &self.b[panel * self.k..][..steps];
        let columns = self.epilogue.columns::<L>(place..place + PANEL);
        let apart = self.place.1;
        let first = place + rows.start * apart;
        // SAFETY: these columns of the rows are ours; of what lies between them nothing is touched.
        let c =
            unsafe { self.c.part(first..first + (rows.len() - 1) * apart + PANEL) }.as_mut_ptr();
        for row in (0..rows.len()).step_by(ROWS) {
            let mut sums = [[L::splat(0.0); 2]; ROWS];
            let (mut rest, mut at) = (b, rows.start - part.rows.start + row);
            while let Some(places) = part.room.places.get(at..).and_then(<[_]>::first_chunk::<ROWS>)
            {
                let (run, behind) = rest.split_at(part.room.run.min(rest.len()));
                for (i, b) in run.iter().enumerate() {
                    let b = b.each_ref().map(L::load);
                    unrolled!(ROWS, r => {
                        // SAFETY: as many values lie there as the run has steps, as the source promises.
                        let a = L::splat(unsafe { *places[r].add(i) });
                        let [low, high] = sums[r];
                        sums[r] = [L::madd(b[0], a, low), L::madd(b[1], a, high)];
                    });
                }
                at += part.rows.len();
                rest = behind;
            }
            let places = from_fn(|r| {
                let at = first + (row + r) * apart;
                at..at + PANEL
            });
            self.epilogue.finish::<L, ROWS>(&mut sums, &columns, &places);
            unrolled!(ROWS, r => {
                // SAFETY: these columns of the row are ours, and lie in what was taken.
                let to: &mut [f32; PANEL] = unsafe { &mut *c.add((row + r) * apart).cast() };
                store::<L>(sums[r], to);
            });
        }
    }

    #[inline(never)]
    fn three<L: Lanes>(&self, part: &Part<'_>, row: usize, panel: usize) {
        self.tile::<L, 3, 1>(part, row, [panel]);
    }

    #[inline(never)]
    fn two<L: Lanes>(&self, part: &Part<'_>, row: usize, panel: usize) {
        self.tile::<L, 2, 1>(part, row, [panel]);
    }

    #[inline(never)]
    fn one<L: Lanes>(&self, part: &Part<'_>, row: usize, panels: [usize; 4]) {
        self.tile::<L, 1, 4>(part, row, panels);
    }

    #[inline(never)]
    fn last<L: Lanes>(&self, part: &Part<'_>, row: usize, panel: usize) {
        self.tile::<L, 1, 1>(part, row, [panel]);
    }

    /// Adds the part's steps to the sums of some rows and panels.
    #[inline(always)]
    fn tile<L: Lanes, const R: usize, const P: usize>(
        &self,
        part: &Part<'_>,
        row: usize,
        panels: [usize; P],
    ) {
        let steps = part.steps.len();
        let b: [&[[[f32; 4]; 2]]; P] =
            from_fn(|p| &self.b[panels[p] * self.k..][part.steps.clone()]);
        let mut sums = [[[L::splat(0.0); 2]; P]; R];
        if part.steps.start > 0 {
            unrolled!(P, p => match self.whole(panels[p]) {
                Some(place) => {
                    unrolled!(R, r => {
                        let at = place + (row + r) * self.place.1;
                        // SAFETY: these columns of the row are ours, and nobody writes them
                        // meanwhile.
                        sums[r][p] = load::<L>(unsafe { self.c.read(at..at + PANEL) });
                    });
                }
                None => {
                    let so_far: [_; R] = self.narrow_so_far(row);
                    unrolled!(R, r => sums[r][p] = so_far[r].each_ref().map(L::load));
                }
            });
        }
        // Not in chunks, nor in steps: both begin with a division, as long as a tile of a short sum.
        let (mut first, mut at) = (0, row - part.rows.start);
        while let Some(places) = part.room.places.get(at..).and_then(|all| all.first_chunk::<R>()) {
            let run = part.room.run.min(steps - first);
            // One step a turn: of several the compiler orders the products by sums, each of which
            // would wait for the last.
            for i in 0..run {
                // SAFETY: each of the slices has as many steps.
                let b = b.map(|b| unsafe { b.get_unchecked(first + i) }.each_ref().map(L::load));
                unrolled!(R, r => {
                    // SAFETY: as many values lie there as the run has steps, as the source promises.
                    let a = L::splat(unsafe { *places[r].add(i) });
                    unrolled!(P, p => {
                        let [low, high] = sums[r][p];
                        sums[r][p] = [L::madd(b[p][0], a, low), L::madd(b[p][1], a, high)];
                    });
                });
            }
            first += run;
            at += part.rows.len();
        }
        let last = part.steps.end == self.k;
        unrolled!(P, p => match self.whole(panels[p]) {
            Some(place) => {
                let mut sums: [[L::F; 2]; R] = from_fn(|r| sums[r][p]);
                let places: [Range<usize>; R] = from_fn(|r| {
                    let at = place + (row + r) * self.place.1;
                    at..at + PANEL
                });
                if last {
                    let columns = self.epilogue.columns::<L>(place..place + PANEL);
                    self.epilogue.finish::<L, R>(&mut sums, &columns, &places);
                }
                unrolled!(R, r => {
                    // SAFETY: these columns of the row are ours, and no other slice of them lives.
                    store::<L>(sums[r], unsafe { self.c.part(places[r].clone()) });
                });
            }
            None => self.narrow::<L>(row, last, &sums.map(|sums| sums[p].map(L::store))),
        });
    }

    /// Where the columns of a panel lie in the first row, if they are all there.
    #[inline(always)]
    fn whole(&self, panel: usize) -> Option<usize> {
        ((panel + 1) * PANEL <= self.n).then(|| self.place.0 + panel * PANEL)
    }

    /// The columns of the last panel, which has fewer, among all results.
    fn rest(&self, row: usize) -> Range<usize> {
        let at = self.place.0 + row * self.place.1;
        at + self.n / PANEL * PANEL..at + self.n
    }

    /// The sums of the last panel so far. Apart from the tiles, whose sums then stay in registers.
    #[inline(never)]
    fn narrow_so_far<const R: usize>(&self, row: usize) -> [[[f32; 4]; 2]; R] {
        from_fn(|r| {
            let mut eight = [0.0; PANEL];
            // SAFETY: these columns of the row are ours, and nobody writes them meanwhile.
            let sums = unsafe { self.c.read(self.rest(row + r)) };
            eight[..sums.len()].copy_from_slice(sums);
            bytemuck::cast(eight)
        })
    }

    /// Writes sums of the last panel, which are finished if they are the `last` ones.
    #[inline(never)]
    fn narrow<L: Lanes>(&self, row: usize, last: bool, sums: &[[[f32; 4]; 2]]) {
        let columns = self.epilogue.columns::<L>(self.rest(0));
        for (row, sums) in (row..).zip(sums) {
            let (at, mut sums) = (self.rest(row), [sums.each_ref().map(L::load)]);
            if last {
                self.epilogue.finish::<L, 1>(&mut sums, &columns, from_ref(&at));
            }
            // SAFETY: these columns of the row are ours, and no other slice of them lives.
            store::<L>(sums[0], unsafe { self.c.part(at) });
        }
    }
}
