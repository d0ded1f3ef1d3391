//! What only moves elements, and what gives them another shape.

use super::{activated, give, give_moved, of_operand, of_result, real};
use crate::calls::{CallInfo, axes, axis, row, steps, transpose};
use crate::{Concat, StridedCopy, Take};
use sidestage_ir::{Scope, Stop, Traced};
use sidestage_tensor::DType;

type S<'a, 'w> = Scope<'a, 'w>;
type Done = Result<(), Stop>;

/// The shape is an operand, or an option.
fn reshape(scope: &mut S<'_, '_>) -> Done {
    let x = scope.tensor(0)?;
    let shape = match scope.integers(1)? {
        Some(shape) => shape,
        None => scope.ints("new_shape").ok_or("the shape is missing")?.to_vec(),
    };
    let mut dims = Vec::with_capacity(shape.len());
    let mut free = None;
    for (at, &dim) in shape.iter().enumerate() {
        dims.push(match dim {
            -1 if free.replace(at).is_none() => 1,
            0.. => dim as usize,
            _ => return Err(Stop::Refused(format!("{shape:?} is no shape"))),
        });
    }
    let product = |dims: &[usize]| dims.iter().try_fold(1_usize, |all, dim| all.checked_mul(*dim));
    let others = product(&dims).ok_or("a shape that is too large")?;
    if let Some(at) = free {
        let all: usize = x.dims().iter().product();
        dims[at] = all.checked_div(others).unwrap_or(0);
    } else if shape == [0] && x.dims().iter().product::<usize>() == 1 {
        // Older files say so of a single number.
        dims.clear();
    }
    let y = scope.view(&x, &dims)?;
    give_moved(scope, 0, 0, y)
}

fn squeeze(scope: &mut S<'_, '_>) -> Done {
    let x = scope.tensor(0)?;
    let gone = match scope.ints("squeeze_dims").filter(|list| !list.is_empty()) {
        Some(list) => axes(list, x.dims().len())?,
        None => (0..x.dims().len()).filter(|&axis| x.dims()[axis] == 1).collect(),
    };
    if let Some(axis) = gone.iter().find(|&&axis| x.dims()[axis] != 1) {
        return Err(Stop::Refused(format!("axis {axis} of {:?} is not 1", x.dims())));
    }
    let left = x.dims().iter().enumerate().filter(|(axis, _)| !gone.contains(axis));
    let dims: Vec<usize> = left.map(|(_, dim)| *dim).collect();
    let y = scope.view(&x, &dims)?;
    give_moved(scope, 0, 0, y)
}

fn expand_dims(scope: &mut S<'_, '_>) -> Done {
    let x = scope.tensor(0)?;
    let at = scope.integers(1)?.and_then(|list| list.first().copied()).ok_or("no axis")?;
    let at = axis(at, x.dims().len() + 1)?;
    let mut dims = x.dims().to_vec();
    dims.insert(at, 1);
    let y = scope.view(&x, &dims)?;
    give_moved(scope, 0, 0, y)
}

/// Several tensors along an axis; of different scales as numbers.
fn joined(scope: &mut S<'_, '_>, parts: &[Traced], axis: usize) -> Done {
    let y = match parts {
        [one] => one.clone(),
        _ => scope.apply(Concat { axis }, parts)?,
    };
    let y = activated(scope, y)?;
    give(scope, 0, y)
}

/// The operands, as numbers unless all have the result's scale.
fn parts(scope: &mut S<'_, '_>) -> Result<Vec<Traced>, Stop> {
    let to = of_result(scope, 0)?;
    let plain = scope.int("fused_activation_function").unwrap_or(0) == 0;
    let mut same = plain;
    for index in 0..scope.count() {
        same &= match (of_operand(scope, index)?, &to) {
            (Some(of), Some(to)) => of.scales == to.scales && of.zeros == to.zeros,
            (None, None) => true,
            _ => false,
        };
    }
    let part =
        |scope: &mut S<'_, '_>, index| if same { scope.tensor(index) } else { real(scope, index) };
    (0..scope.count()).map(|index| part(scope, index)).collect()
}

