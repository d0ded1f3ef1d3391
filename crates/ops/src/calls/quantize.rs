//! Integers with scales, step by step.

use super::arrange::{arranged_dims, arranged_unsigned};
use super::{CallInfo, axis, row, scalar};
use crate::{
    Binary, Cast, DequantizeAffine, DynamicRange, MatMul, MatMulInteger, PackInt8, QuantizeLinear,
    Unary,
};
use sidestage_ir::{Scope, Stop, Traced};
use sidestage_kernels::{Binary as Two, Unary as One, WideKind, wide_kind};
use sidestage_tensor::DType;

fn two(scope: &mut Scope<'_, '_>, function: Two, a: &Traced, b: &Traced) -> Result<Traced, Stop> {
    scope.apply(Binary { function }, &[a.clone(), b.clone()])
}

fn to(scope: &mut Scope<'_, '_>, x: &Traced, to: DType) -> Result<Traced, Stop> {
    if x.dtype() == to { Ok(x.clone()) } else { scope.apply(Cast { to }, std::slice::from_ref(x)) }
}

/// The least and largest number of a type.
fn limits(dtype: DType) -> Result<(f64, f64), Stop> {
    Ok(match dtype {
        DType::I8 => (-128.0, 127.0),
        DType::U8 => (0.0, 255.0),
        DType::I16 => (-32768.0, 32767.0),
        DType::U16 => (0.0, 65535.0),
        DType::I4 => (-8.0, 7.0),
        DType::U4 => (0.0, 15.0),
        DType::I2 => (-2.0, 1.0),
        DType::U2 => (0.0, 3.0),
        _ => return Err(Stop::Refused(format!("quantised to {dtype}"))),
    })
}

/// A scale or zero point in the shape of what it belongs to: one for all, one for each element of an
/// axis, or one for each block along it.
fn spread(
    scope: &mut Scope<'_, '_>,
    of: &Traced,
    like: &[usize],
    axis: usize,
    block: usize,
) -> Result<Traced, Stop> {
    if of.dims().iter().product::<usize>() == 1 {
        return scope.view(of, &[]);
    }
    if block == 0 {
        let mut dims = vec![1; like.len()];
        *dims.get_mut(axis).ok_or("an axis that there is not")? = of.dims().iter().product();
        return scope.view(of, &dims);
    }
    if of.dims().len() != like.len() {
        return Err(Stop::Refused(format!("scales of {:?} for {like:?}", of.dims())));
    }
    let places: Vec<i64> = (0..like[axis]).map(|at| (at / block) as i64).collect();
    let places = scope.list(&places)?;
    scope.apply(crate::Take { axis }, &[of.clone(), places])
}

/// `x / scale + zero`, rounded to even and cut to the type (ONNX 21, "QuantizeLinear").
pub(super) fn quantized(
    scope: &mut Scope<'_, '_>,
    x: &Traced,
    scale: &Traced,
    zero: Option<&Traced>,
    dtype: DType,
) -> Result<Traced, Stop> {
    let x = to(scope, x, DType::F32)?;
    let scale = to(scope, scale, DType::F32)?;
    let one = |of: &Traced| of.dims().iter().all(|dim| *dim == 1);
    if matches!(dtype, DType::I8 | DType::U8) && one(&scale) && zero.is_none_or(one) {
        let zero = match zero {
            Some(zero) => zero.clone(),
            None => scalar(scope, dtype, 0.0)?,
        };
        let zero = to(scope, &zero, dtype)?;
        let (zero, scale) = (scope.view(&zero, &[])?, scope.view(&scale, &[])?);
        return scope.apply(QuantizeLinear, &[x, scale, zero]);
    }
    let mut y = two(scope, Two::Div, &x, &scale)?;
    if wide_kind(dtype) == Some(WideKind::Float) {
        // The cast rounds, and takes the largest for what is larger.
        if let Some(zero) = zero {
            let zero = to(scope, zero, DType::F32)?;
            y = two(scope, Two::Add, &y, &zero)?;
        }
        return to(scope, &y, dtype);
    }
    let (least, most) = limits(dtype)?;
    y = scope.apply(Unary { function: One::Round }, &[y])?;
    if let Some(zero) = zero {
        let zero = to(scope, zero, DType::F32)?;
        y = two(scope, Two::Add, &y, &zero)?;
    }
    let (least, most) = (scalar(scope, DType::F32, least)?, scalar(scope, DType::F32, most)?);
    y = two(scope, Two::Max, &y, &least)?;
    y = two(scope, Two::Min, &y, &most)?;
    to(scope, &y, dtype)
}

