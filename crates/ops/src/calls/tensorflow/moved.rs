//! Elements in another order, and between others.

use super::{
    CallInfo, Done, S, axis, cast, common, expand, integers, part, row, scalar, sizes, steps,
    transpose,
};
use crate::calls::axes;
use crate::calls::pad::{Mode, pad_axis};
use crate::{GatherNd, Places, Scatter, StridedCopy, Take};
use sidestage_ir::{Stop, Traced};
use sidestage_kernels::Binary as Two;
use sidestage_tensor::DType;

fn transposed(scope: &mut S<'_, '_>) -> Done {
    let x = scope.tensor(0)?;
    let rank = x.dims().len();
    let order = match scope.optional_tensor(1)? {
        Some(_) => integers(scope, 1)?,
        None => (0..rank as i64).rev().collect(),
    };
    if axes(&order, rank)?.len() != rank {
        return Err(Stop::Refused(format!("{order:?} is no order of {rank} axes")));
    }
    let order = order.iter().map(|one| axis(*one, rank)).collect::<Result<Vec<_>, _>>()?;
    let y = transpose(scope, &x, &order)?;
    scope.give_tensor(0, y);
    Ok(())
}

fn reversed(scope: &mut S<'_, '_>, x: Traced, axes: &[usize]) -> Done {
    let (dims, mut steps, mut start) = (x.dims().to_vec(), steps(x.dims()), 0);
    for &axis in axes {
        start += dims[axis].saturating_sub(1) * steps[axis] as usize;
        steps[axis] = -steps[axis];
    }
    let start = if dims.contains(&0) { 0 } else { start };
    let y = scope.apply(StridedCopy { dims, start, steps }, &[x])?;
    scope.give_tensor(0, y);
    Ok(())
}

/// The axes, or in the first version a truth value for each.
fn reverse(scope: &mut S<'_, '_>) -> Done {
    let (x, list) = (scope.tensor(0)?, integers(scope, 1)?);
    let axes = if scope.call().op == "TF::Reverse" {
        let chosen = list.iter().enumerate().filter(|(_, chosen)| **chosen != 0);
        let chosen: Vec<i64> = chosen.map(|(at, _)| at as i64).collect();
        axes(&chosen, x.dims().len())?
    } else {
        axes(&list, x.dims().len())?
    };
    reversed(scope, x, &axes)
}

/// Before and behind each axis.
fn around(scope: &S<'_, '_>, index: usize, rank: usize) -> Result<Vec<[i64; 2]>, Stop> {
    let list = integers(scope, index)?;
    let (pairs, rest) = list.as_chunks::<2>();
    if pairs.len() != rank || !rest.is_empty() || list.iter().any(|one| !(0..1 << 31).contains(one))
    {
        return Err(Stop::Refused(format!("paddings {list:?} of {rank} dimensions")));
    }
    Ok(pairs.to_vec())
}

fn pad(scope: &mut S<'_, '_>) -> Done {
    let mut x = scope.tensor(0)?;
    let pads = around(scope, 1, x.dims().len())?;
    let value = match scope.optional_tensor(2)? {
        Some(value) => {
            let value = cast(scope, &value, x.dtype())?;
            scope.view(&value, &[])?
        }
        None => scalar(scope, x.dtype(), scope.float("constant_value").unwrap_or(0.0).into())?,
    };
    for (axis, [before, behind]) in pads.into_iter().enumerate() {
        x = pad_axis(scope, x, axis, (before, behind), &Mode::Constant, &value)?;
    }
    scope.give_tensor(0, x);
    Ok(())
}

/// What lies outside is what lies inside, mirrored: the edge once, or twice.
fn mirror_pad(scope: &mut S<'_, '_>) -> Done {
    let mut x = scope.tensor(0)?;
    let pads = around(scope, 1, x.dims().len())?;
    let twice = match scope.text("mode") {
        Some("REFLECT" | "reflect") => 0,
        Some("SYMMETRIC" | "symmetric") => 1,
        other => return Err(Stop::Refused(format!("there is no mode {other:?}"))),
    };
    for (axis, [before, behind]) in pads.into_iter().enumerate() {
        let dim = x.dims()[axis] as i64;
        if before.max(behind) > dim - 1 + twice {
            return Err("more is mirrored than there is".into());
        }
        if (before, behind) != (0, 0) {
            let place = |at: i64| match at {
                at if at < 0 => -at - twice,
                at if at >= dim => 2 * (dim - 1) + twice - at,
                at => at,
            };
            let places: Vec<i64> = (-before..dim + behind).map(place).collect();
            let places = scope.list(&places)?;
            x = scope.apply(Take { axis }, &[x, places])?;
        }
    }
    scope.give_tensor(0, x);
    Ok(())
}

