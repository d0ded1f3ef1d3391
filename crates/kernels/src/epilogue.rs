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

/// `activation(sum + bias[column] + add[row, column])`.
#[derive(Clone, Copy, Default)]
pub struct Epilogue<'a> {
    /// A value for each column.
    pub bias: Option<&'a [f32]>,
    /// A value for each result, lying as the results do.
    pub add: Option<&'a [f32]>,
    /// What becomes of it then.
    pub activation: Activation,
}

/// Results of an activation that is a pass of its own, computed at once.
const PASS: usize = 256;

impl Epilogue<'_> {
    /// The limits of the results, as far as they are limits.
    #[inline(always)]
    pub(crate) fn clip<L: Lanes>(&self) -> [L::F; 2] {
        let [least, most] = match self.activation {
            Activation::Clip(least, most) => [least, most],
            _ => [f32::NEG_INFINITY, f32::INFINITY],
        };
        [L::splat(least), L::splat(most)]
    }

    /// The bias of up to eight columns.
    #[inline(always)]
    pub(crate) fn bias<L: Lanes>(&self, columns: Range<usize>) -> [L::F; 2] {
        self.bias.map_or([L::splat(0.0); 2], |bias| load::<L>(&bias[columns]))
    }

    /// What becomes of sums at these places among all results.
    #[inline(always)]
    pub(crate) fn finish<L: Lanes>(
        &self,
        sums: [L::F; 2],
        bias: [L::F; 2],
        clip: [L::F; 2],
        at: Range<usize>,
    ) -> [L::F; 2] {
        let mut sums = [L::add(sums[0], bias[0]), L::add(sums[1], bias[1])];
        if let Some(add) = self.add {
            let add = load::<L>(&add[at]);
            sums = [L::add(sums[0], add[0]), L::add(sums[1], add[1])];
        }
        sums.map(|sums| L::at_most(L::at_least(sums, clip[0]), clip[1]))
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
