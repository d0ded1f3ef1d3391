//! Weights of 16 bits in groups of four rows times float activations.
//!
//! The four rows' weights of a column lie side by side, so that they are widened in registers and a
//! lane is a row. An element is added up over spans of columns, and these sums in order. For several
//! rows of activations a panel of weights is widened once for all of them.

#![allow(unsafe_code, reason = "indices are known to be in range")]

use super::Linear;
use super::bands::{self, Bands, STREAMS};
use super::floats::{self, Float};
use crate::groups::GROUP;
use crate::lanes::Lanes;
use std::array::from_fn;
use std::hint::black_box;
use std::marker::PhantomData;
use std::ops::Range;

/// Columns that are added up before they are added to the others: a long row loses less.
const SPAN: usize = 64;

/// Columns that are widened at once for all tiles of rows, whole spans: after each panel the results
/// go to memory. One span and four are equally fast, within 4 %.
const PANEL: usize = 4 * SPAN;

/// Pairs of groups that are: with these 16 KB the activations of a tile stay in the first-level cache.
const PAIRS: usize = 2;

/// Rows of activations of a tile of two groups. Six loads feed its eight products, 88 % of the
/// multiply-adds that V8 and this machine can do; one group and eight rows take nine and reach 62 %.
const ROWS: usize = 4;

pub(super) fn run<L: Lanes, W: Float>(args: &Linear<'_>, x: &[f32], columns: Range<usize>) {
    let (groups, rest) = bands::split(args, columns);
    if !groups.is_empty() {
        let weights = bytemuck::cast_slice(&args.weight[..groups.end * args.k * GROUP * W::BYTES]);
        bands::run(&Layer::<L, W> { args, weights, x, lanes: PhantomData }, args.rows, groups);
    }
    if !rest.is_empty() {
        floats::singly::<L, W>(args, x, rest);
    }
}

struct Layer<'a, L, W: Float> {
    args: &'a Linear<'a>,
    weights: &'a [W::Four],
    x: &'a [f32],
    lanes: PhantomData<L>,
}

impl<L: Lanes, W: Float> Layer<'_, L, W> {
    fn group(&self, group: usize) -> &[W::Four] {
        &self.weights[group * self.args.k..][..self.args.k]
    }

    /// Some groups of one row.
    #[inline(always)]
    fn row<const C: usize>(&self, groups: [usize; C], row: usize) {
        let k = self.args.k;
        let w: [&[W::Four]; C] = groups.map(|group| self.group(group));
        let x = &self.x[row * k..][..k];
        let mut acc = [L::splat(0.0); C];
        for start in (0..k).step_by(SPAN) {
            let end = k.min(start + SPAN);
            let mut sums = [L::splat(0.0); C];
            let mut at = start;
            while at < end {
                at = self.quick(w, x, at..end, &mut sums);
                // Those that take longer, or are left.
                for at in at..end.min(at + 4) {
                    let x = L::splat(x[at]);
                    unrolled!(C, c => sums[c] = L::madd(W::four::<L>(&w[c][at]), x, sums[c]));
                }
                at += 4;
            }
            unrolled!(C, c => acc[c] = L::add(acc[c], sums[c]));
        }
        unrolled!(C, c => bands::put::<L>(self.args, row, groups[c], acc[c]));
    }

    /// Adds the products of columns, four at a time, up to some that take longer; how far it came.
    /// A loop of its own: with the other way of widening in it V8 keeps sums in memory.
    #[inline(always)]
    fn quick<const C: usize>(
        &self,
        w: [&[W::Four]; C],
        x: &[f32],
        columns: Range<usize>,
        sums: &mut [L::F; C],
    ) -> usize {
        let mut at = columns.start;
        while at + 4 <= columns.end {
            // A place that the compiler cannot follow from step to step: it would count up each
            // address, where loads have room for a constant.
            at = black_box(at);
            // SAFETY: `at + 4` is at most the columns' end, and so in each row.
            let (w, x): ([&[W::Four; 4]; C], &[f32; 4]) =
                unsafe { (w.map(|w| &*w.as_ptr().add(at).cast()), &*x.as_ptr().add(at).cast()) };
            if !W::quick::<L, C>(w) {
                break;
            }
            unrolled!(C, c => {
                let w = W::sixteen::<L>(w[c]);
                unrolled!(4, i => sums[c] = L::madd(w[i], L::splat(x[i]), sums[c]));
            });
            at += 4;
        }
        at
    }

    /// Adds the products of the widened weights of two groups and some rows to their results.
    #[inline(never)]
    fn tile(&self, w: &[[[f32; 4]; 2]], groups: [usize; 2], (row, start): (usize, usize)) {
        let k = self.args.k;
        let x: [&[f32]; ROWS] = from_fn(|r| &self.x[(row + r) * k + start..][..w.len()]);
        let mut acc = [[L::splat(0.0); 2]; ROWS];
        if start > 0 {
            unrolled!(2 * ROWS, i => {
                acc[i / 2][i % 2] = bands::get::<L>(self.args, row + i / 2, groups[i % 2]);
            });
        }
        for (w, at) in w.chunks(SPAN).zip((0..).step_by(SPAN)) {
            let mut sums = [[L::splat(0.0); 2]; ROWS];
            // One column a step: of several the compiler orders the products by sums, each of which
            // would wait for the last.
            for (i, w) in w.iter().enumerate() {
                let w = w.each_ref().map(L::load);
                unrolled!(ROWS, r => {
                    // SAFETY: there are as many columns in each row.
                    let x = L::splat(unsafe { *x[r].get_unchecked(at + i) });
                    sums[r] = [L::madd(w[0], x, sums[r][0]), L::madd(w[1], x, sums[r][1])];
                });
            }
            unrolled!(2 * ROWS, i => {
                acc[i / 2][i % 2] = L::add(acc[i / 2][i % 2], sums[i / 2][i % 2]);
            });
        }
        let last = start + w.len() == k;
        unrolled!(2 * ROWS, i => {
            let (row, group, sums) = (row + i / 2, groups[i % 2], acc[i / 2][i % 2]);
            if last {
                bands::put::<L>(self.args, row, group, sums);
            } else {
                bands::keep::<L>(self.args, row, group, sums);
            }
        });
    }
}

