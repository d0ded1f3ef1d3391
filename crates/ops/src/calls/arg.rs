use super::{CallInfo, axis, row, transpose};
use crate::{Arg, TopK};
use sidestage_ir::{Scope, Stop, Traced};

/// A tensor as `[rows, width]`, where the rows lie along an axis, and the dimensions with it at the end.
pub(super) fn rows_along(
    scope: &mut Scope<'_, '_>,
    x: &Traced,
    axis: usize,
) -> Result<(Traced, Vec<usize>), Stop> {
    let order: Vec<usize> = (0..x.dims().len()).filter(|one| *one != axis).chain([axis]).collect();
    let moved = transpose(scope, x, &order)?;
    let width = x.dims()[axis];
    let rows = moved.dims()[..order.len() - 1].iter().product();
    Ok((scope.view(&moved, &[rows, width])?, moved.dims().to_vec()))
}

/// The way back, of a tensor with the axis at the end.
pub(super) fn back(scope: &mut Scope<'_, '_>, x: &Traced, axis: usize) -> Result<Traced, Stop> {
    let rank = x.dims().len();
    let order: Vec<usize> = (0..rank)
        .map(|one| match one {
            one if one < axis => one,
            one if one == axis => rank - 1,
            one => one - 1,
        })
        .collect();
    transpose(scope, x, &order)
}

fn arg(scope: &mut Scope<'_, '_>, largest: bool) -> Result<(), Stop> {
    let x = scope.tensor(0)?;
    let at = axis(scope.int("axis").unwrap_or(0), x.dims().len())?;
    let (rows, _) = rows_along(scope, &x, at)?;
    let last = scope.int("select_last_index") == Some(1);
    let y = scope.apply(Arg { largest, last }, &[rows])?;
    let mut dims = x.dims().to_vec();
    if scope.int("keepdims") == Some(0) {
        dims.remove(at);
    } else {
        dims[at] = 1;
    }
    let y = scope.view(&y, &dims)?;
    scope.give_tensor(0, y);
    Ok(())
}

/// ONNX 10: k is an operand; before, an attribute.
fn top_k(scope: &mut Scope<'_, '_>) -> Result<(), Stop> {
    let x = scope.tensor(0)?;
    let at = axis(scope.int("axis").unwrap_or(-1), x.dims().len())?;
    let k = match scope.int("k") {
        Some(k) => Some(k),
        None => scope.integers(1)?.and_then(|k| k.first().copied()),
    };
    let k = k.and_then(|k| usize::try_from(k).ok()).ok_or("k is missing")?;
    let (rows, mut dims) = rows_along(scope, &x, at)?;
    let largest = scope.int("largest") != Some(0);
    let results = scope.apply_all(TopK { k, largest }, &[rows])?;
    if let Some(last) = dims.last_mut() {
        *last = k;
    }
    for (index, y) in results.into_iter().enumerate() {
        let y = scope.view(&y, &dims)?;
        let y = back(scope, &y, at)?;
        scope.give_tensor(index, y);
    }
    Ok(())
}

pub(super) const CALLS: &[CallInfo] = &[
    row("ArgMax", |scope| arg(scope, true)),
    row("ArgMin", |scope| arg(scope, false)),
    row("TopK", top_k),
];
