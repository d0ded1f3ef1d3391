//! TFLite's operators (`schema.fbs` of LiteRT). Channels are innermost, shapes are computed from the
//! operands' and not taken from the file.
//!
//! Integers with a scale are numbers: an operator without kernels of its own for them is computed in
//! `f32`, of [`real`] operands, and what it [gives](give) is made integers again. That is within 1 of
//! LiteRT's kernels, which round at other places.

pub(super) mod control;
pub(super) mod conv;
pub(super) mod dense;
pub(super) mod detect;
pub(super) mod elementwise;
pub(super) mod gather;
mod hybrid;
pub(super) mod indices;
pub(super) mod layout;
pub(super) mod pad;
pub(super) mod pool;
pub(super) mod quantize;
pub(super) mod recurrent;
pub(super) mod reduce;
pub(super) mod resize;
pub(super) mod shape;
pub(super) mod slice;
pub(super) mod softmax;

use super::cast;
use crate::{Binary, DequantizeAffine, QuantizeAffine, Unary};
use sidestage_ir::{Attribute, Scope, Stop, Traced};
use sidestage_kernels::{Activation, Binary as Two, Unary as One, WideKind, wide_kind};
use sidestage_tensor::{DType, Tensor};

/// How the integers of an operand or result stand for numbers: `(q - zero) * scale`.
#[derive(Clone, Debug)]
struct Affine {
    /// One, or one for each index of an axis.
    scales: Vec<f32>,
    /// As many.
    zeros: Vec<i64>,
    axis: usize,
}

impl Affine {
    /// The scale and zero of all elements; an error if there are several.
    fn single(&self) -> Result<(f32, i32), Stop> {
        let (&[scale], &[zero]) = (&self.scales[..], &self.zeros[..]) else {
            return Err("it must have one scale".into());
        };
        let zero = i32::try_from(zero).map_err(|_| "a zero that is too large")?;
        Ok((scale, zero))
    }
}

/// The parameters of an operand (`input.0`) or result (`output.0`); `None`: it is what it is.
fn affine(scope: &Scope<'_, '_>, which: &str) -> Result<Option<Affine>, Stop> {
    let Some(Attribute::Floats(scales)) = scope.call().attribute(&format!("{which}.scale")) else {
        return Ok(None);
    };
    let mut zeros = scope.ints(&format!("{which}.zero_point")).unwrap_or(&[]).to_vec();
    if zeros.len() <= 1 {
        zeros = vec![zeros.first().copied().unwrap_or(0); scales.len()];
    }
    if zeros.len() != scales.len() {
        return Err(Stop::Refused(format!("{} scales, {} zeros", scales.len(), zeros.len())));
    }
    let axis = scope.int(&format!("{which}.quantized_dimension")).unwrap_or(0);
    let axis = usize::try_from(axis).map_err(|_| "an axis below 0")?;
    Ok(Some(Affine { scales: scales.clone(), zeros, axis }))
}

fn of_operand(scope: &Scope<'_, '_>, index: usize) -> Result<Option<Affine>, Stop> {
    affine(scope, &format!("input.{index}"))
}

fn of_result(scope: &Scope<'_, '_>, index: usize) -> Result<Option<Affine>, Stop> {
    affine(scope, &format!("output.{index}"))
}

/// Whether elements of this type are integers that may have a scale.
fn quantizable(dtype: DType) -> bool {
    matches!(
        dtype,
        DType::I8 | DType::U8 | DType::I16 | DType::U16 | DType::I32 | DType::I4 | DType::U4
    ) || dtype == DType::I2
}

/// A list of numbers as a tensor.
fn floats(scope: &Scope<'_, '_>, dims: &[usize], values: &[f32]) -> Result<Traced, Stop> {
    let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
    let tensor = Tensor::new(DType::F32, dims, &bytes).map_err(|_| "no memory")?;
    Ok(scope.constant(tensor))
}

/// Integers with a scale as numbers.
fn dequantized(scope: &mut Scope<'_, '_>, x: &Traced, of: &Affine) -> Result<Traced, Stop> {
    if let (&[scale], &[zero]) = (&of.scales[..], &of.zeros[..]) {
        return scope.apply(DequantizeAffine { scale, zero }, std::slice::from_ref(x));
    }
    if x.dims().get(of.axis) != Some(&of.scales.len()) {
        return Err(Stop::Refused(format!("{} scales of {:?}", of.scales.len(), x.dims())));
    }
    let mut dims = vec![1; x.dims().len()];
    dims[of.axis] = of.scales.len();
    let scales = floats(scope, &dims, &of.scales)?;
    let zeros: Vec<f32> = of.zeros.iter().map(|zero| *zero as f32).collect();
    let zeros = floats(scope, &dims, &zeros)?;
    let x = cast(scope, x, DType::F32)?;
    let x = scope.apply(Binary { function: Two::Sub }, &[x, zeros])?;
    scope.apply(Binary { function: Two::Mul }, &[x, scales])
}

/// An operand as numbers, if it has a scale; else as it is.
fn real(scope: &mut Scope<'_, '_>, index: usize) -> Result<Traced, Stop> {
    let x = scope.tensor(index)?;
    match of_operand(scope, index)? {
        Some(of) if quantizable(x.dtype()) => dequantized(scope, &x, &of),
        _ => Ok(x),
    }
}

/// An operand in single precision.
fn float(scope: &mut Scope<'_, '_>, index: usize) -> Result<Traced, Stop> {
    let x = real(scope, index)?;
    cast(scope, &x, DType::F32)
}

/// As [`float`], if it is there.
fn optional_float(scope: &mut Scope<'_, '_>, index: usize) -> Result<Option<Traced>, Stop> {
    match scope.optional_tensor(index)? {
        Some(_) => float(scope, index).map(Some),
        None => Ok(None),
    }
}

