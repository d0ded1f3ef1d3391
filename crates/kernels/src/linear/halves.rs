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

/// Groups that are: with the 16 KB of four the activations of a tile stay in the first-level cache.
/// One at a time was 4 % slower with 128 rows.
const WIDE: usize = 4;

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
            let fours = (end - start) / 4;
            for four in 0..fours {
                // A place that the compiler cannot follow from step to step: it would count up each
                // address, where loads have room for a constant.
                let at = black_box(start + 4 * four);
                // SAFETY: `at + 4` is at most `end`, and so in each row of `k`.
                unsafe {
                    let x: &[f32; 4] = &*x.as_ptr().add(at).cast();
                    unrolled!(C, c => {
                        let w = W::sixteen::<L>(&*w[c].as_ptr().add(at).cast());
                        unrolled!(4, i => sums[c] = L::madd(w[i], L::splat(x[i]), sums[c]));
                    });
                }
            }
            for at in start + 4 * fours..end {
                let x = L::splat(x[at]);
                unrolled!(C, c => sums[c] = L::madd(W::four::<L>(&w[c][at]), x, sums[c]));
            }
            unrolled!(C, c => acc[c] = L::add(acc[c], sums[c]));
        }
        unrolled!(C, c => bands::put::<L>(self.args, row, groups[c], acc[c]));
    }

    /// Adds the products of widened weights and some rows to their results.
    #[inline(always)]
    fn panel<const R: usize>(&self, w: &[[f32; 4]], group: usize, (row, start): (usize, usize)) {
        let k = self.args.k;
        let x: [&[f32]; R] = from_fn(|r| &self.x[(row + r) * k + start..][..w.len()]);
        let mut acc = [L::splat(0.0); R];
        if start > 0 {
            unrolled!(R, r => acc[r] = bands::get::<L>(self.args, row + r, group));
        }
        for (w, at) in w.chunks(SPAN).zip((0..).step_by(SPAN)) {
            let mut sums = [L::splat(0.0); R];
            let (fours, rest) = w.as_chunks::<4>();
            for four in 0..fours.len() {
                // As above.
                let four = black_box(four);
                // SAFETY: there are as many fours, and as many columns in each row.
                unsafe {
                    let w = fours.get_unchecked(four);
                    let x: [&[f32; 4]; R] = from_fn(|r| &*x[r].as_ptr().add(at + 4 * four).cast());
                    unrolled!(4, i => add::<L, R>(&mut sums, &w[i], x.map(|x| x[i])));
                }
            }
            for (i, w) in rest.iter().enumerate() {
                add::<L, R>(&mut sums, w, x.map(|x| x[at + 4 * fours.len() + i]));
            }
            unrolled!(R, r => acc[r] = L::add(acc[r], sums[r]));
        }
        if start + w.len() == k {
            unrolled!(R, r => bands::put::<L>(self.args, row + r, group, acc[r]));
        } else {
            unrolled!(R, r => bands::keep::<L>(self.args, row + r, group, acc[r]));
        }
    }

    #[inline(never)]
    fn eight(&self, wide: &[[f32; 4]], group: usize, at: (usize, usize)) {
        self.panel::<8>(wide, group, at);
    }

    #[inline(never)]
    fn four(&self, wide: &[[f32; 4]], group: usize, at: (usize, usize)) {
        self.panel::<4>(wide, group, at);
    }
}

/// Adds the products of a column.
#[inline(always)]
fn add<L: Lanes, const R: usize>(sums: &mut [L::F; R], w: &[f32; 4], x: [f32; R]) {
    let w = L::load(w);
    unrolled!(R, r => sums[r] = L::madd(w, L::splat(x[r]), sums[r]));
}

impl<L: Lanes, W: Float> Bands for Layer<'_, L, W> {
    const SINGLE: bool = L::REFERENCE;

    fn tiles(&self, groups: Range<usize>, rows: usize) {
        let (k, eights) = (self.args.k, rows / 8 * 8);
        let mut wide = [[[0.0; 4]; PANEL]; WIDE];
        // A row without columns has one panel too: its results are written.
        for start in (0..k.max(1)).step_by(PANEL) {
            let columns = start..k.min(start + PANEL);
            for first in groups.clone().step_by(WIDE) {
                let groups = first..groups.end.min(first + WIDE);
                for (wide, group) in wide.iter_mut().zip(groups.clone()) {
                    let w = &self.group(group)[columns.clone()];
                    wide.iter_mut().zip(w).for_each(|(wide, w)| *wide = L::store(W::four::<L>(w)));
                }
                let wide = wide.each_ref().map(|wide| &wide[..columns.len()]);
                for row in (0..eights).step_by(8) {
                    groups.clone().zip(wide).for_each(|(g, w)| self.eight(w, g, (row, start)));
                }
                if eights < rows {
                    groups.zip(wide).for_each(|(g, w)| self.four(w, g, (eights, start)));
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
