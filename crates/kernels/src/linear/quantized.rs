//! Quantised weights times 8-bit activations.
//!
//! For each part of 32 values the integer dot product is exact; it is scaled and added to four
//! float lanes. An offset ([`Quant::ZERO`]) is taken off in integers through the activations' sums,
//! a minimum in floats.

use super::tile::{self, Tiles};
use super::{Activations, Linear};
use crate::activation::Act8Row;
use crate::lanes::Lanes;
use crate::quant::Quant;
use sidestage_tensor::blocks::Act8;
use std::array::from_fn;
use std::marker::PhantomData;
use std::ops::Range;

pub(super) fn run<L: Lanes, W: Quant>(args: &Linear<'_>, columns: Range<usize>) {
    tile::run(args, &Layer::<L, W>::new(args), columns);
}

/// As [`run`], element by element: for the rows that are left behind groups.
pub(super) fn singly<L: Lanes, W: Quant>(args: &Linear<'_>, columns: Range<usize>) {
    let layer = Layer::<L, W>::new(args);
    tile::singly(args, columns, |column, row| layer.one(column, row));
}

struct Layer<'a, L, W> {
    weights: &'a [W],
    /// Blocks in a row of weights.
    per_column: usize,
    x: Activations<'a>,
    lanes: PhantomData<L>,
}

impl<'a, L: Lanes, W: Quant> Layer<'a, L, W> {
    fn new(args: &Linear<'a>) -> Self {
        // Blocks have alignment 1 and the size was checked, so the cast cannot fail.
        let weights = bytemuck::cast_slice(args.weight);
        Self { weights, per_column: args.k / W::LEN, x: args.x, lanes: PhantomData }
    }

    #[allow(clippy::needless_range_loop, reason = "one index into several rows at once")]
    #[inline(always)]
    fn tile<const C: usize, const R: usize>(
        &self,
        columns: [usize; C],
        rows: [usize; R],
    ) -> [[f32; R]; C] {
        let w: [&[W]; C] =
            from_fn(|c| &self.weights[columns[c] * self.per_column..][..self.per_column]);
        let x: [Act8Row<'_>; R] = from_fn(|r| self.x.row(rows[r]));
        let mut acc = [[L::splat(0.0); R]; C];
        for block in 0..self.per_column {
            let scales: [W::Scales; C] = from_fn(|c| w[c][block].scales());
            for part in 0..W::PARTS {
                let at = block * W::PARTS + part;
                unrolled!(C, c => {
                    let weights = Part::<L>::new(&w[c][block], &scales[c], part);
                    unrolled!(R, r => acc[c][r] = weights.add::<W>(acc[c][r], x[r].block(at)));
                });
            }
        }
        acc.map(|column| column.map(L::sum))
    }
}

/// One part of a row of weights, unpacked.
struct Part<L: Lanes> {
    values: [L::B; 2],
    scale: [L::F; 2],
    minimum: L::F,
}

impl<L: Lanes> Part<L> {
    #[inline(always)]
    fn new<W: Quant>(block: &W, scales: &W::Scales, part: usize) -> Self {
        Self {
            values: block.values::<L>(part),
            scale: W::scale(scales, part).map(L::splat),
            minimum: minimum::<L, W>(W::minimum(scales, part)),
        }
    }

    /// Its products with a part of a row of activations, added to `acc`.
    #[inline(always)]
    fn add<W: Quant>(&self, acc: L::F, a: &Act8) -> L::F {
        let offset = offsets::<L, W>(a);
        let q = activations::<L>(&a.q);
        let d = L::splat(a.d);
        let first = dot::<L, W>(offset[0], q[0], self.values[0]);
        let acc = if W::SPLIT {
            let last = dot::<L, W>(offset[1], q[1], self.values[1]);
            let acc = L::madd(L::to_f(first), L::mul(d, self.scale[0]), acc);
            L::madd(L::to_f(last), L::mul(d, self.scale[1]), acc)
        } else {
            let all = dot::<L, W>(first, q[1], self.values[1]);
            L::madd(L::to_f(all), L::mul(d, self.scale[0]), acc)
        };
        if W::MINIMUM {
            L::sub(acc, L::mul(self.minimum, L::mul(L::sums(&a.sums), d)))
        } else {
            acc
        }
    }
}

impl<L: Lanes, W: Quant> Tiles for Layer<'_, L, W> {
    const STREAMS: usize = 4;
    const SINGLE: bool = L::REFERENCE;

    #[inline(never)]
    fn block(&self, columns: [usize; 2], rows: [usize; 4]) -> [[f32; 4]; 2] {
        self.tile(columns, rows)
    }

    #[inline(always)]
    fn streams(
        &self,
        column: impl Fn(usize) -> usize,
        row: usize,
        mut put: impl FnMut(usize, f32),
    ) {
        let values = self.four(from_fn(column), row);
        values.iter().enumerate().for_each(|(stream, value)| put(stream, *value));
    }

    #[inline(never)]
    fn one(&self, column: usize, row: usize) -> f32 {
        self.tile([column], [row])[0][0]
    }
}

impl<L: Lanes, W: Quant> Layer<'_, L, W> {
    #[inline(never)]
    fn four(&self, columns: [usize; 4], row: usize) -> [f32; 4] {
        self.tile(columns, [row]).map(|[value]| value)
    }
}

/// To be multiplied with a part's sums, of which there are two.
#[inline(always)]
fn minimum<L: Lanes, W: Quant>(of_halves: [f32; 2]) -> L::F {
    if W::SPLIT { L::pair(of_halves) } else { L::splat(of_halves[0]) }
}

/// Where the integer sums of a part's halves begin: at minus the offset of all their weights.
#[inline(always)]
fn offsets<L: Lanes, W: Quant>(a: &Act8) -> [L::I; 2] {
    let zero = -W::ZERO;
    match (W::ZERO != 0, W::SPLIT) {
        (false, _) => [L::zero(); 2],
        (true, false) => [L::weigh(&a.sums, [zero, zero]), L::zero()],
        (true, true) => [L::weigh(&a.sums, [zero, 0]), L::weigh(&a.sums, [0, zero])],
    }
}

#[inline(always)]
fn dot<L: Lanes, W: Quant>(acc: L::I, x: L::X, w: L::B) -> L::I {
    if W::SIGNED { L::dot_i8(acc, x, w) } else { L::dot_u7(acc, x, w) }
}

#[inline(always)]
fn activations<L: Lanes>(q: &[i8; 32]) -> [L::X; 2] {
    let (halves, _) = q.as_chunks::<16>();
    [L::activations(&halves[0]), L::activations(&halves[1])]
}
