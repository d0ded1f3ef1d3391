//! Weights of 16 bits in groups of four rows times float activations.
//!
//! The four rows' weights of a column lie side by side, so that they are widened in registers and a
//! lane is a row. An element is added up over spans of columns, and these sums in order.

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
    #[inline(always)]
    fn tile<const C: usize, const R: usize>(&self, groups: [usize; C], row: usize) {
        let k = self.args.k;
        let w: [&[W::Four]; C] = groups.map(|group| &self.weights[group * k..][..k]);
        let x: [&[f32]; R] = from_fn(|r| &self.x[(row + r) * k..][..k]);
        let mut acc = [[L::splat(0.0); R]; C];
        for start in (0..k).step_by(SPAN) {
            let end = k.min(start + SPAN);
            let mut sums = [[L::splat(0.0); R]; C];
            let fours = (end - start) / 4;
            for four in 0..fours {
                // An address that the compiler cannot follow from step to step: it would count up
                // each, where loads have room for a constant.
                let at = black_box(start + 4 * four);
                // SAFETY: `at + 4` is at most `end`, and so in each row of `k`.
                unsafe {
                    add::<L, W, C, R>(&mut sums, w, x, at);
                    add::<L, W, C, R>(&mut sums, w, x, at + 1);
                    add::<L, W, C, R>(&mut sums, w, x, at + 2);
                    add::<L, W, C, R>(&mut sums, w, x, at + 3);
                }
            }
            for at in start + 4 * fours..end {
                // SAFETY: `at` is below `end`.
                unsafe { add::<L, W, C, R>(&mut sums, w, x, at) };
            }
            unrolled!(C * R, i => acc[i / R][i % R] = L::add(acc[i / R][i % R], sums[i / R][i % R]));
        }
        unrolled!(C * R, i => {
            bands::put::<L>(self.args, row + i % R, groups[i / R], acc[i / R][i % R]);
        });
    }
}

/// Adds the products of a column.
///
/// # Safety
/// All rows have a column `at`.
#[inline(always)]
unsafe fn add<L: Lanes, W: Float, const C: usize, const R: usize>(
    sums: &mut [[L::F; R]; C],
    w: [&[W::Four]; C],
    x: [&[f32]; R],
    at: usize,
) {
    // SAFETY: the caller vouches for `at`.
    let (w, x): ([L::F; C], [f32; R]) = unsafe {
        (from_fn(|c| W::four::<L>(w[c].get_unchecked(at))), from_fn(|r| *x[r].get_unchecked(at)))
    };
    unrolled!(C * R, i => {
        sums[i / R][i % R] = L::madd(w[i / R], L::splat(x[i % R]), sums[i / R][i % R]);
    });
}

impl<L: Lanes, W: Float> Bands for Layer<'_, L, W> {
    const SINGLE: bool = L::REFERENCE;

    #[inline(never)]
    fn eight(&self, group: usize, row: usize) {
        self.tile::<1, 8>([group], row);
    }

    #[inline(never)]
    fn four(&self, group: usize, row: usize) {
        self.tile::<1, 4>([group], row);
    }

    #[inline(never)]
    fn streams(&self, groups: [usize; STREAMS], row: usize) {
        self.tile::<STREAMS, 1>(groups, row);
    }

    #[inline(never)]
    fn one(&self, group: usize, row: usize) {
        self.tile::<1, 1>([group], row);
    }
}