fn gather(scope: &mut S<'_, '_>) -> Done {
    let (x, indices) = (scope.tensor(0)?, scope.tensor(1)?);
    let indices = cast(scope, &indices, DType::I32)?;
    let given = match scope.optional_tensor(2)? {
        Some(_) => super::integer(scope, 2)?,
        None => 0,
    };
    let at = axis(given, x.dims().len())?;
    let batch = match scope.int("batch_dims").unwrap_or(0) {
        0 => 0,
        batch => axis(batch, indices.dims().len().max(1) + 1)?,
    };
    if batch == 0 {
        let y = scope.apply(Take { axis: at }, &[x, indices])?;
        scope.give_tensor(0, y);
        return Ok(());
    }
    if batch != at {
        return Err(Stop::Refused(format!("axis {at} behind {batch} dimensions of a batch")));
    }
    let dims: Vec<usize> = indices.dims().iter().copied().chain([1]).collect();
    let indices = scope.view(&indices, &dims)?;
    let y = scope.apply(GatherNd { batch }, &[x, indices])?;
    scope.give_tensor(0, y);
    Ok(())
}

fn gather_nd(scope: &mut S<'_, '_>) -> Done {
    let (x, indices) = (scope.tensor(0)?, scope.tensor(1)?);
    let indices = cast(scope, &indices, DType::I32)?;
    let y = scope.apply(GatherNd { batch: 0 }, &[x, indices])?;
    scope.give_tensor(0, y);
    Ok(())
}

/// A tensor of one value with updates at places: they are added up, or the last counts.
fn scattered(
    scope: &mut S<'_, '_>,
    dims: &[usize],
    value: &Traced,
    [indices, updates]: [&Traced; 2],
    reduction: Option<Two>,
) -> Done {
    super::product(dims)?;
    let value = scope.view(value, &[])?;
    let x = expand(scope, &value, dims)?;
    let places = Places::Slices;
    let y = scope.apply(Scatter { places, reduction }, &[x, indices.clone(), updates.clone()])?;
    scope.give_tensor(0, y);
    Ok(())
}

fn scatter_nd(scope: &mut S<'_, '_>) -> Done {
    let (indices, updates) = (scope.tensor(0)?, scope.tensor(1)?);
    let dims = sizes(scope, 2)?;
    let indices = cast(scope, &indices, DType::I32)?;
    let updates = cast(scope, &updates, common(updates.dtype(), DType::I32))?;
    let zero = scalar(scope, updates.dtype(), 0.0)?;
    scattered(scope, &dims, &zero, [&indices, &updates], Some(Two::Add))
}

fn tensor_scatter(scope: &mut S<'_, '_>) -> Done {
    let all = [scope.tensor(0)?, scope.tensor(1)?, scope.tensor(2)?];
    let y = scope.apply(Scatter { places: Places::Slices, reduction: None }, &all)?;
    scope.give_tensor(0, y);
    Ok(())
}

/// The indices may be a number, or a list of places in a list; the values one for all.
fn sparse_to_dense(scope: &mut S<'_, '_>) -> Done {
    let (indices, values) = (scope.tensor(0)?, scope.tensor(2)?);
    let dims = sizes(scope, 1)?;
    let depth = dims.len();
    let count = match *indices.dims() {
        [] => 1,
        [count] if depth == 1 => count,
        [_] => 1,
        [count, _] => count,
        _ => return Err(Stop::Refused(format!("indices of {:?}", indices.dims()))),
    };
    let indices = scope.view(&indices, &[count, depth])?;
    let values = expand(scope, &values, &[count])?;
    let default = match scope.optional_tensor(3)? {
        Some(default) => cast(scope, &default, values.dtype())?,
        None => scalar(scope, values.dtype(), 0.0)?,
    };
    scattered(scope, &dims, &default, [&indices, &values], None)
}

/// The block's sizes, and what is added or cut around each of its dimensions.
fn block(scope: &S<'_, '_>, x: &Traced) -> Result<(Vec<usize>, Vec<[i64; 2]>), Stop> {
    let block = sizes(scope, 1)?;
    if block.len() >= x.dims().len() || block.contains(&0) {
        return Err(Stop::Refused(format!("blocks of {block:?} in {:?}", x.dims())));
    }
    let around = around(scope, 2, block.len())?;
    Ok((block, around))
}

