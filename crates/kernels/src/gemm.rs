//! Products of matrices in single precision, and convolutions as such products.
//!
//! The right side lies in panels of eight columns, so that a lane is a column: for each step along
//! the sum a tile loads eight weights and one activation a row. What the left side's rows are is
//! told by a [`Source`]: the rows of a matrix, or windows that are gathered a block at a time.

#![allow(unsafe_code, reason = "threads write disjoint parts of one buffer; indices are in range")]

use crate::epilogue::{Epilogue, load, store};
use crate::lanes::{Lanes, Native};
use sidestage_tensor::SharedOut;
use std::array::from_fn;
use std::marker::PhantomData;
use std::ops::Range;

/// Columns of a panel.
pub const PANEL: usize = 8;

/// Rows of a tile: its eight sums, two vectors of weights and an activation stay in registers.
const ROWS: usize = 4;

/// Rows of a block, all of whose tiles take the same part of each panel.
const BLOCK: usize = 64;

/// Steps along the sum between visits of the results: a panel's part, 8 KB, stays in the first-level
/// cache, a block's rows, 64 KB, in the second.
const DEPTH: usize = 256;

/// Panels that hold `n` columns.
pub fn panels(n: usize) -> usize {
    n.div_ceil(PANEL)
}

/// Where the rows of the left side come from.
pub(crate) trait Source {
    /// These steps of some rows: row after row, and how far one is from the next. They may be
    /// gathered in `room`.
    fn block<'a>(
        &'a self,
        rows: Range<usize>,
        steps: Range<usize>,
        room: &'a mut Vec<f32>,
    ) -> (&'a [f32], usize);
}

/// The rows of a dense matrix.
pub(crate) struct Dense<'a> {
    pub(crate) a: &'a [f32],
    pub(crate) k: usize,
}

impl Source for Dense<'_> {
    fn block<'a>(
        &'a self,
        rows: Range<usize>,
        steps: Range<usize>,
        _: &'a mut Vec<f32>,
    ) -> (&'a [f32], usize) {
        if steps.is_empty() {
            return (&[], 0);
        }
        (&self.a[rows.start * self.k + steps.start..(rows.end - 1) * self.k + steps.end], self.k)
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
    let Gemm { a, b, shape: (k, n), epilogue, c } = *args;
    let source = Dense { a, k };
    let b = bytemuck::cast_slice(b);
    Product { source: &source, k, b, n, place: (0, n), epilogue, c }.run::<Native>(rows, panels);
}

/// Packs some panels of `b[k, n]`, or of `b[n, k]` that is to be transposed: in each panel for every
/// step along `k` its eight columns, those past the last one 0.
///
/// # Panics
/// If a panel is not there, or `out` is not as long as they are.
pub fn pack(
    b: &[f32],
    (k, n): (usize, usize),
    transposed: bool,
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
        if transposed {
            for (lane, column) in columns.enumerate() {
                let to = out[lane..].iter_mut().step_by(PANEL);
                to.zip(&b[column * k..][..k]).for_each(|(to, from)| *to = *from);
            }
        } else {
            for (to, row) in out.chunks_exact_mut(PANEL).zip(b.chunks_exact(n)) {
                to[..columns.len()].copy_from_slice(&row[columns.clone()]);
            }
        }
    }
}

/// A part of the sums of a block of rows.
struct Part<'a, L: Lanes> {
    rows: Range<usize>,
    steps: Range<usize>,
    a: &'a [f32],
    stride: usize,
    clip: [L::F; 2],
    lanes: PhantomData<L>,
}