/// `x - zero`, in 32 bits.
fn centered(scope: &mut Scope<'_, '_>, x: &Traced, zero: Option<&Traced>) -> Result<Traced, Stop> {
    let float = wide_kind(x.dtype()) == Some(WideKind::Float);
    let wide = if float { DType::F32 } else { DType::I32 };
    let x = to(scope, x, wide)?;
    match zero {
        None => Ok(x),
        Some(zero) => {
            let zero = to(scope, zero, wide)?;
            two(scope, Two::Sub, &x, &zero)
        }
    }
}

/// A scale and a zero, if they are known and one for all.
pub(super) fn single(scale: &Traced, zero: &Traced) -> Option<(f32, i32)> {
    let scale = scale.known().filter(|scale| scale.dtype() == DType::F32)?;
    let zeros = zero.known().and_then(sidestage_tensor::Tensor::integers)?;
    match (scale.elements::<f32>(), &zeros[..]) {
        (&[scale], &[zero]) => Some((scale, i32::try_from(zero).ok()?)),
        _ => None,
    }
}

/// `(x - zero) * scale`.
pub(super) fn dequantized(
    scope: &mut Scope<'_, '_>,
    x: &Traced,
    scale: &Traced,
    zero: Option<&Traced>,
) -> Result<Traced, Stop> {
    if let (DType::I8 | DType::U8, Some(zero)) = (x.dtype(), zero)
        && let Some((scale, zero)) = single(scale, zero)
    {
        let op = DequantizeAffine { scale, zero: zero.into() };
        return scope.apply(op, std::slice::from_ref(x));
    }
    let x = centered(scope, x, zero)?;
    let x = to(scope, &x, DType::F32)?;
    let wide = to(scope, scale, DType::F32)?;
    two(scope, Two::Mul, &x, &wide)
}

fn along(scope: &Scope<'_, '_>, x: &Traced) -> Result<(usize, usize), Stop> {
    let block =
        usize::try_from(scope.int("block_size").unwrap_or(0)).map_err(|_| "a block below 0")?;
    let rank = x.dims().len().max(1);
    let given = scope.int("axis").unwrap_or(1);
    // For one scale the axis means nothing, and may not be there.
    Ok((axis(given, rank).unwrap_or(rank - 1), block))
}

fn quantize_linear(scope: &mut Scope<'_, '_>) -> Result<(), Stop> {
    let (x, scale, zero) = (scope.tensor(0)?, scope.tensor(1)?, scope.optional_tensor(2)?);
    let dtype = match (&zero, scope.int("output_dtype")) {
        (Some(zero), _) => zero.dtype(),
        (None, Some(id)) if id != 0 => super::cast::dtype(id)?,
        _ => DType::U8,
    };
    let (axis, block) = along(scope, &x)?;
    let scale = spread(scope, &scale, x.dims(), axis, block)?;
    let zero = match zero {
        Some(zero) => Some(spread(scope, &zero, x.dims(), axis, block)?),
        None => None,
    };
    let y = quantized(scope, &x, &scale, zero.as_ref(), dtype)?;
    scope.give_tensor(0, y);
    Ok(())
}