fn concatenation(scope: &mut S<'_, '_>) -> Done {
    let parts = parts(scope)?;
    let rank = parts.first().ok_or("there are no operands")?.dims().len();
    let axis = axis(scope.int("axis").unwrap_or(0), rank)?;
    joined(scope, &parts, axis)
}

/// Along a new axis.
fn pack(scope: &mut S<'_, '_>) -> Done {
    let mut parts = parts(scope)?;
    let rank = parts.first().ok_or("there are no operands")?.dims().len() + 1;
    let axis = axis(scope.int("axis").unwrap_or(0), rank)?;
    for part in &mut parts {
        let mut dims = part.dims().to_vec();
        if dims.len() + 1 != rank {
            return Err("the operands must have one shape".into());
        }
        dims.insert(axis, 1);
        *part = scope.view(part, &dims)?;
    }
    joined(scope, &parts, axis)
}

/// `length` elements from `from` on along an axis.
pub(super) fn part(
    scope: &mut S<'_, '_>,
    x: &Traced,
    axis: usize,
    from: usize,
    length: usize,
) -> Result<Traced, Stop> {
    let (mut dims, steps) = (x.dims().to_vec(), steps(x.dims()));
    if length == dims[axis] && from == 0 {
        return Ok(x.clone());
    }
    dims[axis] = length;
    let start = if dims.contains(&0) { 0 } else { from * steps[axis] as usize };
    scope.apply(StridedCopy { dims, start, steps }, std::slice::from_ref(x))
}

fn unpack(scope: &mut S<'_, '_>) -> Done {
    let x = scope.tensor(0)?;
    let axis = axis(scope.int("axis").unwrap_or(0), x.dims().len())?;
    let mut dims = x.dims().to_vec();
    let count = dims.remove(axis);
    if count != scope.call().outputs.len() {
        return Err(Stop::Refused(format!("{count} parts of {:?}", x.dims())));
    }
    for index in 0..count {
        let one = part(scope, &x, axis, index, 1)?;
        let one = scope.view(&one, &dims)?;
        give_moved(scope, 0, index, one)?;
    }
    Ok(())
}

/// Parts of these lengths.
fn cut(scope: &mut S<'_, '_>, from: usize, axis: usize, lengths: &[usize]) -> Done {
    let x = scope.tensor(from)?;
    let all = lengths.iter().try_fold(0_usize, |all, length| all.checked_add(*length));
    if all != Some(x.dims()[axis]) || lengths.len() != scope.call().outputs.len() {
        return Err(Stop::Refused(format!("{:?} cannot be split into {lengths:?}", x.dims())));
    }
    let mut first = 0;
    for (index, &length) in lengths.iter().enumerate() {
        let one = part(scope, &x, axis, first, length)?;
        give_moved(scope, from, index, one)?;
        first += length;
    }
    Ok(())
}

/// Operands: the axis, `x`.
fn split(scope: &mut S<'_, '_>) -> Done {
    let x = scope.tensor(1)?;
    let at = scope.integers(0)?.and_then(|list| list.first().copied()).ok_or("no axis")?;
    let at = axis(at, x.dims().len())?;
    let count = scope.call().outputs.len();
    let length = x.dims()[at].checked_div(count).unwrap_or(0);
    cut(scope, 1, at, &vec![length; count])
}

/// Operands: `x`, lengths of which one may be -1, the axis.
fn split_v(scope: &mut S<'_, '_>) -> Done {
    let x = scope.tensor(0)?;
    let lengths = scope.integers(1)?.ok_or("the lengths are missing")?;
    let at = scope.integers(2)?.and_then(|list| list.first().copied()).ok_or("no axis")?;
    let at = axis(at, x.dims().len())?;
    let known: i64 = lengths.iter().filter(|length| **length > 0).sum();
    let rest = x.dims()[at] as i64 - known;
    let length = |length: &i64| usize::try_from(if *length == -1 { rest } else { *length });
    let lengths = lengths.iter().map(length).collect::<Result<Vec<_>, _>>();
    cut(scope, 0, at, &lengths.map_err(|_| "a length below 0")?)
}

