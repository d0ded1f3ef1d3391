use super::{CallInfo, row};
use crate::Cast;
use sidestage_ir::{Scope, Stop};
use sidestage_tensor::DType;

/// The type with this number (`TensorProto.DataType`).
pub(super) fn dtype(id: i64) -> Result<DType, Stop> {
    Ok(match id {
        1 => DType::F32,
        2 => DType::U8,
        3 => DType::I8,
        4 => DType::U16,
        5 => DType::I16,
        6 => DType::I32,
        7 => DType::I64,
        9 => DType::Bool,
        10 => DType::F16,
        11 => DType::F64,
        12 => DType::U32,
        13 => DType::U64,
        16 => DType::BF16,
        _ => return Err(Stop::Refused(format!("elements of type {id} are not supported"))),
    })
}

fn to(scope: &mut Scope<'_, '_>, to: DType) -> Result<(), Stop> {
    let x = scope.tensor(0)?;
    let y = if x.dtype() == to { x } else { scope.apply(Cast { to }, &[x])? };
    scope.give_tensor(0, y);
    Ok(())
}

fn cast(scope: &mut Scope<'_, '_>) -> Result<(), Stop> {
    let dtype = dtype(scope.int("to").ok_or("the attribute to is missing")?)?;
    to(scope, dtype)
}

fn cast_like(scope: &mut Scope<'_, '_>) -> Result<(), Stop> {
    let dtype = scope.tensor(1)?.dtype();
    to(scope, dtype)
}

pub(super) const CALLS: &[CallInfo] = &[row("Cast", cast), row("CastLike", cast_like)];