fn dequantize_linear(scope: &mut Scope<'_, '_>) -> Result<(), Stop> {
    let (x, scale, zero) = (scope.tensor(0)?, scope.tensor(1)?, scope.optional_tensor(2)?);
    let (axis, block) = along(scope, &x)?;
    let dtype = match scope.int("output_dtype") {
        Some(id) if id != 0 => super::cast::dtype(id)?,
        _ => scale.dtype(),
    };
    let scale = spread(scope, &scale, x.dims(), axis, block)?;
    let zero = match zero {
        Some(zero) => Some(spread(scope, &zero, x.dims(), axis, block)?),
        None => None,
    };
    let y = dequantized(scope, &x, &scale, zero.as_ref())?;
    let y = to(scope, &y, dtype)?;
    scope.give_tensor(0, y);
    Ok(())
}

/// To `u8` by the least and largest element, 0 among them; with the scale and the zero point.
pub(super) fn dynamic(scope: &mut Scope<'_, '_>, x: &Traced) -> Result<[Traced; 3], Stop> {
    let x = &to(scope, x, DType::F32)?;
    let range = scope.apply_all(DynamicRange, std::slice::from_ref(x))?;
    let [scale, point] = <[Traced; 2]>::try_from(range).map_err(|_| "two results")?;
    let y = quantized(scope, x, &scale, Some(&point), DType::U8)?;
    Ok([y, scale, point])
}

fn dynamic_quantize(scope: &mut Scope<'_, '_>) -> Result<(), Stop> {
    let x = scope.tensor(0)?;
    let results = dynamic(scope, &x)?;
    results.into_iter().enumerate().for_each(|(index, one)| scope.give_tensor(index, one));
    Ok(())
}

/// A zero point of each row of a, or column of b.
fn point(
    scope: &mut Scope<'_, '_>,
    of: Option<Traced>,
    rows: bool,
) -> Result<Option<Traced>, Stop> {
    match of {
        Some(of) if rows && of.dims().len() == 1 && of.dims() != [1] => {
            Ok(Some(scope.view(&of, &[of.dims()[0], 1])?))
        }
        other => Ok(other),
    }
}

/// The product of bytes with a matrix, if the zero of a is one and that of b is known.
fn of_bytes(
    scope: &mut Scope<'_, '_>,
    [a, b]: [&Traced; 2],
    [a_zero, b_zero]: [Option<&Traced>; 2],
) -> Result<Option<Traced>, Stop> {
    let arranged = arranged_dims(scope)?;
    let other = |problem: &str| match &arranged {
        None => Ok(None),
        Some(_) => Err(Stop::Refused(problem.into())),
    };
    let bytes = |of: &Traced| matches!(of.dtype(), DType::I8 | DType::U8);
    let (&[_, n], [_, .., _]) = (arranged.as_deref().unwrap_or(b.dims()), a.dims()) else {
        return other("a must be matrices");
    };
    let one = |of: &Traced| of.dims().iter().all(|dim| *dim == 1);
    if !bytes(a) || !bytes(b) || !a_zero.is_none_or(one) {
        return other("a must be bytes with one zero");
    }
    let zeros = match b_zero {
        None => Some(vec![0]),
        Some(zero) if one(zero) || zero.dims() == [n] => {
            zero.known().and_then(sidestage_tensor::Tensor::integers)
        }
        Some(_) => None,
    };
    let Some(zeros) = zeros else { return other("zeros that are not those of columns") };
    let unsigned = match arranged {
        Some(_) => arranged_unsigned(scope),
        None => b.dtype() == DType::U8,
    };
    let moved = if unsigned { 128 } else { 0 };
    let zeros = zeros.iter().map(|zero| i32::try_from(zero.checked_sub(moved)?).ok());
    let Some(mut zeros) = zeros.collect::<Option<Vec<i32>>>() else {
        return other("a zero that is too large");
    };
    if zeros.iter().all(|zero| *zero == 0) {
        zeros.clear();
    }
    let zero = match a_zero {
        Some(zero) => scope.view(zero, &[])?,
        None => scalar(scope, a.dtype(), 0.0)?,
    };
    let b = match arranged {
        Some(_) => b.clone(),
        None => scope.apply(PackInt8 { transposed: false }, std::slice::from_ref(b))?,
    };
    let op = MatMulInteger { n, zeros, scaled: false, bias: false };
    scope.apply(op, &[a.clone(), b, zero]).map(Some)
}

