//! What only moves elements.

use super::{CallInfo, axis, row, steps, transpose};
use crate::StridedCopy;
use sidestage_ir::{Scope, Stop, Traced};

fn transposed(scope: &mut Scope<'_, '_>) -> Result<(), Stop> {
    let x = scope.tensor(0)?;
    let rank = x.dims().len();
    let order = match scope.ints("perm") {
        Some(order) => order.iter().map(|one| axis(*one, rank)).collect::<Result<Vec<_>, _>>()?,
        None => (0..rank).rev().collect(),
    };
    let mut sorted = order.clone();
    sorted.sort_unstable();
    if !sorted.into_iter().eq(0..rank) {
        return Err(Stop::Refused(format!("{order:?} is no order of {rank} axes")));
    }
    let y = scope.reordered(&x, &order, transpose)?;
    scope.give_tensor(0, y);
    Ok(())
}

/// ONNX 10: starts, ends, axes and steps are operands; before, attributes.
fn slice(scope: &mut Scope<'_, '_>) -> Result<(), Stop> {
    let x = scope.tensor(0)?;
    let rank = x.dims().len();
    let list = |index: usize, name: &str| match scope.ints(name) {
        Some(list) if scope.call().version < 10 => Ok(Some(list.to_vec())),
        _ => scope.integers(index),
    };
    let (starts, ends) = (list(1, "starts")?, list(2, "ends")?);
    let (starts, ends) = starts.zip(ends).ok_or("starts or ends are missing")?;
    let axes = list(3, "axes")?.unwrap_or_else(|| (0..starts.len() as i64).collect());
    let by = list(4, "steps")?.unwrap_or_else(|| vec![1; starts.len()]);
    if ends.len() != starts.len() || axes.len() != starts.len() || by.len() != starts.len() {
        return Err("starts, ends, axes and steps must have one length".into());
    }
    let (mut dims, mut all) = (x.dims().to_vec(), steps(x.dims()));
    let mut start = 0_i64;
    for (((from, to), one), by) in starts.into_iter().zip(ends).zip(axes).zip(by) {
        let at = axis(one, rank)?;
        let dim = x.dims()[at] as i64;
        let clamp = |index: i64, least: i64, most: i64| {
            (if index < 0 { index.saturating_add(dim) } else { index }).clamp(least, most)
        };
        let (from, to) = match by {
            0 => return Err("a step of 0".into()),
            1.. => (clamp(from, 0, dim), clamp(to, 0, dim)),
            _ => (clamp(from, 0, (dim - 1).max(0)), clamp(to, -1, dim - 1)),
        };
        let count = if by > 0 { (to - from).max(0) } else { (from - to).max(0) };
        dims[at] = (count as u64).div_ceil(by.unsigned_abs()) as usize;
        start += from * all[at] as i64;
        all[at] = all[at].saturating_mul(by as isize);
    }
    let start = if dims.contains(&0) { 0 } else { start as usize };
    let y = if dims == x.dims() && start == 0 {
        x
    } else {
        scope.apply(StridedCopy { dims, start, steps: all }, &[x])?
    };
    scope.give_tensor(0, y);
    Ok(())
}

fn expand(scope: &mut Scope<'_, '_>) -> Result<(), Stop> {
    let x = scope.tensor(0)?;
    let shape = scope.integers(1)?.ok_or("the shape is missing")?;
    let shape =
        shape.into_iter().map(|dim| usize::try_from(dim).map_err(|_| "a dimension below 0"));
    let shape = shape.collect::<Result<Vec<_>, _>>()?;
    let dims = crate::rules::broadcast(x.dims(), &shape)?;
    let y = super::expand(scope, &x, &dims)?;
    scope.give_tensor(0, y);
    Ok(())
}

/// Each axis repeated as often as is said.
pub(super) fn tiled(
    scope: &mut Scope<'_, '_>,
    x: &Traced,
    repeats: &[i64],
) -> Result<Traced, Stop> {
    if repeats.len() != x.dims().len() || repeats.iter().any(|repeat| *repeat < 0) {
        return Err(Stop::Refused(format!("repeats {repeats:?} of {:?}", x.dims())));
    }
    // Each axis is walked through as often as it is repeated: two axes, where it is.
    let (mut dims, mut all, mut last) = (Vec::new(), Vec::new(), Vec::new());
    for ((&dim, step), repeat) in x.dims().iter().zip(steps(x.dims())).zip(repeats) {
        let repeat = *repeat as usize;
        if repeat != 1 {
            dims.push(repeat);
            all.push(0);
        }
        dims.push(dim);
        all.push(step);
        last.push(dim.checked_mul(repeat).ok_or("the result is too large")?);
    }
    let y = scope.apply(StridedCopy { dims, start: 0, steps: all }, std::slice::from_ref(x))?;
    scope.view(&y, &last)
}

pub(super) fn tile(scope: &mut Scope<'_, '_>) -> Result<(), Stop> {
    let x = scope.tensor(0)?;
    let repeats = scope.integers(1)?.ok_or("the repeats are missing")?;
    let y = tiled(scope, &x, &repeats)?;
    scope.give_tensor(0, y);
    Ok(())
}

/// Of `[n, c, h, w]` blocks of the depth become squares of `blocksize`.
fn depth_to_space(scope: &mut Scope<'_, '_>) -> Result<(), Stop> {
    let x = scope.tensor(0)?;
    let size = scope.int("blocksize").and_then(|size| usize::try_from(size).ok());
    let size = size.filter(|size| *size > 0).ok_or("the block size is missing")?;
    let [n, c, h, w] = *x.dims() else { return Err("x must have four dimensions".into()) };
    if c % (size * size) != 0 {
        return Err(Stop::Refused(format!("{c} channels are not whole blocks of {size}")));
    }
    let depth = c / size / size;
    let (dims, order) = match scope.text("mode") {
        Some("CRD") => ([n, depth, size, size, h, w], [0, 1, 4, 2, 5, 3]),
        _ => ([n, size, size, depth, h, w], [0, 3, 4, 1, 5, 2]),
    };
    let x = scope.view(&x, &dims)?;
    let y = transpose(scope, &x, &order)?;
    let y = scope.view(&y, &[n, depth, h * size, w * size])?;
    scope.give_tensor(0, y);
    Ok(())
}

fn space_to_depth(scope: &mut Scope<'_, '_>) -> Result<(), Stop> {
    let x = scope.tensor(0)?;
    let size = scope.int("blocksize").and_then(|size| usize::try_from(size).ok());
    let size = size.filter(|size| *size > 0).ok_or("the block size is missing")?;
    let [n, c, h, w] = *x.dims() else { return Err("x must have four dimensions".into()) };
    if h % size != 0 || w % size != 0 {
        return Err(Stop::Refused(format!("{h} × {w} are not whole blocks of {size}")));
    }
    let x = scope.view(&x, &[n, c, h / size, size, w / size, size])?;
    let order = match scope.text("mode") {
        Some("CRD") => [0, 1, 3, 5, 2, 4],
        _ => [0, 3, 5, 1, 2, 4],
    };
    let y = transpose(scope, &x, &order)?;
    let y = scope.view(&y, &[n, c * size * size, h / size, w / size])?;
    scope.give_tensor(0, y);
    Ok(())
}

pub(super) const CALLS: &[CallInfo] = &[
    row("DepthToSpace", depth_to_space),
    row("Expand", expand),
    row("Slice", slice),
    row("SpaceToDepth", space_to_depth),
    row("Tile", tile),
    row("Transpose", transposed),
];
