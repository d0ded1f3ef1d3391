//! Sums of a few slices, each by its weight.

use crate::epilogue::{load, store};
use crate::lanes::{Lanes, Native};
use std::ops::Range;

/// Slices `range` of the result, counted over all images: the `i`-th of an image is the sum of slices of
/// `x`, an image of `dim`, by the taps `(slice, weight)` of `taps[i]`, added in order.
///
/// # Panics
/// If a slice is not there, or `out` is not as long as they are.
pub fn interpolate(
    x: &[f32],
    dim: usize,
    taps: &[Vec<(usize, f32)>],
    range: Range<usize>,
    out: &mut [f32],
) {
    let size = out.len() / range.len().max(1);
    if size == 0 {
        return;
    }
    let (mut image, mut at) = (range.start / taps.len(), range.start % taps.len());
    for out in out.chunks_exact_mut(size) {
        let x = &x[image * dim * size..][..dim * size];
        slice::<Native>(x, &taps[at], out);
        at += 1;
        if at == taps.len() {
            (image, at) = (image + 1, 0);
        }
    }
}

#[inline(always)]
fn slice<L: Lanes>(x: &[f32], taps: &[(usize, f32)], out: &mut [f32]) {
    let size = out.len();
    // Two are nearly all there are.
    if let [a, b] = *taps {
        let [(a, of_a), (b, of_b)] =
            [a, b].map(|(at, weight)| (&x[at * size..][..size], L::splat(weight)));
        for ((out, a), b) in out.chunks_mut(8).zip(a.chunks(8)).zip(b.chunks(8)) {
            let (a, b) = (load::<L>(a), load::<L>(b));
            let mixed = |half: usize| L::add(L::mul(of_a, a[half]), L::mul(of_b, b[half]));
            store::<L>([mixed(0), mixed(1)], out);
        }
        return;
    }
    out.fill(0.0);
    for &(at, weight) in taps {
        out.iter_mut().zip(&x[at * size..][..size]).for_each(|(out, x)| *out += weight * x);
    }
}

#[cfg(test)]
mod tests {
    use super::interpolate;

    #[test]
    fn slices_are_sums_of_their_taps_wherever_the_work_is_cut() {
        let taps = [vec![(0, 1.0)], vec![(0, 0.75), (2, 0.25)], vec![], vec![(1, 2.0); 3]];
        let (images, dim, size) = (2, 3, 11);
        let x: Vec<f32> = (0..images * dim * size).map(|i| i as f32).collect();
        let all = images * taps.len();
        let expected: Vec<f32> = (0..all * size)
            .map(|at| {
                let (image, slice, element) =
                    (at / size / taps.len(), at / size % taps.len(), at % size);
                let of = |(from, weight): &(usize, f32)| {
                    weight * x[(image * dim + from) * size + element]
                };
                taps[slice].iter().map(of).sum()
            })
            .collect();
        for span in [0..all, 1..6, 3..4, 2..2] {
            let mut out = vec![f32::NAN; span.len() * size];
            interpolate(&x, dim, &taps, span.clone(), &mut out);
            assert_eq!(out, expected[span.start * size..span.end * size]);
        }
    }
}