fn transposed(scope: &mut S<'_, '_>) -> Done {
    let x = scope.tensor(0)?;
    let rank = x.dims().len();
    let order = scope.integers(1)?.ok_or("the order is missing")?;
    let order = order.iter().map(|one| axis(*one, rank)).collect::<Result<Vec<_>, _>>()?;
    let mut sorted = order.clone();
    sorted.sort_unstable();
    if !sorted.into_iter().eq(0..rank) {
        return Err(Stop::Refused(format!("{order:?} is no order of {rank} axes")));
    }
    let y = transpose(scope, &x, &order)?;
    give_moved(scope, 0, 0, y)
}

fn tile(scope: &mut S<'_, '_>) -> Done {
    let x = scope.tensor(0)?;
    let repeats = scope.integers(1)?.ok_or("the repeats are missing")?;
    let y = crate::calls::strided::tiled(scope, &x, &repeats)?;
    give_moved(scope, 0, 0, y)
}

fn block(scope: &S<'_, '_>) -> Result<usize, Stop> {
    let size = scope.int("block_size").and_then(|size| usize::try_from(size).ok());
    Ok(size.filter(|size| (1..1 << 16).contains(size)).ok_or("the block size is missing")?)
}

fn space_to_depth(scope: &mut S<'_, '_>) -> Done {
    let (x, size) = (scope.tensor(0)?, block(scope)?);
    let &[n, h, w, c] = x.dims() else { return Err("x must have four dimensions".into()) };
    if h % size != 0 || w % size != 0 {
        return Err(Stop::Refused(format!("{h} × {w} are not whole blocks of {size}")));
    }
    let y = scope.view(&x, &[n, h / size, size, w / size, size, c])?;
    let y = transpose(scope, &y, &[0, 1, 3, 2, 4, 5])?;
    let y = scope.view(&y, &[n, h / size, w / size, size * size * c])?;
    give_moved(scope, 0, 0, y)
}

fn depth_to_space(scope: &mut S<'_, '_>) -> Done {
    let (x, size) = (scope.tensor(0)?, block(scope)?);
    let &[n, h, w, c] = x.dims() else { return Err("x must have four dimensions".into()) };
    if c % (size * size) != 0 {
        return Err(Stop::Refused(format!("{c} channels are not whole blocks of {size}")));
    }
    let depth = c / size / size;
    let y = scope.view(&x, &[n, h, w, size, size, depth])?;
    let y = transpose(scope, &y, &[0, 1, 3, 2, 4, 5])?;
    let y = scope.view(&y, &[n, h * size, w * size, depth])?;
    give_moved(scope, 0, 0, y)
}

/// The blocks' sizes, and what is added or cut before and behind, as a call's operands say.
fn blocks(scope: &S<'_, '_>) -> Result<(Vec<usize>, Vec<[i64; 2]>), Stop> {
    let sizes = scope.integers(1)?.ok_or("the blocks are missing")?;
    let edges = scope.integers(2)?.ok_or("the edges are missing")?;
    let size = |size: &i64| usize::try_from(*size).ok().filter(|size| (1..1 << 31).contains(size));
    let sizes: Option<Vec<usize>> = sizes.iter().map(size).collect();
    let (pairs, rest) = edges.as_chunks();
    let whole = rest.is_empty() && edges.iter().all(|edge| (0..1 << 31).contains(edge));
    let sizes = sizes.filter(|sizes| whole && sizes.len() == pairs.len());
    Ok((sizes.ok_or("blocks that are none")?, pairs.to_vec()))
}

