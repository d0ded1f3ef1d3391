//! Attention of one row over a cache held in pages.

use crate::exp;
use crate::lanes::{Lanes, Native};
use std::array::from_fn;

/// Positions taken together: one rescaling of the softmax for each chunk, and a chunk of keys stays
/// in the first-level cache for all heads of the group.
const CHUNK: usize = 16;
/// Heads whose running softmax is kept at once.
const HEADS: usize = 8;

/// The query heads of one row that share one key head, and what they attend to.
///
/// A page is `block` positions of `row_stride` values (all key heads of the position); position `p`
/// of this head is `offset..offset + head_dim` of row `p % block` of page `p / block`.
#[derive(Clone, Copy)]
pub struct Attention<'a> {
    /// `group * head_dim` values.
    pub q: &'a [f32],
    /// Pages of keys.
    pub keys: &'a [&'a [f32]],
    /// Pages of values, laid out as the keys.
    pub values: &'a [&'a [f32]],
    /// Positions in a page.
    pub block: usize,
    /// Values from one position to the next.
    pub row_stride: usize,
    /// Where this key head begins in a position.
    pub offset: usize,
    /// Values in a head.
    pub head_dim: usize,
    /// The first position attended to (above 0 for sliding windows).
    pub first: usize,
    /// One past the last position attended to.
    pub len: usize,
    /// Factor of the scores.
    pub scale: f32,
    /// Scores become `cap * tanh(score / cap)`.
    pub softcap: Option<f32>,
}

/// Softmax of the scores times the values: `group * head_dim` results in `out`; zeros where no
/// position is attended to.
///
/// The softmax runs along in chunks of 16 positions counted from each page's start, so a row's
/// result depends on its own positions and on nothing else.
///
/// # Panics
/// If `q` and `out` differ in length, or the pages are too few or too short.
pub fn attention(args: &Attention<'_>, out: &mut [f32]) {
    attention_by::<Native>(args, out);
}

/// [`attention`] with a set of lanes of the caller's choice.
pub(crate) fn attention_by<L: Lanes>(args: &Attention<'_>, out: &mut [f32]) {
    assert!(args.q.len() == out.len() && args.block > 0 && args.head_dim > 0, "sizes differ");
    out.fill(0.0);
    let heads = HEADS * args.head_dim;
    for (q, out) in args.q.chunks(heads).zip(out.chunks_mut(heads)) {
        some_heads::<L>(args, q, out);
    }
}

/// The running softmax of a head.
#[derive(Clone, Copy)]
struct Softmax {
    top: f32,
    sum: f32,
}

fn some_heads<L: Lanes>(args: &Attention<'_>, q: &[f32], out: &mut [f32]) {
    let mut state = [Softmax { top: f32::NEG_INFINITY, sum: 0.0 }; HEADS];
    let mut position = args.first;
    while position < args.len {
        let (page, row) = (position / args.block, position % args.block);
        let end = (row / CHUNK * CHUNK + CHUNK).min(args.block);
        let count = (end - row).min(args.len - position);
        let from = row * args.row_stride + args.offset;
        let keys = Rows { values: &args.keys[page][from..], args, count };
        let values = Rows { values: &args.values[page][from..], args, count };
        let heads = q.chunks_exact(args.head_dim).zip(out.chunks_exact_mut(args.head_dim));
        for ((q, out), state) in heads.zip(&mut state) {
            let mut weights = scores::<L>(q, &keys);
            soften(&mut weights, args);
            let factor = state.take(&mut weights, count);
            accumulate::<L>(&weights, &values, factor, out);
        }
        position += count;
    }
    for (out, state) in out.chunks_exact_mut(args.head_dim).zip(&state) {
        if state.sum != 0.0 {
            let inverse = 1.0 / state.sum;
            out.iter_mut().for_each(|out| *out *= inverse);
        }
    }
}

/// Up to [`CHUNK`] positions of one head.
struct Rows<'a> {
    values: &'a [f32],
    args: &'a Attention<'a>,
    count: usize,
}

