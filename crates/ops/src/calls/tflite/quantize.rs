use super::{dequantized, give, of_operand, quantizable, quantized, real};
use crate::calls::{CallInfo, cast, row, scalar};
use crate::{Binary, QuantizeAffine};
use sidestage_ir::{Scope, Stop};
use sidestage_kernels::Binary as Two;
use sidestage_tensor::DType;

/// Numbers to integers, or integers from one scale to another.
fn quantize(scope: &mut Scope<'_, '_>) -> Result<(), Stop> {
    let x = real(scope, 0)?;
    let to = super::result_type(scope, 0).ok_or("the result's type is missing")?;
    let of = super::of_result(scope, 0)?.ok_or("the result has no scale")?;
    let y = quantized(scope, &x, to, &of)?;
    scope.give_tensor(0, y);
    Ok(())
}

fn dequantize(scope: &mut Scope<'_, '_>) -> Result<(), Stop> {
    let x = scope.tensor(0)?;
    let y = match of_operand(scope, 0)? {
        Some(of) if quantizable(x.dtype()) => dequantized(scope, &x, &of)?,
        _ => cast(scope, &x, DType::F32)?,
    };
    scope.give_tensor(0, y);
    Ok(())
}

/// Numbers as they are after being integers (`FakeQuant`, with its limits moved so that one is 0).
fn fake(scope: &mut Scope<'_, '_>) -> Result<(), Stop> {
    let x = scope.tensor(0)?;
    let bits = scope.int("num_bits").unwrap_or(8);
    let (least, most) = (scope.float("min").unwrap_or(0.0), scope.float("max").unwrap_or(0.0));
    if !(2..=16).contains(&bits) || least > 0.0 || most < 0.0 || least >= most {
        return Err(Stop::Refused(format!("{bits} bits from {least} to {most}")));
    }
    let first = i32::from(scope.int("narrow_range") == Some(1));
    let last = (1 << bits) - 1;
    let scale = (most - least) / (last - first) as f32;
    let zero = (first as f32 - least / scale).round().clamp(first as f32, last as f32) as i32;
    let op = QuantizeAffine { to: DType::I32, scale, zero, limits: [first, last] };
    let y = scope.apply(op, &[x])?;
    let y = scope.apply(crate::DequantizeAffine { scale, zero: zero.into() }, &[y])?;
    give(scope, 0, y)
}

/// Its operand is whole already: files' sparse weights are filled when they are read.
fn densify(scope: &mut Scope<'_, '_>) -> Result<(), Stop> {
    let x = scope.tensor(0)?;
    scope.give_tensor(0, x);
    Ok(())
}

fn zeros_like(scope: &mut Scope<'_, '_>) -> Result<(), Stop> {
    let x = scope.tensor(0)?;
    let zero = scalar(scope, x.dtype(), 0.0)?;
    let y = crate::calls::expand(scope, &zero, x.dims())?;
    scope.give_tensor(0, y);
    Ok(())
}

/// How many of some limits are below or at each element.
fn bucketize(scope: &mut Scope<'_, '_>) -> Result<(), Stop> {
    let x = scope.tensor(0)?;
    let x = cast(scope, &x, DType::F32)?;
    let Some(sidestage_ir::Attribute::Floats(list)) = scope.call().attribute("boundaries") else {
        return Err("the boundaries are missing".into());
    };
    let zero = scalar(scope, DType::I32, 0.0)?;
    let mut y = crate::calls::expand(scope, &zero, x.dims())?;
    for limit in list {
        let limit = scalar(scope, DType::F32, (*limit).into())?;
        let over = scope.apply(Binary { function: Two::GreaterOrEqual }, &[x.clone(), limit])?;
        let over = cast(scope, &over, DType::I32)?;
        y = scope.apply(Binary { function: Two::Add }, &[y, over])?;
    }
    scope.give_tensor(0, y);
    Ok(())
}

pub(in crate::calls) const CALLS: &[CallInfo] = &[
    row("TFLITE::BUCKETIZE", bucketize),
    row("TFLITE::DENSIFY", densify),
    row("TFLITE::DEQUANTIZE", dequantize),
    row("TFLITE::FAKE_QUANT", fake),
    row("TFLITE::QUANTIZE", quantize),
    row("TFLITE::ZEROS_LIKE", zeros_like),
];
