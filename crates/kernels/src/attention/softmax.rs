//! The softmax of a chunk, and how chunks are merged (Dao, "FlashAttention-2", arXiv:2307.08691).
//! Scores are logarithms to base 2 here, which spares a multiplication each.

use super::partial_len;
use crate::exp::{exp, exp2};
use crate::lanes::{Lanes, Native};
use std::array::from_fn;
use std::f32::consts::LOG2_E;
use std::ops::Range;

/// What the operands' representations ask for.
#[derive(Clone, Copy)]
pub(super) struct Factors {
    /// Scores must be multiplied with it.
    pub(super) score: f32,
    /// Weights are multiplied with it; a power of two.
    pub(super) weight: f32,
}

/// Turns scores into weights, `2^(score - largest)` times their factor, and 0 where a position is
/// not seen. Gives the largest score and the sum of the weights without the factor.
///
/// In lanes: left to the compiler it took twice as long, a seventh of a decode step's attention.
pub(super) fn soften<L: Lanes>(
    scores: &mut [f32],
    seen: Range<usize>,
    mut factors: Factors,
    softcap: Option<f32>,
) -> [f32; 2] {
    if seen.is_empty() {
        scores.fill(0.0);
        return NOTHING;
    }
    scores[..seen.start].fill(f32::NEG_INFINITY);
    scores[seen.end..].fill(f32::NEG_INFINITY);
    if let Some(cap) = softcap {
        for score in &mut scores[seen.clone()] {
            // tanh z = 1 - 2 / (e^(2 z) + 1)
            let z = *score * factors.score / cap;
            *score = cap * LOG2_E * (1.0 - 2.0 / (exp(2.0 * z) + 1.0));
        }
        factors.score = 1.0;
    }
    // Whole pages, so that the order does not depend on where the positions that are seen begin.
    let mut tops = [L::splat(f32::NEG_INFINITY); 2];
    for eight in scores.as_chunks::<8>().0 {
        let (fours, _) = eight.as_chunks::<4>();
        // What is not a number reaches the result through its weight.
        tops = from_fn(|i| L::max(tops[i], L::load(&fours[i])));
    }
    let tops = L::store(L::max(tops[0], tops[1]));
    let top = factors.score * tops.into_iter().fold(f32::NEG_INFINITY, f32::max);
    let [factor, shift, weight] = [factors.score, top, factors.weight].map(L::splat);
    // Four at once: a power of two is a chain of ten instructions, and V8 makes each constant anew in
    // every turn. A page's positions are a multiple of sixteen.
    let (sixteens, _) = scores.as_chunks_mut::<16>();
    for sixteen in sixteens {
        let fours: &mut [[f32; 4]; 4] = bytemuck::cast_mut(sixteen);
        let x = fours.each_ref().map(|four| L::sub(L::mul(L::load(four), factor), shift));
        let powers = exp2::<L, 4>(x);
        *fours = powers.map(|power| L::store(L::mul(power, weight)));
    }
    scores[..seen.start].fill(0.0);
    scores[seen.end..].fill(0.0);
    let mut sums = [L::splat(0.0); 2];
    for eight in scores.as_chunks::<8>().0 {
        let (fours, _) = eight.as_chunks::<4>();
        sums = from_fn(|i| L::add(sums[i], L::load(&fours[i])));
    }
    [top, L::sum(L::add(sums[0], sums[1])) / factors.weight]
}

/// The largest score and the sum of the weights of a result to which nothing was added.
pub(super) const NOTHING: [f32; 2] = [f32::NEG_INFINITY, 0.0];

/// Adds a chunk's sums, largest score and sum of weights to those of the chunks before it.
pub(super) fn add<L: Lanes>(
    all: &mut [f32],
    state: &mut [f32],
    sums: &[f32],
    [top, sum]: [f32; 2],
) {
    if sum == 0.0 {
        return;
    }
    let before = state[0];
    let both = if top > before { top } else { before };
    let [powers] = exp2::<L, 1>([L::pair([before - both, top - both])]);
    let [old, new, ..] = L::store(powers);
    for (all, sums) in all.iter_mut().zip(sums) {
        *all = *all * old + sums * new;
    }
    state[1] = state[1] * old + sum * new;
    state[0] = both;
}

/// The result of one vector from the partial results of its chunks, in their order; zeros where no
/// position is seen.
///
/// # Panics
/// If `parts` are shorter than partial results of `out.len()` values.
pub fn merge_attention(parts: &[f32], out: &mut [f32]) {
    let mut state = NOTHING;
    out.fill(0.0);
    for part in parts.chunks_exact(partial_len(out.len())) {
        let (sums, rest) = part.split_at(out.len());
        add::<Native>(out, &mut state, sums, [rest[0], rest[1]]);
    }
    if state[1] != 0.0 {
        let inverse = 1.0 / state[1];
        out.iter_mut().for_each(|out| *out *= inverse);
    }
}
