//! The few tokens that matter, found in one or two passes over the logits: a vocabulary of 150,000
//! is neither copied nor sorted.

use sidestage_kernels::largest;
use std::cmp::Ordering;

/// A token and its logit, later its weight.
pub(super) type Candidate = (u32, f32);

/// Logits looked at together: most blocks hold nothing, which vectors see at once.
const BLOCK: usize = 32;

/// The same where there is one place to find.
const WIDE: usize = 512;

/// The likeliest first; ties go to the smaller id, so that the order does not depend on the sort.
pub(super) fn order(a: &Candidate, b: &Candidate) -> Ordering {
    b.1.total_cmp(&a.1).then(a.0.cmp(&b.0))
}

/// The token with the largest logit and that logit; the first of equals. NaN is passed over.
pub fn likeliest(logits: &[f32]) -> (u32, f32) {
    let mut best = (0, f32::NEG_INFINITY);
    for (index, block) in logits.chunks(WIDE).enumerate() {
        let top = largest(block);
        if top > best.1 {
            best = (index * WIDE, top);
        }
    }
    let (start, top) = best;
    let at = logits[start..].iter().position(|logit| *logit == top).unwrap_or(0);
    ((start + at) as u32, top)
}

/// The `k` likeliest tokens, in no order; all where there are fewer. `k` is at least 1.
pub(super) fn top_k(logits: &[f32], k: usize, found: &mut Vec<Candidate>) {
    found.clear();
    let room = k.saturating_mul(4).clamp(256, logits.len().max(256));
    // The k-th of those seen, once there are so many: what is not above it comes after all of them.
    let mut least = None;
    for (index, block) in logits.chunks(BLOCK).enumerate() {
        if least.is_some_and(|least| largest(block) <= least) {
            continue;
        }
        let above = |logit: f32| match least {
            Some(least) => logit > least,
            None => !logit.is_nan(),
        };
        let tokens = (index as u32 * BLOCK as u32..).zip(block.iter().copied());
        found.extend(tokens.filter(|(_, logit)| above(*logit)));
        if found.len() >= room && found.len() > k {
            least = Some(cut(found, k));
        }
    }
    if found.len() > k {
        cut(found, k);
    }
}

/// Leaves the `k` likeliest; gives the logit of the last of them.
fn cut(found: &mut Vec<Candidate>, k: usize) -> f32 {
    found.select_nth_unstable_by(k - 1, order);
    found.truncate(k);
    found[k - 1].1
}

/// The tokens whose logits are at least this, in their order.
pub(super) fn at_least(logits: &[f32], least: f32, found: &mut Vec<Candidate>) {
    found.clear();
    for (index, block) in logits.chunks(BLOCK).enumerate() {
        if largest(block) >= least {
            let tokens = (index as u32 * BLOCK as u32..).zip(block.iter().copied());
            found.extend(tokens.filter(|(_, logit)| *logit >= least));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sidestage_kernels::total_weight;

    /// Logits with ties, infinities and NaN, rising and falling.
    fn lists() -> Vec<Vec<f32>> {
        let noise = |i: usize| ((i * 7919) % 1000) as f32 / 50.0;
        let mut rare: Vec<f32> = (0..5000).map(noise).collect();
        rare[77] = f32::NAN;
        rare[4001] = f32::NEG_INFINITY;
        vec![
            rare,
            (0..3000).map(|i| i as f32).collect(),
            (0..3000).map(|i| -(i as f32)).collect(),
            vec![1.5; 700],
            vec![f32::NEG_INFINITY; 40],
            vec![2.0, 3.0, 3.0],
        ]
    }

    fn sorted(logits: &[f32]) -> Vec<Candidate> {
        let tokens = (0..).zip(logits.iter().copied());
        let mut all: Vec<Candidate> = tokens.filter(|(_, logit)| !logit.is_nan()).collect();
        all.sort_by(order);
        all
    }

    #[test]
    fn the_first_ones_are_those_of_a_sort() {
        for logits in lists() {
            let all = sorted(&logits);
            assert_eq!(likeliest(&logits), all[0]);
            for k in [1, 2, 40, 300, 100_000] {
                let mut found = Vec::new();
                top_k(&logits, k, &mut found);
                found.sort_by(order);
                assert_eq!(found, all[..k.min(all.len())]);
            }
            let mut found = Vec::new();
            at_least(&logits, 10.0, &mut found);
            assert_eq!(found.len(), all.iter().filter(|(_, logit)| *logit >= 10.0).count());
        }
        assert_eq!(likeliest(&[f32::NAN, f32::NAN]), (0, f32::NEG_INFINITY));
    }

    #[test]
    fn the_total_is_that_of_all() {
        let logits = &lists()[0];
        let exact: f64 =
            sorted(logits).iter().map(|(_, logit)| ((f64::from(*logit) - 20.0) / 0.7).exp()).sum();
        assert!((total_weight(logits, 20.0, 0.7) / exact - 1.0).abs() < 1e-5);
    }
}
