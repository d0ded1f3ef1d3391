//! Attention of a few rows over a cache held in pages.
//!
//! Scores and sums are the same [`product`]: keys and values lie so that four lanes are four
//! results ([`crate::kv`]). A row's positions are taken in chunks of [`KV_CHUNK`], counted from
//! position 0, each with a softmax of its own; chunks are merged in order. So a row's result depends
//! neither on the rows beside it nor on who computes which chunk.

mod product;
mod softmax;

use crate::kv::{KV_PAGE, SCALED};
use crate::lanes::{Lanes, Native};
use product::{Four, product};
use sidestage_tensor::DType;
pub use softmax::merge_attention;
use softmax::{Factors, NOTHING, add, soften};
use std::array::from_fn;
use std::cell::RefCell;
use std::f32::consts::LOG2_E;
use std::ops::Range;

/// Positions of a chunk: four pages, which a decode step reads side by side.
pub const KV_CHUNK: usize = 4 * KV_PAGE;

/// Vectors taken together. More share the widening of a page; their scores and sums must stay in
/// the first-level cache beside it.
const TILE: usize = 32;

/// From so many vectors on a page is widened once for all of them.
const WIDEN: usize = 9;

/// Groups of four positions in a page.
const GROUPS: usize = KV_PAGE / 4;

/// The keys and values of one head of one sequence.
#[derive(Clone, Copy)]
pub struct Attention<'a> {
    /// Element type of the cache: one that [`crate::kv_elements`] knows.
    pub dtype: DType,
    /// The number of the first page given; those before it are not seen.
    pub first_page: usize,
    /// For each page the bytes of this head's keys, as [`crate::kv_write`] wrote them.
    pub keys: &'a [&'a [u8]],
    /// For each page the bytes of this head's values.
    pub values: &'a [&'a [u8]],
    /// Values in a head.
    pub head_dim: usize,
    /// Factor of the scores.
    pub scale: f32,
    /// Scores become `cap * tanh(score / cap)`.
    pub softcap: Option<f32>,
}

/// The query vectors of some rows that share the key head.
#[derive(Clone, Copy)]
pub struct Queries<'a> {
    /// Of each row `group` vectors, one after the other; row `r` begins at `r * stride`.
    pub q: &'a [f32],
    /// Values from one row to the next.
    pub stride: usize,
    /// Vectors of a row.
    pub group: usize,
    /// The positions that each row sees.
    pub seen: &'a [Range<usize>],
}

/// Floats of a partial result: the sum of the values by their weights, the largest score, and the
/// sum of the weights, which are `2^(score - largest)`, scores being logarithms to base 2.
pub fn partial_len(head_dim: usize) -> usize {
    head_dim + 2
}

/// What these chunks add to each vector: `rows * group` results of [`partial_len`] floats, from
/// which [`merge_attention`] makes the results.
///
/// # Panics
/// If the sizes do not fit each other, or pages are too few or too short.
pub fn attention(
    args: &Attention<'_>,
    queries: &Queries<'_>,
    chunks: Range<usize>,
    out: &mut [f32],
) {
    attention_by::<Native>(args, queries, chunks, out);
}

/// [`attention`] with a set of lanes of the caller's choice.
pub(crate) fn attention_by<L: Lanes>(
    args: &Attention<'_>,
    queries: &Queries<'_>,
    chunks: Range<usize>,
    out: &mut [f32],
) {
    let vectors = queries.seen.len() * queries.group;
    assert!(args.head_dim > 0 && out.len() == vectors * partial_len(args.head_dim), "sizes differ");
    thread_local! {
        // A step allocates nothing.
        static SCRATCH: RefCell<Scratch> = const { RefCell::new(Scratch::new()) };
    }
    SCRATCH.with_borrow_mut(|scratch| {
        let outs = out.chunks_mut(TILE * partial_len(args.head_dim));
        for (first, out) in (0..vectors).step_by(TILE).zip(outs) {
            let vectors = first..vectors.min(first + TILE);
            let chunks = chunks.clone();
            match args.dtype {
                DType::F32 => tile::<L, [f32; 4]>(args, queries, vectors, chunks, scratch, out),
                DType::F16 => tile::<L, [u16; 4]>(args, queries, vectors, chunks, scratch, out),
                _ => tile::<L, [i8; 4]>(args, queries, vectors, chunks, scratch, out),
            }
        }
    });
}

/// What a tile needs beside its operands and results.
struct Scratch {
    /// The vectors, in fours: of each dimension the values of the four.
    q: Vec<f32>,
    /// Of each vector the scores, then the weights, of the chunk's positions.
    scores: Vec<f32>,
    /// Of each vector the sum of the chunk's values by their weights.
    sums: Vec<f32>,
    /// One head of a page, widened.
    wide: Vec<[f32; 4]>,
}

