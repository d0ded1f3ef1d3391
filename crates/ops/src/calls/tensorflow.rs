//! What TensorFlow's graphs call (`TF::…`), as TensorFlow.js computes it: the operators of its
//! converter's list, a file for each of its families.
//!
//! What an operator of ONNX does as well is done by the same functions.

mod control;
mod conv;
mod elementwise;
mod image;
mod index;
mod list;
mod matmul;
mod moved;
mod norm;
mod pool;
mod reduce;
mod shape;
mod slice;
mod suppress;

use super::{CallInfo, axis, cast, expand, row, scalar, steps, transpose};
use crate::{Binary, Unary};
use sidestage_ir::{Scope, Stop, Traced};
use sidestage_kernels::{Binary as Two, Unary as One, Wide};
use sidestage_tensor::{DType, Tensor};

/// All of them.
pub(super) const CALLS: &[&[CallInfo]] = &[
    control::CALLS,
    conv::CALLS,
    elementwise::CALLS,
    image::CALLS,
    index::CALLS,
    list::CALLS,
    matmul::CALLS,
    moved::CALLS,
    norm::CALLS,
    pool::CALLS,
    reduce::CALLS,
    shape::CALLS,
    slice::CALLS,
    suppress::CALLS,
];

type S<'a, 'w> = Scope<'a, 'w>;
type Done = Result<(), Stop>;

fn one(scope: &mut S<'_, '_>, function: One, x: &Traced) -> Result<Traced, Stop> {
    scope.apply(Unary { function }, std::slice::from_ref(x))
}

/// Of two tensors of one type.
fn two(scope: &mut S<'_, '_>, function: Two, a: &Traced, b: &Traced) -> Result<Traced, Stop> {
    scope.apply(Binary { function }, &[a.clone(), b.clone()])
}

/// A tensor and a number.
fn with(scope: &mut S<'_, '_>, function: Two, a: &Traced, b: f64) -> Result<Traced, Stop> {
    let b = scalar(scope, a.dtype(), b)?;
    two(scope, function, a, &b)
}

/// The type of both: truth values become integers, and these numbers with a fraction, where it must be.
fn common(a: DType, b: DType) -> DType {
    let rank = |dtype| match dtype {
        DType::Bool => 0,
        DType::I32 => 1,
        DType::I64 => 2,
        _ => 3,
    };
    if rank(a) < rank(b) { b } else { a }
}

fn matched(scope: &mut S<'_, '_>, a: &Traced, b: &Traced) -> Result<[Traced; 2], Stop> {
    let dtype = common(a.dtype(), b.dtype());
    Ok([cast(scope, a, dtype)?, cast(scope, b, dtype)?])
}

/// The integers that an operand holds, which may not be left out.
fn integers(scope: &S<'_, '_>, index: usize) -> Result<Vec<i64>, Stop> {
    let missing = || Stop::Refused(format!("operand {index} is missing"));
    scope.integers(index)?.ok_or_else(missing)
}

/// One integer.
pub(super) fn integer(scope: &S<'_, '_>, index: usize) -> Result<i64, Stop> {
    let one = || Stop::Refused(format!("operand {index} must be one number"));
    match integers(scope, index)?[..] {
        [only] => Ok(only),
        _ => Err(one()),
    }
}

/// Sizes that an operand holds.
pub(super) fn sizes(scope: &S<'_, '_>, index: usize) -> Result<Vec<usize>, Stop> {
    let wrong = || Stop::Refused(format!("operand {index} must be sizes"));
    let sizes = integers(scope, index)?.into_iter().map(|size| usize::try_from(size).ok());
    let small = |sizes: &Vec<usize>| sizes.iter().all(|size| *size < 1 << 31);
    sizes.collect::<Option<Vec<_>>>().filter(small).ok_or_else(wrong)
}

/// The numbers that an operand holds.
fn numbers(scope: &S<'_, '_>, index: usize) -> Result<Vec<f64>, Stop> {
    let tensor = scope.tensor(index)?;
    let known = scope.known(&tensor)?;
    if let Some(whole) = known.integers() {
        return Ok(whole.into_iter().map(|number| number as f64).collect());
    }
    let load = f64::load(known.dtype()).ok_or("an operand must be numbers")?;
    Ok((0..known.len()).map(|at| load(known.bytes(), at)).collect())
}

/// One number; the default, if it is left out.
fn number(scope: &S<'_, '_>, index: usize, default: f64) -> Result<f64, Stop> {
    if scope.optional_tensor(index)?.is_none() {
        return Ok(default);
    }
    numbers(scope, index)?.first().copied().ok_or_else(|| "a number that is none".into())
}

/// Integers as TensorFlow.js has them.
fn list(scope: &S<'_, '_>, dims: &[usize], values: &[i64]) -> Result<Traced, Stop> {
    let bytes: Vec<u8> = values.iter().flat_map(|value| (*value as i32).to_le_bytes()).collect();
    let tensor = Tensor::new(DType::I32, dims, &bytes).map_err(|_| "no memory")?;
    Ok(scope.constant(tensor))
}

/// Elements in all, if there can be so many.
fn product(dims: &[usize]) -> Result<usize, Stop> {
    let all = dims.iter().try_fold(1_usize, |all, dim| all.checked_mul(*dim));
    all.filter(|all| *all < isize::MAX as usize / 16)
        .ok_or_else(|| "a tensor that is too large".into())
}

/// Elements `from..to` along an axis.
fn part(
    scope: &mut S<'_, '_>,
    x: &Traced,
    axis: usize,
    from: usize,
    to: usize,
) -> Result<Traced, Stop> {
    if (from, to) == (0, x.dims()[axis]) {
        return Ok(x.clone());
    }
    let (mut dims, steps) = (x.dims().to_vec(), steps(x.dims()));
    dims[axis] = to - from;
    let start = if dims.contains(&0) { 0 } else { from * steps[axis] as usize };
    scope.apply(crate::StridedCopy { dims, start, steps }, std::slice::from_ref(x))
}

/// Whether channels are the first dimension after the batch, and not the last.
fn channels_first(scope: &S<'_, '_>) -> bool {
    scope.text("data_format").is_some_and(|format| format.starts_with("NC"))
}

/// `[n, …, c]` as `[n, c, …]`.
fn inward(scope: &mut S<'_, '_>, x: &Traced) -> Result<Traced, Stop> {
    let rank = x.dims().len();
    if rank < 2 {
        return Err(Stop::Refused(format!("x of {:?}", x.dims())));
    }
    let order: Vec<usize> = [0, rank - 1].into_iter().chain(1..rank - 1).collect();
    transpose(scope, x, &order)
}

/// `[n, c, …]` as `[n, …, c]`.
fn outward(scope: &mut S<'_, '_>, x: &Traced) -> Result<Traced, Stop> {
    let rank = x.dims().len();
    let order: Vec<usize> = [0].into_iter().chain(2..rank).chain([1]).collect();
    transpose(scope, x, &order)
}