fn space_to_batch(scope: &mut S<'_, '_>) -> Done {
    let mut x = scope.tensor(0)?;
    let (block, pads) = block(scope, &x)?;
    let zero = scalar(scope, x.dtype(), 0.0)?;
    for (at, [before, behind]) in pads.into_iter().enumerate() {
        x = pad_axis(scope, x, at + 1, (before, behind), &Mode::Constant, &zero)?;
    }
    let m = block.len();
    let batch = x.dims()[0];
    let rest = x.dims()[m + 1..].to_vec();
    let (mut apart, mut last) = (vec![batch], vec![batch]);
    for (at, &size) in block.iter().enumerate() {
        let dim = x.dims()[at + 1];
        if dim % size != 0 {
            return Err(Stop::Refused(format!("{dim} is not whole blocks of {size}")));
        }
        apart.extend([dim / size, size]);
        last[0] *= size;
        last.push(dim / size);
    }
    let order: Vec<usize> = (0..m)
        .map(|at| 2 * at + 2)
        .chain([0])
        .chain((0..m).map(|at| 2 * at + 1))
        .chain(2 * m + 1..2 * m + 1 + rest.len())
        .collect();
    moved(scope, &x, [&apart[..], &rest].concat(), &order, &[&last[..], &rest].concat())
}

/// Taken apart, in another order, and put together.
fn moved(
    scope: &mut S<'_, '_>,
    x: &Traced,
    apart: Vec<usize>,
    order: &[usize],
    last: &[usize],
) -> Done {
    let x = scope.view(x, &apart)?;
    let y = transpose(scope, &x, order)?;
    let y = scope.view(&y, last)?;
    scope.give_tensor(0, y);
    Ok(())
}

fn batch_to_space(scope: &mut S<'_, '_>) -> Done {
    let x = scope.tensor(0)?;
    let (block, crops) = block(scope, &x)?;
    let m = block.len();
    let all = super::product(&block)?;
    let batch = x.dims()[0];
    if batch % all != 0 {
        return Err(Stop::Refused(format!("a batch of {batch} is not whole blocks of {block:?}")));
    }
    let inner = &x.dims()[1..];
    let apart: Vec<usize> =
        block.iter().copied().chain([batch / all]).chain(inner.iter().copied()).collect();
    let mut order = vec![m];
    let mut last = vec![batch / all];
    for at in 0..m {
        order.extend([m + 1 + at, at]);
        last.push(inner[at] * block[at]);
    }
    order.extend(2 * m + 1..apart.len());
    last.extend(&inner[m..]);
    let apart = scope.view(&x, &apart)?;
    let y = transpose(scope, &apart, &order)?;
    let mut y = scope.view(&y, &last)?;
    for (at, [before, behind]) in crops.into_iter().enumerate() {
        let dim = y.dims()[at + 1] as i64;
        if before + behind > dim {
            return Err("more is cut off than there is".into());
        }
        y = part(scope, &y, at + 1, before as usize, (dim - behind) as usize)?;
    }
    scope.give_tensor(0, y);
    Ok(())
}

/// Blocks of the depth become squares, or squares blocks.
fn depth(scope: &mut S<'_, '_>, to_space: bool) -> Done {
    let x = scope.tensor(0)?;
    let size = scope.int("block_size").and_then(|size| usize::try_from(size).ok());
    let size =
        size.filter(|size| (1..1 << 15).contains(size)).ok_or("the block size is missing")?;
    if super::channels_first(scope) {
        return Err("channels must be the last dimension".into());
    }
    let &[n, h, w, c] = x.dims() else { return Err(Stop::Refused(format!("x of {:?}", x.dims()))) };
    let squares = size * size;
    let whole = if to_space { c % squares == 0 } else { h % size == 0 && w % size == 0 };
    if !whole {
        return Err(Stop::Refused(format!("{:?} is not whole blocks of {size}", x.dims())));
    }
    if to_space {
        let deep = c / squares;
        let (apart, last) = (vec![n, h, w, size, size, deep], [n, h * size, w * size, deep]);
        return moved(scope, &x, apart, &[0, 1, 3, 2, 4, 5], &last);
    }
    let (high, wide) = (h / size, w / size);
    let (apart, last) = (vec![n, high, size, wide, size, c], [n, high, wide, c * squares]);
    moved(scope, &x, apart, &[0, 1, 3, 2, 4, 5], &last)
}

pub(super) const CALLS: &[CallInfo] = &[
    row("TF::BatchToSpaceND", batch_to_space),
    row("TF::DepthToSpace", |scope| depth(scope, true)),
    row("TF::Gather", gather),
    row("TF::GatherNd", gather_nd),
    row("TF::GatherV2", gather),
    row("TF::MirrorPad", mirror_pad),
    row("TF::Pad", pad),
    row("TF::PadV2", pad),
    row("TF::Reverse", reverse),
    row("TF::ReverseV2", reverse),
    row("TF::ScatterNd", scatter_nd),
    row("TF::SpaceToBatchND", space_to_batch),
    row("TF::SpaceToDepth", |scope| depth(scope, false)),
    row("TF::SparseToDense", sparse_to_dense),
    row("TF::TensorScatterUpdate", tensor_scatter),
    row("TF::Transpose", transposed),
];
