//! Functions of one element and of two.

use super::{CallInfo, row, scalar};
use crate::{Binary, Unary};
use sidestage_ir::{Scope, Stop, Traced};
use sidestage_kernels::{Binary as Two, Unary as One, Wide};
use sidestage_tensor::{DType, Tensor};

type S<'a, 'w> = Scope<'a, 'w>;
type Done = Result<(), Stop>;

fn one(scope: &mut S<'_, '_>, function: One) -> Done {
    let x = scope.tensor(0)?;
    let y = scope.apply(Unary { function }, &[x])?;
    scope.give_tensor(0, y);
    Ok(())
}

fn two(scope: &mut S<'_, '_>, function: Two) -> Done {
    let (a, b) = (scope.tensor(0)?, scope.tensor(1)?);
    let y = scope.apply(Binary { function }, &[a, b])?;
    scope.give_tensor(0, y);
    Ok(())
}

/// A function of any number of operands, two by two.
fn many(scope: &mut S<'_, '_>, function: Two) -> Result<Traced, Stop> {
    let mut all = scope.tensor(0)?;
    for index in 1..scope.count() {
        let next = scope.tensor(index)?;
        all = scope.apply(Binary { function }, &[all, next])?;
    }
    Ok(all)
}

fn variadic(scope: &mut S<'_, '_>, function: Two) -> Done {
    let all = many(scope, function)?;
    scope.give_tensor(0, all);
    Ok(())
}

fn mean(scope: &mut S<'_, '_>) -> Done {
    let (sum, count) = (many(scope, Two::Add)?, scope.count());
    let count = scalar(scope, sum.dtype(), count as f64)?;
    let mean = scope.apply(Binary { function: Two::Div }, &[sum, count])?;
    scope.give_tensor(0, mean);
    Ok(())
}

fn float(scope: &S<'_, '_>, name: &str, default: f32) -> f32 {
    scope.float(name).unwrap_or(default)
}

fn gelu(scope: &mut S<'_, '_>) -> Done {
    let tanh = scope.text("approximate") == Some("tanh");
    one(scope, if tanh { One::GeluTanh } else { One::Gelu })
}

fn is_inf(scope: &mut S<'_, '_>) -> Done {
    let negative = scope.int("detect_negative") != Some(0);
    let positive = scope.int("detect_positive") != Some(0);
    one(scope, One::IsInf { negative, positive })
}

fn shrink(scope: &mut S<'_, '_>) -> Done {
    let (bias, lambd) = (float(scope, "bias", 0.0), float(scope, "lambd", 0.5));
    one(scope, One::Shrink { bias, lambd })
}

fn selu(scope: &mut S<'_, '_>) -> Done {
    let alpha = float(scope, "alpha", 1.673_263_2);
    let gamma = float(scope, "gamma", 1.050_701);
    one(scope, One::Selu(alpha, gamma))
}

fn hard_sigmoid(scope: &mut S<'_, '_>) -> Done {
    let (alpha, beta) = (float(scope, "alpha", 0.2), float(scope, "beta", 0.5));
    one(scope, One::HardSigmoid(alpha, beta))
}

fn bit_shift(scope: &mut S<'_, '_>) -> Done {
    let left = match scope.text("direction") {
        Some("LEFT") => true,
        Some("RIGHT") => false,
        other => return Err(Stop::Refused(format!("there is no direction {other:?}"))),
    };
    two(scope, Two::BitShift { left })
}

/// The first element, of any type.
fn number(tensor: &Tensor) -> Option<f64> {
    match f64::load(tensor.dtype()) {
        Some(load) => Some(load(tensor.bytes(), 0)),
        None => tensor.integers()?.first().map(|first| *first as f64),
    }
}

/// The exponent may have another type.
fn pow(scope: &mut S<'_, '_>) -> Done {
    let (a, mut b) = (scope.tensor(0)?, scope.tensor(1)?);
    // Squares and cubes, as norms and GELU have them: of few roundings, and much faster.
    if a.dtype() == DType::F32
        && b.dims().iter().all(|dim| *dim == 1)
        && b.dims().len() <= a.dims().len()
        && let Some(known) = b.known()
        && let Some(power) = number(known)
        && [2.0, 3.0].contains(&power)
    {
        let function = Two::Mul;
        let mut y = scope.apply(Binary { function }, &[a.clone(), a.clone()])?;
        if power == 3.0 {
            y = scope.apply(Binary { function }, &[y, a])?;
        }
        scope.give_tensor(0, y);
        return Ok(());
    }
    if a.dtype() != b.dtype() {
        b = scope.apply(crate::Cast { to: a.dtype() }, &[b])?;
    }
    let y = scope.apply(Binary { function: Two::Pow }, &[a, b])?;
    scope.give_tensor(0, y);
    Ok(())
}

/// `swish(a) * b`.
fn swiglu(scope: &mut S<'_, '_>) -> Done {
    let (a, b) = (scope.tensor(0)?, scope.tensor(1)?);
    let gate = scope.apply(Unary { function: One::Swish(float(scope, "alpha", 1.0)) }, &[a])?;
    let y = scope.apply(Binary { function: Two::Mul }, &[gate, b])?;
    scope.give_tensor(0, y);
    Ok(())
}

