//! Attention of a few rows over a cache held in pages.
//!
//! Scores and sums are the same [`product`]: keys and values lie so that lanes are results
//! ([`crate::kv`]). A row's positions are taken in chunks of [`KV_CHUNK`], counted from
//! position 0, each with a softmax of its own; chunks are merged in order. So a row's result depends
//! neither on the rows beside it nor on who computes which chunk.

mod paged;
mod product;
mod softmax;

use crate::kv::{KV_PAGE, SCALED};
use crate::lanes::{Lanes, Native};
pub use paged::{Paged, paged_attention};
use product::{Eight, Sums, product};
use sidestage_tensor::DType;
pub use softmax::merge_attention;
use softmax::{Factors, NOTHING, add, soften};
use std::array::from_fn;
use std::cell::RefCell;
use std::f32::consts::LOG2_E;
use std::hint::black_box;
use std::ops::Range;

/// Positions of a chunk: four pages, which a decode step reads side by side.
pub const KV_CHUNK: usize = 4 * KV_PAGE;

/// Vectors taken together. More share the widening of a page; their scores and sums must stay in
/// the first-level cache beside it.
const TILE: usize = 32;

/// From so many vectors on a page is widened once for all of them.
const WIDEN: usize = 9;

/// Groups of eight positions in a page.
const GROUPS: usize = KV_PAGE / 8;

/// Pages of a chunk.
const PAGES: usize = KV_CHUNK / KV_PAGE;

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
                DType::F32 => tile::<L, [f32; 8]>(args, queries, vectors, chunks, scratch, out),
                DType::F16 => tile::<L, [u16; 8]>(args, queries, vectors, chunks, scratch, out),
                _ => tile::<L, [i8; 8]>(args, queries, vectors, chunks, scratch, out),
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
    wide: Vec<[f32; 8]>,
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

impl<'a, E: Eight> Head<'a, E> {
    fn new(bytes: &'a [u8], head_dim: usize) -> Self {
        let elements = head_dim.next_multiple_of(8) * KV_PAGE;
        let (data, scales) = bytes.split_at(elements / 8 * size_of::<E>());
        Self { data: bytemuck::cast_slice(data), scales: scales.as_chunks().0 }
    }

    /// The same head, widened.
    fn widened<'b, L: Lanes>(self, wide: &'b mut Vec<[f32; 8]>) -> Head<'b, E::Wide>
    where
        'a: 'b,
    {
        wide.resize(self.data.len(), [0.0; 8]);
        let wide: &mut [E::Wide] = bytemuck::cast_slice_mut(wide);
        for (wide, eight) in wide.iter_mut().zip(self.data) {
            *wide = eight.wide::<L>();
        }
        Head { data: wide, scales: self.scales }
    }
}

fn tile<L: Lanes, E: Eight>(
    args: &Attention<'_>,
    queries: &Queries<'_>,
    vectors: Range<usize>,
    chunks: Range<usize>,
    scratch: &mut Scratch,
    out: &mut [f32],
) {
    let (head_dim, count) = (args.head_dim, vectors.len());
    let padded = head_dim.next_multiple_of(8);
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
        let of = |heads: &[&[u8]]| -> u8 {
            let heads = &heads[pages.start - args.first_page..pages.end - args.first_page];
            heads.iter().map(|head| touch(head)).fold(0, |all, byte| all ^ byte)
        };
        black_box(of(args.keys) ^ of(args.values));
        // Of keys four pages at once, of a wide tile one, so that it stays in the cache.
        let step = if count < WIDEN { pages.len() } else { 1 };
        scores.resize(TILE * KV_CHUNK, 0.0);
        for at in pages.clone().step_by(step) {
            let heads: [Head<'_, E>; PAGES] = from_fn(|i| {
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
            softmaxes[v] = soften::<L>(&mut scores[..positions], seen, factors, args.softcap);
        }
        sums.clear();
        sums.resize(count * padded, 0.0);
        for at in pages.clone().step_by(step) {
            let heads: [Head<'_, E>; PAGES] = from_fn(|i| {
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
            add::<L>(all, state, &sums[..head_dim], softmax);
        }
    }
}

/// Reads a byte of each of the first eight cache lines of 4,096 bytes. Where a page of memory begins a
/// processor waits for each line until it has seen some, and only then reads ahead: for all pages of a
/// chunk at once it waits but once. Of a cache of 94 MB a layer took 385 µs instead of 455, near caches
/// lose nothing; 4 and 16 lines gave less.
#[inline(always)]
fn touch(head: &[u8]) -> u8 {
    let lines = head.chunks(4096).flat_map(|page| page.iter().step_by(64).take(8));
    lines.fold(0, |all, byte| all ^ byte)
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
        let from: [&[f32]; 4] = from_fn(|r| &row(4 * four + r.min(rows - 1))[..width]);
        for (i, to) in to.chunks_exact_mut(rows).enumerate() {
            for (to, from) in to.iter_mut().zip(from) {
                *to = from[i] * factor;
            }
        }
    }
}

/// Calls `$kernel` for the vectors of a four, with so many streams of eight columns that a kernel has
/// six to eight accumulators: with twelve V8 keeps two of them in memory, which takes longer than what
/// six wait for. Kernels stay functions of their own: inlined all into one, those for bytes took 1.4
/// times as long.
macro_rules! by_count {
    ($L:ident, $E:ident, $rows:expr, $kernel:ident($($arg:expr),*)) => {
        match $rows {
            4 => $kernel::<$L, $E, 4, 1>($($arg),*),
            3 => $kernel::<$L, $E, 3, 1>($($arg),*),
            2 => $kernel::<$L, $E, 2, 2>($($arg),*),
            _ => $kernel::<$L, $E, 1, 4>($($arg),*),
        }
    };
}