/// Each element of a block goes to a batch of its own.
fn space_to_batch(scope: &mut S<'_, '_>) -> Done {
    let mut x = scope.tensor(0)?;
    let (sizes, edges) = blocks(scope)?;
    let count = sizes.len();
    if x.dims().len() <= count {
        return Err(Stop::Refused(format!("blocks {sizes:?} of {:?}", x.dims())));
    }
    let zero = super::pad::zero(scope, &x)?;
    for (at, edge) in edges.iter().enumerate() {
        x = crate::calls::pad::filled(scope, x, at + 1, (edge[0], edge[1]), &zero)?;
    }
    let (mut apart, mut last) = (vec![x.dims()[0]], Vec::new());
    let mut batches = x.dims()[0];
    for (at, &size) in sizes.iter().enumerate() {
        let dim = x.dims()[at + 1];
        if dim % size != 0 {
            return Err(Stop::Refused(format!("{dim} are not whole blocks of {size}")));
        }
        apart.extend([dim / size, size]);
        last.push(dim / size);
        batches = batches.checked_mul(size).ok_or("blocks that are too large")?;
    }
    let rest = x.dims()[count + 1..].to_vec();
    apart.extend(&rest);
    let order: Vec<usize> = (0..count)
        .map(|at| 2 * at + 2)
        .chain([0])
        .chain((0..count).map(|at| 2 * at + 1))
        .chain(2 * count + 1..apart.len())
        .collect();
    let y = moved(scope, &x, &apart, &order)?;
    let dims: Vec<usize> = [batches].into_iter().chain(last).chain(rest).collect();
    let y = scope.view(&y, &dims)?;
    give_moved(scope, 0, 0, y)
}

/// A tensor as another shape whose axes go to another order; axes of one are left out in between, so
/// that there are not too many.
fn moved(
    scope: &mut S<'_, '_>,
    x: &Traced,
    dims: &[usize],
    order: &[usize],
) -> Result<Traced, Stop> {
    let kept: Vec<usize> = (0..dims.len()).filter(|&axis| dims[axis] != 1).collect();
    let apart: Vec<usize> = kept.iter().map(|&axis| dims[axis]).collect();
    let order = order.iter().filter_map(|axis| kept.iter().position(|kept| kept == axis));
    let x = scope.view(x, &apart)?;
    transpose(scope, &x, &order.collect::<Vec<_>>())
}

/// The way back.
fn batch_to_space(scope: &mut S<'_, '_>) -> Done {
    let x = scope.tensor(0)?;
    let (sizes, edges) = blocks(scope)?;
    let count = sizes.len();
    let all = sizes.iter().try_fold(1_usize, |all, size| all.checked_mul(*size));
    let batches = all.and_then(|all| x.dims().first()?.checked_div(all));
    let fits = batches.filter(|batches| {
        x.dims().len() > count && all.is_some_and(|all| batches * all == x.dims()[0])
    });
    let Some(batches) = fits else {
        return Err(Stop::Refused(format!("blocks {sizes:?} of {:?}", x.dims())));
    };
    let mut apart = sizes.clone();
    apart.push(batches);
    apart.extend(&x.dims()[1..]);
    let order: Vec<usize> = [count]
        .into_iter()
        .chain((0..count).flat_map(|at| [count + 1 + at, at]))
        .chain(2 * count + 1..apart.len())
        .collect();
    let y = moved(scope, &x, &apart, &order)?;
    let mut dims = vec![batches];
    dims.extend(sizes.iter().zip(&x.dims()[1..]).map(|(size, dim)| dim.saturating_mul(*size)));
    dims.extend(&x.dims()[count + 1..]);
    let mut y = scope.view(&y, &dims)?;
    for (at, [before, behind]) in edges.iter().enumerate() {
        let length = y.dims()[at + 1] as i64 - before - behind;
        let length = usize::try_from(length).map_err(|_| "more is cut off than there is")?;
        y = part(scope, &y, at + 1, *before as usize, length)?;
    }
    give_moved(scope, 0, 0, y)
}

