//! Elements by their indices, and tensors with elements that are others.

use super::{dequantized, give_moved, of_operand, quantizable, real, result_type};
use crate::calls::index::one_of;
use crate::calls::{CallInfo, axis, cast, expand, row, scalar, transpose};
use crate::{GatherNd, Places, Scatter, Take, Where};
use sidestage_ir::{Scope, Stop, Traced};
use sidestage_kernels::Binary as Two;
use sidestage_tensor::DType;

type S<'a, 'w> = Scope<'a, 'w>;
type Done = Result<(), Stop>;

/// A list of sizes.
fn sizes(list: &[i64]) -> Result<Vec<usize>, Stop> {
    let dims = list.iter().map(|&dim| usize::try_from(dim).map_err(|_| "a dimension below 0"));
    Ok(dims.collect::<Result<_, _>>()?)
}

/// Indices of 16 bits are read as those of 32.
fn indices(scope: &mut S<'_, '_>, index: usize) -> Result<Traced, Stop> {
    let indices = scope.tensor(index)?;
    match indices.dtype() {
        DType::I64 => Ok(indices),
        _ => cast(scope, &indices, DType::I32),
    }
}

/// The first `batch_dims` dimensions are those of `x` and of the indices.
fn gather(scope: &mut S<'_, '_>) -> Done {
    let x = scope.tensor(0)?;
    let indices = indices(scope, 1)?;
    let (rank, depth) = (x.dims().len(), indices.dims().len());
    let at = axis(scope.int("axis").unwrap_or(0), rank)?;
    let batch = match scope.int("batch_dims").unwrap_or(0) {
        batch @ ..0 => batch + depth as i64,
        batch => batch,
    };
    let batch = usize::try_from(batch).ok().filter(|batch| *batch <= at && *batch <= depth);
    let batch = batch.ok_or("batch_dims past the axis")?;
    let y = if batch == 0 {
        scope.apply(Take { axis: at }, &[x, indices])?
    } else {
        let order: Vec<usize> =
            (0..batch).chain([at]).chain(batch..at).chain(at + 1..rank).collect();
        let moved = transpose(scope, &x, &order)?;
        let dims: Vec<usize> = indices.dims().iter().copied().chain([1]).collect();
        let places = scope.view(&indices, &dims)?;
        let y = scope.apply(GatherNd { batch }, &[moved, places])?;
        // What lay before the axis goes before the indices again.
        let between = at - batch;
        let back: Vec<usize> = (0..batch)
            .chain(depth..depth + between)
            .chain(batch..depth)
            .chain(depth + between..y.dims().len())
            .collect();
        transpose(scope, &y, &back)?
    };
    give_moved(scope, 0, 0, y)
}

fn gather_nd(scope: &mut S<'_, '_>) -> Done {
    let x = scope.tensor(0)?;
    let indices = indices(scope, 1)?;
    let y = scope.apply(GatherNd { batch: 0 }, &[x, indices])?;
    give_moved(scope, 0, 0, y)
}

/// Operands: indices, rows. Rows of integers may be given as numbers.
fn embedding_lookup(scope: &mut S<'_, '_>) -> Done {
    let indices = indices(scope, 0)?;
    let table = scope.tensor(1)?;
    let as_numbers = result_type(scope, 0) == Some(DType::F32) && quantizable(table.dtype());
    let of = of_operand(scope, 1)?.filter(|_| as_numbers);
    let y = match of {
        Some(of) if of.scales.len() > 1 => {
            let table = dequantized(scope, &table, &of)?;
            scope.apply(Take { axis: 0 }, &[table, indices])?
        }
        Some(of) => {
            let rows = scope.apply(Take { axis: 0 }, &[table, indices])?;
            dequantized(scope, &rows, &of)?
        }
        None => scope.apply(Take { axis: 0 }, &[table, indices])?,
    };
    scope.give_tensor(0, y);
    Ok(())
}

/// Unlike ONNX's, an index that is not there has no place, also one below 0.
fn one_hot(scope: &mut S<'_, '_>) -> Done {
    let depth = scope.integers(1)?.and_then(|list| list.first().copied());
    let depth =
        depth.and_then(|depth| usize::try_from(depth).ok()).filter(|depth| *depth < 1 << 31);
    let depth = depth.ok_or("the depth is missing")?;
    let (indices, on, off) = (scope.tensor(0)?, scope.tensor(2)?, scope.tensor(3)?);
    let at = axis(scope.int("axis").unwrap_or(-1), indices.dims().len() + 1)?;
    let dims: Vec<usize> = indices.dims().iter().copied().chain([1]).collect();
    let indices = cast(scope, &indices, DType::I64)?;
    let indices = scope.view(&indices, &dims)?;
    let hot = one_of(scope, &indices, depth)?;
    let (on, off) = (scope.view(&on, &[])?, scope.view(&off, &[])?);
    let y = scope.apply(Where, &[hot, on, off])?;
    let y = crate::calls::arg::back(scope, &y, at)?;
    give_moved(scope, 2, 0, y)
}

