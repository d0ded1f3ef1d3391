//! Products of integers with scales, whose results are numbers.

use super::super::qlinear_conv::product as product_of_bytes;
use super::super::quantize::{dynamic, integer_product, quantized};
use super::attention::attended;
use super::{CallInfo, Two, biased, cast, row, scalar, size, transpose, two};
use sidestage_ir::{Scope, Stop, Traced};
use sidestage_tensor::DType;

/// `(a - a_zero) * (b - b_zero) * a_scale * b_scale`: a scale may be one for each column.
fn product(
    scope: &mut Scope<'_, '_>,
    sides: [&Traced; 2],
    scales: [&Traced; 2],
    zeros: [Option<Traced>; 2],
) -> Result<Traced, Stop> {
    let y = integer_product(scope, sides, zeros)?;
    let y = cast(scope, &y, DType::F32)?;
    let mut factors = Vec::new();
    for scale in scales {
        let scale = cast(scope, scale, DType::F32)?;
        let one = scale.dims().iter().product::<usize>() == 1;
        factors.push(if one { scope.view(&scale, &[])? } else { scale });
    }
    let factor = two(scope, Two::Mul, &factors[0], &factors[1])?;
    let dims = y.dims().to_vec();
    let y = two(scope, Two::Mul, &y, &factor)?;
    if y.dims() == dims { Ok(y) } else { Err("scales that are not those of columns".into()) }
}

fn dynamic_matmul(scope: &mut Scope<'_, '_>) -> Result<(), Stop> {
    let (a, b, b_scale) = (scope.tensor(0)?, scope.tensor(1)?, scope.tensor(2)?);
    let (b_zero, bias) = (scope.optional_tensor(3)?, scope.optional_tensor(4)?);
    let [a, scale, zero] = dynamic(scope, &a)?;
    let y = product(scope, [&a, &b], [&scale, &b_scale], [Some(zero), b_zero])?;
    let y = biased(scope, y, bias.as_ref())?;
    scope.give_tensor(0, y);
    Ok(())
}

fn matmul(scope: &mut Scope<'_, '_>) -> Result<(), Stop> {
    let (a, b) = (scope.tensor(0)?, scope.tensor(1)?);
    let scales = [scope.tensor(2)?, scope.tensor(3)?];
    let zeros = [scope.optional_tensor(4)?, scope.optional_tensor(5)?];
    let bias = scope.optional_tensor(6)?;
    let y = product(scope, [&a, &b], [&scales[0], &scales[1]], zeros)?;
    let y = biased(scope, y, bias.as_ref())?;
    let y = cast(scope, &y, scales[0].dtype())?;
    scope.give_tensor(0, y);
    Ok(())
}

/// The product of bytes that becomes bytes, if all that this takes is known.
fn to_bytes(scope: &mut Scope<'_, '_>) -> Result<Option<Traced>, Stop> {
    let turned = |name: &str| scope.int(name) == Some(1);
    if turned("transA") || scope.float("alpha").is_some_and(|alpha| alpha != 1.0) {
        return Ok(None);
    }
    let transposed = turned("transB");
    let mut all = Vec::new();
    for index in [0, 1, 2, 3, 4, 5, 7, 8] {
        all.extend(scope.optional_tensor(index)?);
    }
    let bias = scope.optional_tensor(6)?;
    match <&[Traced; 8]>::try_from(&all[..]) {
        Ok(all) => product_of_bytes(scope, all, bias, transposed),
        Err(_) => Ok(None),
    }
}

fn gemm(scope: &mut Scope<'_, '_>) -> Result<(), Stop> {
    if let Some(y) = to_bytes(scope)? {
        scope.give_tensor(0, y);
        return Ok(());
    }
    let mut sides = [scope.tensor(0)?, scope.tensor(3)?];
    for (side, name) in sides.iter_mut().zip(["transA", "transB"]) {
        if side.dims().len() != 2 {
            return Err("a and b must be matrices".into());
        }
        if scope.int(name) == Some(1) {
            *side = transpose(scope, side, &[1, 0])?;
        }
    }
    let scales = [scope.tensor(1)?, scope.tensor(4)?];
    let zeros = [scope.optional_tensor(2)?, scope.optional_tensor(5)?];
    let [a, b] = &sides;
    // The bias is that of the integers' product.
    let mut y = integer_product(scope, [a, b], zeros)?;
    if let Some(bias) = scope.optional_tensor(6)? {
        y = biased(scope, y, Some(&bias))?;
    }
    let y = cast(scope, &y, DType::F32)?;
    let one = scope.view(&scales[0], &[])?;
    let factor = two(scope, Two::Mul, &one, &scales[1])?;
    let alpha = scalar(scope, DType::F32, scope.float("alpha").unwrap_or(1.0).into())?;
    let factor = two(scope, Two::Mul, &factor, &alpha)?;
    let mut y = two(scope, Two::Mul, &y, &factor)?;
    if let Some(scale) = scope.optional_tensor(7)? {
        let (scale, zero) = (scope.view(&scale, &[])?, scope.optional_tensor(8)?);
        let zero = match zero {
            Some(zero) => Some(scope.view(&zero, &[])?),
            None => None,
        };
        let dtype = zero.as_ref().map_or(sides[0].dtype(), |zero| zero.dtype());
        y = quantized(scope, &y, &scale, zero.as_ref(), dtype)?;
    }
    scope.give_tensor(0, y);
    Ok(())
}

fn attention(scope: &mut Scope<'_, '_>) -> Result<(), Stop> {
    if scope.int("do_rotary") == Some(1) {
        return Err("do_rotary is not supported".into());
    }
    let (x, weight, bias) = (scope.tensor(0)?, scope.tensor(1)?, scope.tensor(2)?);
    let scales = [scope.tensor(3)?, scope.tensor(4)?];
    let zeros = [scope.optional_tensor(6)?, scope.optional_tensor(7)?];
    let count = size(scope, "num_heads").ok_or("num_heads is missing")?;
    let all = product(scope, [&x, &weight], [&scales[0], &scales[1]], zeros)?;
    let all = biased(scope, all, Some(&bias))?;
    // There is no bias of the scores.
    let [y, present] = attended(scope, &all, count, [5, 8, usize::MAX])?;
    scope.give_tensor(0, y);
    scope.give_tensor(1, present);
    Ok(())
}

pub(crate) const CALLS: &[CallInfo] = &[
    row("com.microsoft::DynamicQuantizeMatMul", dynamic_matmul),
    row("com.microsoft::MatMulIntegerToFloat", matmul),
    row("com.microsoft::QAttention", attention),
    row("com.microsoft::QGemm", gemm),
];
