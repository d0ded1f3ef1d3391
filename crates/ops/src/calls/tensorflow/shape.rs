//! What gives the same elements another shape, tells of shapes, or makes tensors of them.

use super::{CallInfo, Done, S, axis, expand, integer, integers, list, row, scalar, sizes};
use crate::calls::axes;
use sidestage_ir::{Attribute, Stop, Traced};
use sidestage_tensor::{DType, Tensor};

fn reshape(scope: &mut S<'_, '_>) -> Done {
    let x = scope.tensor(0)?;
    let shape = integers(scope, 1)?;
    let wrong = || Stop::Refused(format!("{:?} cannot have the shape {shape:?}", x.dims()));
    let others = shape.iter().filter(|dim| **dim != -1).map(|dim| usize::try_from(*dim));
    let others = others.collect::<Result<Vec<usize>, _>>().map_err(|_| wrong())?;
    let all = x.dims().iter().product::<usize>();
    let free = all.checked_div(super::product(&others)?).unwrap_or(0);
    let dims = shape.iter().map(|dim| usize::try_from(*dim).unwrap_or(free)).collect::<Vec<_>>();
    let y = scope.view(&x, &dims)?;
    scope.give_tensor(0, y);
    Ok(())
}

fn squeeze(scope: &mut S<'_, '_>) -> Done {
    let x = scope.tensor(0)?;
    let list = scope.ints("squeeze_dims").or_else(|| scope.ints("axis")).unwrap_or_default();
    let gone = match list {
        [] => (0..x.dims().len()).filter(|&axis| x.dims()[axis] == 1).collect(),
        list => axes(list, x.dims().len())?,
    };
    let left = x.dims().iter().enumerate().filter(|(axis, _)| !gone.contains(axis));
    let dims: Vec<usize> = left.map(|(_, dim)| *dim).collect();
    let y = scope.view(&x, &dims)?;
    scope.give_tensor(0, y);
    Ok(())
}

fn expand_dims(scope: &mut S<'_, '_>) -> Done {
    let x = scope.tensor(0)?;
    let mut dims = x.dims().to_vec();
    dims.insert(axis(integer(scope, 1)?, dims.len() + 1)?, 1);
    let y = scope.view(&x, &dims)?;
    scope.give_tensor(0, y);
    Ok(())
}

fn dims_of(scope: &mut S<'_, '_>, x: &Traced) -> Result<Traced, Stop> {
    let dims: Vec<i64> = x.dims().iter().map(|dim| *dim as i64).collect();
    list(scope, &[dims.len()], &dims)
}

fn shapes(scope: &mut S<'_, '_>) -> Done {
    for index in 0..scope.count() {
        let x = scope.tensor(index)?;
        let dims = dims_of(scope, &x)?;
        scope.give_tensor(index, dims);
    }
    Ok(())
}

/// One number that is known without the elements.
fn told(scope: &mut S<'_, '_>, of: impl Fn(&[usize]) -> usize) -> Done {
    let x = scope.tensor(0)?;
    let number = list(scope, &[], &[of(x.dims()) as i64])?;
    scope.give_tensor(0, number);
    Ok(())
}

fn fill(scope: &mut S<'_, '_>) -> Done {
    let (dims, value) = (sizes(scope, 0)?, scope.tensor(1)?);
    super::product(&dims)?;
    let value = scope.view(&value, &[])?;
    let y = expand(scope, &value, &dims)?;
    scope.give_tensor(0, y);
    Ok(())
}

/// One number everywhere; the shape is that of the operand, or the operand.
fn constant(scope: &mut S<'_, '_>, like: bool, value: f64) -> Done {
    let x = scope.tensor(0)?;
    let named = ["T", "dtype"].into_iter().find_map(|name| match scope.call().attribute(name) {
        Some(Attribute::Type(dtype)) => Some(*dtype),
        _ => None,
    });
    let (dims, dtype) = match like {
        true => (x.dims().to_vec(), x.dtype()),
        false => (sizes(scope, 0)?, named.unwrap_or(DType::F32)),
    };
    super::product(&dims)?;
    let value = scalar(scope, dtype, value)?;
    let y = expand(scope, &value, &dims)?;
    scope.give_tensor(0, y);
    Ok(())
}

fn linear_space(scope: &mut S<'_, '_>) -> Done {
    let (start, stop) = (super::number(scope, 0, 0.0)?, super::number(scope, 1, 0.0)?);
    let count = usize::try_from(integer(scope, 2)?).ok().filter(|count| *count < 1 << 31);
    let count = count.ok_or("a length that is none")?;
    let step = if count > 1 { (stop - start) / (count - 1) as f64 } else { 0.0 };
    let bytes = (0..count).flat_map(|at| ((start + at as f64 * step) as f32).to_le_bytes());
    let bytes: Vec<u8> = bytes.collect();
    let tensor = Tensor::new(DType::F32, &[count], &bytes).map_err(|_| "no memory")?;
    let y = scope.constant(tensor);
    scope.give_tensor(0, y);
    Ok(())
}

/// The same value, of any kind.
fn first(scope: &mut S<'_, '_>) -> Done {
    let x = scope.val(0)?;
    scope.give(0, x);
    Ok(())
}

pub(super) const CALLS: &[CallInfo] = &[
    row("TF::EnsureShape", first),
    row("TF::ExpandDims", expand_dims),
    row("TF::Fill", fill),
    row("TF::Identity", first),
    row("TF::LinSpace", linear_space),
    row("TF::NoOp", |_| Ok(())),
    row("TF::Ones", |scope| constant(scope, false, 1.0)),
    row("TF::OnesLike", |scope| constant(scope, true, 1.0)),
    row("TF::Print", first),
    row("TF::Range", crate::calls::shape::range),
    row("TF::Rank", |scope| told(scope, <[usize]>::len)),
    row("TF::Reshape", reshape),
    row("TF::Shape", shapes),
    row("TF::ShapeN", shapes),
    row("TF::Size", |scope| told(scope, |dims| dims.iter().product())),
    row("TF::Snapshot", first),
    row("TF::Squeeze", squeeze),
    row("TF::StopGradient", first),
    row("TF::Zeros", |scope| constant(scope, false, 0.0)),
    row("TF::ZerosLike", |scope| constant(scope, true, 0.0)),
];
