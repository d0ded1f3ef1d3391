//! Weights in groups of four rows ([`crate::groups`]) times 8-bit activations.
//!
//! For each part of 32 values the integer dot products of four rows are exact; they are scaled and
//! added to four float lanes, one a row. What is taken from all values of a part is where the
//! integer sums begin; a minimum is added in floats.

#![allow(unsafe_code, reason = "threads write disjoint columns of one buffer")]

use super::{Linear, quantized};
use crate::groups::{GROUP, Group, Head, Part, Rows, grouped_rows};
use crate::lanes::{Dots, Lanes, Task};
use sidestage_tensor::blocks::Act8;
use std::array::from_fn;
use std::hint::black_box;
use std::marker::PhantomData;
use std::ops::Range;

/// Groups of a tile of one row: as many streams of weights are read at once, far apart.
const STREAMS: usize = 4;

/// Groups that are multiplied with a tile of rows before the next tile comes: they stay in the
/// second-level cache.
const BAND: usize = 16;

pub(super) fn run<D: Dots, B: Rows>(args: &Linear<'_>, columns: Range<usize>) {
    let grouped = grouped_rows(args.dtype, args.n);
    let part = columns.start.min(grouped)..columns.end.min(grouped);
    assert!(part.start.is_multiple_of(GROUP) && part.end.is_multiple_of(GROUP), "half a group");
    if !part.is_empty() {
        let per_group = args.k / B::LEN;
        let weights = bytemuck::cast_slice(&args.weight[..grouped * per_group * size_of::<B>()]);
        let layer = Layer::<D, B::Group> {
            args,
            weights,
            per_group,
            halves: black_box(2),
            of: PhantomData,
        };
        layer.run(part.start / GROUP..part.end / GROUP);
    }
    let rest = columns.start.max(grouped)..columns.end;
    if !rest.is_empty() {
        quantized::singly::<D::L, B>(args, rest);
    }
}

struct Layer<'a, D, G> {
    args: &'a Linear<'a>,
    weights: &'a [G],
    /// Blocks of a group.
    per_group: usize,
    /// Two, which the compiler must not know: it would order the products of both halves of a part
    /// by rows, and so need more registers than there are. With `black_box` below it makes a third
    /// more speed in V8.
    halves: usize,
    of: PhantomData<D>,
}

impl<D: Dots, G: Group> Layer<'_, D, G> {
    fn run(&self, groups: Range<usize>) {
        let rows = self.args.rows;
        if D::L::REFERENCE {
            for group in groups {
                (0..rows).for_each(|row| self.one(group, row));
            }
            return;
        }
        let eights = rows / 8 * 8;
        let fours = eights + (rows - eights) / 4 * 4;
        if fours > 0 {
            for start in groups.clone().step_by(BAND) {
                let band = start..groups.end.min(start + BAND);
                for row in (0..eights).step_by(8) {
                    band.clone().for_each(|group| self.eight(group, row));
                }
                if fours > eights {
                    band.for_each(|group| self.four(group, eights));
                }
            }
        }
        let apart = groups.len() / STREAMS;
        for row in fours..rows {
            for first in groups.start..groups.start + apart {
                self.streams(from_fn(|stream| first + stream * apart), row);
            }
            (groups.start + apart * STREAMS..groups.end).for_each(|group| self.one(group, row));
        }
    }

    #[inline(never)]
    fn eight(&self, group: usize, row: usize) {
        D::enter(Tile::<D, G, 1, 8> { layer: self, groups: [group], row });
    }

    #[inline(never)]
    fn four(&self, group: usize, row: usize) {
        D::enter(Tile::<D, G, 1, 4> { layer: self, groups: [group], row });
    }

    #[inline(never)]
    fn streams(&self, groups: [usize; STREAMS], row: usize) {
        D::enter(Tile::<D, G, STREAMS, 1> { layer: self, groups, row });
    }

    #[inline(never)]
    fn one(&self, group: usize, row: usize) {
        D::enter(Tile::<D, G, 1, 1> { layer: self, groups: [group], row });
    }

    #[inline(always)]
    fn put(&self, row: usize, group: usize, values: <D::L as Lanes>::F) {
        let column = GROUP * group;
        let values = match self.args.bias {
            Some(bias) => match bias[column..].first_chunk() {
                Some(bias) => D::L::add(values, D::L::load(bias)),
                None => values,
            },
            None => values,
        };
        let at = row * self.args.n + column;
        // SAFETY: these columns are ours, and other threads have others.
        let cells = unsafe { self.args.y.part(at..at + GROUP) };
        cells.copy_from_slice(&D::L::store(values));
    }
}

