//! Indices of elements.

use super::{give_moved, real};
use crate::calls::arg::{back, rows_along};
use crate::calls::compress::full;
use crate::calls::unique::each_once;
use crate::calls::{CallInfo, axis, cast, row};
use crate::{Arg, Cumulative, TopK};
use sidestage_ir::{Attribute, Scope, Stop};
use sidestage_tensor::{DType, Tensor};

type Done = Result<(), Stop>;

/// A single number that an operand is.
fn number(scope: &Scope<'_, '_>, index: usize) -> Result<i64, Stop> {
    let list = scope.integers(index)?;
    Ok(list.and_then(|list| list.first().copied()).ok_or("a number is missing")?)
}

/// The type of indices that an option names.
fn index_type(scope: &Scope<'_, '_>, name: &str) -> DType {
    match scope.call().attribute(name) {
        Some(Attribute::Type(DType::I32)) => DType::I32,
        _ => DType::I64,
    }
}

fn arg(scope: &mut Scope<'_, '_>, largest: bool) -> Done {
    let x = scope.tensor(0)?;
    let at = axis(number(scope, 1)?, x.dims().len())?;
    let to = index_type(scope, "output_type");
    let (rows, _) = rows_along(scope, &x, at)?;
    let y = scope.apply(Arg { largest, last: false }, &[rows])?;
    let mut dims = x.dims().to_vec();
    dims.remove(at);
    let y = scope.view(&y, &dims)?;
    let y = cast(scope, &y, to)?;
    scope.give_tensor(0, y);
    Ok(())
}

fn top_k(scope: &mut Scope<'_, '_>) -> Done {
    let x = scope.tensor(0)?;
    let k = usize::try_from(number(scope, 1)?).map_err(|_| "k is below 0")?;
    let last = x.dims().len().checked_sub(1).ok_or("x must have a dimension")?;
    let (rows, mut dims) = rows_along(scope, &x, last)?;
    let mut results = scope.apply_all(TopK { k, largest: true }, &[rows])?.into_iter();
    dims[last] = k;
    let (values, places) = results.next().zip(results.next()).ok_or("too few results")?;
    let values = scope.view(&values, &dims)?;
    give_moved(scope, 0, 0, values)?;
    let places = scope.view(&places, &dims)?;
    let places = cast(scope, &places, super::result_type(scope, 1).unwrap_or(DType::I32))?;
    scope.give_tensor(1, places);
    Ok(())
}

fn cumsum(scope: &mut Scope<'_, '_>) -> Done {
    let at = number(scope, 1)?;
    let x = real(scope, 0)?;
    let at = axis(at, x.dims().len())?;
    let exclusive = scope.int("exclusive") == Some(1);
    let reverse = scope.int("reverse") == Some(1);
    let (rows, dims) = rows_along(scope, &x, at)?;
    let y = scope.apply(Cumulative { product: false, exclusive, reverse }, &[rows])?;
    let y = scope.view(&y, &dims)?;
    let y = back(scope, &y, at)?;
    scope.give_tensor(0, y);
    Ok(())
}

/// The indices of what is true, a row for each.
fn places(scope: &mut Scope<'_, '_>) -> Done {
    let x = scope.tensor(0)?;
    let found = full(scope, &x)?;
    let steps = crate::calls::steps(x.dims());
    let place = |at: usize| {
        let along = x.dims().iter().zip(&steps);
        along.flat_map(move |(dim, step)| ((at / *step as usize % dim) as i64).to_le_bytes())
    };
    let bytes: Vec<u8> = found.iter().flat_map(|at| place(*at)).collect();
    let y = Tensor::new(DType::I64, &[found.len(), x.dims().len()], &bytes);
    let y = scope.constant(y.map_err(|_| "no memory")?);
    scope.give_tensor(0, y);
    Ok(())
}

/// Each element once, in the order in which they come, and for all elements which it is.
fn unique(scope: &mut Scope<'_, '_>) -> Done {
    let x = scope.tensor(0)?;
    if x.dims().len() != 1 {
        return Err("x must have one dimension".into());
    }
    let (y, places) = each_once(scope, &x, 0)?;
    scope.give_tensor(0, y);
    let places = scope.list(&places)?;
    let to = index_type(scope, "idx_out_type");
    let places = cast(scope, &places, to)?;
    scope.give_tensor(1, places);
    Ok(())
}

pub(in crate::calls) const CALLS: &[CallInfo] = &[
    row("TFLITE::ARG_MAX", |scope| arg(scope, true)),
    row("TFLITE::ARG_MIN", |scope| arg(scope, false)),
    row("TFLITE::CUMSUM", cumsum),
    row("TFLITE::TOPK_V2", top_k),
    row("TFLITE::UNIQUE", unique),
    row("TFLITE::WHERE", places),
];