/// Unidirectional: the slope never makes the result larger than `x`.
fn prelu(scope: &mut S<'_, '_>) -> Done {
    two(scope, Two::PRelu)
}

/// ONNX 12: the limits are operands; before, attributes. One that is left out does not limit.
fn clip(scope: &mut S<'_, '_>) -> Done {
    let mut x = scope.tensor(0)?;
    let attributes = scope.call().version < 11;
    for (index, name, function) in [(1, "min", Two::Max), (2, "max", Two::Min)] {
        let limit = match scope.float(name) {
            Some(limit) if attributes => Some(scalar(scope, x.dtype(), limit.into())?),
            _ => scope.optional_tensor(index)?,
        };
        if let Some(limit) = limit {
            x = scope.apply(Binary { function }, &[x, limit])?;
        }
    }
    scope.give_tensor(0, x);
    Ok(())
}

pub(super) const CALLS: &[CallInfo] = &[
    row("Abs", |scope| one(scope, One::Abs)),
    row("Acos", |scope| one(scope, One::Acos)),
    row("Acosh", |scope| one(scope, One::Acosh)),
    row("Add", |scope| two(scope, Two::Add)),
    row("And", |scope| two(scope, Two::And)),
    row("Asin", |scope| one(scope, One::Asin)),
    row("Asinh", |scope| one(scope, One::Asinh)),
    row("Atan", |scope| one(scope, One::Atan)),
    row("Atanh", |scope| one(scope, One::Atanh)),
    row("BitShift", bit_shift),
    row("BitwiseAnd", |scope| two(scope, Two::BitwiseAnd)),
    row("BitwiseNot", |scope| one(scope, One::BitwiseNot)),
    row("BitwiseOr", |scope| two(scope, Two::BitwiseOr)),
    row("BitwiseXor", |scope| two(scope, Two::BitwiseXor)),
    row("Ceil", |scope| one(scope, One::Ceil)),
    row("Celu", |scope| one(scope, One::Celu(float(scope, "alpha", 1.0)))),
    row("Clip", clip),
    row("Cos", |scope| one(scope, One::Cos)),
    row("Cosh", |scope| one(scope, One::Cosh)),
    row("Div", |scope| two(scope, Two::Div)),
    row("Elu", |scope| one(scope, One::Elu(float(scope, "alpha", 1.0)))),
    row("Equal", |scope| two(scope, Two::Equal)),
    row("Erf", |scope| one(scope, One::Erf)),
    row("Exp", |scope| one(scope, One::Exp)),
    row("Floor", |scope| one(scope, One::Floor)),
    row("Gelu", gelu),
    row("Greater", |scope| two(scope, Two::Greater)),
    row("GreaterOrEqual", |scope| two(scope, Two::GreaterOrEqual)),
    row("HardSigmoid", hard_sigmoid),
    row("HardSwish", |scope| one(scope, One::HardSwish)),
    row("IsInf", is_inf),
    row("IsNaN", |scope| one(scope, One::IsNaN)),
    row("LeakyRelu", |scope| one(scope, One::LeakyRelu(float(scope, "alpha", 0.01)))),
    row("Less", |scope| two(scope, Two::Less)),
    row("LessOrEqual", |scope| two(scope, Two::LessOrEqual)),
    row("Log", |scope| one(scope, One::Log)),
    row("Max", |scope| variadic(scope, Two::Max)),
    row("Mean", mean),
    row("Min", |scope| variadic(scope, Two::Min)),
    row("Mish", |scope| one(scope, One::Mish)),
    row("Mod", |scope| two(scope, Two::Mod { fmod: scope.int("fmod") == Some(1) })),
    row("Mul", |scope| two(scope, Two::Mul)),
    row("Neg", |scope| one(scope, One::Neg)),
    row("Not", |scope| one(scope, One::Not)),
    row("Or", |scope| two(scope, Two::Or)),
    row("Pow", pow),
    row("PRelu", prelu),
    row("Reciprocal", |scope| one(scope, One::Reciprocal)),
    row("Relu", |scope| one(scope, One::Relu)),
    row("Round", |scope| one(scope, One::Round)),
    row("Selu", selu),
    row("Shrink", shrink),
    row("Sigmoid", |scope| one(scope, One::Sigmoid)),
    row("Sign", |scope| one(scope, One::Sign)),
    row("Sin", |scope| one(scope, One::Sin)),
    row("Sinh", |scope| one(scope, One::Sinh)),
    row("Softplus", |scope| one(scope, One::Softplus)),
    row("Softsign", |scope| one(scope, One::Softsign)),
    row("Sqrt", |scope| one(scope, One::Sqrt)),
    row("Sub", |scope| two(scope, Two::Sub)),
    row("Sum", |scope| variadic(scope, Two::Add)),
    row("SwiGLU", swiglu),
    row("Swish", |scope| one(scope, One::Swish(float(scope, "alpha", 1.0)))),
    row("Tan", |scope| one(scope, One::Tan)),
    row("Tanh", |scope| one(scope, One::Tanh)),
    row("ThresholdedRelu", |scope| one(scope, One::ThresholdedRelu(float(scope, "alpha", 1.0)))),
    row("Xor", |scope| two(scope, Two::Xor)),
];
