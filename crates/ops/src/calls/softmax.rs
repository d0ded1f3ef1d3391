use super::{CallInfo, axis, row, transpose};
use crate::{Cast, Softmax};
use sidestage_ir::{Scope, Stop, Traced};
use sidestage_tensor::DType;

/// Of all elements along an axis.
pub(super) fn along(
    scope: &mut Scope<'_, '_>,
    x: &Traced,
    axis: usize,
    log: bool,
) -> Result<Traced, Stop> {
    let rank = x.dims().len();
    let order: Vec<usize> = (0..rank).filter(|one| *one != axis).chain([axis]).collect();
    let moved = transpose(scope, x, &order)?;
    let width = x.dims()[axis];
    let rows = x.dims().iter().product::<usize>().checked_div(width).unwrap_or(0);
    let matrix = scope.view(&moved, &[rows, width])?;
    let y = scope.apply(Softmax { log }, &[matrix])?;
    let y = scope.view(&y, moved.dims())?;
    let back: Vec<usize> = (0..rank)
        .map(|one| match one {
            one if one < axis => one,
            one if one == axis => rank - 1,
            one => one - 1,
        })
        .collect();
    transpose(scope, &y, &back)
}

fn softmax(scope: &mut Scope<'_, '_>, log: bool) -> Result<(), Stop> {
    let given = scope.tensor(0)?;
    let mut x = given.clone();
    if x.dtype() != DType::F32 {
        x = scope.apply(Cast { to: DType::F32 }, &[x])?;
    }
    let mut y = versioned(scope, &x, scope.call().version, log)?;
    if given.dtype() != DType::F32 {
        y = scope.apply(Cast { to: given.dtype() }, &[y])?;
    }
    scope.give_tensor(0, y);
    Ok(())
}

/// Before ONNX 13 all axes from the given one on count as one.
pub(super) fn versioned(
    scope: &mut Scope<'_, '_>,
    x: &Traced,
    version: i64,
    log: bool,
) -> Result<Traced, Stop> {
    let (dims, old) = (x.dims().to_vec(), version < 13);
    let at = axis(scope.int("axis").unwrap_or(if old { 1 } else { -1 }), dims.len())?;
    if old {
        let (outer, inner) = dims.split_at(at);
        let flat = [outer.iter().product(), inner.iter().product()];
        let x = scope.view(x, &flat)?;
        let y = along(scope, &x, 1, log)?;
        scope.view(&y, &dims)
    } else {
        along(scope, x, at, log)
    }
}

pub(super) const CALLS: &[CallInfo] = &[
    row("LogSoftmax", |scope| softmax(scope, true)),
    row("Softmax", |scope| softmax(scope, false)),
];