/// The scores of these pages, from a column of the chunk on.
fn all_scores<L: Lanes, E: Eight>(
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
fn some_scores<L: Lanes, E: Eight, const Q: usize, const S: usize>(
    q: &[f32],
    pages: &[Head<'_, E>],
    scores: &mut [f32],
) {
    let (q, _) = q.as_chunks::<Q>();
    // Pages in turn, so that memory is read in as many streams.
    for group in (0..GROUPS).step_by(S) {
        for (page, head) in pages.iter().enumerate() {
            let sums = key_product::<L, E, Q, S>(q, head, group);
            for (q, sums) in sums.into_iter().enumerate() {
                for (s, [low, high]) in sums.into_iter().enumerate() {
                    let at = q * KV_CHUNK + page * KV_PAGE + 8 * (group + s);
                    let (fours, _) = scores[at..].as_chunks_mut::<4>();
                    (fours[0], fours[1]) = (L::store(low), L::store(high));
                }
            }
        }
    }
}

/// Scores of `S` groups of positions.
#[inline(always)]
fn key_product<L: Lanes, E: Eight, const Q: usize, const S: usize>(
    q: &[[f32; Q]],
    head: &Head<'_, E>,
    group: usize,
) -> Sums<L::F, Q, S> {
    let zeros = [[[L::splat(0.0); 2]; S]; Q];
    let streams: [&[E]; S] = from_fn(|s| &head.data[(group + s) * q.len()..][..q.len()]);
    if !E::SCALED {
        return product::<L, E, Q, S>(q.len(), |i| q[i], streams, zeros);
    }
    let mut sums = zeros;
    for (block, q) in q.chunks(SCALED).enumerate() {
        let streams = streams.map(|stream| &stream[block * SCALED..]);
        let products = product::<L, E, Q, S>(q.len(), |i| q[i], streams, zeros);
        for s in 0..S {
            for half in 0..2 {
                let scale = &head.scales[2 * (block * GROUPS + group + s) + half];
                let scale = L::load_f16(scale);
                for q in 0..Q {
                    let sum = &mut sums[q][s][half];
                    *sum = L::madd(products[q][s][half], scale, *sum);
                }
            }
        }
    }
    sums
}

/// Adds the values of these pages to the sums; `weights` begin with those of the first page.
fn all_sums<L: Lanes, E: Eight>(
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
fn some_sums<L: Lanes, E: Eight, const Q: usize, const S: usize>(
    weights: &[f32],
    pages: &[Head<'_, E>],
    sums: &mut [f32],
) {
    let groups = sums.len() / Q / 8;
    let of = |page: usize| -> Weights<'_, Q> {
        from_fn(|q| &weights[q * KV_CHUNK + page * KV_PAGE..].as_chunks().0[0])
    };
    // Groups of eight dimensions that have one scale.
    let block = if E::SCALED { SCALED / 8 } else { groups };
    let mut scaled = [[[0.0; KV_PAGE]; Q]; PAGES];
    for first in (0..groups).step_by(block) {
        if E::SCALED {
            let scales = first / block * (KV_PAGE / 4);
            for (page, (head, scaled)) in pages.iter().zip(&mut scaled).enumerate() {
                times_scales::<L, Q>(of(page), &head.scales[scales..], scaled);
            }
        }
        let of = |page: usize| if E::SCALED { scaled[page].each_ref() } else { of(page) };
        let (several, end) = (first + block / S * S, first + block);
        for group in (first..several).step_by(S) {
            value_product::<L, E, Q, S>(of, pages, group, sums);
        }
        if S > 1 {
            for group in several..end {
                value_product::<L, E, Q, 1>(of, pages, group, sums);
            }
        }
    }
}

/// Adds to `S` groups of dimensions, page by page.
#[inline(always)]
fn value_product<'a, L: Lanes, E: Eight, const Q: usize, const S: usize>(
    weights: impl Fn(usize) -> Weights<'a, Q>,
    pages: &[Head<'_, E>],
    group: usize,
    sums: &mut [f32],
) {
    let padded = sums.len() / Q;
    let at = |q: usize, s: usize| q * padded + 8 * (group + s);
    let mut all: Sums<L::F, Q, S> = from_fn(|q| {
        from_fn(|s| {
            let (fours, _) = sums[at(q, s)..].as_chunks::<4>();
            [L::load(&fours[0]), L::load(&fours[1])]
        })
    });
    for (page, head) in pages.iter().enumerate() {
        let weights = weights(page);
        let streams = from_fn(|s| &head.data[(group + s) * KV_PAGE..][..KV_PAGE]);
        let left = |i: usize| weights.map(|weights| weights[i]);
        all = product::<L, E, Q, S>(KV_PAGE, left, streams, all);
    }
    for (q, all) in all.into_iter().enumerate() {
        for (s, [low, high]) in all.into_iter().enumerate() {
            let (fours, _) = sums[at(q, s)..].as_chunks_mut::<4>();
            (fours[0], fours[1]) = (L::store(low), L::store(high));
        }
    }
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
