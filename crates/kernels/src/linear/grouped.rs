//! Weights in groups of four rows ([`crate::groups`]) times 8-bit activations.
//!
//! For each part of 32 values the integer dot products of four rows are exact; they are scaled and
//! added to four float lanes, one a row. What is taken from all values of a part is where the
//! integer sums begin; a minimum is added in floats.

use super::bands::{self, Bands, STREAMS};
use super::{Linear, quantized};
use crate::groups::{GROUP, Group, Head, Part, Rows};
use crate::lanes::{Dots, Lanes, Task};
use sidestage_tensor::blocks::Act8;
use std::array::from_fn;
use std::hint::black_box;
use std::marker::PhantomData;
use std::ops::Range;

pub(super) fn run<D: Dots, B: Rows>(args: &Linear<'_>, columns: Range<usize>) {
    let (groups, rest) = bands::split(args, columns);
    if !groups.is_empty() {
        let per_group = args.k / B::LEN;
        let bytes = groups.end * per_group * GROUP * size_of::<B>();
        let weights = bytemuck::cast_slice(&args.weight[..bytes]);
        let halves = black_box(2);
        let layer = Layer::<D, B::Group> { args, weights, per_group, halves, of: PhantomData };
        bands::run(&layer, args.rows, groups);
    }
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
    #[inline(never)]
    fn eight(&self, group: usize, row: usize) {
        D::enter(Tile::<D, G, 1, 8> { layer: self, groups: [group], row });
    }

    #[inline(never)]
    fn pair(&self, groups: [usize; 2], row: usize) {
        D::enter(Tile::<D, G, 2, 4> { layer: self, groups, row });
    }

    #[inline(never)]
    fn four(&self, group: usize, row: usize) {
        D::enter(Tile::<D, G, 1, 4> { layer: self, groups: [group], row });
    }
}

impl<D: Dots, G: Group> Bands for Layer<'_, D, G> {
    const SINGLE: bool = D::SINGLE;

    fn tiles(&self, groups: Range<usize>, rows: usize) {
        let eights = rows / 8 * 8;
        for row in (0..eights).step_by(8) {
            let mut single = groups.clone();
            if D::widens(G::Part::BITS) {
                single.start += groups.len() / 2 * 2;
                for group in (groups.start..single.start).step_by(2) {
                    self.pair([group, group + 1], row);
                    self.pair([group, group + 1], row + 4);
                }
            }
            single.for_each(|group| self.eight(group, row));
        }
        if eights < rows {
            groups.for_each(|group| self.four(group, eights));
        }
    }

    #[inline(never)]
    fn streams(&self, groups: [usize; STREAMS], row: usize) {
        D::enter(Tile::<D, G, STREAMS, 1> { layer: self, groups, row });
    }

    #[inline(never)]
    fn one(&self, group: usize, row: usize) {
        D::enter(Tile::<D, G, 1, 1> { layer: self, groups: [group], row });
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
        // Each block's are written over the last one's: built anew they would be copied.
        let mut scales = [G::zeroed().head().scales::<D::L>(); C];
        for block in 0..per_group {
            unrolled!(C, c => scales[c] = w[c][block].head().scales::<D::L>());
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
        unrolled!(C * R, i => {
            let (c, r) = (i / R, i % R);
            bands::put::<D::L>(self.layer.args, self.row + r, self.groups[c], acc[c][r]);
        });
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
    let zero = -if G::Part::BITS == 8 { D::BYTE_ZERO } else { G::ZERO };
    let mut sums: [[D::D; R]; C] = [from_fn(|r| D::begin(&a[r].sums, [zero, zero])); C];
    if G::Head::SPLIT {
        sums = [from_fn(|r| D::begin(&a[r].sums, [zero, 0])); C];
    }
    // Each half in a branch of its own: see `Layer::halves`.
    if halves > 0 {
        half::<D, G, C, R>(&mut sums, 0, w, a, halves);
        if G::Head::SPLIT {
            scale::<D, G, C, R>(acc, scales, part, 0, sums, a);
        }
    }
    if halves > 1 {
        if G::Head::SPLIT {
            sums = [from_fn(|r| D::begin(&a[r].sums, [0, zero])); C];
        }
        half::<D, G, C, R>(&mut sums, 1, w, a, halves);
        if G::Head::SPLIT {
            scale::<D, G, C, R>(acc, scales, part, 1, sums, a);
        }
    }
    if !G::Head::SPLIT {
        scale::<D, G, C, R>(acc, scales, part, 0, sums, a);
    }
    if G::Head::MINIMUM {
        let minimum: [_; C] = from_fn(|c| G::Head::minimum::<D::L>(&scales[c], part));
        unrolled!(C * R, i => {
            let (c, r) = (i / R, i % R);
            acc[c][r] = D::L::madd(minimum[c], D::L::splat(a[r].s), acc[c][r]);
        });
    }
}

/// Adds the integer products of a half of a part.
#[inline(always)]
fn half<D: Dots, G: Group, const C: usize, const R: usize>(
    sums: &mut [[D::D; R]; C],
    j: usize,
    w: [&G::Part; C],
    a: &[Act8; R],
    halves: usize,
) {
    let bits = G::Part::BITS;
    let chunks = G::Part::chunks(j);
    let w: [_; C] = from_fn(|c| w[c].quad::<D::L>(j));
    chunk::<D, C, R>(sums, bits, w.map(|w| w[0]), a, chunks[0]);
    chunk::<D, C, R>(sums, bits, w.map(|w| w[1]), a, chunks[1]);
    if bits == 6 {
        *sums = sums.map(|sums| sums.map(D::settle));
    }
    if !D::BY_PAIRS || halves == 2 {
        chunk::<D, C, R>(sums, bits, w.map(|w| w[2]), a, chunks[2]);
        chunk::<D, C, R>(sums, bits, w.map(|w| w[3]), a, chunks[3]);
    }
    // What is finished next needs no settling: the last half, and of six bits each.
    if bits == 5 && j == 0 {
        *sums = sums.map(|sums| sums.map(D::settle));
    }
}

/// Adds the integer products of four columns.
#[inline(always)]
fn chunk<D: Dots, const C: usize, const R: usize>(
    sums: &mut [[D::D; R]; C],
    bits: u32,
    w: [<D::L as Lanes>::B; C],
    a: &[Act8; R],
    chunk: usize,
) {
    let x: [D::X; R] = from_fn(|r| D::chunk(&a[r].q.as_chunks().0[chunk]));
    unrolled!(C * R, i => {
        let (c, r) = (i / R, i % R);
        sums[c][r] = D::dot(sums[c][r], bits, x[r], w[c]);
    });
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
    let scale: [_; C] = from_fn(|c| G::Head::scale::<D::L>(&scales[c], part, half));
    unrolled!(C * R, i => {
        let (c, r) = (i / R, i % R);
        let both = D::L::mul(D::L::splat(a[r].d), scale[c]);
        acc[c][r] = D::L::madd(D::L::to_f(D::finish(sums[c][r])), both, acc[c][r]);
    });
}
