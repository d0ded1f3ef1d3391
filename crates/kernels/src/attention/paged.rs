use super::{Attention, KV_CHUNK, Queries, attention, partial_len};
use crate::kv::KV_PAGE;
use sidestage_tensor::{DType, SharedOut};
use smallvec::SmallVec;
use std::ops::Range;

/// The keys and values of a sequence, in pages that hold all heads.
#[derive(Clone, Copy)]
pub struct Paged<'a> {
    /// Element type of the cache: one that [`crate::kv_elements`] knows.
    pub dtype: DType,
    /// All pages of keys, as [`crate::kv_write`] wrote them.
    pub keys: &'a [SharedOut<'a, u8>],
    /// All pages of values.
    pub values: &'a [SharedOut<'a, u8>],
    /// Which pages are the sequence's, in order; after the last one less than 0.
    pub table: &'a [i32],
    /// Heads of a page.
    pub heads: usize,
    /// Values in a head.
    pub head_dim: usize,
    /// Factor of the scores.
    pub scale: f32,
    /// Scores become `cap * tanh(score / cap)`.
    pub softcap: Option<f32>,
}

/// [`attention`] of one head. The result of vector `v` of row `r` is part
/// `r * stride + v * apart` of `out`, a part being [`partial_len`] floats.
///
/// # Safety
/// Nobody writes the head's keys and values meanwhile, and no other thread has the same parts.
///
/// # Panics
/// As [`attention`], and if the table names a page that there is not, or parts lie outside of `out`.
#[allow(unsafe_code, reason = "the caller says that nobody else has what is read and written")]
pub unsafe fn paged_attention<'a>(
    cache: &Paged<'a>,
    head: usize,
    queries: &Queries<'_>,
    chunks: Range<usize>,
    out: SharedOut<'_, f32>,
    [stride, apart]: [usize; 2],
) {
    let first_page = chunks.start * (KV_CHUNK / KV_PAGE);
    let heads = |pages: &[SharedOut<'a, u8>]| -> SmallVec<[&'a [u8]; 128]> {
        let there = cache.table.iter().take_while(|page| **page >= 0);
        let there = there.skip(first_page).take(chunks.len() * (KV_CHUNK / KV_PAGE));
        let bytes = there.map(|&page| {
            let page = pages[page as usize];
            let bytes = page.len() / cache.heads;
            // SAFETY: the caller's promise.
            unsafe { page.read(head * bytes..(head + 1) * bytes) }
        });
        bytes.collect()
    };
    let (keys, values) = (heads(cache.keys), heads(cache.values));
    let &Paged { dtype, head_dim, scale, softcap, .. } = cache;
    let args =
        Attention { dtype, first_page, keys: &keys, values: &values, head_dim, scale, softcap };
    let len = partial_len(head_dim);
    let vectors = queries.seen.len() * queries.group;
    let mut results: SmallVec<[f32; 1024]> = SmallVec::from_elem(0.0, vectors * len);
    attention(&args, queries, chunks, &mut results);
    for (vector, result) in results.chunks_exact(len).enumerate() {
        let part = vector / queries.group * stride + vector % queries.group * apart;
        // SAFETY: the caller's promise.
        unsafe { out.part(part * len..(part + 1) * len) }.copy_from_slice(result);
    }
}
