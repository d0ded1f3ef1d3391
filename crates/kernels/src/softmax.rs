//! Rows whose exponentials add up to one.

use crate::exp;

/// `out = exp(x - max) / sum(exp(x - max))` of a row.
///
/// # Panics
/// If the lengths differ.
pub fn softmax(x: &[f32], out: &mut [f32]) {
    assert_eq!(x.len(), out.len());
    let most = x.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    out.iter_mut().zip(x).for_each(|(out, x)| *out = exp(x - most));
    let sum = out.iter().sum::<f32>();
    out.iter_mut().for_each(|out| *out /= sum);
}

/// `out = x - max - ln(sum(exp(x - max)))` of a row.
///
/// # Panics
/// If the lengths differ.
pub fn log_softmax(x: &[f32], out: &mut [f32]) {
    assert_eq!(x.len(), out.len());
    let most = x.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let sum = x.iter().map(|x| f64::from(exp(x - most))).sum::<f64>().ln() as f32;
    out.iter_mut().zip(x).for_each(|(out, x)| *out = x - most - sum);
}
