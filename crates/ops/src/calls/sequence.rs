//! Sequences and optional values: they exist while a model is traced only.

use super::{CallInfo, axis, row, scalar, steps};
use crate::{Concat, StridedCopy};
use sidestage_ir::{Scope, Stop, Traced, Val};
use sidestage_tensor::DType;

fn sequence(scope: &Scope<'_, '_>, index: usize) -> Result<Vec<Val>, Stop> {
    match scope.val(index)? {
        Val::Sequence(all) => Ok(all),
        _ => Err(Stop::Refused(format!("operand {index} must be a sequence"))),
    }
}

/// A place in a sequence of `count`; from the end, if it is below 0.
fn place(scope: &Scope<'_, '_>, index: usize, count: usize) -> Result<Option<usize>, Stop> {
    let Some(given) = scope.integers(index)? else { return Ok(None) };
    let [given] = given[..] else { return Err("a place must be one number".into()) };
    let place = if given < 0 { given + count as i64 } else { given };
    let found = usize::try_from(place).ok().filter(|place| *place <= count);
    found.map(Some).ok_or_else(|| Stop::Refused(format!("place {given} in a sequence of {count}")))
}

fn construct(scope: &mut Scope<'_, '_>) -> Result<(), Stop> {
    let all = (0..scope.count()).map(|index| scope.val(index)).collect::<Result<_, _>>()?;
    scope.give(0, Val::Sequence(all));
    Ok(())
}

fn at(scope: &mut Scope<'_, '_>) -> Result<(), Stop> {
    let all = sequence(scope, 0)?;
    let place = place(scope, 1, all.len())?.ok_or("the place is missing")?;
    let val = all.get(place).ok_or("a place past the end")?;
    scope.give(0, val.clone());
    Ok(())
}

fn insert(scope: &mut Scope<'_, '_>) -> Result<(), Stop> {
    let mut all = sequence(scope, 0)?;
    let place = place(scope, 2, all.len())?.unwrap_or(all.len());
    all.insert(place, scope.val(1)?);
    scope.give(0, Val::Sequence(all));
    Ok(())
}

fn erase(scope: &mut Scope<'_, '_>) -> Result<(), Stop> {
    let mut all = sequence(scope, 0)?;
    let last = all.len().checked_sub(1).ok_or("the sequence is empty")?;
    let place = place(scope, 1, all.len())?.unwrap_or(last);
    if place > last {
        return Err("a place past the end".into());
    }
    all.remove(place);
    scope.give(0, Val::Sequence(all));
    Ok(())
}

fn length(scope: &mut Scope<'_, '_>) -> Result<(), Stop> {
    let count = sequence(scope, 0)?.len();
    let count = scalar(scope, DType::I64, count as f64)?;
    scope.give_tensor(0, count);
    Ok(())
}

fn concat(scope: &mut Scope<'_, '_>) -> Result<(), Stop> {
    let all = sequence(scope, 0)?;
    let new = scope.int("new_axis") == Some(1);
    let mut parts: Vec<Traced> = Vec::new();
    for val in all {
        let Val::Tensor(part) = val else { return Err("the sequence must be of tensors".into()) };
        parts.push(part);
    }
    let rank = parts.first().ok_or("the sequence is empty")?.dims().len() + usize::from(new);
    let axis = axis(scope.int("axis").ok_or("the axis is missing")?, rank)?;
    if new {
        for part in &mut parts {
            let mut dims = part.dims().to_vec();
            dims.insert(axis.min(dims.len()), 1);
            *part = scope.view(part, &dims)?;
        }
    }
    let y = scope.apply(Concat { axis }, &parts)?;
    scope.give_tensor(0, y);
    Ok(())
}

fn split(scope: &mut Scope<'_, '_>) -> Result<(), Stop> {
    let x = scope.tensor(0)?;
    let axis = axis(scope.int("axis").unwrap_or(0), x.dims().len())?;
    let dim = x.dims()[axis];
    let given = match scope.optional_tensor(1)? {
        None => None,
        Some(tensor) => Some((tensor.dims().is_empty(), scope.integers(1)?.unwrap_or_default())),
    };
    let keep = given.is_some() || scope.int("keepdims") != Some(0);
    let lengths: Vec<usize> = match given {
        None => vec![1; dim],
        Some((true, part)) => {
            let part = part.first().and_then(|part| usize::try_from(*part).ok());
            let part = part.filter(|part| *part > 0).ok_or("a part of no length")?;
            (0..dim.div_ceil(part)).map(|at| part.min(dim - at * part)).collect()
        }
        Some((false, parts)) => {
            let parts =
                parts.iter().map(|part| usize::try_from(*part).map_err(|_| "a part below 0"));
            parts.collect::<Result<_, _>>()?
        }
    };
    if lengths.iter().sum::<usize>() != dim {
        return Err(Stop::Refused(format!("{dim} cannot be split into {lengths:?}")));
    }
    let (mut all, mut from) = (Vec::new(), 0);
    for length in lengths {
        let (mut dims, steps) = (x.dims().to_vec(), steps(x.dims()));
        dims[axis] = length;
        let start = if dims.contains(&0) { 0 } else { from * steps[axis] as usize };
        let copy = StridedCopy { dims: dims.clone(), start, steps };
        let mut part = scope.apply(copy, std::slice::from_ref(&x))?;
        if !keep {
            dims.remove(axis);
            part = scope.view(&part, &dims)?;
        }
        all.push(Val::Tensor(part));
        from += length;
    }
    scope.give(0, Val::Sequence(all));
    Ok(())
}

fn optional(scope: &mut Scope<'_, '_>) -> Result<(), Stop> {
    let val = scope.optional(0).unwrap_or(Val::Nothing);
    scope.give(0, val);
    Ok(())
}

fn has_element(scope: &mut Scope<'_, '_>) -> Result<(), Stop> {
    let there = !matches!(scope.optional(0), None | Some(Val::Nothing));
    let there = scalar(scope, DType::Bool, f64::from(u8::from(there)))?;
    scope.give_tensor(0, there);
    Ok(())
}

fn get_element(scope: &mut Scope<'_, '_>) -> Result<(), Stop> {
    match scope.val(0)? {
        Val::Nothing => Err("the optional value is not there".into()),
        val => {
            scope.give(0, val);
            Ok(())
        }
    }
}

pub(super) const CALLS: &[CallInfo] = &[
    row("ConcatFromSequence", concat),
    row("Optional", optional),
    row("OptionalGetElement", get_element),
    row("OptionalHasElement", has_element),
    row("SequenceAt", at),
    row("SequenceConstruct", construct),
    row("SequenceEmpty", |scope| {
        scope.give(0, Val::Sequence(Vec::new()));
        Ok(())
    }),
    row("SequenceErase", erase),
    row("SequenceInsert", insert),
    row("SequenceLength", length),
    row("SplitToSequence", split),
];
