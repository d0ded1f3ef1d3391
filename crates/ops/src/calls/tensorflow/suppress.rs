//! Of boxes that lie on each other the best.

use super::{CallInfo, Done, S, integer, list, number, numbers, row};
use crate::calls::sort;
use crate::calls::suppress::{Corners, overlap};
use sidestage_ir::Stop;
use sidestage_tensor::{DType, Tensor};

/// How boxes are chosen.
struct Choice {
    most: usize,
    /// From this share on that two cover the worse one goes.
    threshold: f64,
    /// Those with a score not above this do not count.
    least: f64,
    /// How fast the score of one falls that lies on a better one; 0: it goes at once.
    sigma: f64,
}

impl Choice {
    fn read(scope: &S<'_, '_>, sigma: f64) -> Result<Self, Stop> {
        let most = integer(scope, 2)?.clamp(0, 1 << 31) as usize;
        let threshold = number(scope, 3, 0.5)?;
        Ok(Self { most, threshold, least: number(scope, 4, f64::NEG_INFINITY)?, sigma })
    }

    /// The places of the boxes that stay, and their scores, best first.
    fn chosen(&self, corners: &[Corners], scores: &[f64]) -> (Vec<usize>, Vec<f64>) {
        // The candidates, the best last: their scores, places, and from which of those that stay on they
        // have not been compared.
        let mut order: Vec<usize> =
            (0..scores.len()).filter(|&at| scores[at] > self.least).collect();
        let worse = |a: (f64, usize), b: (f64, usize)| a.0.total_cmp(&b.0).then(b.1.cmp(&a.1));
        sort(&mut order, &|a, b| worse((scores[a], a), (scores[b], b)));
        let mut open: Vec<(f64, usize, usize)> =
            order.into_iter().map(|at| (scores[at], at, 0)).collect();
        let (mut kept, mut given): (Vec<usize>, Vec<f64>) = Default::default();
        while kept.len() < self.most
            && let Some((mut score, at, seen)) = open.pop()
        {
            let before = score;
            let mut gone = false;
            for other in kept[seen..].iter().rev() {
                let share = f64::from(overlap(&corners[at], &corners[*other]));
                if share >= self.threshold {
                    gone = true;
                    break;
                }
                if self.sigma > 0.0 {
                    score *= (-0.5 / self.sigma * share * share).exp();
                    if score <= self.least {
                        break;
                    }
                }
            }
            if gone || score <= self.least {
                continue;
            }
            if score == before {
                kept.push(at);
                given.push(score);
            } else {
                // It is worse than it was: another may be better now.
                let next = (score, at, kept.len());
                let place = open.partition_point(|one| worse((one.0, one.1), (score, at)).is_lt());
                open.insert(place, next);
            }
        }
        (kept, given)
    }
}

fn suppress(scope: &mut S<'_, '_>, version: u8) -> Done {
    let (boxes, scores) = (scope.tensor(0)?, scope.tensor(1)?);
    let (&[count, 4], &[of]) = (boxes.dims(), scores.dims()) else {
        return Err("boxes must be [n, 4], scores [n]".into());
    };
    if of != count {
        return Err("there must be a score for each box".into());
    }
    let sigma = if version == 5 { number(scope, 5, 0.0)? } else { 0.0 };
    let choice = Choice::read(scope, sigma)?;
    let (boxes, scores) = (numbers(scope, 0)?, numbers(scope, 1)?);
    let corners: Vec<Corners> = boxes
        .as_chunks::<4>()
        .0
        .iter()
        .map(|one| {
            let [a, b, c, d] = one.map(|side| side as f32);
            [[a.min(c), b.min(d)], [a.max(c), b.max(d)]]
        })
        .collect();
    let (kept, given) = choice.chosen(&corners, &scores);
    let mut places: Vec<i64> = kept.iter().map(|at| *at as i64).collect();
    let found = places.len() as i64;
    if version == 4 && scope.int("pad_to_max_output_size") == Some(1) {
        places.resize(choice.most.min(1 << 20).max(places.len()), 0);
    }
    let places = list(scope, &[places.len()], &places)?;
    scope.give_tensor(0, places);
    let valid = list(scope, &[], &[found])?;
    match version {
        4 => scope.give_tensor(1, valid),
        5 => {
            let bytes: Vec<u8> =
                given.iter().flat_map(|score| (*score as f32).to_le_bytes()).collect();
            let given = Tensor::new(DType::F32, &[given.len()], &bytes).map_err(|_| "no memory")?;
            let given = scope.constant(given);
            scope.give_tensor(1, given);
            scope.give_tensor(2, valid);
        }
        _ => {}
    }
    Ok(())
}

pub(super) const CALLS: &[CallInfo] = &[
    row("TF::NonMaxSuppressionV2", |scope| suppress(scope, 2)),
    row("TF::NonMaxSuppressionV3", |scope| suppress(scope, 3)),
    row("TF::NonMaxSuppressionV4", |scope| suppress(scope, 4)),
    row("TF::NonMaxSuppressionV5", |scope| suppress(scope, 5)),
];
