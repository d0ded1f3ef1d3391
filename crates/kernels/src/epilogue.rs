//! What becomes of the sums of a product before they are written.

use crate::{Unary, lanes::Lanes};
use sidestage_tensor::DType;
use std::array::from_fn;
use std::ops::Range;

/// A function of each result.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Activation {
    /// The result as it is.
    #[default]
    None,
    /// Not under the first and not over the second: ReLU is `(0, ∞)`, ReLU6 `(0, 6)`.
    Clip(f32, f32),
    /// Any other function, as a pass of its own over what is still in the cache.
    Unary(Unary),
}

/// `activation(sum + bias[column] + add[row, column])`, multiplied by `slopes[column]` where it is below 0.
#[derive(Clone, Copy, Default)]
pub struct Epilogue<'a> {
    /// A value for each column.
    pub bias: Option<&'a [f32]>,
    /// A value for each result, lying as the results do.
    pub add: Option<&'a [f32]>,
    /// A value for each column: PReLU, which is no activation because it takes another operand. Then
    /// there is no other.
    pub slopes: Option<&'a [f32]>,
    /// What becomes of it then.
    pub activation: Activation,
}

/// What an epilogue has for up to eight columns, of all rows.
#[derive(Clone, Copy)]
pub(crate) struct Columns<L: Lanes> {
    bias: [L::F; 2],
    slopes: Option<[L::F; 2]>,
    clip: [L::F; 2],
}

/// Results of an activation that is a pass of its own, computed at once.
const PASS: usize = 256;

impl Epilogue<'_> {
    /// What it has for some columns, up to eight.
    #[inline(always)]
    pub(crate) fn columns<L: Lanes>(&self, columns: Range<usize>) -> Columns<L> {
        let [least, most] = match self.activation {
            Activation::Clip(least, most) => [least, most],
            _ => [f32::NEG_INFINITY, f32::INFINITY],
        };
        Columns {
            bias: self.bias.map_or([L::splat(0.0); 2], |bias| load::<L>(&bias[columns.clone()])),
            slopes: self.slopes.map(|slopes| load::<L>(&slopes[columns])),
            clip: [L::splat(least), L::splat(most)],
        }
    }

    /// What becomes of the sums of some rows, each at its place among all results. What there is to do
    /// is asked once for all of them.
    #[inline(always)]
    pub(crate) fn finish<L: Lanes, const R: usize>(
        &self,
        sums: &mut [[L::F; 2]; R],
        columns: &Columns<L>,
        places: &[Range<usize>; R],
    ) {
        let Columns { bias, slopes, clip } = columns;
        unrolled!(R, r => sums[r] = [L::add(sums[r][0], bias[0]), L::add(sums[r][1], bias[1])]);
        if let Some(add) = self.add {
            unrolled!(R, r => {
                let add = load::<L>(&add[places[r].clone()]);
                sums[r] = [L::add(sums[r][0], add[0]), L::add(sums[r][1], add[1])];
            });
        }
        if let Some([low, high]) = slopes {
            unrolled!(R, r => {
                sums[r] = [L::sloped(sums[r][0], *low), L::sloped(sums[r][1], *high)];
            });
        } else {
            let limited = |sum| L::at_most(L::at_least(sum, clip[0]), clip[1]);
            unrolled!(R, r => sums[r] = sums[r].map(limited));
        }
    }

    /// Whether [`Epilogue::pass`] does anything.
    pub(crate) fn passes(&self) -> bool {
        matches!(self.activation, Activation::Unary(_))
    }

    /// The rest of it, for results that are written and clipped.
    pub(crate) fn pass(&self, results: &mut [f32]) {
        let Activation::Unary(function) = self.activation else { return };
        let mut room = [0.0; PASS];
        for part in results.chunks_mut(PASS) {
            let from = &mut room[..part.len()];
            from.copy_from_slice(part);
            let (from, part) = (bytemuck::cast_slice(from), bytemuck::cast_slice_mut(part));
            function.run(DType::F32, from, part);
        }
    }
}

/// Up to eight values, those that are missing 0.
#[inline(always)]
pub(crate) fn load<L: Lanes>(from: &[f32]) -> [L::F; 2] {
    match from.first_chunk::<8>() {
        Some(eight) => fours::<L>(eight),
        None => fours::<L>(&from_fn(|i| from.get(i).copied().unwrap_or(0.0))),
    }
}

#[inline(always)]
fn fours<L: Lanes>(from: &[f32; 8]) -> [L::F; 2] {
    let (fours, _) = from.as_chunks::<4>();
    [L::load(&fours[0]), L::load(&fours[1])]
}

/// Writes up to eight values.
#[inline(always)]
pub(crate) fn store<L: Lanes>(values: [L::F; 2], to: &mut [f32]) {
    let [low, high] = values.map(L::store);
    if let [a, b, c, d, e, f, g, h] = to {
        ([*a, *b, *c, *d], [*e, *f, *g, *h]) = (low, high);
    } else {
        to.iter_mut().zip(low.into_iter().chain(high)).for_each(|(to, value)| *to = value);
    }
}