impl Rows<'_> {
    /// Row `i`; rows past the last repeat it, so that the kernels need not ask.
    #[inline(always)]
    fn row(&self, i: usize) -> &[f32] {
        let i = i.min(self.count - 1);
        &self.values[i * self.args.row_stride..][..self.args.head_dim]
    }
}

#[inline(always)]
fn scores<L: Lanes>(q: &[f32], keys: &Rows<'_>) -> [f32; CHUNK] {
    let mut scores = [0.0; CHUNK];
    let (q4, q_rest) = q.as_chunks::<4>();
    for first in (0..keys.count).step_by(4) {
        let k: [&[f32]; 4] = from_fn(|j| keys.row(first + j));
        let k4: [&[[f32; 4]]; 4] = from_fn(|j| &k[j].as_chunks().0[..q4.len()]);
        let mut acc = [L::splat(0.0); 4];
        for (i, q) in q4.iter().enumerate() {
            let q = L::load(q);
            for j in 0..4 {
                acc[j] = L::add(acc[j], L::mul(q, L::load(&k4[j][i])));
            }
        }
        for j in 0..4 {
            let rest = q_rest.iter().zip(&k[j][4 * q4.len()..]);
            scores[first + j] = rest.fold(L::sum(acc[j]), |sum, (q, k)| sum + q * k);
        }
    }
    scores
}

/// Scale and cap.
#[inline(always)]
fn soften(scores: &mut [f32; CHUNK], args: &Attention<'_>) {
    match args.softcap {
        None => scores.iter_mut().for_each(|score| *score *= args.scale),
        Some(cap) => scores.iter_mut().for_each(|score| {
            // tanh z = 1 - 2 / (e^(2 z) + 1)
            let z = *score * args.scale / cap;
            *score = cap * (1.0 - 2.0 / (exp(2.0 * z) + 1.0));
        }),
    }
}

impl Softmax {
    /// Turns scores into weights; gives the factor that what was added so far must take.
    #[inline(always)]
    fn take(&mut self, scores: &mut [f32; CHUNK], count: usize) -> f32 {
        let before = self.top;
        for score in &scores[..count] {
            // NaN compares false and reaches the result through its weight.
            self.top = if *score > self.top { *score } else { self.top };
        }
        // Where all scores are -∞ so far their differences would be NaN.
        let top = if self.top == f32::NEG_INFINITY { 0.0 } else { self.top };
        scores.iter_mut().for_each(|score| *score = exp(*score - top));
        let factor = if before == self.top { 1.0 } else { exp(before - top) };
        self.sum = scores[..count].iter().fold(self.sum * factor, |sum, weight| sum + weight);
        factor
    }
}

/// `out = out * factor + Σ weight * value`, in the order of the positions.
#[inline(always)]
fn accumulate<L: Lanes>(weights: &[f32; CHUNK], values: &Rows<'_>, factor: f32, out: &mut [f32]) {
    let wide: [L::F; CHUNK] = from_fn(|j| L::splat(weights[j]));
    let (sixteens, rest) = out.as_chunks_mut::<16>();
    let done = 16 * sixteens.len();
    for (i, out) in sixteens.iter_mut().enumerate() {
        let mut acc: [L::F; 4] = {
            let (fours, _) = out.as_chunks::<4>();
            from_fn(|lane| L::mul(L::load(&fours[lane]), L::splat(factor)))
        };
        for (j, weight) in wide[..values.count].iter().enumerate() {
            let (fours, _) = values.row(j)[16 * i..][..16].as_chunks::<4>();
            for lane in 0..4 {
                acc[lane] = L::add(acc[lane], L::mul(*weight, L::load(&fours[lane])));
            }
        }
        for lane in 0..4 {
            out[4 * lane..][..4].copy_from_slice(&L::store(acc[lane]));
        }
    }
    for (i, out) in rest.iter_mut().enumerate() {
        let positions = weights[..values.count].iter().enumerate();
        *out = positions.fold(*out * factor, |sum, (j, w)| sum + w * values.row(j)[done + i]);
    }
}