impl Scratch {
    const fn new() -> Self {
        Self { q: Vec::new(), scores: Vec::new(), sums: Vec::new(), wide: Vec::new() }
    }
}

/// One head of a page.
#[derive(Clone, Copy)]
struct Head<'a, E> {
    data: &'a [E],
    /// Binary16 numbers, four positions at once; none where the type has no scales.
    scales: &'a [[u8; 8]],
}

impl<'a, E: Four> Head<'a, E> {
    fn new(bytes: &'a [u8], head_dim: usize) -> Self {
        let elements = head_dim.next_multiple_of(4) * KV_PAGE;
        let (data, scales) = bytes.split_at(elements / 4 * size_of::<E>());
        Self { data: bytemuck::cast_slice(data), scales: scales.as_chunks().0 }
    }

    /// The same head, widened.
    fn widened<'b, L: Lanes>(self, wide: &'b mut Vec<[f32; 4]>) -> Head<'b, E::Wide>
    where
        'a: 'b,
    {
        wide.resize(self.data.len(), [0.0; 4]);
        let wide: &mut [E::Wide] = bytemuck::cast_slice_mut(wide);
        for (wide, four) in wide.iter_mut().zip(self.data) {
            *wide = four.wide::<L>();
        }
        Head { data: wide, scales: self.scales }
    }
}

fn tile<L: Lanes, E: Four>(
    args: &Attention<'_>,
    queries: &Queries<'_>,
    vectors: Range<usize>,
    chunks: Range<usize>,
    scratch: &mut Scratch,
    out: &mut [f32],
) {
    let (head_dim, count) = (args.head_dim, vectors.len());
    let padded = head_dim.next_multiple_of(4);
    let Scratch { q, scores, sums, wide } = scratch;
    // The factor of keys goes to both sides, so that neither query nor product leaves the range.
    let after = if E::FACTOR == 1.0 { 1.0 } else { 65536.0 };
    let factors = Factors { score: after, weight: E::FACTOR };
    let row_of = |vector: usize| {
        let start = vector / queries.group * queries.stride + vector % queries.group * head_dim;
        &queries.q[start..start + head_dim]
    };
    // Scores are logarithms to base 2; a cap is for those to base e.
    let base = if args.softcap.is_some() { 1.0 } else { LOG2_E };
    let before = args.scale * base * (E::FACTOR / after);
    in_fours(q, count, head_dim, before, |v| row_of(vectors.start + v));
    for out in out.chunks_exact_mut(partial_len(head_dim)) {
        out[..head_dim].fill(0.0);
        out[head_dim..].copy_from_slice(&NOTHING);
    }
    let seen = |vector: usize| &queries.seen[(vectors.start + vector) / queries.group];
    let first = (0..count).map(|v| seen(v).start).min().unwrap_or(0);
    let len = (0..count).map(|v| seen(v).end).max().unwrap_or(0);
    for chunk in chunks {
        let start = (chunk * KV_CHUNK).max(first / KV_PAGE * KV_PAGE);
        let end = (chunk * KV_CHUNK + KV_CHUNK).min(len.next_multiple_of(KV_PAGE));
        if start >= end {
            continue;
        }
        let (pages, positions) = (start / KV_PAGE..end / KV_PAGE, end - start);
        // Of keys four pages at once, of a wide tile one, so that it stays in the cache.
        let step = if count < WIDEN { pages.len() } else { 1 };
        scores.resize(TILE * KV_CHUNK, 0.0);
        for at in pages.clone().step_by(step) {
            let heads: [Head<'_, E>; 4] = from_fn(|i| {
                Head::new(args.keys[(at + i).min(pages.end - 1) - args.first_page], head_dim)
            });
            let column = (at - pages.start) * KV_PAGE;
            if count < WIDEN {
                all_scores::<L, E>(q, &heads[..step], head_dim, column, scores, count);
            } else {
                let head = heads[0].widened::<L>(wide);
                all_scores::<L, _>(q, &[head], head_dim, column, scores, count);
            }
        }
        let mut softmaxes = [NOTHING; TILE];
        for (v, scores) in scores.chunks_exact_mut(KV_CHUNK).take(count).enumerate() {
            let seen = seen(v).start.max(start)..seen(v).end.min(end).max(start);
            let seen = seen.start.min(seen.end) - start..seen.end - start;
            softmaxes[v] = soften(&mut scores[..positions], seen, factors, args.softcap);
        }
        sums.clear();
        sums.resize(count * padded, 0.0);
        for at in pages.clone().step_by(step) {
            let heads: [Head<'_, E>; 4] = from_fn(|i| {
                Head::new(args.values[(at + i).min(pages.end - 1) - args.first_page], head_dim)
            });
            let weights = &scores[(at - pages.start) * KV_PAGE..];
            if count < WIDEN {
                all_sums::<L, E>(weights, &heads[..step], padded, sums);
            } else {
                let head = heads[0].widened::<L>(wide);
                all_sums::<L, _>(weights, &[head], padded, sums);
            }
        }
        let sums = sums.chunks_exact(padded);
        let outs = out.chunks_exact_mut(partial_len(head_dim));
        for ((out, sums), softmax) in outs.zip(sums).zip(softmaxes) {
            let (all, state) = out.split_at_mut(head_dim);
            add(all, state, &sums[..head_dim], softmax);
        }
    }
}

