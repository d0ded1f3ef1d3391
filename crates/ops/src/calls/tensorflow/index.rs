//! Indices as elements, and elements chosen by what they are.

use super::{CallInfo, Done, S, Two, axis, cast, integer, list, row, scalar, two};
use crate::calls::arg::{back, rows_along};
use crate::calls::unique::each_once;
use crate::{TopK, Where};
use sidestage_ir::Stop;
use sidestage_tensor::{DType, Tensor};

/// An index that is none has no one.
fn one_hot(scope: &mut S<'_, '_>) -> Done {
    let indices = scope.tensor(0)?;
    let depth = usize::try_from(integer(scope, 1)?).ok().filter(|depth| *depth < 1 << 31);
    let depth = depth.ok_or("a depth that is none")?;
    let value =
        |scope: &mut S<'_, '_>, index: usize, default: f64| match scope.optional_tensor(index)? {
            Some(value) => scope.view(&value, &[]),
            None => scalar(scope, DType::F32, default),
        };
    let (on, off) = (value(scope, 2, 1.0)?, value(scope, 3, 0.0)?);
    let off = cast(scope, &off, on.dtype())?;
    let at = axis(scope.int("axis").unwrap_or(-1), indices.dims().len() + 1)?;
    let dims: Vec<usize> = indices.dims().iter().copied().chain([1]).collect();
    let indices = cast(scope, &indices, DType::I32)?;
    let indices = scope.view(&indices, &dims)?;
    let all = list(scope, &[depth], &(0..depth as i64).collect::<Vec<_>>())?;
    let hot = two(scope, Two::Equal, &indices, &all)?;
    let y = scope.apply(Where, &[hot, on, off])?;
    let y = back(scope, &y, at)?;
    scope.give_tensor(0, y);
    Ok(())
}

/// The places of what is not 0, a row each.
fn places(scope: &mut S<'_, '_>) -> Done {
    let x = scope.tensor(0)?;
    let values = super::numbers(scope, 0)?;
    let mut found = Vec::new();
    let mut count = 0;
    for at in (0..values.len()).filter(|at| values[*at] != 0.0) {
        let (mut rest, mut row) = (at, Vec::with_capacity(x.dims().len()));
        for &dim in x.dims().iter().rev() {
            row.push((rest % dim) as i64);
            rest /= dim;
        }
        found.extend(row.into_iter().rev());
        count += 1;
    }
    let y = list(scope, &[count, x.dims().len()], &found)?;
    scope.give_tensor(0, y);
    Ok(())
}

fn top_k(scope: &mut S<'_, '_>) -> Done {
    let x = scope.tensor(0)?;
    let k = usize::try_from(integer(scope, 1)?).map_err(|_| "a number of elements below 0")?;
    let at = axis(-1, x.dims().len())?;
    let (rows, mut dims) = rows_along(scope, &x, at)?;
    let results = scope.apply_all(TopK { k, largest: true }, &[rows])?;
    dims[at] = k;
    for (index, y) in results.into_iter().enumerate() {
        let mut y = scope.view(&y, &dims)?;
        if index == 1 {
            y = cast(scope, &y, DType::I32)?;
        }
        scope.give_tensor(index, y);
    }
    Ok(())
}

/// The parts that a tensor has along an axis, each once, in the order in which they come, and for each of
/// them which it is.
fn unique(scope: &mut S<'_, '_>) -> Done {
    let x = scope.tensor(0)?;
    let named = scope.integers(1)?.and_then(|list| list.first().copied());
    let at = axis(named.unwrap_or(0), x.dims().len())?;
    let (y, places) = each_once(scope, &x, at)?;
    scope.give_tensor(0, y);
    let places = list(scope, &[places.len()], &places)?;
    scope.give_tensor(1, places);
    Ok(())
}

/// The elements of a list that another has not, and their places.
fn difference(scope: &mut S<'_, '_>) -> Done {
    let (x, y) = (scope.tensor(0)?, scope.tensor(1)?);
    if x.dtype() != y.dtype() || x.dims().len() != 1 {
        return Err("both must be lists of one type".into());
    }
    let (all, gone) = (scope.known(&x)?, scope.known(&y)?);
    let size = all.dtype().block_bytes();
    let gone: std::collections::HashSet<&[u8]> = gone.bytes().chunks_exact(size).collect();
    let left = all.bytes().chunks_exact(size).enumerate().filter(|(_, one)| !gone.contains(one));
    let (mut bytes, mut places) = (Vec::new(), Vec::new());
    for (at, element) in left {
        bytes.extend_from_slice(element);
        places.push(at as i64);
    }
    let left = Tensor::new(x.dtype(), &[places.len()], &bytes).map_err(|_| "no memory")?;
    let left = scope.constant(left);
    scope.give_tensor(0, left);
    let places = list(scope, &[places.len()], &places)?;
    scope.give_tensor(1, places);
    Ok(())
}

/// A band of matrices around the diagonal, 0 elsewhere; all on a side where a width is below 0.
fn band(scope: &mut S<'_, '_>) -> Done {
    let x = scope.tensor(0)?;
    let (lower, upper) = (integer(scope, 1)?, integer(scope, 2)?);
    let &[.., rows, columns] = x.dims() else {
        return Err(Stop::Refused(format!("matrices of {:?}", x.dims())));
    };
    let kept = |row: usize, column: usize| {
        let over = column as i64 - row as i64;
        (lower < 0 || -over <= lower) && (upper < 0 || over <= upper)
    };
    let all = (0..rows).flat_map(|row| (0..columns).map(move |column| (row, column)));
    let bytes: Vec<u8> = all.map(|(row, column)| kept(row, column).into()).collect();
    let mask = Tensor::new(DType::Bool, &[rows, columns], &bytes).map_err(|_| "no memory")?;
    let (mask, zero) = (scope.constant(mask), scalar(scope, x.dtype(), 0.0)?);
    let y = scope.apply(Where, &[mask, x, zero])?;
    scope.give_tensor(0, y);
    Ok(())
}

pub(super) const CALLS: &[CallInfo] = &[
    row("TF::ListDiff", difference),
    row("TF::MatrixBandPart", band),
    row("TF::OneHot", one_hot),
    row("TF::TopKV2", top_k),
    row("TF::Unique", unique),
    row("TF::UniqueV2", unique),
    row("TF::Where", places),
];
