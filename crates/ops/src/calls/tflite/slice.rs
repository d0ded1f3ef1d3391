//! Parts of tensors, and tensors with parts that are others.

use super::give_moved;
use crate::calls::{CallInfo, row, steps};
use crate::{Places, Scatter, StridedCopy};
use sidestage_ir::{Scope, Stop};

type Done = Result<(), Stop>;

/// From `begin` on as many as `size` says; -1: all that are left.
fn slice(scope: &mut Scope<'_, '_>) -> Done {
    let x = scope.tensor(0)?;
    let (begin, size) = (scope.integers(1)?, scope.integers(2)?);
    let (begin, size) = begin.zip(size).ok_or("begin or size are missing")?;
    let rank = x.dims().len();
    if begin.len() != rank || size.len() != rank {
        return Err(Stop::Refused(format!("from {begin:?} on {size:?} of {:?}", x.dims())));
    }
    let (mut dims, steps) = (Vec::new(), steps(x.dims()));
    let mut start = 0;
    for axis in 0..rank {
        let dim = x.dims()[axis] as i64;
        let from = begin[axis];
        let count = if size[axis] == -1 { dim.saturating_sub(from) } else { size[axis] };
        if from < 0 || count < 0 || from.checked_add(count).is_none_or(|end| end > dim) {
            return Err(Stop::Refused(format!("from {begin:?} on {size:?} of {:?}", x.dims())));
        }
        dims.push(count as usize);
        start += from as usize * steps[axis] as usize;
    }
    let start = if dims.contains(&0) { 0 } else { start };
    let y =
        if dims == x.dims() { x } else { scope.apply(StridedCopy { dims, start, steps }, &[x])? };
    give_moved(scope, 0, 0, y)
}

/// As numpy's `x[a:b:c, i, ..., None]`, with bits that say what each entry is.
fn strided(scope: &mut Scope<'_, '_>) -> Done {
    let x = scope.tensor(0)?;
    let lists = (scope.integers(1)?, scope.integers(2)?, scope.integers(3)?);
    let (Some(begin), Some(end), Some(by)) = lists else {
        return Err("begin, end or strides are missing".into());
    };
    let entries = begin.len();
    if end.len() != entries || by.len() != entries || entries > 32 {
        return Err("begin, end and strides must have one length".into());
    }
    let bit = |name: &str, at: usize| scope.int(name).unwrap_or(0) >> at & 1 == 1;
    let rank = x.dims().len();
    // The entries that are axes of x; where there is an ellipsis it stands for those left over.
    let ellipsis = (0..entries).find(|&at| bit("ellipsis_mask", at));
    let is_axis = |at: usize| Some(at) != ellipsis && !bit("new_axis_mask", at);
    let named = (0..entries).filter(|&at| is_axis(at)).count();
    let left = rank.checked_sub(named).ok_or("more entries than axes")?;
    let all = steps(x.dims());
    let (mut dims, mut kept, mut start, mut axis) = (Vec::new(), Vec::new(), 0_i64, 0);
    let whole = |axis: &mut usize, count: usize, dims: &mut Vec<usize>, kept: &mut Vec<isize>| {
        for _ in 0..count {
            dims.push(x.dims()[*axis]);
            kept.push(all[*axis]);
            *axis += 1;
        }
    };
    for at in 0..entries {
        if Some(at) == ellipsis {
            whole(&mut axis, left, &mut dims, &mut kept);
            continue;
        }
        if bit("new_axis_mask", at) {
            dims.push(1);
            kept.push(0);
            continue;
        }
        let (dim, by) = (x.dims()[axis] as i64, by[at]);
        let step = all[axis];
        axis += 1;
        if by == 0 {
            return Err("a step of 0".into());
        }
        let from_end = |index: i64| if index < 0 { index.saturating_add(dim) } else { index };
        if bit("shrink_axis_mask", at) {
            let index = if bit("begin_mask", at) { 0 } else { from_end(begin[at]) };
            if !(0..dim).contains(&index) {
                return Err(Stop::Refused(format!("index {} of {dim}", begin[at])));
            }
            start += index * step as i64;
            continue;
        }
        let (least, most) = if by > 0 { (0, dim) } else { (-1, dim - 1) };
        let first = if by > 0 { 0 } else { dim - 1 };
        let last = if by > 0 { dim } else { -1 };
        let from = match bit("begin_mask", at) {
            true => first,
            false => from_end(begin[at]).clamp(least, most),
        };
        let to = match (bit("end_mask", at), scope.int("offset") == Some(1)) {
            (true, _) => last,
            (false, true) => from.saturating_add(end[at]).clamp(least, most),
            (false, false) => from_end(end[at]).clamp(least, most),
        };
        let reach = if by > 0 { to - from } else { from - to };
        let count = (reach.max(0) as u64).div_ceil(by.unsigned_abs()) as usize;
        dims.push(count);
        kept.push(step.saturating_mul(by as isize));
        start += from.max(0) * step as i64;
    }
    if ellipsis.is_none() {
        whole(&mut axis, left, &mut dims, &mut kept);
    }
    let start = if dims.contains(&0) { 0 } else { start as usize };
    let y = scope.apply(StridedCopy { dims, start, steps: kept }, &[x])?;
    give_moved(scope, 0, 0, y)
}

/// `x` with the elements of `update` from `start` on, which is moved so that they lie inside.
fn update(scope: &mut Scope<'_, '_>) -> Done {
    let (x, update) = (scope.tensor(0)?, scope.tensor(1)?);
    let start = scope.integers(2)?.ok_or("the start is missing")?;
    let rank = x.dims().len();
    let fits = update.dims().len() == rank
        && start.len() == rank
        && update.dims().iter().zip(x.dims()).all(|(part, all)| part <= all);
    if !fits || rank == 0 {
        return Err(Stop::Refused(format!("{:?} into {:?}", update.dims(), x.dims())));
    }
    // The rows of the update, by the indices of all axes but the last.
    let (all, part) = (x.dims().to_vec(), update.dims().to_vec());
    let first: Vec<i64> =
        (0..rank).map(|axis| start[axis].clamp(0, (all[axis] - part[axis]) as i64)).collect();
    let count: usize = part.iter().product();
    let total: usize = all.iter().product();
    let steps = steps(&all);
    let mut places = Vec::with_capacity(count);
    for at in 0..count {
        let (mut rest, mut place) = (at, 0);
        for axis in (0..rank).rev() {
            place += (first[axis] + (rest % part[axis]) as i64) * steps[axis] as i64;
            rest /= part[axis];
        }
        places.push(place);
    }
    let places = scope.list(&places)?;
    let flat = scope.view(&x, &[total])?;
    let values = scope.view(&update, &[count])?;
    let op = Scatter { places: Places::Elements(0), reduction: None };
    let y = scope.apply(op, &[flat, places, values])?;
    let y = scope.view(&y, &all)?;
    scope.give_tensor(0, y);
    Ok(())
}

pub(in crate::calls) const CALLS: &[CallInfo] = &[
    row("TFLITE::DYNAMIC_UPDATE_SLICE", update),
    row("TFLITE::SLICE", slice),
    row("TFLITE::STRIDED_SLICE", strided),
];