fn reverse(scope: &mut S<'_, '_>) -> Done {
    let x = scope.tensor(0)?;
    let list = scope.integers(1)?.ok_or("the axes are missing")?;
    let (dims, mut by) = (x.dims().to_vec(), steps(x.dims()));
    let mut start = 0;
    for axis in axes(&list, dims.len())? {
        start += dims[axis].saturating_sub(1) * by[axis] as usize;
        by[axis] = -by[axis];
    }
    let start = if dims.contains(&0) { 0 } else { start };
    let y = scope.apply(StridedCopy { dims, start, steps: by }, &[x])?;
    give_moved(scope, 0, 0, y)
}

/// Of each row along `batch_dim` the first elements along `seq_dim`, as many as it says, turned about.
fn reverse_sequence(scope: &mut S<'_, '_>) -> Done {
    let x = scope.tensor(0)?;
    let lengths = scope.integers(1)?.ok_or("the lengths are missing")?;
    let rank = x.dims().len();
    let along = axis(scope.int("seq_dim").unwrap_or(0), rank)?;
    let batch = axis(scope.int("batch_dim").unwrap_or(0), rank)?;
    let (steps, rows) = (x.dims()[along], x.dims()[batch]);
    if lengths.len() != rows || along == batch {
        return Err(Stop::Refused(format!("{} lengths of {:?}", lengths.len(), x.dims())));
    }
    let mut order = vec![batch, along];
    order.extend((0..rank).filter(|axis| *axis != batch && *axis != along));
    let moved = transpose(scope, &x, &order)?;
    let dims = moved.dims().to_vec();
    let mut flat = vec![steps.saturating_mul(rows)];
    flat.extend(&dims[2..]);
    let flat = scope.view(&moved, &flat)?;
    let mut places = Vec::new();
    for (row, &length) in lengths.iter().enumerate() {
        let length = length.clamp(0, steps as i64);
        let place = |at: i64| if at < length { length - 1 - at } else { at };
        places.extend((0..steps as i64).map(|at| (row * steps) as i64 + place(at)));
    }
    let places = scope.list(&places)?;
    let y = scope.apply(Take { axis: 0 }, &[flat, places])?;
    let y = scope.view(&y, &dims)?;
    let back: Vec<usize> =
        (0..rank).filter_map(|axis| order.iter().position(|from| *from == axis)).collect();
    let y = transpose(scope, &y, &back)?;
    give_moved(scope, 0, 0, y)
}

/// The same bits as another type of the same size.
fn bit_cast(scope: &mut S<'_, '_>) -> Done {
    let x = scope.tensor(0)?;
    let to: DType = super::result_type(scope, 0).ok_or("the result's type is missing")?;
    let y = if to == x.dtype() { x } else { scope.apply(crate::BitCast { to }, &[x])? };
    scope.give_tensor(0, y);
    Ok(())
}

pub(in crate::calls) const CALLS: &[CallInfo] = &[
    row("TFLITE::BATCH_TO_SPACE_ND", batch_to_space),
    row("TFLITE::BITCAST", bit_cast),
    row("TFLITE::CONCATENATION", concatenation),
    row("TFLITE::DEPTH_TO_SPACE", depth_to_space),
    row("TFLITE::EXPAND_DIMS", expand_dims),
    row("TFLITE::PACK", pack),
    row("TFLITE::RESHAPE", reshape),
    row("TFLITE::REVERSE_SEQUENCE", reverse_sequence),
    row("TFLITE::REVERSE_V2", reverse),
    row("TFLITE::SPACE_TO_BATCH_ND", space_to_batch),
    row("TFLITE::SPACE_TO_DEPTH", space_to_depth),
    row("TFLITE::SPLIT", split),
    row("TFLITE::SPLIT_V", split_v),
    row("TFLITE::SQUEEZE", squeeze),
    row("TFLITE::TILE", tile),
    row("TFLITE::TRANSPOSE", transposed),
    row("TFLITE::UNPACK", unpack),
];
