//! Lists of tensors (`TensorList…`), and TensorFlow 1's (`TensorArray…`): sequences, while a model is
//! traced.
//!
//! An array is changed in place by those who have its handle, in the order that a `flow` gives, which
//! goes from one to the next. Here the flow is the array, and the handle is nothing.

use super::{CallInfo, Done, S, expand, integer, integers, list, part, row, scalar};
use crate::Concat;
use crate::calls::control::stack;
use sidestage_ir::{Attribute, Stop, Traced, Val};
use sidestage_tensor::DType;

/// More elements are refused.
const MOST: i64 = 1 << 20;

fn sequence(scope: &S<'_, '_>, index: usize) -> Result<Vec<Val>, Stop> {
    match scope.val(index)? {
        Val::Sequence(all) => Ok(all),
        _ => Err(Stop::Refused(format!("operand {index} must be a list"))),
    }
}

fn length(count: i64) -> Result<usize, Stop> {
    let found = usize::try_from(count).ok().filter(|_| count <= MOST);
    found.ok_or_else(|| Stop::Refused(format!("a list of {count} tensors")))
}

/// As many tensors that are not there yet.
fn empty(count: i64) -> Result<Vec<Val>, Stop> {
    Ok(vec![Val::Nothing; length(count)?])
}

fn dtype(scope: &S<'_, '_>) -> DType {
    let mut named = ["element_dtype", "dtype"].into_iter();
    let found = named.find_map(|name| match scope.call().attribute(name) {
        Some(Attribute::Type(dtype)) => Some(*dtype),
        _ => None,
    });
    found.unwrap_or(DType::F32)
}

/// The shape of elements as an operand says it; `None`: not known in full.
fn shape(scope: &S<'_, '_>, index: Option<usize>) -> Result<Option<Vec<usize>>, Stop> {
    let list = match index {
        Some(index) => scope.integers(index)?,
        None => scope.ints("element_shape").map(<[i64]>::to_vec),
    };
    let dims = list.map(|list| list.into_iter().map(|dim| usize::try_from(dim).ok()).collect());
    Ok(dims.flatten())
}

/// An element; zeros, if it is not there.
fn element(
    scope: &mut S<'_, '_>,
    all: &[Val],
    at: usize,
    shape: Option<&[usize]>,
) -> Result<Traced, Stop> {
    let found = all.get(at).ok_or_else(|| format!("element {at} of a list of {}", all.len()))?;
    if let Val::Tensor(tensor) = found {
        return Ok(tensor.clone());
    }
    let other = all.iter().find_map(|one| match one {
        Val::Tensor(tensor) => Some((tensor.dims().to_vec(), tensor.dtype())),
        _ => None,
    });
    let known = other.or_else(|| Some((shape?.to_vec(), dtype(scope))));
    let (dims, dtype) =
        known.ok_or("an element that is not there, of a shape that is not known")?;
    let zero = scalar(scope, dtype, 0.0)?;
    expand(scope, &zero, &dims)
}

/// All elements along a new axis.
fn stacked(scope: &mut S<'_, '_>, all: &[Val], shape: Option<Vec<usize>>) -> Result<Traced, Stop> {
    if all.is_empty() {
        let dims: Vec<usize> = [0].into_iter().chain(shape.unwrap_or_default()).collect();
        let zero = scalar(scope, dtype(scope), 0.0)?;
        return expand(scope, &zero, &dims);
    }
    let elements =
        (0..all.len()).map(|at| element(scope, all, at, shape.as_deref()).map(Val::Tensor));
    let elements = elements.collect::<Result<Vec<Val>, _>>()?;
    match stack(scope, &elements, 0)? {
        Val::Tensor(tensor) => Ok(tensor),
        _ => Err("a list of lists".into()),
    }
}

/// The slices of a tensor along its first axis.
fn slices(scope: &mut S<'_, '_>, x: &Traced) -> Result<Vec<Val>, Stop> {
    let (&count, dims) = x.dims().split_first().ok_or("a number has no parts")?;
    let dims = dims.to_vec();
    length(count as i64)?;
    let mut all = Vec::with_capacity(count);
    for at in 0..count {
        let one = part(scope, x, 0, at, at + 1)?;
        all.push(Val::Tensor(scope.view(&one, &dims)?));
    }
    Ok(all)
}

