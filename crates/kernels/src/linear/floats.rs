//! Float weights times float activations.

use super::Linear;
use super::tile::{self, Tiles};
use crate::lanes::Lanes;
use half::{bf16, f16};
use std::array::from_fn;
use std::marker::PhantomData;
use std::ops::Range;

/// A plain float type of weights.
pub(super) trait Float {
    /// Four of them, as bytes.
    type Four: bytemuck::Pod;
    /// Widens four.
    fn four<L: Lanes>(from: &Self::Four) -> L::F;
    /// Whether `sixteen` takes four columns of some groups.
    #[inline(always)]
    fn quick<L: Lanes, const C: usize>(_from: [&[Self::Four; 4]; C]) -> bool {
        true
    }
    /// Widens four columns of a group.
    #[inline(always)]
    fn sixteen<L: Lanes>(from: &[Self::Four; 4]) -> [L::F; 4] {
        [0, 1, 2, 3].map(|i| Self::four::<L>(&from[i]))
    }
    /// The bytes of one.
    const BYTES: usize;
    /// Widens one.
    fn one(from: &[u8]) -> f32;
}

/// F32.
pub(super) struct Single;
/// F16.
pub(super) struct Half;
/// BF16.
pub(super) struct Brain;

impl Float for Single {
    type Four = [u8; 16];
    const BYTES: usize = 4;
    #[inline(always)]
    fn four<L: Lanes>(from: &[u8; 16]) -> L::F {
        L::load_f32(from)
    }
    fn one(from: &[u8]) -> f32 {
        f32::from_le_bytes([from[0], from[1], from[2], from[3]])
    }
}

impl Float for Half {
    type Four = [u8; 8];
    const BYTES: usize = 2;
    #[inline(always)]
    fn four<L: Lanes>(from: &[u8; 8]) -> L::F {
        L::load_f16(from)
    }
    #[inline(always)]
    fn quick<L: Lanes, const C: usize>(from: [&[[u8; 8]; 4]; C]) -> bool {
        L::are_normal_f16(from)
    }
    #[inline(always)]
    fn sixteen<L: Lanes>(from: &[[u8; 8]; 4]) -> [L::F; 4] {
        L::load_normal_f16(from)
    }
    fn one(from: &[u8]) -> f32 {
        f16::from_le_bytes([from[0], from[1]]).to_f32()
    }
}

impl Float for Brain {
    type Four = [u8; 8];
    const BYTES: usize = 2;
    #[inline(always)]
    fn four<L: Lanes>(from: &[u8; 8]) -> L::F {
        L::load_bf16(from)
    }
    fn one(from: &[u8]) -> f32 {
        bf16::from_le_bytes([from[0], from[1]]).to_f32()
    }
}

pub(super) fn run<L: Lanes, W: Float>(args: &Linear<'_>, x: &[f32], columns: Range<usize>) {
    let layer = Layer::<L, W> { weights: args.weight, k: args.k, x, of: PhantomData };
    tile::run(args, &layer, columns);
}

/// As [`run`], element by element: for the rows that are left behind groups.
pub(super) fn singly<L: Lanes, W: Float>(args: &Linear<'_>, x: &[f32], columns: Range<usize>) {
    let layer = Layer::<L, W> { weights: args.weight, k: args.k, x, of: PhantomData };
    tile::singly(args, columns, |column, row| layer.one(column, row));
}

struct Layer<'a, L, W> {
    weights: &'a [u8],
    k: usize,
    x: &'a [f32],
    of: PhantomData<(L, W)>,
}

impl<L: Lanes, W: Float> Layer<'_, L, W> {
    #[inline(always)]
    fn tile<const C: usize, const R: usize>(
        &self,
        columns: [usize; C],
        rows: [usize; R],
    ) -> [[f32; R]; C] {
        let (fours, bytes) = (self.k / 4, self.k * W::BYTES);
        let rest = 4 * fours..self.k;
        let w: [&[u8]; C] = from_fn(|c| &self.weights[columns[c] * bytes..][..bytes]);
        let x: [&[f32]; R] = from_fn(|r| &self.x[rows[r] * self.k..][..self.k]);
        let w4: [&[W::Four]; C] =
            from_fn(|c| bytemuck::cast_slice(&w[c][..fours * size_of::<W::Four>()]));
        let x4: [&[[f32; 4]]; R] = from_fn(|r| &x[r].as_chunks().0[..fours]);
        let mut acc = [[L::splat(0.0); R]; C];
        for i in 0..fours {
            unrolled!(C, c => {
                let w = W::four::<L>(&w4[c][i]);
                unrolled!(R, r => acc[c][r] = L::madd(w, L::load(&x4[r][i]), acc[c][r]));
            });
        }
        let mut sums = acc.map(|column| column.map(L::sum));
        for i in rest {
            for (w, sums) in w.iter().zip(&mut sums) {
                let w = W::one(&w[i * W::BYTES..][..W::BYTES]);
                x.iter().zip(sums).for_each(|(x, sum)| *sum += w * x[i]);
            }
        }
        sums
    }

    #[inline(never)]
    fn eight(&self, columns: [usize; 8], row: usize) -> [f32; 8] {
        self.tile(columns, [row]).map(|[value]| value)
    }
}

impl<L: Lanes, W: Float> Tiles for Layer<'_, L, W> {
    /// Eight accumulators hide the latency of an addition.
    const STREAMS: usize = 8;
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
        let values = self.eight(from_fn(column), row);
        values.iter().enumerate().for_each(|(stream, value)| put(stream, *value));
    }

    #[inline(never)]
    fn one(&self, column: usize, row: usize) -> f32 {
        self.tile([column], [row])[0][0]
    }
}