/// Widens columns of a group.
#[inline(always)]
fn widen<L: Lanes, W: Float>(from: &[W::Four], mut to: impl FnMut(usize, [f32; 4])) {
    let (fours, rest) = from.as_chunks::<4>();
    for (at, four) in fours.iter().enumerate() {
        let wide = if W::quick::<L, 1>([four]) {
            W::sixteen::<L>(four)
        } else {
            [0, 1, 2, 3].map(|i| W::four::<L>(&four[i]))
        };
        unrolled!(4, i => to(4 * at + i, L::store(wide[i])));
    }
    for (i, one) in rest.iter().enumerate() {
        to(4 * fours.len() + i, L::store(W::four::<L>(one)));
    }
}

impl<L: Lanes, W: Float> Bands for Layer<'_, L, W> {
    const SINGLE: bool = L::REFERENCE;

    fn tiles(&self, groups: Range<usize>, rows: usize) {
        let k = self.args.k;
        let mut wide = [[[[0.0; 4]; 2]; PANEL]; PAIRS];
        // A row without columns has one panel too: its results are written.
        for start in (0..k.max(1)).step_by(PANEL) {
            let columns = start..k.min(start + PANEL);
            for first in groups.clone().step_by(2 * PAIRS) {
                let last = groups.end.min(first + 2 * PAIRS) - 1;
                // One that is left is both of its pair.
                let pairs = (first..=last).step_by(2).map(|group| [group, last.min(group + 1)]);
                for (wide, pair) in wide.iter_mut().zip(pairs.clone()) {
                    for (c, group) in pair.into_iter().enumerate() {
                        let from = &self.group(group)[columns.clone()];
                        widen::<L, W>(from, |at, four| wide[at][c] = four);
                    }
                }
                for row in (0..rows).step_by(ROWS) {
                    for (wide, pair) in wide.iter().zip(pairs.clone()) {
                        self.tile(&wide[..columns.len()], pair, (row, start));
                    }
                }
            }
        }
    }

    #[inline(never)]
    fn streams(&self, groups: [usize; STREAMS], row: usize) {
        self.row(groups, row);
    }

    #[inline(never)]
    fn one(&self, group: usize, row: usize) {
        self.row([group], row);
    }
}
