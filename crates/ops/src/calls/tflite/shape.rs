//! What tells of shapes, and makes tensors of them.

use crate::calls::{CallInfo, cast, expand, row};
use sidestage_ir::{Attribute, Scope, Stop};
use sidestage_tensor::DType;

type Done = Result<(), Stop>;

/// A shape that an operand is.
fn sizes(scope: &Scope<'_, '_>, index: usize) -> Result<Vec<usize>, Stop> {
    let shape = scope.integers(index)?.ok_or("the shape is missing")?;
    let dims = shape.iter().map(|&dim| usize::try_from(dim).map_err(|_| "a dimension below 0"));
    Ok(dims.collect::<Result<_, _>>()?)
}

fn shape(scope: &mut Scope<'_, '_>) -> Done {
    let x = scope.tensor(0)?;
    let dims: Vec<i64> = x.dims().iter().map(|dim| *dim as i64).collect();
    let list = scope.list(&dims)?;
    let to = match scope.call().attribute("out_type") {
        Some(Attribute::Type(DType::I64)) => DType::I64,
        _ => DType::I32,
    };
    let list = cast(scope, &list, to)?;
    scope.give_tensor(0, list);
    Ok(())
}

fn rank(scope: &mut Scope<'_, '_>) -> Done {
    let rank = scope.tensor(0)?.dims().len();
    let list = scope.list(&[rank as i64])?;
    let rank = scope.view(&list, &[])?;
    let rank = cast(scope, &rank, DType::I32)?;
    scope.give_tensor(0, rank);
    Ok(())
}

fn fill(scope: &mut Scope<'_, '_>) -> Done {
    let dims = sizes(scope, 0)?;
    let value = scope.tensor(1)?;
    let value = scope.view(&value, &[])?;
    let y = expand(scope, &value, &dims)?;
    scope.give_tensor(0, y);
    Ok(())
}

fn broadcast_to(scope: &mut Scope<'_, '_>) -> Done {
    let x = scope.tensor(0)?;
    let dims = sizes(scope, 1)?;
    let y = expand(scope, &x, &dims)?;
    scope.give_tensor(0, y);
    Ok(())
}

/// The shape to which tensors of two shapes are broadcast.
fn broadcast_args(scope: &mut Scope<'_, '_>) -> Done {
    let dtype = scope.tensor(0)?.dtype();
    let dims = crate::rules::broadcast(&sizes(scope, 0)?, &sizes(scope, 1)?)?;
    let dims: Vec<i64> = dims.into_iter().map(|dim| dim as i64).collect();
    let list = scope.list(&dims)?;
    let list = cast(scope, &list, dtype)?;
    scope.give_tensor(0, list);
    Ok(())
}

pub(in crate::calls) const CALLS: &[CallInfo] = &[
    row("TFLITE::BROADCAST_ARGS", broadcast_args),
    row("TFLITE::BROADCAST_TO", broadcast_to),
    row("TFLITE::FILL", fill),
    row("TFLITE::RANGE", crate::calls::shape::range),
    row("TFLITE::RANK", rank),
    row("TFLITE::SHAPE", shape),
];
