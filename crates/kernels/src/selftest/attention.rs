//! Attention against its definition in `f64`, and against the reference lanes; rows alone against
//! rows together, chunks alone against chunks together.

use super::{Random, compare};
use crate::attention::attention_by;
use crate::lanes::{Lanes, Native, Portable};
use crate::{
    Attention, KV_CHUNK, KV_PAGE, KvKind, Queries, kv_elements, kv_write, merge_attention,
    partial_len,
};
use half::f16;
use sidestage_tensor::DType;
use std::ops::Range;

/// Vectors of a row, values in a head.
const SHAPES: [[usize; 2]; 7] = [[3, 64], [1, 16], [9, 20], [2, 7], [7, 96], [4, 4], [1, 128]];

pub(super) fn check(random: &mut Random) -> Result<usize, String> {
    let mut compared = 0;
    for dtype in [DType::F32, DType::F16, DType::Q8_0] {
        for [group, head_dim] in SHAPES {
            if kv_elements(dtype, head_dim).is_none() {
                continue;
            }
            for (rows, positions) in [(1, 1), (3, 31), (1, 160), (13, 150), (2, 300)] {
                let softcap = (random.below(2) == 0).then_some(3.0);
                let case = Case { dtype, group, head_dim, rows, positions, softcap };
                compared += case.check(random)?;
            }
        }
    }
    Ok(compared)
}

#[derive(Clone, Copy, Debug)]
struct Case {
    dtype: DType,
    group: usize,
    head_dim: usize,
    rows: usize,
    positions: usize,
    softcap: Option<f32>,
}

/// The values as they came back from the cache, and the pages.
struct Cache {
    values: Vec<f32>,
    pages: Vec<Vec<u32>>,
}

impl Case {
    fn check(self, random: &mut Random) -> Result<usize, String> {
        let Self { dtype, group, head_dim, rows, positions, softcap } = self;
        let caches = [KvKind::Keys, KvKind::Values].map(|kind| self.cache(kind, random));
        let [keys, values] = caches.each_ref().map(|cache| -> Vec<&[u8]> {
            cache.pages.iter().map(|page| bytemuck::cast_slice(page)).collect()
        });
        let (keys, values, first_page) = (&keys[..], &values[..], 0);
        let scale = 1.0 / (head_dim as f32).sqrt();
        let args = Attention { dtype, first_page, keys, values, head_dim, scale, softcap };
        // Rows as of a prompt; of some only the latest positions.
        let window = [positions, 40][random.below(2)];
        let seen: Vec<Range<usize>> = (0..rows)
            .map(|row| positions - rows + row + 1)
            .map(|len| len.saturating_sub(window)..len)
            .collect();
        let stride = group * head_dim + random.below(3);
        let q: Vec<f32> = random.floats(rows * stride).iter().map(|q| q * 4.0).collect();
        let queries = Queries { q: &q, stride, group, seen: &seen };
        let chunks = positions.div_ceil(KV_CHUNK);
        let ours = run::<Native>(&args, &queries, 0..chunks, head_dim);

        let what = format!("{self:?} window {window}");
        let exact = self.definition(&queries, &caches[0].values, &caches[1].values, scale);
        let mut compared = compare(&what, &ours, exact.into_iter(), 6e-6, |_| 1.0)?;
        let reference = run::<Portable>(&args, &queries, 0..chunks, head_dim);
        // The relaxed lanes fuse; all others give the same bits.
        let tolerance = if Native::NAME == "relaxed" { 4e-6 } else { 0.0 };
        let expected = reference.iter().map(|x| f64::from(*x));
        compared += compare(&format!("{what}: lanes"), &ours, expected, tolerance, |_| 1.0)?;
        let expected = || ours.iter().map(|x| f64::from(*x));

        // Each row alone, and each head of it, gives the same bits.
        let alone: Vec<f32> = (0..rows * group)
            .flat_map(|vector| {
                let (row, head) = (vector / group, vector % group);
                let q = &q[row * stride + head * head_dim..][..head_dim];
                let queries = Queries { q, stride: 0, group: 1, seen: &seen[row..row + 1] };
                run::<Native>(&args, &queries, 0..chunks, head_dim)
            })
            .collect();
        compared += compare(&format!("{what}: alone"), &alone, expected(), 0.0, |_| 1.0)?;

        // So does each chunk alone.
        let len = partial_len(head_dim);
        let mut parts = vec![f32::NAN; rows * group * chunks * len];
        for chunk in 0..chunks {
            let mut part = vec![f32::NAN; rows * group * len];
            let first_page = chunk * (KV_CHUNK / KV_PAGE);
            let (keys, values) = (&keys[first_page..], &values[first_page..]);
            let args = Attention { first_page, keys, values, ..args };
            attention_by::<Native>(&args, &queries, chunk..chunk + 1, &mut part);
            for (vector, part) in part.chunks(len).enumerate() {
                parts[(vector * chunks + chunk) * len..][..len].copy_from_slice(part);
            }
        }
        let cut = merged(&parts, chunks, head_dim);
        compared += compare(&format!("{what}: chunks"), &cut, expected(), 0.0, |_| 1.0)?;
        Ok(compared)
    }

