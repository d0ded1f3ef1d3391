//! Parts of tensors, and tensors of parts.

use super::{CallInfo, Done, S, axis, cast, common, integer, integers, part, row, steps};
use crate::calls::control::stack;
use crate::{Concat, StridedCopy};
use sidestage_ir::{Stop, Traced, Val};

fn slice(scope: &mut S<'_, '_>) -> Done {
    let x = scope.tensor(0)?;
    let (begin, size) = (integers(scope, 1)?, integers(scope, 2)?);
    let wrong = || Stop::Refused(format!("{size:?} from {begin:?} of {:?}", x.dims()));
    if begin.len() != x.dims().len() || size.len() != begin.len() {
        return Err(wrong());
    }
    let (mut dims, steps, mut start) = (Vec::new(), steps(x.dims()), 0);
    for (at, &dim) in x.dims().iter().enumerate() {
        let from = usize::try_from(begin[at]).ok().filter(|from| *from <= dim).ok_or_else(wrong)?;
        let count = if size[at] == -1 { Ok(dim - from) } else { usize::try_from(size[at]) };
        let count = count.ok().filter(|count| *count <= dim - from).ok_or_else(wrong)?;
        dims.push(count);
        start += from * steps[at] as usize;
    }
    let start = if dims.contains(&0) { 0 } else { start };
    let y =
        if dims == x.dims() { x } else { scope.apply(StridedCopy { dims, start, steps }, &[x])? };
    scope.give_tensor(0, y);
    Ok(())
}

/// `x[begin:end:step, …]` as in Python: bits of the masks are for the parts of the description.
fn strided_slice(scope: &mut S<'_, '_>) -> Done {
    let x = scope.tensor(0)?;
    let (begin, end, by) = (integers(scope, 1)?, integers(scope, 2)?, integers(scope, 3)?);
    let parts = begin.len();
    if end.len() != parts || by.len() != parts || parts > 32 {
        return Err("begin, end and strides must have one length".into());
    }
    let mask = |name: &str| scope.int(name).unwrap_or(0);
    let bit = |mask: i64, at: usize| mask >> at & 1 == 1;
    let (no_begin, no_end) = (mask("begin_mask"), mask("end_mask"));
    let (ellipsis, new, gone) =
        (mask("ellipsis_mask"), mask("new_axis_mask"), mask("shrink_axis_mask"));
    let rank = x.dims().len();
    let all = steps(x.dims());
    // The result's dimensions, those that are walked through with their steps, and the first element.
    let (mut last, mut dims, mut walk) = (Vec::new(), Vec::new(), Vec::new());
    let (mut start, mut axis) = (0_i64, 0);
    for at in 0..parts {
        if bit(ellipsis, at) {
            let behind = (at + 1..parts).filter(|at| !bit(new, *at)).count();
            while axis + behind < rank {
                last.push(x.dims()[axis]);
                dims.push(x.dims()[axis]);
                walk.push(all[axis]);
                axis += 1;
            }
            continue;
        }
        if bit(new, at) {
            last.push(1);
            continue;
        }
        let dim = *x.dims().get(axis).ok_or("more parts than dimensions")? as i64;
        let place = |index: i64| if index < 0 { index.saturating_add(dim) } else { index };
        let by = by[at];
        let step = all[axis];
        axis += 1;
        if bit(gone, at) {
            let from = place(begin[at]);
            if !(0..dim).contains(&from) {
                return Err(Stop::Refused(format!("element {} of {dim}", begin[at])));
            }
            start += from * step as i64;
            continue;
        }
        let (least, most) = if by > 0 { (0, dim) } else { (-1, dim - 1) };
        let (first, behind) = if by > 0 { (0, dim) } else { (dim - 1, -1) };
        let from = if bit(no_begin, at) { first } else { place(begin[at]).clamp(least, most) };
        let to = if bit(no_end, at) { behind } else { place(end[at]).clamp(least, most) };
        let reach = if by > 0 { to - from } else { from - to };
        if by == 0 {
            return Err("a step of 0".into());
        }
        let count = (reach.max(0) as u64).div_ceil(by.unsigned_abs()) as usize;
        last.push(count);
        dims.push(count);
        walk.push(step.saturating_mul(by as isize));
        start += from.max(0) * step as i64;
    }
    last.extend(&x.dims()[axis..]);
    dims.extend(&x.dims()[axis..]);
    walk.extend(&all[axis..]);
    let start = if dims.contains(&0) { 0 } else { start as usize };
    let whole = dims == x.dims() && walk == all && start == 0;
    let y = if whole { x } else { scope.apply(StridedCopy { dims, start, steps: walk }, &[x])? };
    let y = scope.view(&y, &last)?;
    scope.give_tensor(0, y);
    Ok(())
}