/// The product of integers, each side without its zero point.
pub(super) fn integer_product(
    scope: &mut Scope<'_, '_>,
    [a, b]: [&Traced; 2],
    [a_zero, b_zero]: [Option<Traced>; 2],
) -> Result<Traced, Stop> {
    if let Some(y) = of_bytes(scope, [a, b], [a_zero.as_ref(), b_zero.as_ref()])? {
        return Ok(y);
    }
    let (a_zero, b_zero) = (point(scope, a_zero, true)?, point(scope, b_zero, false)?);
    let a = centered(scope, a, a_zero.as_ref())?;
    let b = centered(scope, b, b_zero.as_ref())?;
    super::matmul::product(scope, &a, &b)
}

fn matmul_integer(scope: &mut Scope<'_, '_>) -> Result<(), Stop> {
    let (a, b) = (scope.tensor(0)?, scope.tensor(1)?);
    let zeros = [scope.optional_tensor(2)?, scope.optional_tensor(3)?];
    let y = integer_product(scope, [&a, &b], zeros)?;
    scope.give_tensor(0, y);
    Ok(())
}

fn qlinear_matmul(scope: &mut Scope<'_, '_>) -> Result<(), Stop> {
    let all = (0..8).map(|index| scope.tensor(index)).collect::<Result<Vec<_>, _>>()?;
    let Ok(all) = <&[Traced; 8]>::try_from(&all[..]) else {
        return Err("takes 8 operands".into());
    };
    if let Some(y) = super::qlinear_conv::product(scope, all, None, false)? {
        scope.give_tensor(0, y);
        return Ok(());
    }
    let [a, a_scale, a_zero, b, b_scale, b_zero, y_scale, y_zero] = all;
    let column = |scope: &mut Scope<'_, '_>, of: &Traced| match of.dims() {
        [n] if *n > 1 => scope.view(of, &[*n, 1]),
        _ => Ok(of.clone()),
    };
    let (a_scale, a_zero) = (column(scope, a_scale)?, column(scope, a_zero)?);
    let a = centered(scope, a, Some(&a_zero))?;
    let b = centered(scope, b, Some(b_zero))?;
    let product = scope.apply(MatMul, &[a, b])?;
    let product = to(scope, &product, DType::F32)?;
    let (a_scale, b_scale) = (to(scope, &a_scale, DType::F32)?, to(scope, b_scale, DType::F32)?);
    let scaled = two(scope, Two::Mul, &product, &a_scale)?;
    let scaled = two(scope, Two::Mul, &scaled, &b_scale)?;
    let y = quantized(scope, &scaled, y_scale, Some(y_zero), y_zero.dtype())?;
    scope.give_tensor(0, y);
    Ok(())
}

/// The convolution of integers, exact as long as its sums are under 2^24.
fn convolved(scope: &mut Scope<'_, '_>, x: Traced, weight: Traced) -> Result<Traced, Stop> {
    let (x, weight) = (to(scope, &x, DType::F32)?, to(scope, &weight, DType::F32)?);
    super::conv::convolved(scope, &x, &weight, None)
}

/// A zero point or scale of each output channel of `[m, c, …]`.
fn of_channels(scope: &mut Scope<'_, '_>, of: &Traced, rank: usize) -> Result<Traced, Stop> {
    if of.dims().iter().product::<usize>() == 1 {
        return scope.view(of, &[]);
    }
    let mut dims = vec![1; rank.saturating_sub(1)];
    dims.insert(0, of.dims().iter().product());
    scope.view(of, &dims)
}