    fn cache(&self, kind: KvKind, random: &mut Random) -> Cache {
        let Self { dtype, head_dim, positions, .. } = *self;
        let elements = kv_elements(dtype, head_dim).unwrap_or(0);
        let bytes = elements / dtype.block_len() * dtype.block_bytes();
        let mut pages = vec![vec![0u32; bytes.div_ceil(4)]; positions.div_ceil(KV_PAGE)];
        let mut values = Vec::new();
        // What is not seen may be anything that can be written.
        for position in 0..pages.len() * KV_PAGE {
            let mut x = random.floats(head_dim);
            if position >= positions {
                x.fill(f32::INFINITY);
            }
            let page: &mut [u8] = bytemuck::cast_slice_mut(&mut pages[position / KV_PAGE]);
            kv_write(dtype, kind, &x, position % KV_PAGE, &mut page[..bytes]);
            values.extend(x.chunks(32).flat_map(|x| rounded(dtype, x)));
        }
        Cache { values, pages }
    }

    fn definition(
        &self,
        queries: &Queries<'_>,
        keys: &[f32],
        values: &[f32],
        scale: f32,
    ) -> Vec<f64> {
        let Self { group, head_dim, softcap, .. } = *self;
        let at = |of: &[f32], position: usize, i: usize| f64::from(of[position * head_dim + i]);
        let mut out = Vec::new();
        for vector in 0..queries.seen.len() * group {
            let seen = queries.seen[vector / group].clone();
            let q = &queries.q[vector / group * queries.stride + vector % group * head_dim..];
            let weight = |position: usize| {
                let dot = |i: usize| f64::from(q[i]) * at(keys, position, i);
                let score = (0..head_dim).map(dot).sum::<f64>() * f64::from(scale);
                softcap.map_or(score, |cap| f64::from(cap) * (score / f64::from(cap)).tanh()).exp()
            };
            let weights: Vec<f64> = seen.clone().map(weight).collect();
            let sum: f64 = weights.iter().sum();
            out.extend((0..head_dim).map(|i| {
                let weighted = |(w, position): (&f64, usize)| w / sum * at(values, position, i);
                weights.iter().zip(seen.clone()).map(weighted).sum::<f64>()
            }));
        }
        out
    }
}

/// Some values of one scale as a cache of this type holds them.
fn rounded(dtype: DType, x: &[f32]) -> Vec<f32> {
    let half = |x: f32| match f16::from_f32(x.clamp(-65504.0, 65504.0)).to_f32() {
        small if small.abs() < 3.05e-5 => 0.0,
        small if small.abs() < 6.1e-5 => 6.1035156e-5f32.copysign(small),
        x => x,
    };
    let top = x.iter().fold(0.0f32, |top, x| top.max(x.abs()));
    let scale = half(top / 127.0);
    let level = |x: f32| (x * (1.0 / scale)).round_ties_even().clamp(-127.0, 127.0) * scale;
    x.iter()
        .map(|&x| match dtype {
            DType::F32 => x,
            DType::F16 => half(x),
            _ => level(x),
        })
        .collect()
}

fn run<L: Lanes>(
    args: &Attention<'_>,
    queries: &Queries<'_>,
    chunks: Range<usize>,
    head_dim: usize,
) -> Vec<f32> {
    let vectors = queries.seen.len() * queries.group;
    let mut parts = vec![f32::NAN; vectors * partial_len(head_dim)];
    attention_by::<L>(args, queries, chunks, &mut parts);
    merged(&parts, 1, head_dim)
}

fn merged(parts: &[f32], count: usize, head_dim: usize) -> Vec<f32> {
    let mut out = Vec::new();
    for parts in parts.chunks(count * partial_len(head_dim)) {
        let mut one = vec![f32::NAN; head_dim];
        merge_attention(parts, &mut one);
        out.extend(one);
    }
    out
}
