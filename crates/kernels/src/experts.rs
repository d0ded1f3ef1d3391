//! The choice among experts, and the mixing of their results (Shazeer et al., arXiv:1701.06538).

use crate::exp;

/// The `chosen.len()` largest of a row's logits, the largest first and the earlier of equals first,
/// with their shares in the softmax over all logits; `normalized` shares are divided by their sum.
///
/// # Panics
/// If `chosen` and `weights` differ in length, or more are to be chosen than there are.
pub fn select_experts(logits: &[f32], normalized: bool, chosen: &mut [i32], weights: &mut [f32]) {
    assert!(chosen.len() == weights.len() && chosen.len() <= logits.len(), "lengths differ");
    // A NaN comes last, and reaches the result all the same: the sum below has it.
    let key = |i: usize| if logits[i].is_nan() { f32::NEG_INFINITY } else { logits[i] };
    let mut last = None;
    for chosen in chosen.iter_mut() {
        let after = |i: &usize| match last {
            Some(last) => key(*i) < key(last) || key(*i) == key(last) && *i > last,
            None => true,
        };
        let larger = |best: usize, i: usize| if key(i) > key(best) { i } else { best };
        let next = (0..logits.len()).filter(after).reduce(larger).unwrap_or(0);
        *chosen = next as i32;
        last = Some(next);
    }
    let top = (0..logits.len()).map(key).fold(f32::NEG_INFINITY, f32::max);
    let share = |logit: f32| exp(logit - top);
    for (weight, &expert) in weights.iter_mut().zip(&*chosen) {
        *weight = share(logits[expert as usize]);
    }
    let all: f32 = logits.iter().map(|logit| share(*logit)).sum();
    let sum = if normalized && !all.is_nan() { weights.iter().sum() } else { all };
    weights.iter_mut().for_each(|weight| *weight /= sum);
}

/// `out = Σ weight[i] * parts[i]`, added in order; each part has the length of `out`.
///
/// # Panics
/// If `parts` is not one part for each weight.
pub fn weighted_sum(parts: &[f32], weights: &[f32], out: &mut [f32]) {
    assert!(parts.len() == weights.len() * out.len() && !out.is_empty(), "lengths differ");
    out.fill(0.0);
    for (part, weight) in parts.chunks_exact(out.len()).zip(weights) {
        for (out, value) in out.iter_mut().zip(part) {
            *out += weight * value;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_are_chosen_in_order() {
        let (mut chosen, mut weights) = ([0; 3], [0.0; 3]);
        select_experts(&[0.5, 2.0, -1.0, 2.0, 1.0], true, &mut chosen, &mut weights);
        assert_eq!(chosen, [1, 3, 4]);
        assert!((weights.iter().sum::<f32>() - 1.0).abs() < 1e-6);
        assert!((weights[2] / weights[0] - (-1f32).exp()).abs() < 1e-6);
        select_experts(&[0.5, 2.0, -1.0, 2.0, 1.0], false, &mut chosen, &mut weights);
        let all: f32 = [0.5f32, 2.0, -1.0, 2.0, 1.0].iter().map(|x| x.exp()).sum();
        assert!((weights[0] - 2f32.exp() / all).abs() < 1e-6);
        select_experts(&[1e30, -1e30, 3.0], true, &mut chosen, &mut weights);
        assert_eq!((chosen, weights), ([0, 2, 1], [1.0, 0.0, 0.0]));
    }

    #[test]
    fn faults_stay_visible_and_choices_inside() {
        let (mut chosen, mut weights) = ([0; 2], [0.0; 2]);
        for logits in [[1.0, f32::NAN, 0.5], [f32::NAN; 3], [f32::INFINITY, 0.0, 1.0]] {
            select_experts(&logits, true, &mut chosen, &mut weights);
            assert!(weights.iter().any(|weight| weight.is_nan()), "{weights:?}");
            assert!(chosen[0] != chosen[1] && chosen.iter().all(|&at| (0..3).contains(&at)));
        }
        select_experts(&[f32::NEG_INFINITY; 3], true, &mut chosen, &mut weights);
        assert_eq!(chosen, [0, 1]);
    }

    #[test]
    fn parts_are_mixed() {
        let mut out = [f32::NAN; 2];
        weighted_sum(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0], &[0.5, 0.25, 2.0], &mut out);
        assert_eq!(out, [11.25, 14.0]);
    }
}
