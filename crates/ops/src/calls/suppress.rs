//! Of boxes that lie on each other the best.

use super::{CallInfo, row, sort};
use sidestage_ir::{Scope, Stop, Traced};
use sidestage_kernels::Wide;
use sidestage_tensor::{DType, Tensor};

/// Low and high corner.
pub(super) type Corners = [[f32; 2]; 2];

fn floats(tensor: &Tensor) -> Result<Vec<f32>, Stop> {
    let load = f64::load(tensor.dtype()).ok_or("boxes, scores and thresholds are numbers")?;
    Ok((0..tensor.len()).map(|at| load(tensor.bytes(), at) as f32).collect())
}

/// A number that may be left out.
fn number(scope: &Scope<'_, '_>, index: usize) -> Result<Option<f32>, Stop> {
    let Some(tensor) = scope.optional_tensor(index)? else { return Ok(None) };
    Ok(floats(&scope.known(&tensor)?)?.first().copied())
}

fn corners(of: &[f32], centered: bool) -> Corners {
    let (a, b) = ([of[0], of[1]], [of[2], of[3]]);
    let axis = |at: usize| match centered {
        true => (a[at] - b[at] / 2.0, a[at] + b[at] / 2.0),
        false => (a[at].min(b[at]), a[at].max(b[at])),
    };
    let ((x0, x1), (y0, y1)) = (axis(0), axis(1));
    [[x0, y0], [x1, y1]]
}

/// The share of what two boxes cover that both cover.
pub(super) fn overlap(a: &Corners, b: &Corners) -> f32 {
    let area = |[low, high]: &Corners| (high[0] - low[0]) * (high[1] - low[1]);
    let side = |at: usize| a[1][at].min(b[1][at]) - a[0][at].max(b[0][at]);
    let both = side(0).max(0.0) * side(1).max(0.0);
    let all = area(a) + area(b) - both;
    if both > 0.0 && all > 0.0 { both / all } else { 0.0 }
}

fn suppress(scope: &mut Scope<'_, '_>) -> Result<(), Stop> {
    let (boxes, scores) = (scope.tensor(0)?, scope.tensor(1)?);
    let (&[batches, count, 4], &[others, classes, of]) = (boxes.dims(), scores.dims()) else {
        return Err("boxes must be [batches, n, 4], scores [batches, classes, n]".into());
    };
    if (others, of) != (batches, count) {
        return Err("there must be a score for each box".into());
    }
    let most = scope.integers(2)?.and_then(|most| most.first().copied()).unwrap_or(0);
    let most = usize::try_from(most).unwrap_or(0);
    let threshold = number(scope, 3)?.unwrap_or(0.0);
    let least = number(scope, 4)?.unwrap_or(f32::NEG_INFINITY);
    let value = |of: &Traced| scope.known(of).and_then(|of| floats(&of));
    let (boxes, scores) = (value(&boxes)?, value(&scores)?);
    let centered = scope.int("center_point_box") == Some(1);
    let corners: Vec<Corners> =
        boxes.as_chunks::<4>().0.iter().map(|one| corners(one, centered)).collect();
    let (mut bytes, mut found) = (Vec::new(), 0);
    for list in 0..batches * classes {
        let (batch, class) = (list / classes, list % classes);
        let (scores, corners) = (&scores[list * count..][..count], &corners[batch * count..]);
        let mut order: Vec<usize> = (0..count).filter(|&at| scores[at] > least).collect();
        sort(&mut order, &|a, b| scores[b].total_cmp(&scores[a]));
        let mut kept: Vec<usize> = Vec::new();
        for at in order {
            if kept.len() == most {
                break;
            }
            if kept.iter().all(|&other| overlap(&corners[at], &corners[other]) <= threshold) {
                kept.push(at);
                let place = [batch, class, at];
                bytes.extend(place.iter().flat_map(|at| (*at as i64).to_le_bytes()));
            }
        }
        found += kept.len();
    }
    let y = Tensor::new(DType::I64, &[found, 3], &bytes).map_err(|_| "no memory")?;
    let y = scope.constant(y);
    scope.give_tensor(0, y);
    Ok(())
}

pub(super) const CALLS: &[CallInfo] = &[row("NonMaxSuppression", suppress)];
