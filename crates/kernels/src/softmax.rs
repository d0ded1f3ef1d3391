//! Rows whose exponentials add up to one.

use crate::exp;
use crate::norm::sum;

/// `out = exp(x - max) / sum(exp(x - max))` of a row. The sum is of eight lanes, always in the same
/// order.
///
/// # Panics
/// If the lengths differ.
pub fn softmax(x: &[f32], out: &mut [f32]) {
    assert_eq!(x.len(), out.len());
    let most = largest(x);
    out.iter_mut().zip(x).for_each(|(out, x)| *out = exp(x - most));
    let sum = sum(out, |x| x);
    out.iter_mut().for_each(|out| *out /= sum);
}

/// As [`softmax`], in place.
pub fn softmax_in_place(x: &mut [f32]) {
    let most = largest(x);
    x.iter_mut().for_each(|x| *x = exp(*x - most));
    let sum = sum(x, |x| x);
    x.iter_mut().for_each(|x| *x /= sum);
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
fn largest(x: &[f32]) -> f32 {
    let mut most = [f32::NEG_INFINITY; 8];
    let (eights, rest) = x.as_chunks::<8>();
    for eight in eights {
        for lane in 0..8 {
            most[lane] = if eight[lane] > most[lane] { eight[lane] } else { most[lane] };
        }
    }
    most.iter().chain(rest).copied().fold(f32::NEG_INFINITY, f32::max)
}
