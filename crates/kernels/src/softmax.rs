//! Rows whose exponentials add up to one.

use crate::exp::{TINY, exp, exp2};
use crate::lanes::{Lanes, Native};
use crate::norm::sum;
use std::f32::consts::LOG2_E;

/// `out = exp(x - max) / sum(exp(x - max))` of a row. The sum is of eight lanes, always in the same
/// order.
///
/// # Panics
/// If the lengths differ.
pub fn softmax(x: &[f32], out: &mut [f32]) {
    out.copy_from_slice(x);
    softmax_in_place(out);
}

/// As [`softmax`], in place.
///
/// Sixteen values at a time, and never a part of an operator, which is compiled for size: as a loop over
/// numbers that became one it made attention of a MiniLM with 128 tokens take 10.3 ms of a run for 4.3
/// (Chromium, two threads).
#[inline(never)]
pub fn softmax_in_place(x: &mut [f32]) {
    let most = largest(x);
    let sum = powers::<Native>(x, most);
    let inverse = 1.0 / sum;
    x.iter_mut().for_each(|x| *x *= inverse);
}

/// `exp(x - most)`, and the sum of all.
fn powers<L: Lanes>(x: &mut [f32], most: f32) -> f32 {
    let [most, factor, tiny] = [most, LOG2_E, TINY].map(L::splat);
    let mut sums = [L::splat(0.0); 2];
    let mut sixteen = |of: &mut [f32; 16]| {
        let fours: &mut [[f32; 4]; 4] = bytemuck::cast_mut(of);
        let x = fours.each_ref().map(|four| L::mul(L::sub(L::load(four), most), factor));
        // What is too small to be a share is 0.
        let powers = exp2::<L, 4>(x).map(|power| L::sub(power, tiny));
        *fours = powers.map(L::store);
        let [a, b, c, d] = powers;
        sums = [L::add(L::add(sums[0], a), c), L::add(L::add(sums[1], b), d)];
    };
    let (sixteens, rest) = x.as_chunks_mut::<16>();
    sixteens.iter_mut().for_each(&mut sixteen);
    if !rest.is_empty() {
        let mut last = [f32::NEG_INFINITY; 16];
        last[..rest.len()].copy_from_slice(rest);
        sixteen(&mut last);
        rest.copy_from_slice(&last[..rest.len()]);
    }
    L::sum(L::add(sums[0], sums[1]))
}

/// `out = x - max - ln(sum(exp(x - max)))` of a row.
///
/// # Panics
/// If the lengths differ.
pub fn log_softmax(x: &[f32], out: &mut [f32]) {
    assert_eq!(x.len(), out.len());
    let most = largest(x);
    out.iter_mut().zip(x).for_each(|(out, x)| *out = exp(x - most));
    let sum = f64::from(sum(out, |x| x)).ln() as f32;
    out.iter_mut().zip(x).for_each(|(out, x)| *out = x - most - sum);
}

/// The largest of some numbers; what is none is passed over.
#[inline(never)]
pub fn largest(x: &[f32]) -> f32 {
    type L = Native;
    let mut most = [L::splat(f32::NEG_INFINITY); 4];
    let (sixteens, rest) = x.as_chunks::<16>();
    for sixteen in sixteens {
        let fours: &[[f32; 4]; 4] = bytemuck::cast_ref(sixteen);
        for (most, four) in most.iter_mut().zip(fours) {
            *most = L::max(*most, L::load(four));
        }
    }
    let [a, b, c, d] = most;
    let four = L::store(L::max(L::max(a, b), L::max(c, d)));
    four.iter().chain(rest).copied().fold(f32::NEG_INFINITY, f32::max)
}

/// The sum of the weights `e^((x - most) / temperature)` of all numbers but those that are NaN.
#[inline(never)]
pub fn total_weight(x: &[f32], most: f32, temperature: f32) -> f64 {
    let weight = |x: f32| {
        let weight = exp((x - most) / temperature);
        if weight > 0.0 { weight } else { 0.0 }
    };
    let mut total = 0.0;
    for block in x.chunks(32) {
        let (eights, rest) = block.as_chunks::<8>();
        let mut sums = [0.0; 8];
        for eight in eights {
            for (sum, x) in sums.iter_mut().zip(eight) {
                *sum += weight(*x);
            }
        }
        total += f64::from(sums.iter().sum::<f32>());
        total += rest.iter().map(|x| f64::from(weight(*x))).sum::<f64>();
    }
    total
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_those_of_double_precision() {
        for length in [1, 2, 15, 16, 17, 100, 128, 512] {
            let x: Vec<f32> = (0..length).map(|i| (i as f32 * 1.7).sin() * 30.0).collect();
            let most = x.iter().copied().fold(f32::NEG_INFINITY, f32::max);
            let each = x.iter().map(|x| (f64::from(*x) - f64::from(most)).exp());
            let (each, mut out) = (each.collect::<Vec<f64>>(), vec![0.0; length]);
            let sum: f64 = each.iter().sum();
            softmax(&x, &mut out);
            for (ours, exact) in out.iter().zip(each.iter().map(|one| one / sum)) {
                assert!((f64::from(*ours) - exact).abs() <= 2e-5 * exact, "{ours} {exact}");
            }
        }
    }

    #[test]
    fn what_is_masked_has_no_share() {
        let mut x = [f32::NEG_INFINITY; 19];
        [x[3], x[17]] = [-3e38, -3e38];
        softmax_in_place(&mut x);
        assert!(
            x.iter().enumerate().all(|(i, x)| *x == if [3, 17].contains(&i) { 0.5 } else { 0.0 })
        );
        let mut x = [0.0, -3.4e38, -200.0];
        softmax_in_place(&mut x);
        assert_eq!(x, [1.0, 0.0, 0.0]);
        let mut x = [f32::NEG_INFINITY; 3];
        softmax_in_place(&mut x);
        assert!(x.iter().all(|x| x.is_nan()));
        let mut x = [1.0, f32::NAN, 2.0];
        softmax_in_place(&mut x);
        assert!(x.iter().all(|x| x.is_nan()));
    }
}
