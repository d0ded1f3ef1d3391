//! Attention against its definition in `f64`, and against the reference lanes.

use super::{Random, compare};
use crate::attention::attention_by;
use crate::lanes::{Native, Portable};
use crate::{Attention, attention};

/// Positions in a page, key heads, query heads a key head, values in a head.
const SHAPES: [[usize; 4]; 6] =
    [[32, 3, 3, 64], [16, 1, 1, 16], [16, 2, 9, 20], [5, 2, 2, 7], [24, 1, 8, 96], [1, 1, 2, 4]];

pub(super) fn check(random: &mut Random) -> Result<usize, String> {
    let mut compared = 0;
    for shape in SHAPES {
        for positions in [1, 15, 16, 17, 50, 97] {
            for softcap in [None, Some(3.0)] {
                compared += case(shape, positions, softcap, random)?;
            }
        }
    }
    Ok(compared)
}

fn case(
    [block, heads, group, head_dim]: [usize; 4],
    positions: usize,
    softcap: Option<f32>,
    random: &mut Random,
) -> Result<usize, String> {
    let row_stride = heads * head_dim;
    let count = positions.div_ceil(block);
    let mut pages = || -> Vec<Vec<f32>> {
        (0..count)
            .map(|page| {
                let mut values = random.floats(block * row_stride);
                // What has not been written yet must not be read.
                let used = (positions - page * block).min(block);
                values[used * row_stride..].fill(f32::NAN);
                values
            })
            .collect()
    };
    let (keys, values) = (pages(), pages());
    let q: Vec<f32> = random.floats(group * head_dim).iter().map(|q| q * 4.0).collect();
    let first = random.below(3) * random.below(positions) / 2;
    let head = random.below(heads);
    let (key_pages, value_pages): (Vec<&[f32]>, Vec<&[f32]>) =
        (keys.iter().map(Vec::as_slice).collect(), values.iter().map(Vec::as_slice).collect());
    let args = Attention {
        q: &q,
        keys: &key_pages,
        values: &value_pages,
        block,
        row_stride,
        offset: head * head_dim,
        head_dim,
        first,
        len: positions,
        scale: 1.0 / (head_dim as f32).sqrt(),
        softcap,
    };
    let what = format!(
        "attention block={block} group={group} head_dim={head_dim} {first}..{positions} {softcap:?}"
    );
    let mut ours = vec![f32::NAN; q.len()];
    attention(&args, &mut ours);
    let exact = definition(&args);
    let mut compared = compare(&what, &ours, exact.into_iter(), 4e-6, |_| 1.0)?;

    // Attention neither fuses nor uses integers, so all lanes give the same bits.
    let mut reference = vec![f32::NAN; q.len()];
    attention_by::<Portable>(&args, &mut reference);
    let expected = reference.iter().map(|x| f64::from(*x));
    compared += compare(&format!("{what}: lanes"), &ours, expected, 0.0, |_| 1.0)?;

    // Each head alone gives the same bits as in its group.
    for (head, expected) in ours.chunks_exact(head_dim).enumerate() {
        let alone = Attention { q: &q[head * head_dim..][..head_dim], ..args };
        let mut out = vec![f32::NAN; head_dim];
        attention_by::<Native>(&alone, &mut out);
        let expected = expected.iter().map(|x| f64::from(*x));
        compared += compare(&format!("{what}: head {head} alone"), &out, expected, 0.0, |_| 1.0)?;
    }
    Ok(compared)
}

fn definition(args: &Attention<'_>) -> Vec<f64> {
    let at = |pages: &[&[f32]], position: usize, i: usize| {
        let row = position % args.block * args.row_stride + args.offset;
        f64::from(pages[position / args.block][row + i])
    };
    let mut out = Vec::new();
    for q in args.q.chunks_exact(args.head_dim) {
        let weights: Vec<f64> = (args.first..args.len)
            .map(|position| {
                let dot = |(i, q): (usize, &f32)| f64::from(*q) * at(args.keys, position, i);
                let score = q.iter().enumerate().map(dot).sum::<f64>() * f64::from(args.scale);
                args.softcap.map_or(score, |cap| f64::from(cap) * (score / f64::from(cap)).tanh())
            })
            .map(f64::exp)
            .collect();
        let sum: f64 = weights.iter().sum();
        out.extend((0..args.head_dim).map(|i| {
            let value = |(j, w): (usize, &f64)| w / sum * at(args.values, args.first + j, i);
            weights.iter().enumerate().map(value).sum::<f64>()
        }));
    }
    out
}