/// The type that the file says a result has.
fn result_type(scope: &Scope<'_, '_>, index: usize) -> Option<DType> {
    match scope.call().attribute(&format!("output.{index}.type")) {
        Some(Attribute::Type(dtype)) => Some(*dtype),
        _ => None,
    }
}

/// The least and largest number of a type of integers.
fn limits(dtype: DType) -> Result<[i32; 2], Stop> {
    Ok(match dtype {
        DType::I8 => [-128, 127],
        DType::U8 => [0, 255],
        DType::I16 => [-32768, 32767],
        DType::U16 => [0, 65535],
        DType::I32 => [i32::MIN, i32::MAX],
        DType::I4 => [-8, 7],
        DType::U4 => [0, 15],
        DType::I2 => [-2, 1],
        _ => return Err(Stop::Refused(format!("quantised to {dtype}"))),
    })
}

/// Numbers as integers of this kind.
fn quantized(
    scope: &mut Scope<'_, '_>,
    x: &Traced,
    to: DType,
    of: &Affine,
) -> Result<Traced, Stop> {
    let limits = limits(to)?;
    let x = cast(scope, x, DType::F32)?;
    if let Ok((scale, zero)) = of.single() {
        return scope.apply(QuantizeAffine { to, scale, zero, limits }, &[x]);
    }
    if x.dims().get(of.axis) != Some(&of.scales.len()) {
        return Err(Stop::Refused(format!("{} scales of {:?}", of.scales.len(), x.dims())));
    }
    let mut dims = vec![1; x.dims().len()];
    dims[of.axis] = of.scales.len();
    let scales = floats(scope, &dims, &of.scales)?;
    let x = scope.apply(Binary { function: Two::Div }, &[x, scales])?;
    let zero = i32::try_from(of.zeros.first().copied().unwrap_or(0)).unwrap_or(0);
    scope.apply(QuantizeAffine { to, scale: 1.0, zero, limits }, &[x])
}

/// Gives a result that was computed of [`real`] operands: as integers, if it is to have a scale.
fn give(scope: &mut Scope<'_, '_>, index: usize, y: Traced) -> Result<(), Stop> {
    let wanted = result_type(scope, index).unwrap_or(y.dtype());
    let floats = wide_kind(y.dtype()) == Some(WideKind::Float);
    let y = match of_result(scope, index)? {
        Some(of) if floats && quantizable(wanted) => quantized(scope, &y, wanted, &of)?,
        _ if floats && wide_kind(wanted) == Some(WideKind::Float) => cast(scope, &y, wanted)?,
        _ => y,
    };
    scope.give_tensor(index, y);
    Ok(())
}

/// Gives a result whose elements are some of the first operand's; where its scale is another one,
/// they are changed to it.
fn give_moved(scope: &mut Scope<'_, '_>, from: usize, index: usize, y: Traced) -> Result<(), Stop> {
    let (x, to) = (of_operand(scope, from)?, of_result(scope, index)?);
    if let (Some(x), Some(to)) = (x, to)
        && quantizable(y.dtype())
        && (x.scales.len(), to.scales.len()) == (1, 1)
        && (x.scales != to.scales || x.zeros != to.zeros)
    {
        let y = dequantized(scope, &y, &x)?;
        return give(scope, index, y);
    }
    scope.give_tensor(index, y);
    Ok(())
}

fn two(scope: &mut Scope<'_, '_>, function: Two, a: &Traced, b: &Traced) -> Result<Traced, Stop> {
    scope.apply(Binary { function }, &[a.clone(), b.clone()])
}

fn one(scope: &mut Scope<'_, '_>, function: One, x: &Traced) -> Result<Traced, Stop> {
    scope.apply(Unary { function }, std::slice::from_ref(x))
}

/// The function that a call applies to its result (`ActivationFunctionType`).
fn activation(scope: &Scope<'_, '_>) -> Result<Activation, Stop> {
    Ok(match scope.int("fused_activation_function").unwrap_or(0) {
        0 => Activation::None,
        1 => Activation::Clip(0.0, f32::INFINITY),
        2 => Activation::Clip(-1.0, 1.0),
        3 => Activation::Clip(0.0, 6.0),
        4 => Activation::Unary(One::Tanh),
        other => return Err(Stop::Refused(format!("there is no activation {other}"))),
    })
}

/// As [`activation`], of a result that has been computed.
fn activated(scope: &mut Scope<'_, '_>, y: Traced) -> Result<Traced, Stop> {
    let function = match activation(scope)? {
        Activation::None => return Ok(y),
        Activation::Clip(0.0, f32::INFINITY) => One::Relu,
        Activation::Clip(least, most) => One::Clip(least, most),
        Activation::Unary(function) => function,
    };
    if wide_kind(y.dtype()) != Some(WideKind::Float) && function != One::Relu {
        return Err("an activation of integers without a scale".into());
    }
    one(scope, function, &y)
}

/// The least and most that a quantised result may be, by the call's activation
/// (`CalculateActivationRangeQuantized`).
fn activated_limits(
    scope: &Scope<'_, '_>,
    dtype: DType,
    (scale, zero): (f32, i32),
) -> Result<[i32; 2], Stop> {
    let [least, most] = limits(dtype)?;
    let at = |x: f32| zero.saturating_add((x / scale).round() as i32);
    Ok(match scope.int("fused_activation_function").unwrap_or(0) {
        0 => [least, most],
        1 => [least.max(at(0.0)), most],
        2 => [least.max(at(-1.0)), most.min(at(1.0))],
        3 => [least.max(at(0.0)), most.min(at(6.0))],
        other => return Err(Stop::Refused(format!("an activation {other} of integers"))),
    })
}