/// Zeros, and what goes to one place is added.
fn scatter_nd(scope: &mut S<'_, '_>) -> Done {
    let dims = sizes(&scope.integers(2)?.ok_or("the shape is missing")?)?;
    let (indices, updates) = (indices(scope, 0)?, scope.tensor(1)?);
    let zero = scalar(scope, updates.dtype(), 0.0)?;
    let zeros = expand(scope, &zero, &dims)?;
    let reduction = Some(Two::Add).filter(|_| updates.dtype() != DType::Bool);
    let op = Scatter { places: Places::Slices, reduction };
    let y = scope.apply(op, &[zeros, indices, updates])?;
    scope.give_tensor(0, y);
    Ok(())
}

/// A value everywhere but at some places; operands: places, the shape, values, that value.
fn sparse_to_dense(scope: &mut S<'_, '_>) -> Done {
    let dims = sizes(&scope.integers(1)?.ok_or("the shape is missing")?)?;
    let (indices, values) = (indices(scope, 0)?, scope.tensor(2)?);
    let default = scope.tensor(3)?;
    let default = scope.view(&default, &[])?;
    let places = match *indices.dims() {
        [] => scope.view(&indices, &[1, 1])?,
        [count] => scope.view(&indices, &[count, 1])?,
        _ => indices,
    };
    let count = places.dims()[0];
    let values = match values.dims().len() {
        0 => expand(scope, &values, &[count])?,
        _ => values,
    };
    let all = expand(scope, &default, &dims)?;
    let op = Scatter { places: Places::Slices, reduction: None };
    let y = scope.apply(op, &[all, places, values])?;
    scope.give_tensor(0, y);
    Ok(())
}

/// Slices of one number go together; those below 0 go nowhere.
fn segments(scope: &mut S<'_, '_>, function: Two, from: f64) -> Done {
    let count = match scope.integers(2)? {
        Some(list) => list.first().copied(),
        // As many as the numbers, which are in order, say.
        None => Some(scope.integers(1)?.and_then(|ids| ids.last().copied()).unwrap_or(-1) + 1),
    };
    let count = count.and_then(|count| usize::try_from(count).ok()).filter(|n| *n < 1 << 31);
    let count = count.ok_or("the number of segments is missing")?;
    let (x, ids) = (real(scope, 0)?, scope.tensor(1)?);
    if !x.dims().starts_with(ids.dims()) {
        return Err(Stop::Refused(format!("segments {:?} of {:?}", ids.dims(), x.dims())));
    }
    let rest = x.dims()[ids.dims().len()..].to_vec();
    let slices: usize = ids.dims().iter().product();
    let with = |first: usize| [&[first], &rest[..]].concat();
    let updates = scope.view(&x, &with(slices))?;
    let ids = cast(scope, &ids, DType::I64)?;
    let ids = scope.view(&ids, &[slices, 1])?;
    // Their place is one behind the last.
    let (zero, last) = (scalar(scope, DType::I64, 0.0)?, scalar(scope, DType::I64, count as f64)?);
    let below = super::two(scope, Two::Less, &ids, &zero)?;
    let ids = scope.apply(Where, &[below, last, ids])?;
    let first = match x.dtype() {
        DType::F32 | DType::F64 => scalar(scope, x.dtype(), from)?,
        _ => scalar(scope, x.dtype(), from.clamp(-2_147_483_648.0, 2_147_483_647.0))?,
    };
    let all = expand(scope, &first, &with(count + 1))?;
    let op = Scatter { places: Places::Slices, reduction: Some(function) };
    let y = scope.apply(op, &[all, ids, updates])?;
    let y = super::layout::part(scope, &y, 0, 0, count)?;
    scope.give_tensor(0, y);
    Ok(())
}

const LEAST: f64 = f32::MIN as f64;
const MOST: f64 = f32::MAX as f64;

pub(in crate::calls) const CALLS: &[CallInfo] = &[
    row("TFLITE::EMBEDDING_LOOKUP", embedding_lookup),
    row("TFLITE::GATHER", gather),
    row("TFLITE::GATHER_ND", gather_nd),
    row("TFLITE::ONE_HOT", one_hot),
    row("TFLITE::SCATTER_ND", scatter_nd),
    row("TFLITE::SEGMENT_SUM", |scope| segments(scope, Two::Add, 0.0)),
    row("TFLITE::SPARSE_TO_DENSE", sparse_to_dense),
    row("TFLITE::UNSORTED_SEGMENT_MAX", |scope| segments(scope, Two::Max, LEAST)),
    row("TFLITE::UNSORTED_SEGMENT_MIN", |scope| segments(scope, Two::Min, MOST)),
    row("TFLITE::UNSORTED_SEGMENT_PROD", |scope| segments(scope, Two::Mul, 1.0)),
    row("TFLITE::UNSORTED_SEGMENT_SUM", |scope| segments(scope, Two::Add, 0.0)),
];