impl Product<'_> {
    pub(crate) fn run<L: Lanes>(&self, rows: Range<usize>, panels: Range<usize>) {
        let columns = panels.start * PANEL..self.n.min(panels.end * PANEL);
        if columns.is_empty() {
            return;
        }
        let mut room = Vec::new();
        for start in rows.clone().step_by(BLOCK) {
            let rows = start..rows.end.min(start + BLOCK);
            // A sum of no steps is written, too.
            for start in (0..self.k.max(1)).step_by(DEPTH) {
                let steps = start..self.k.min(start + DEPTH);
                let (a, stride) = self.source.block(rows.clone(), steps.clone(), &mut room);
                let (rows, clip) = (rows.clone(), self.epilogue.clip::<L>());
                let part = Part { rows, steps, a, stride, clip, lanes: PhantomData };
                self.part::<L>(&part, panels.clone());
            }
            for row in rows {
                let at = self.place.0 + row * self.place.1;
                // SAFETY: these columns of the row are ours.
                self.epilogue.pass(unsafe { self.c.part(at + columns.start..at + columns.end) });
            }
        }
    }

    fn part<L: Lanes>(&self, part: &Part<'_, L>, panels: Range<usize>) {
        if L::REFERENCE {
            for panel in panels {
                part.rows.clone().for_each(|row| self.tile::<L, 1, 1>(part, row, [panel]));
            }
            return;
        }
        let rest = part.rows.len() % ROWS;
        let whole = part.rows.start..part.rows.end - rest;
        for panel in panels.clone() {
            for row in whole.clone().step_by(ROWS) {
                self.four(part, row, panel);
            }
            match rest {
                3 => self.three(part, whole.end, panel),
                2 => self.two(part, whole.end, panel),
                _ => {}
            }
        }
        if rest == 1 {
            // Streams far apart: the processor prefetches each.
            let apart = panels.len() / 4;
            for first in panels.start..panels.start + apart {
                self.one(part, whole.end, from_fn(|stream| first + stream * apart));
            }
            for panel in panels.start + 4 * apart..panels.end {
                self.last(part, whole.end, panel);
            }
        }
    }

    #[inline(never)]
    fn four<L: Lanes>(&self, part: &Part<'_, L>, row: usize, panel: usize) {
        self.tile::<L, ROWS, 1>(part, row, [panel]);
    }

    #[inline(never)]
    fn three<L: Lanes>(&self, part: &Part<'_, L>, row: usize, panel: usize) {
        self.tile::<L, 3, 1>(part, row, [panel]);
    }

    #[inline(never)]
    fn two<L: Lanes>(&self, part: &Part<'_, L>, row: usize, panel: usize) {
        self.tile::<L, 2, 1>(part, row, [panel]);
    }

    #[inline(never)]
    fn one<L: Lanes>(&self, part: &Part<'_, L>, row: usize, panels: [usize; 4]) {
        self.tile::<L, 1, 4>(part, row, panels);
    }

    #[inline(never)]
    fn last<L: Lanes>(&self, part: &Part<'_, L>, row: usize, panel: usize) {
        self.tile::<L, 1, 1>(part, row, [panel]);
    }

    /// Adds the part's steps to the sums of some rows and panels.
    #[inline(always)]
    fn tile<L: Lanes, const R: usize, const P: usize>(
        &self,
        part: &Part<'_, L>,
        row: usize,
        panels: [usize; P],
    ) {
        let steps = part.steps.len();
        let at = row - part.rows.start;
        let a: [&[f32]; R] = from_fn(|r| &part.a[(at + r) * part.stride..][..steps]);
        let b: [&[[[f32; 4]; 2]]; P] =
            from_fn(|p| &self.b[panels[p] * self.k..][part.steps.clone()]);
        let mut sums = [[[L::splat(0.0); 2]; P]; R];
        if part.steps.start > 0 {
            unrolled!(R, r => unrolled!(P, p => sums[r][p] = self.get::<L>(row + r, panels[p])));
        }
        // One step a turn: of several the compiler orders the products by sums, each of which would
        // wait for the last.
        for i in 0..steps {
            // SAFETY: each of the slices has as many steps.
            let b = b.map(|b| unsafe { b.get_unchecked(i) }.each_ref().map(L::load));
            unrolled!(R, r => {
                // SAFETY: as above.
                let a = L::splat(unsafe { *a[r].get_unchecked(i) });
                unrolled!(P, p => {
                    let [low, high] = sums[r][p];
                    sums[r][p] = [L::madd(b[p][0], a, low), L::madd(b[p][1], a, high)];
                });
            });
        }
        if part.steps.end < self.k {
            unrolled!(R, r => unrolled!(P, p => self.put::<L>(row + r, panels[p], sums[r][p])));
        } else {
            unrolled!(P, p => {
                let place = self.place.0;
                let columns = self.columns(panels[p]);
                let bias = self.epilogue.bias::<L>(place + columns.start..place + columns.end);
                unrolled!(R, r => {
                    let at = self.places(row + r, panels[p]);
                    let sums = self.epilogue.finish::<L>(sums[r][p], bias, part.clip, at);
                    self.put::<L>(row + r, panels[p], sums);
                });
            });
        }
    }

    /// The columns of a panel.
    #[inline(always)]
    fn columns(&self, panel: usize) -> Range<usize> {
        panel * PANEL..self.n.min((panel + 1) * PANEL)
    }

    /// Where they lie among all results.
    #[inline(always)]
    fn places(&self, row: usize, panel: usize) -> Range<usize> {
        let (columns, at) = (self.columns(panel), self.place.0 + row * self.place.1);
        at + columns.start..at + columns.end
    }

    #[inline(always)]
    fn get<L: Lanes>(&self, row: usize, panel: usize) -> [L::F; 2] {
        // SAFETY: these columns of the row are ours, and nobody writes them meanwhile.
        load::<L>(unsafe { self.c.read(self.places(row, panel)) })
    }

    #[inline(always)]
    fn put<L: Lanes>(&self, row: usize, panel: usize, sums: [L::F; 2]) {
        // SAFETY: these columns of the row are ours, and no other slice of them lives.
        store::<L>(sums, unsafe { self.c.part(self.places(row, panel)) });
    }
}
