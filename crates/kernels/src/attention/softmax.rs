//! The softmax of a chunk, and how chunks are merged (Dao, "FlashAttention-2", arXiv:2307.08691).
//! Scores are logarithms to base 2 here, which spares a multiplication each.

use super::partial_len;
use crate::exp::{exp, exp2};
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
pub(super) fn soften(
    scores: &mut [f32],
    seen: Range<usize>,
    mut factors: Factors,
    softcap: Option<f32>,
) -> [f32; 2] {
    let (before, rest) = scores.split_at_mut(seen.start);
    let (scores, after) = rest.split_at_mut(seen.len());
    before.fill(0.0);
    after.fill(0.0);
    if let Some(cap) = softcap {
        for score in scores.iter_mut() {
            // tanh z = 1 - 2 / (e^(2 z) + 1)
            let z = *score * factors.score / cap;
            *score = cap * LOG2_E * (1.0 - 2.0 / (exp(2.0 * z) + 1.0));
        }
        factors.score = 1.0;
    }
    let top = factors.score
        * fold(scores, f32::NEG_INFINITY, |top, score| {
            // NaN compares false and reaches the result through its weight.
            if score > top { score } else { top }
        });
    for score in scores.iter_mut() {
        *score = exp2(*score * factors.score - top) * factors.weight;
    }
    [top, fold(scores, 0.0, |sum, weight| sum + weight) / factors.weight]
}

/// Eight accumulators, so that it vectorises; the order does not depend on who vectorises it.
fn fold(values: &[f32], start: f32, by: impl Fn(f32, f32) -> f32) -> f32 {
    let (eights, rest) = values.as_chunks::<8>();
    let mut all = [start; 8];
    for eight in eights {
        for (all, value) in all.iter_mut().zip(eight) {
            *all = by(*all, *value);
        }
    }
    all.iter().chain(rest).fold(start, |all, value| by(all, *value))
}

/// The largest score and the sum of the weights of a result to which nothing was added.
pub(super) const NOTHING: [f32; 2] = [f32::NEG_INFINITY, 0.0];

/// Adds a chunk's sums, largest score and sum of weights to those of the chunks before it.
pub(super) fn add(all: &mut [f32], state: &mut [f32], sums: &[f32], [top, sum]: [f32; 2]) {
    if sum == 0.0 {
        return;
    }
    let before = state[0];
    let both = if top > before { top } else { before };
    let (old, new) = (exp2(before - both), exp2(top - both));
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
        add(out, &mut state, sums, [rest[0], rest[1]]);
    }
    if state[1] != 0.0 {
        let inverse = 1.0 / state[1];
        out.iter_mut().for_each(|out| *out *= inverse);
    }
}