fn conv_integer(scope: &mut Scope<'_, '_>) -> Result<(), Stop> {
    let (x, weight) = (scope.tensor(0)?, scope.tensor(1)?);
    let (x_zero, w_zero) = (scope.optional_tensor(2)?, scope.optional_tensor(3)?);
    let w_zero = match w_zero {
        Some(zero) => Some(of_channels(scope, &zero, weight.dims().len())?),
        None => None,
    };
    let x_zero = match x_zero {
        Some(zero) => Some(scope.view(&zero, &[])?),
        None => None,
    };
    let x = centered(scope, &x, x_zero.as_ref())?;
    let weight = centered(scope, &weight, w_zero.as_ref())?;
    let y = convolved(scope, x, weight)?;
    let y = to(scope, &y, DType::I32)?;
    scope.give_tensor(0, y);
    Ok(())
}

fn qlinear_conv(scope: &mut Scope<'_, '_>) -> Result<(), Stop> {
    let all = (0..8).map(|index| scope.tensor(index)).collect::<Result<Vec<_>, _>>()?;
    let [x, x_scale, x_zero, weight, w_scale, w_zero, y_scale, y_zero] = &all[..] else {
        return Err("takes 8 operands".into());
    };
    let bias = scope.optional_tensor(8)?;
    if let Some(y) = super::qlinear_conv::of_bytes(scope, &all, bias)? {
        scope.give_tensor(0, y);
        return Ok(());
    }
    let rank = x.dims().len();
    let w_zero = of_channels(scope, w_zero, rank)?;
    let (x_zero, x_scale) = (scope.view(x_zero, &[])?, scope.view(x_scale, &[])?);
    let x = centered(scope, x, Some(&x_zero))?;
    let weight = centered(scope, weight, Some(&w_zero))?;
    let mut y = convolved(scope, x, weight)?;
    let channels = |scope: &mut Scope<'_, '_>, of: &Traced| {
        let all = of_channels(scope, of, rank)?;
        if all.dims().is_empty() {
            return Ok(all);
        }
        let mut dims = vec![1; rank];
        dims[1] = all.dims()[0];
        scope.view(&all, &dims)
    };
    if let Some(bias) = scope.optional_tensor(8)? {
        let bias = to(scope, &bias, DType::F32)?;
        let bias = channels(scope, &bias)?;
        y = two(scope, Two::Add, &y, &bias)?;
    }
    let w_scale = channels(scope, w_scale)?;
    let scale = two(scope, Two::Mul, &x_scale, &w_scale)?;
    let y = two(scope, Two::Mul, &y, &scale)?;
    let (y_scale, y_zero) = (scope.view(y_scale, &[])?, scope.view(y_zero, &[])?);
    let y = quantized(scope, &y, &y_scale, Some(&y_zero), y_zero.dtype())?;
    scope.give_tensor(0, y);
    Ok(())
}

/// The same bytes as another type.
fn bit_cast(scope: &mut Scope<'_, '_>) -> Result<(), Stop> {
    let x = scope.tensor(0)?;
    let dtype = super::cast::dtype(scope.int("to").ok_or("the attribute to is missing")?)?;
    if dtype.block_bytes() != x.dtype().block_bytes() {
        return Err(Stop::Refused(format!("{} as {dtype}", x.dtype())));
    }
    let y = scope.apply(crate::BitCast { to: dtype }, &[x])?;
    scope.give_tensor(0, y);
    Ok(())
}

pub(super) const CALLS: &[CallInfo] = &[
    row("BitCast", bit_cast),
    row("ConvInteger", conv_integer),
    row("DequantizeLinear", dequantize_linear),
    row("DynamicQuantizeLinear", dynamic_quantize),
    row("MatMulInteger", matmul_integer),
    row("QLinearConv", qlinear_conv),
    row("QLinearMatMul", qlinear_matmul),
    row("QuantizeLinear", quantize_linear),
];