/// `rows` rows of `width` values times a factor, four rows interleaved; the last may be fewer.
fn in_fours<'a>(
    to: &mut Vec<f32>,
    rows: usize,
    width: usize,
    factor: f32,
    row: impl Fn(usize) -> &'a [f32],
) {
    to.resize(rows * width, 0.0);
    for (four, to) in to.chunks_mut(4 * width).enumerate() {
        let rows = to.len() / width;
        for r in 0..rows {
            let to = to.iter_mut().skip(r).step_by(rows);
            for (to, x) in to.zip(row(4 * four + r)) {
                *to = x * factor;
            }
        }
    }
}

/// Calls `$kernel` for the vectors of a four, with as many streams as leave registers for operands.
/// Kernels stay functions of their own: inlined all into one, those for bytes took 1.4 times as long.
macro_rules! by_count {
    ($L:ident, $E:ident, $rows:expr, $kernel:ident($($arg:expr),*)) => {
        match $rows {
            4 => $kernel::<$L, $E, 4, 2>($($arg),*),
            3 => $kernel::<$L, $E, 3, 4>($($arg),*),
            2 => $kernel::<$L, $E, 2, 4>($($arg),*),
            _ => $kernel::<$L, $E, 1, 4>($($arg),*),
        }
    };
}

/// The scores of these pages, from a column of the chunk on.
fn all_scores<L: Lanes, E: Four>(
    q: &[f32],
    pages: &[Head<'_, E>],
    head_dim: usize,
    column: usize,
    scores: &mut [f32],
    count: usize,
) {
    let fours = q.chunks(4 * head_dim).zip(scores[column..].chunks_mut(4 * KV_CHUNK));
    for (i, (q, scores)) in fours.enumerate() {
        let rows = (count - 4 * i).min(4);
        by_count!(L, E, rows, some_scores(q, pages, scores));
    }
}

#[inline(never)]
fn some_scores<L: Lanes, E: Four, const Q: usize, const S: usize>(
    q: &[f32],
    pages: &[Head<'_, E>],
    scores: &mut [f32],
) {
    let (q, _) = q.as_chunks::<Q>();
    let mut put = |column: usize, four: [L::F; Q]| {
        for (q, four) in four.into_iter().enumerate() {
            scores[q * KV_CHUNK + column..][..4].copy_from_slice(&L::store(four));
        }
    };
    for (i, pages) in pages.chunks(S).enumerate() {
        // Streams are the same group of several pages, or several groups of a page.
        if pages.len() == S {
            for group in 0..GROUPS {
                let sums = key_product::<L, E, Q, S>(q, from_fn(|s| (pages[s], group)));
                for s in 0..S {
                    put((i * S + s) * KV_PAGE + 4 * group, sums.map(|sums| sums[s]));
                }
            }
            continue;
        }
        for (s, page) in pages.iter().enumerate() {
            for group in (0..GROUPS).step_by(S) {
                let sums = key_product::<L, E, Q, S>(q, from_fn(|s| (*page, group + s)));
                for of in 0..S {
                    let column = (i * S + s) * KV_PAGE + 4 * (group + of);
                    put(column, sums.map(|sums| sums[of]));
                }
            }
        }
    }
}

/// Scores of `S` groups of positions.
#[inline(always)]
fn key_product<L: Lanes, E: Four, const Q: usize, const S: usize>(
    q: &[[f32; Q]],
    groups: [(Head<'_, E>, usize); S],
) -> [[L::F; S]; Q] {
    let streams = groups.map(|(head, group)| &head.data[group * q.len()..][..q.len()]);
    if !E::SCALED {
        return product::<L, E, Q, S>(q.len(), |_, i| q[i], streams);
    }
    let mut sums = [[L::splat(0.0); S]; Q];
    for (block, q) in q.chunks(SCALED).enumerate() {
        let streams = streams.map(|stream| &stream[block * SCALED..]);
        let products = product::<L, E, Q, S>(q.len(), |_, i| q[i], streams);
        for s in 0..S {
            let (head, group) = groups[s];
            let scale = L::load_f16(&head.scales[block * GROUPS + group]);
            for q in 0..Q {
                sums[q][s] = L::madd(products[q][s], scale, sums[q][s]);
            }
        }
    }
    sums
}

/// Adds the values of these pages to the sums; `weights` begin with those of the first page.
fn all_sums<L: Lanes, E: Four>(
    weights: &[f32],
    pages: &[Head<'_, E>],
    padded: usize,
    sums: &mut [f32],
) {
    for (weights, sums) in weights.chunks(4 * KV_CHUNK).zip(sums.chunks_mut(4 * padded)) {
        by_count!(L, E, sums.len() / padded, some_sums(weights, pages, sums));
    }
}

/// Of `Q` vectors the weights of a page's positions.
type Weights<'a, const Q: usize> = [&'a [f32; KV_PAGE]; Q];

#[inline(never)]
fn some_sums<L: Lanes, E: Four, const Q: usize, const S: usize>(
    weights: &[f32],
    pages: &[Head<'_, E>],
    sums: &mut [f32],
) {
    let padded = sums.len() / Q;
    let mut add = |group: usize, products: [L::F; Q]| {
        for (q, product) in products.into_iter().enumerate() {
            let (four, _) = sums[q * padded + 4 * group..].as_chunks_mut::<4>();
            four[0] = L::store(L::add(L::load(&four[0]), product));
        }
    };
    // Groups of four dimensions that have one scale.
    let block = if E::SCALED { SCALED / 4 } else { padded / 4 };
    let mut scaled = [[[0.0; KV_PAGE]; Q]; S];
    for (at, pages) in pages.chunks(S).enumerate() {
        let of = |s: usize| -> Weights<'_, Q> {
            from_fn(|q| &weights[q * KV_CHUNK + (at * S + s) * KV_PAGE..].as_chunks().0[0])
        };
        for first in (0..padded / 4).step_by(block) {
            if E::SCALED {
                for (s, (page, scaled)) in pages.iter().zip(&mut scaled).enumerate() {
                    times_scales::<L, Q>(of(s), &page.scales[first..], scaled);
                }
            }
            let of = |s: usize| if E::SCALED { scaled[s].each_ref() } else { of(s) };
            let stream = |s: usize, group: usize| &pages[s].data[group * KV_PAGE..][..KV_PAGE];
            // As with keys: a group of several pages, or several groups of a page.
            if pages.len() == S {
                let weights: [Weights<'_, Q>; S] = from_fn(of);
                for group in first..first + block {
                    let products = value_product::<L, E, Q, S>(weights, |s| stream(s, group));
                    for s in 0..S {
                        add(group, products.map(|products| products[s]));
                    }
                }
                continue;
            }
            for page in 0..pages.len() {
                let weights = [of(page); S];
                let several = block / S * S;
                for group in (first..first + several).step_by(S) {
                    let products =
                        value_product::<L, E, Q, S>(weights, |s| stream(page, group + s));
                    for s in 0..S {
                        add(group + s, products.map(|products| products[s]));
                    }
                }
                for group in first + several..first + block {
                    let products =
                        value_product::<L, E, Q, 1>([weights[0]], |_| stream(page, group));
                    add(group, products.map(|products| products[0]));
                }
            }
        }
    }
}

/// Sums of `S` groups of dimensions over the positions of a page.
#[inline(always)]
fn value_product<'a, L: Lanes, E: Four, const Q: usize, const S: usize>(
    weights: [Weights<'_, Q>; S],
    stream: impl Fn(usize) -> &'a [E],
) -> [[L::F; S]; Q] {
    let left = |s: usize, i: usize| weights[s].map(|weights: &[f32; KV_PAGE]| weights[i]);
    product::<L, E, Q, S>(KV_PAGE, left, from_fn(stream))
}

/// The weights times the scales of a block of dimensions.
fn times_scales<L: Lanes, const Q: usize>(
    weights: Weights<'_, Q>,
    scales: &[[u8; 8]],
    scaled: &mut [[f32; KV_PAGE]; Q],
) {
    for (weights, scaled) in weights.iter().zip(scaled) {
        let fours = weights.as_chunks::<4>().0.iter().zip(scaled.as_chunks_mut::<4>().0);
        for ((weights, scaled), scale) in fours.zip(scales) {
            *scaled = L::store(L::mul(L::load(weights), L::load_f16(scale)));
        }
    }
}
