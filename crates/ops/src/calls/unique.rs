//! What has as many elements as there are different ones, and what turns about parts of a sequence.

use super::{CallInfo, axis, row, sort};
use crate::Take;
use sidestage_ir::{Scope, Stop, Traced};
use sidestage_kernels::{Wide, WideKind, wide_kind};
use sidestage_tensor::DType;
use std::cmp::Ordering;

/// The order of two slices, element by element; what is no number comes last.
fn order<W: Wide + PartialOrd>(dtype: DType, a: &[u8], b: &[u8]) -> Ordering {
    let Some(load) = W::load(dtype) else { return Ordering::Equal };
    let one = |at: usize| {
        let (a, b) = (load(a, at), load(b, at));
        let number = |x: &W| x.partial_cmp(x).is_none();
        a.partial_cmp(&b).unwrap_or(number(&a).cmp(&number(&b)))
    };
    let elements = 0..a.len() / dtype.block_bytes();
    elements.map(one).find(|order| order.is_ne()).unwrap_or(Ordering::Equal)
}

/// The slices along an axis that are the same, in order of size; each group's first one comes first.
fn groups(scope: &Scope<'_, '_>, x: &Traced, at: usize) -> Result<Vec<Vec<usize>>, Stop> {
    let known = scope.known(x)?;
    let (dtype, count) = (x.dtype(), x.dims()[at]);
    let compare = match wide_kind(dtype).ok_or("elements must be plain")? {
        WideKind::Float => order::<f64>,
        WideKind::Int => order::<i64>,
        WideKind::Uint => order::<u64>,
    };
    // Each slice's elements together.
    let outer: usize = x.dims()[..at].iter().product();
    let inner = x.dims()[at + 1..].iter().product::<usize>() * dtype.block_bytes();
    let slice = |one: usize| -> Vec<u8> {
        let parts = (0..outer).map(|row| &known.bytes()[(row * count + one) * inner..][..inner]);
        parts.flatten().copied().collect()
    };
    let slices: Vec<Vec<u8>> = (0..count).map(slice).collect();
    let mut sorted: Vec<usize> = (0..count).collect();
    sort(&mut sorted, &|a, b| compare(dtype, &slices[a], &slices[b]));
    let mut groups: Vec<Vec<usize>> = Vec::new();
    for at in sorted {
        match groups.last_mut() {
            Some(group) if compare(dtype, &slices[group[0]], &slices[at]).is_eq() => group.push(at),
            _ => groups.push(vec![at]),
        }
    }
    Ok(groups)
}

/// Groups in the order in which their elements come first.
fn as_found(groups: &mut [Vec<usize>]) {
    groups.sort_by_key(|group| group[0]);
}

/// The slices along an axis, each once, in the order in which they come, and for all slices which of
/// those it is.
pub(super) fn each_once(
    scope: &mut Scope<'_, '_>,
    x: &Traced,
    at: usize,
) -> Result<(Traced, Vec<i64>), Stop> {
    let mut groups = groups(scope, x, at)?;
    as_found(&mut groups);
    let first: Vec<i64> = groups.iter().map(|group| group[0] as i64).collect();
    let mut places = vec![0; x.dims()[at]];
    for (place, group) in groups.iter().enumerate() {
        group.iter().for_each(|at| places[*at] = place as i64);
    }
    let first = scope.list(&first)?;
    let y = scope.apply(Take { axis: at }, &[x.clone(), first])?;
    Ok((y, places))
}

fn unique(scope: &mut Scope<'_, '_>) -> Result<(), Stop> {
    let mut x = scope.tensor(0)?;
    let at = match scope.int("axis") {
        Some(at) => axis(at, x.dims().len())?,
        None => {
            x = scope.view(&x, &[x.dims().iter().product()])?;
            0
        }
    };
    let mut groups = groups(scope, &x, at)?;
    let count = x.dims()[at];
    if scope.int("sorted") == Some(0) {
        as_found(&mut groups);
    }
    let first: Vec<i64> = groups.iter().map(|group| group[0] as i64).collect();
    let counts: Vec<i64> = groups.iter().map(|group| group.len() as i64).collect();
    let mut places = vec![0; count];
    for (place, group) in groups.iter().enumerate() {
        group.iter().for_each(|at| places[*at] = place as i64);
    }
    let first = scope.list(&first)?;
    let y = scope.apply(Take { axis: at }, &[x, first.clone()])?;
    scope.give_tensor(0, y);
    scope.give_tensor(1, first);
    for (index, list) in [(2, places), (3, counts)] {
        let list = scope.list(&list)?;
        scope.give_tensor(index, list);
    }
    Ok(())
}

/// The first steps of each sequence, turned about.
fn reverse(scope: &mut Scope<'_, '_>) -> Result<(), Stop> {
    let x = scope.tensor(0)?;
    let rank = x.dims().len();
    if rank < 2 {
        return Err("x must have two dimensions at least".into());
    }
    let time = axis(scope.int("time_axis").unwrap_or(0), rank)?;
    let batch = axis(scope.int("batch_axis").unwrap_or(1), rank)?;
    if time + batch != 1 {
        return Err("batch and time must be the first two axes".into());
    }
    let lengths = scope.integers(1)?.ok_or("the lengths are missing")?;
    let (steps, count) = (x.dims()[time], x.dims()[batch]);
    if lengths.len() != count || lengths.iter().any(|length| !(0..=steps as i64).contains(length)) {
        return Err(Stop::Refused(format!("lengths {lengths:?} of {count} of {steps} steps")));
    }
    let place = |at: usize| {
        let (step, sequence) = match time {
            0 => (at / count, at % count),
            _ => (at % steps, at / steps),
        };
        let length = lengths[sequence] as usize;
        let from = if step < length { length - 1 - step } else { step };
        (if time == 0 { from * count + sequence } else { sequence * steps + from }) as i64
    };
    let all = steps * count;
    let places: Vec<i64> = (0..all).map(place).collect();
    let places = scope.list(&places)?;
    let flat: Vec<usize> = [&[all], &x.dims()[2..]].concat();
    let rows = scope.view(&x, &flat)?;
    let y = scope.apply(Take { axis: 0 }, &[rows, places])?;
    let y: Traced = scope.view(&y, x.dims())?;
    scope.give_tensor(0, y);
    Ok(())
}

pub(super) const CALLS: &[CallInfo] = &[row("ReverseSequence", reverse), row("Unique", unique)];
