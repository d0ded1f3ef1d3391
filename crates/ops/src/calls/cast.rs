use super::{CallInfo, row, scalar};
use crate::{Binary, Cast, Where};
use sidestage_ir::{Scope, Stop};
use sidestage_kernels::Binary as Two;
use sidestage_tensor::{DType, Tensor};

/// The type with this number (`TensorProto.DataType`).
pub(super) fn dtype(id: i64) -> Result<DType, Stop> {
    let unknown = || Stop::Refused(format!("elements of type {id} are not supported"));
    DType::from_onnx(id).ok_or_else(unknown)
}

/// Above this a number of 8 bits is infinite, or none, if it does not take the largest number (ONNX,
/// the attribute `saturate`); and what it is then.
fn limit(dtype: DType) -> Option<(f64, u8, u8)> {
    // The first that would be rounded to a number that is not there: where half way between is
    // rounded up, the one before.
    Some(match dtype {
        DType::F8E4M3 => (464.0, 0x7f, 0xff),
        DType::F8E4M3UZ => (248.0_f64.next_down(), 0x80, 0x80),
        DType::F8E5M2 => (61440.0_f64.next_down(), 0x7c, 0xfc),
        DType::F8E5M2UZ => (61440.0_f64.next_down(), 0x80, 0x80),
        _ => return None,
    })
}

fn to(scope: &mut Scope<'_, '_>, to: DType) -> Result<(), Stop> {
    let x = scope.tensor(0)?;
    if to == DType::F8E8M0 && !matches!(scope.text("round_mode"), None | Some("up")) {
        return Err("only the mode up of rounding is supported".into());
    }
    let unlimited = limit(to).filter(|_| scope.int("saturate") == Some(0));
    let same = x.dtype() == to;
    let mut y =
        if same { x.clone() } else { scope.apply(Cast { to }, std::slice::from_ref(&x))? };
    if let Some((most, above, below)) = unlimited.filter(|_| !same) {
        let wide = scope.apply(Cast { to: DType::F64 }, &[x])?;
        let sides = [(Two::Greater, most, above), (Two::Less, -most, below)];
        for (function, most, bits) in sides {
            let most = scalar(scope, DType::F64, most)?;
            let beyond = scope.apply(Binary { function }, &[wide.clone(), most])?;
            let bits = Tensor::new(to, &[], &[bits]).map_err(|_| "no memory")?;
            let bits = scope.constant(bits);
            y = scope.apply(Where, &[beyond, bits, y])?;
        }
    }
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