/// Parts of these lengths along the first axis.
fn parts(scope: &mut S<'_, '_>, x: &Traced, lengths: &[i64]) -> Result<Vec<Val>, Stop> {
    let (mut all, mut from) = (Vec::new(), 0);
    for &length in lengths {
        let to = usize::try_from(length).ok().and_then(|length| length.checked_add(from));
        let to = to.filter(|to| x.dims().first().is_some_and(|dim| to <= dim));
        let to = to.ok_or_else(|| format!("{:?} cannot be split into {lengths:?}", x.dims()))?;
        all.push(Val::Tensor(part(scope, x, 0, from, to)?));
        from = to;
    }
    Ok(all)
}

fn place(at: i64) -> Result<usize, Stop> {
    usize::try_from(at).ok().filter(|_| at < MOST).ok_or_else(|| format!("element {at}").into())
}

fn set(all: &mut Vec<Val>, at: i64, val: Val) -> Done {
    let at = place(at)?;
    if at >= all.len() {
        all.resize(at + 1, Val::Nothing);
    }
    all[at] = val;
    Ok(())
}

/// A list with the slices of a tensor at these places.
fn scattered(
    scope: &mut S<'_, '_>,
    mut all: Vec<Val>,
    places: &[i64],
    x: &Traced,
) -> Result<Vec<Val>, Stop> {
    let slices = slices(scope, x)?;
    if slices.len() != places.len() {
        return Err(format!("{} places for {} tensors", places.len(), slices.len()).into());
    }
    for (at, val) in places.iter().zip(slices) {
        set(&mut all, *at, val)?;
    }
    Ok(all)
}

fn gathered(
    scope: &mut S<'_, '_>,
    all: &[Val],
    places: &[i64],
    shape: Option<Vec<usize>>,
) -> Result<Traced, Stop> {
    let chosen = places.iter().map(|&at| {
        let at = place(at)?;
        element(scope, all, at, shape.as_deref()).map(Val::Tensor)
    });
    let chosen = chosen.collect::<Result<Vec<Val>, _>>()?;
    stacked(scope, &chosen, shape)
}

/// All elements behind each other, and their lengths.
fn joined(scope: &mut S<'_, '_>, all: &[Val]) -> Done {
    let mut parts = Vec::with_capacity(all.len());
    for at in 0..all.len() {
        parts.push(element(scope, all, at, None)?);
    }
    let lengths: Vec<i64> =
        parts.iter().map(|one| one.dims().first().copied().unwrap_or(0) as i64).collect();
    let y = match parts.as_slice() {
        [] => return Err("an empty list".into()),
        [one] => one.clone(),
        _ => scope.apply(Concat { axis: 0 }, &parts)?,
    };
    scope.give_tensor(0, y);
    let lengths = list(scope, &[lengths.len()], &lengths)?;
    scope.give_tensor(1, lengths);
    Ok(())
}

fn give(scope: &mut S<'_, '_>, all: Vec<Val>) -> Done {
    scope.give(0, Val::Sequence(all));
    Ok(())
}

fn give_tensor(scope: &mut S<'_, '_>, tensor: Traced) -> Done {
    scope.give_tensor(0, tensor);
    Ok(())
}

fn give_length(scope: &mut S<'_, '_>, all: &[Val]) -> Done {
    let count = list(scope, &[], &[all.len() as i64])?;
    give_tensor(scope, count)
}

fn set_item(scope: &mut S<'_, '_>, (from, at, val): (usize, usize, usize)) -> Done {
    let (mut all, val) = (sequence(scope, from)?, scope.val(val)?);
    set(&mut all, integer(scope, at)?, val)?;
    give(scope, all)
}

fn item(scope: &mut S<'_, '_>, (from, at): (usize, usize), of: Option<usize>) -> Done {
    let (all, shape) = (sequence(scope, from)?, shape(scope, of)?);
    let at = place(integer(scope, at)?)?;
    let tensor = element(scope, &all, at, shape.as_deref())?;
    give_tensor(scope, tensor)
}

fn pop(scope: &mut S<'_, '_>) -> Done {
    let (mut all, shape) = (sequence(scope, 0)?, shape(scope, Some(1))?);
    let last = all.len().checked_sub(1).ok_or("an empty list")?;
    let tensor = element(scope, &all, last, shape.as_deref())?;
    all.pop();
    scope.give_tensor(1, tensor);
    give(scope, all)
}

fn push(scope: &mut S<'_, '_>) -> Done {
    let mut all = sequence(scope, 0)?;
    length(all.len() as i64 + 1)?;
    all.push(scope.val(1)?);
    give(scope, all)
}