/// Some operands, in the type of all.
fn several(scope: &mut S<'_, '_>, which: std::ops::Range<usize>) -> Result<Vec<Traced>, Stop> {
    let parts = which.map(|index| scope.tensor(index)).collect::<Result<Vec<_>, _>>()?;
    let first = parts.first().ok_or("there are no operands")?.dtype();
    let dtype = parts.iter().fold(first, |dtype, one| common(dtype, one.dtype()));
    parts.iter().map(|one| cast(scope, one, dtype)).collect()
}

/// The axis is the last operand, or the first.
fn concat(scope: &mut S<'_, '_>, at_end: bool) -> Done {
    let last = scope.count().checked_sub(1).ok_or("there are no operands")?;
    let (at, which) = if at_end { (last, 0..last) } else { (0, 1..last + 1) };
    let given = integer(scope, at)?;
    let parts = several(scope, which)?;
    let axis = axis(given, parts[0].dims().len())?;
    let y = match parts.as_slice() {
        [one] => one.clone(),
        _ => scope.apply(Concat { axis }, &parts)?,
    };
    scope.give_tensor(0, y);
    Ok(())
}

fn pack(scope: &mut S<'_, '_>) -> Done {
    let parts = several(scope, 0..scope.count())?;
    let dims = parts[0].dims().to_vec();
    let parts = parts.iter().map(|one| scope.view(one, &dims).map(Val::Tensor));
    let vals = parts.collect::<Result<Vec<Val>, _>>()?;
    let axis = scope.int("axis").unwrap_or(0);
    let y = stack(scope, &vals, axis)?;
    scope.give(0, y);
    Ok(())
}

fn unpack(scope: &mut S<'_, '_>) -> Done {
    let x = scope.tensor(0)?;
    let at = axis(scope.int("axis").unwrap_or(0), x.dims().len())?;
    let mut dims = x.dims().to_vec();
    dims.remove(at);
    let count = x.dims()[at].min(scope.call().outputs.len());
    for index in 0..count {
        let one = part(scope, &x, at, index, index + 1)?;
        let one = scope.view(&one, &dims)?;
        scope.give_tensor(index, one);
    }
    Ok(())
}

/// Parts of these lengths; one of them may be what is left.
fn parted(scope: &mut S<'_, '_>, x: &Traced, at: usize, lengths: &[i64]) -> Done {
    let dim = x.dims()[at] as i64;
    let wrong = || Stop::Refused(format!("{dim} cannot be split into {lengths:?}"));
    let mut known = lengths.iter().filter(|length| **length >= 0);
    let known = known.try_fold(0_i64, |all, length| all.checked_add(*length)).ok_or_else(wrong)?;
    let free = lengths.iter().filter(|length| **length < 0).count();
    if known > dim || free > 1 || free == 0 && known != dim {
        return Err(wrong());
    }
    let mut from = 0;
    for (index, &length) in lengths.iter().enumerate() {
        let to = from + if length < 0 { dim - known } else { length } as usize;
        if index < scope.call().outputs.len() {
            let one = part(scope, x, at, from, to)?;
            scope.give_tensor(index, one);
        }
        from = to;
    }
    Ok(())
}

fn split(scope: &mut S<'_, '_>) -> Done {
    let x = scope.tensor(1)?;
    let at = axis(integer(scope, 0)?, x.dims().len())?;
    let count = scope.int("num_split").unwrap_or(1).max(1);
    let dim = x.dims()[at] as i64;
    if dim % count != 0 {
        return Err(Stop::Refused(format!("{dim} cannot be split into {count} equal parts")));
    }
    let lengths = vec![dim / count; count.min(dim.max(1)) as usize];
    parted(scope, &x, at, &lengths)
}

fn split_v(scope: &mut S<'_, '_>) -> Done {
    let x = scope.tensor(0)?;
    let at = axis(integer(scope, 2)?, x.dims().len())?;
    let lengths = integers(scope, 1)?;
    parted(scope, &x, at, &lengths)
}

pub(super) const CALLS: &[CallInfo] = &[
    row("TF::Concat", |scope| concat(scope, false)),
    row("TF::ConcatV2", |scope| concat(scope, true)),
    row("TF::Pack", pack),
    row("TF::Slice", slice),
    row("TF::Split", split),
    row("TF::SplitV", split_v),
    row("TF::StridedSlice", strided_slice),
    row("TF::Tile", crate::calls::strided::tile),
    row("TF::Unpack", unpack),
];