/// Some groups times some rows that lie in one tile of the activations, from `row` on.
struct Tile<'a, D, G, const C: usize, const R: usize> {
    layer: &'a Layer<'a, D, G>,
    groups: [usize; C],
    row: usize,
}

impl<D: Dots, G: Group, const C: usize, const R: usize> Task for Tile<'_, D, G, C, R> {
    type Output = ();

    #[allow(clippy::needless_range_loop, reason = "one index into several groups at once")]
    #[inline(always)]
    fn run(self) {
        let per_group = self.layer.per_group;
        let w: [&[G]; C] =
            self.groups.map(|group| &self.layer.weights[group * per_group..][..per_group]);
        let x = self.layer.args.x.row(self.row);
        let halves = if R > 1 { self.layer.halves } else { 2 };
        let mut acc = [[D::L::splat(0.0); R]; C];
        for block in 0..per_group {
            let scales: [_; C] = from_fn(|c| w[c][block].head().scales::<D::L>());
            for part in 0..G::PARTS {
                let mut a = x.tile::<R>(block * G::PARTS + part);
                let mut parts: [&G::Part; C] = from_fn(|c| w[c][block].part(part));
                if R > 1 {
                    // Addresses that the compiler cannot follow from part to part: it would count
                    // them up one by one, where loads have room for a constant.
                    (a, parts) = (black_box(a), parts.map(black_box));
                }
                add::<D, G, C, R>(&mut acc, &scales, part, parts, a, halves);
            }
        }
        unrolled!(C, c => unrolled!(R, r => {
            self.layer.put(self.row + r, self.groups[c], acc[c][r]);
        }));
    }
}

/// Adds the products of one part.
#[inline(always)]
fn add<D: Dots, G: Group, const C: usize, const R: usize>(
    acc: &mut [[<D::L as Lanes>::F; R]; C],
    scales: &[<G::Head as Head>::Scales<D::L>; C],
    part: usize,
    w: [&G::Part; C],
    a: &[Act8; R],
    halves: usize,
) {
    let bits = G::Part::BITS;
    let zero = -if bits == 8 { D::BYTE_ZERO } else { G::ZERO };
    let mut sums: [[D::D; R]; C] = [from_fn(|r| D::begin(&a[r].sums, [zero, zero])); C];
    unrolled!(2, j => if j < halves {
        if G::Head::SPLIT {
            let by = if j == 0 { [zero, 0] } else { [0, zero] };
            sums = [from_fn(|r| D::begin(&a[r].sums, by)); C];
        }
        let chunks = G::Part::chunks(j);
        let w: [_; C] = from_fn(|c| w[c].quad::<D::L>(j));
        unrolled!(4, n => {
            let x: [D::X; R] = from_fn(|r| D::chunk(four(&a[r].q, chunks[n])));
            unrolled!(C, c => unrolled!(R, r => {
                sums[c][r] = D::dot(sums[c][r], bits, x[r], w[c][n]);
                if bits == 6 && n == 1 {
                    sums[c][r] = D::settle(sums[c][r]);
                }
            }));
        });
        if bits == 5 || bits == 6 {
            sums = sums.map(|sums| sums.map(D::settle));
        }
        if G::Head::SPLIT {
            scale::<D, G, C, R>(acc, scales, part, j, sums, a);
        }
    });
    if !G::Head::SPLIT {
        scale::<D, G, C, R>(acc, scales, part, 0, sums, a);
    }
    if G::Head::MINIMUM {
        unrolled!(C, c => {
            let minimum = G::Head::minimum::<D::L>(&scales[c], part);
            unrolled!(R, r => acc[c][r] = D::L::madd(minimum, D::L::splat(a[r].s), acc[c][r]));
        });
    }
}

/// Adds sums, scaled.
#[inline(always)]
fn scale<D: Dots, G: Group, const C: usize, const R: usize>(
    acc: &mut [[<D::L as Lanes>::F; R]; C],
    scales: &[<G::Head as Head>::Scales<D::L>; C],
    part: usize,
    half: usize,
    sums: [[D::D; R]; C],
    a: &[Act8; R],
) {
    unrolled!(C, c => {
        let scale = G::Head::scale::<D::L>(&scales[c], part, half);
        unrolled!(R, r => {
            let both = D::L::mul(D::L::splat(a[r].d), scale);
            acc[c][r] = D::L::madd(D::L::to_f(D::finish(sums[c][r])), both, acc[c][r]);
        });
    });
}

#[inline(always)]
fn four(q: &[i8; 32], chunk: usize) -> &[i8; 4] {
    &q.as_chunks().0[chunk]
}