fn resize(scope: &mut S<'_, '_>) -> Done {
    let (mut all, count) = (sequence(scope, 0)?, length(integer(scope, 1)?)?);
    all.resize(count, Val::Nothing);
    give(scope, all)
}

fn array(scope: &mut S<'_, '_>) -> Done {
    let all = empty(integer(scope, 0)?)?;
    let handle = list(scope, &[], &[0])?;
    scope.give_tensor(0, handle);
    scope.give(1, Val::Sequence(all));
    Ok(())
}

fn scatter(scope: &mut S<'_, '_>, count: Option<usize>) -> Done {
    let (x, places) = (scope.tensor(0)?, integers(scope, 1)?);
    let all = match count {
        Some(count) => empty(integer(scope, count)?.max(0))?,
        None => Vec::new(),
    };
    let all = scattered(scope, all, &places, &x)?;
    give(scope, all)
}

pub(super) const CALLS: &[CallInfo] = &[
    row("TF::EmptyTensorList", |scope| give(scope, Vec::new())),
    row("TF::TensorArrayCloseV3", |_| Ok(())),
    row("TF::TensorArrayConcatV3", |scope| {
        let all = sequence(scope, 1)?;
        joined(scope, &all)
    }),
    row("TF::TensorArrayGatherV3", |scope| {
        let (all, places) = (sequence(scope, 2)?, integers(scope, 1)?);
        let shape = shape(scope, None)?;
        let y = gathered(scope, &all, &places, shape)?;
        give_tensor(scope, y)
    }),
    row("TF::TensorArrayReadV3", |scope| item(scope, (2, 1), None)),
    row("TF::TensorArrayScatterV3", |scope| {
        let (all, x) = (sequence(scope, 3)?, scope.tensor(2)?);
        let places = integers(scope, 1)?;
        let all = scattered(scope, all, &places, &x)?;
        give(scope, all)
    }),
    row("TF::TensorArraySizeV3", |scope| {
        let all = sequence(scope, 1)?;
        give_length(scope, &all)
    }),
    row("TF::TensorArraySplitV3", |scope| {
        let (x, lengths) = (scope.tensor(1)?, integers(scope, 2)?);
        let all = parts(scope, &x, &lengths)?;
        give(scope, all)
    }),
    row("TF::TensorArrayV3", array),
    row("TF::TensorArrayWriteV3", |scope| set_item(scope, (3, 1, 2))),
    row("TF::TensorListConcat", |scope| {
        let all = sequence(scope, 0)?;
        joined(scope, &all)
    }),
    row("TF::TensorListConcatV2", |scope| {
        let all = sequence(scope, 0)?;
        joined(scope, &all)
    }),
    row("TF::TensorListFromTensor", |scope| {
        let x = scope.tensor(0)?;
        let all = slices(scope, &x)?;
        give(scope, all)
    }),
    row("TF::TensorListGather", |scope| {
        let (all, places) = (sequence(scope, 0)?, integers(scope, 1)?);
        let shape = shape(scope, Some(2))?;
        let y = gathered(scope, &all, &places, shape)?;
        give_tensor(scope, y)
    }),
    row("TF::TensorListGetItem", |scope| item(scope, (0, 1), Some(2))),
    row("TF::TensorListLength", |scope| {
        let all = sequence(scope, 0)?;
        give_length(scope, &all)
    }),
    row("TF::TensorListPopBack", pop),
    row("TF::TensorListPushBack", push),
    row("TF::TensorListReserve", |scope| {
        let all = empty(integer(scope, 1)?)?;
        give(scope, all)
    }),
    row("TF::TensorListResize", resize),
    row("TF::TensorListScatter", |scope| scatter(scope, None)),
    row("TF::TensorListScatterV2", |scope| scatter(scope, Some(3))),
    row("TF::TensorListSetItem", |scope| set_item(scope, (0, 1, 2))),
    row("TF::TensorListSplit", |scope| {
        let (x, lengths) = (scope.tensor(0)?, integers(scope, 2)?);
        let all = parts(scope, &x, &lengths)?;
        give(scope, all)
    }),
    row("TF::TensorListStack", |scope| {
        let (all, shape) = (sequence(scope, 0)?, shape(scope, Some(1))?);
        let y = stacked(scope, &all, shape)?;
        give_tensor(scope, y)
    }),
];
