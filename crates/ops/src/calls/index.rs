//! Elements by their indices, and indices as elements.

use super::arg::{back, rows_along};
use super::{CallInfo, axis, row, scalar};
use crate::{Arg, Binary, Cast, GatherElements, GatherNd, Where};
use sidestage_ir::{Scope, Stop, Traced};
use sidestage_kernels::Binary as Two;
use sidestage_tensor::DType;

fn gather_elements(scope: &mut Scope<'_, '_>) -> Result<(), Stop> {
    let (x, indices) = (scope.tensor(0)?, scope.tensor(1)?);
    let axis = axis(scope.int("axis").unwrap_or(0), x.dims().len())?;
    let y = scope.apply(GatherElements { axis }, &[x, indices])?;
    scope.give_tensor(0, y);
    Ok(())
}

fn gather_nd(scope: &mut Scope<'_, '_>) -> Result<(), Stop> {
    let (x, indices) = (scope.tensor(0)?, scope.tensor(1)?);
    let batch = usize::try_from(scope.int("batch_dims").unwrap_or(0)).unwrap_or(usize::MAX);
    let y = scope.apply(GatherNd { batch }, &[x, indices])?;
    scope.give_tensor(0, y);
    Ok(())
}

/// `[…, 1]` indices, each as a row of `depth` truth values, one of them true.
pub(super) fn one_of(
    scope: &mut Scope<'_, '_>,
    indices: &Traced,
    depth: usize,
) -> Result<Traced, Stop> {
    let all: Vec<i64> = (0..depth as i64).collect();
    let all = scope.list(&all)?;
    scope.apply(Binary { function: Two::Equal }, &[indices.clone(), all])
}

fn one_hot(scope: &mut Scope<'_, '_>) -> Result<(), Stop> {
    let (mut indices, depth, values) = (scope.tensor(0)?, scope.tensor(1)?, scope.tensor(2)?);
    let depth = scope.known(&depth)?;
    let depth = scope.constant(depth);
    let depth = scope.apply(Cast { to: DType::I64 }, &[depth])?;
    let depth = scope.known(&depth)?.elements::<i64>().first().copied().unwrap_or(-1);
    let count = usize::try_from(depth).ok().filter(|count| *count < 1 << 31);
    let count = count.ok_or_else(|| Stop::Refused(format!("a depth of {depth}")))?;
    let rank = indices.dims().len() + 1;
    let at = axis(scope.int("axis").unwrap_or(-1), rank)?;
    let dims: Vec<usize> = indices.dims().iter().copied().chain([1]).collect();
    if indices.dtype() != DType::I64 {
        indices = scope.apply(Cast { to: DType::I64 }, &[indices])?;
    }
    let indices = scope.view(&indices, &dims)?;
    let (zero, depth) = (scalar(scope, DType::I64, 0.0)?, scalar(scope, DType::I64, count as f64)?);
    let below = scope.apply(Binary { function: Two::Less }, &[indices.clone(), zero])?;
    let wrapped = scope.apply(Binary { function: Two::Add }, &[indices.clone(), depth])?;
    let indices = scope.apply(Where, &[below, wrapped, indices])?;
    let hot = one_of(scope, &indices, count)?;
    if values.dims() != [2] {
        return Err("the values must be two".into());
    }
    let value = |scope: &mut Scope<'_, '_>, at: usize| {
        let op = crate::StridedCopy { dims: Vec::new(), start: at, steps: Vec::new() };
        scope.apply(op, std::slice::from_ref(&values))
    };
    let (off, on) = (value(scope, 0)?, value(scope, 1)?);
    let y = scope.apply(Where, &[hot, on, off])?;
    let y = back(scope, &y, at)?;
    scope.give_tensor(0, y);
    Ok(())
}

/// Before ONNX 13 all axes from the given one on count as one.
fn hardmax(scope: &mut Scope<'_, '_>) -> Result<(), Stop> {
    let x = scope.tensor(0)?;
    let old = scope.call().version < 13;
    let at = axis(scope.int("axis").unwrap_or(if old { 1 } else { -1 }), x.dims().len())?;
    let dims = x.dims().to_vec();
    let (rows, moved) = if old {
        let (outer, inner) = dims.split_at(at);
        let flat = [outer.iter().product(), inner.iter().product()];
        (scope.view(&x, &flat)?, dims.clone())
    } else {
        rows_along(scope, &x, at)?
    };
    let width = rows.dims()[1];
    let places = scope.apply(Arg { largest: true, last: false }, &[rows])?;
    let places = scope.view(&places, &[places.dims()[0], 1])?;
    let hot = one_of(scope, &places, width)?;
    let y = scope.apply(Cast { to: x.dtype() }, &[hot])?;
    let mut y = scope.view(&y, &moved)?;
    if !old {
        y = back(scope, &y, at)?;
    }
    scope.give_tensor(0, y);
    Ok(())
}

pub(super) const CALLS: &[CallInfo] = &[
    row("GatherElements", gather_elements),
    row("GatherND", gather_nd),
    row("Hardmax", hardmax),
    row("OneHot", one_hot),
];
