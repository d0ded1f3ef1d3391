//! Functions of one element and of two.

use super::{
    Affine, activated, activated_limits, cast, give, of_operand, of_result, one, real, two,
};
use crate::calls::{CallInfo, row, scalar};
use crate::{QLinearBinary, QuantizedBinary, QuantizedFunction, Where};
use sidestage_ir::{Scope, Stop, Traced};
use sidestage_kernels::{
    Arithmetic, Binary as Two, Multiplier, Requantize, Unary as One, WideKind, wide_kind,
};
use sidestage_tensor::DType;

type S<'a, 'w> = Scope<'a, 'w>;
type Done = Result<(), Stop>;

fn unary(scope: &mut S<'_, '_>, function: One) -> Done {
    let x = real(scope, 0)?;
    let y = one(scope, function, &x)?;
    give(scope, 0, y)
}

fn binary(scope: &mut S<'_, '_>, function: Two) -> Done {
    let (a, b) = (real(scope, 0)?, real(scope, 1)?);
    let y = two(scope, function, &a, &b)?;
    give(scope, 0, y)
}

fn compare(scope: &mut S<'_, '_>, function: Two) -> Done {
    let (mut a, mut b) = (scope.tensor(0)?, scope.tensor(1)?);
    // Of one scale the integers compare as the numbers do.
    let same = |a: Option<Affine>, b: Option<Affine>| match (a, b) {
        (Some(a), Some(b)) => a.scales == b.scales && a.zeros == b.zeros,
        _ => true,
    };
    if !same(of_operand(scope, 0)?, of_operand(scope, 1)?) {
        (a, b) = (real(scope, 0)?, real(scope, 1)?);
    }
    let y = two(scope, function, &a, &b)?;
    scope.give_tensor(0, y);
    Ok(())
}

fn not_equal(scope: &mut S<'_, '_>) -> Done {
    let (a, b) = (real(scope, 0)?, real(scope, 1)?);
    let y = two(scope, Two::Equal, &a, &b)?;
    let y = one(scope, One::Not, &y)?;
    scope.give_tensor(0, y);
    Ok(())
}

/// Whether operands and result are integers of 8 or 16 bits with one scale each.
fn scales(scope: &S<'_, '_>) -> Result<Option<[(f32, i32); 3]>, Stop> {
    let (a, b) = (scope.tensor(0)?, scope.tensor(1)?);
    let integers = matches!(a.dtype(), DType::I8 | DType::U8 | DType::I16);
    let all = (of_operand(scope, 0)?, of_operand(scope, 1)?, of_result(scope, 0)?);
    let (Some(first), Some(second), Some(result)) = all else { return Ok(None) };
    if !integers || a.dtype() != b.dtype() || super::result_type(scope, 0) != Some(a.dtype()) {
        return Ok(None);
    }
    Ok(Some([first.single()?, second.single()?, result.single()?]))
}

/// `a + b`, `a - b` or `a * b` of integers with scales.
fn exact(
    scope: &mut S<'_, '_>,
    function: Two,
    [first, second, result]: [(f32, i32); 3],
) -> Result<Traced, Stop> {
    let operands = [scope.tensor(0)?, scope.tensor(1)?];
    let dtype = operands[0].dtype();
    let limits = activated_limits(scope, dtype, result)?;
    if dtype != DType::I16 {
        let function = match function {
            Two::Mul => Arithmetic::Product,
            Two::Sub => Arithmetic::Difference,
            _ => Arithmetic::Sum,
        };
        let to = Requantize::new(vec![1.0], result.1, limits, dtype == DType::I8);
        let op = QLinearBinary { function, operands: [first, second], scale: result.0, to };
        return scope.apply(op, &operands);
    }
    let (function, last) = match function {
        Two::Mul => {
            let real = first.0 * second.0 / result.0;
            (QuantizedFunction::Product, Multiplier::new(real.into()))
        }
        _ => {
            let left = 15;
            let unit = f64::from(2.0 * first.0.max(second.0));
            let each = [first, second].map(|of| Multiplier::new(f64::from(of.0) / unit));
            let last = unit / (f64::from(1_u32 << left) * f64::from(result.0));
            let minus = function == Two::Sub;
            (QuantizedFunction::Sum { left, each, minus }, Multiplier::new(last))
        }
    };
    let zeros = [first.1, second.1];
    let op = QuantizedBinary { function, zeros, last, zero: result.1, limits };
    scope.apply(op, &operands)
}

/// With an activation.
fn arithmetic(scope: &mut S<'_, '_>, function: Two) -> Done {
    if let (Some(scales), Two::Add | Two::Sub | Two::Mul) = (scales(scope)?, function)
        && scope.int("fused_activation_function").unwrap_or(0) < 4
    {
        let y = exact(scope, function, scales)?;
        scope.give_tensor(0, y);
        return Ok(());
    }
    let (a, b) = (real(scope, 0)?, real(scope, 1)?);
    let y = two(scope, function, &a, &b)?;
    let y = activated(scope, y)?;
    give(scope, 0, y)
}

fn add_n(scope: &mut S<'_, '_>) -> Done {
    let mut all = real(scope, 0)?;
    for index in 1..scope.count() {
        let next = real(scope, index)?;
        all = two(scope, Two::Add, &all, &next)?;
    }
    give(scope, 0, all)
}

/// The largest whole number up to the quotient.
fn floor_div(scope: &mut S<'_, '_>) -> Done {
    let (a, b) = (scope.tensor(0)?, scope.tensor(1)?);
    let y = if wide_kind(a.dtype()) == Some(WideKind::Float) {
        let y = two(scope, Two::Div, &a, &b)?;
        one(scope, One::Floor, &y)?
    } else {
        // Without what is left over the division is exact.
        let rest = two(scope, Two::Mod { fmod: false }, &a, &b)?;
        let whole = two(scope, Two::Sub, &a, &rest)?;
        two(scope, Two::Div, &whole, &b)?
    };
    scope.give_tensor(0, y);
    Ok(())
}

fn square(scope: &mut S<'_, '_>) -> Done {
    let x = real(scope, 0)?;
    let y = two(scope, Two::Mul, &x, &x)?;
    give(scope, 0, y)
}

fn squared_difference(scope: &mut S<'_, '_>) -> Done {
    let (a, b) = (real(scope, 0)?, real(scope, 1)?);
    let d = two(scope, Two::Sub, &a, &b)?;
    let y = two(scope, Two::Mul, &d, &d)?;
    give(scope, 0, y)
}

fn rsqrt(scope: &mut S<'_, '_>) -> Done {
    let x = real(scope, 0)?;
    let y = one(scope, One::Sqrt, &x)?;
    let y = one(scope, One::Reciprocal, &y)?;
    give(scope, 0, y)
}

fn gelu(scope: &mut S<'_, '_>) -> Done {
    let approximate = scope.int("approximate") == Some(1);
    unary(scope, if approximate { One::GeluTanh } else { One::Gelu })
}

/// The angle of `(x, y)`, in whose quadrant it is.
fn atan2(scope: &mut S<'_, '_>) -> Done {
    let (y, x) = (scope.tensor(0)?, scope.tensor(1)?);
    let dtype = y.dtype();
    let number = |scope: &S<'_, '_>, value: f64| scalar(scope, dtype, value);
    let (zero, pi) = (number(scope, 0.0)?, number(scope, std::f64::consts::PI)?);
    let (minus, half) = (number(scope, -1.0)?, number(scope, std::f64::consts::FRAC_PI_2)?);
    let slope = two(scope, Two::Div, &y, &x)?;
    let angle = one(scope, One::Atan, &slope)?;
    let sign = one(scope, One::Sign, &y)?;
    let (below, left) = (two(scope, Two::Less, &y, &zero)?, two(scope, Two::Less, &x, &zero)?);
    let opposite = two(scope, Two::Mul, &pi, &minus)?;
    let turn = scope.apply(Where, &[below, opposite, pi])?;
    let turned = two(scope, Two::Add, &angle, &turn)?;
    let angle = scope.apply(Where, &[left, turned, angle])?;
    let upright = two(scope, Two::Equal, &x, &zero)?;
    let straight = two(scope, Two::Mul, &sign, &half)?;
    let angle = scope.apply(Where, &[upright, straight, angle])?;
    scope.give_tensor(0, angle);
    Ok(())
}

/// Unlike ONNX's, its condition is of the result's shape or names its rows.
fn select(scope: &mut S<'_, '_>) -> Done {
    let mut condition = scope.tensor(0)?;
    let (a, b) = (scope.tensor(1)?, scope.tensor(2)?);
    if condition.dims().len() == 1 && a.dims().len() > 1 && scope.call().op.ends_with("SELECT") {
        let mut dims = vec![1; a.dims().len()];
        dims[0] = condition.dims()[0];
        condition = scope.view(&condition, &dims)?;
    }
    let y = scope.apply(Where, &[condition, a, b])?;
    scope.give_tensor(0, y);
    Ok(())
}

fn to(scope: &mut S<'_, '_>) -> Done {
    let x = scope.tensor(0)?;
    let to = super::result_type(scope, 0).ok_or("the result's type is missing")?;
    // A number is false only if it is 0.
    let y = if to == DType::Bool && x.dtype() != DType::Bool {
        let zero = scalar(scope, x.dtype(), 0.0)?;
        let same = two(scope, Two::Equal, &x, &zero)?;
        one(scope, One::Not, &same)?
    } else {
        cast(scope, &x, to)?
    };
    scope.give_tensor(0, y);
    Ok(())
}

fn leaky(scope: &mut S<'_, '_>) -> Done {
    let alpha = scope.float("alpha").unwrap_or(0.0);
    unary(scope, One::LeakyRelu(alpha))
}

pub(in crate::calls) const CALLS: &[CallInfo] = &[
    row("TFLITE::ABS", |scope| unary(scope, One::Abs)),
    row("TFLITE::ADD", |scope| arithmetic(scope, Two::Add)),
    row("TFLITE::ADD_N", add_n),
    row("TFLITE::ATAN2", atan2),
    row("TFLITE::BITWISE_XOR", |scope| binary(scope, Two::BitwiseXor)),
    row("TFLITE::CAST", to),
    row("TFLITE::CEIL", |scope| unary(scope, One::Ceil)),
    row("TFLITE::COS", |scope| unary(scope, One::Cos)),
    row("TFLITE::DIV", |scope| arithmetic(scope, Two::Div)),
    row("TFLITE::ELU", |scope| unary(scope, One::Elu(1.0))),
    row("TFLITE::EQUAL", |scope| compare(scope, Two::Equal)),
    row("TFLITE::EXP", |scope| unary(scope, One::Exp)),
    row("TFLITE::FLOOR", |scope| unary(scope, One::Floor)),
    row("TFLITE::FLOOR_DIV", floor_div),
    row("TFLITE::FLOOR_MOD", |scope| binary(scope, Two::Mod { fmod: false })),
    row("TFLITE::GELU", gelu),
    row("TFLITE::GREATER", |scope| compare(scope, Two::Greater)),
    row("TFLITE::GREATER_EQUAL", |scope| compare(scope, Two::GreaterOrEqual)),
    row("TFLITE::HARD_SWISH", |scope| unary(scope, One::HardSwish)),
    row("TFLITE::LEAKY_RELU", leaky),
    row("TFLITE::LESS", |scope| compare(scope, Two::Less)),
    row("TFLITE::LESS_EQUAL", |scope| compare(scope, Two::LessOrEqual)),
    row("TFLITE::LOG", |scope| unary(scope, One::Log)),
    row("TFLITE::LOGICAL_AND", |scope| binary(scope, Two::And)),
    row("TFLITE::LOGICAL_NOT", |scope| unary(scope, One::Not)),
    row("TFLITE::LOGICAL_OR", |scope| binary(scope, Two::Or)),
    row("TFLITE::LOGISTIC", |scope| unary(scope, One::Sigmoid)),
    row("TFLITE::MAXIMUM", |scope| binary(scope, Two::Max)),
    row("TFLITE::MINIMUM", |scope| binary(scope, Two::Min)),
    row("TFLITE::MUL", |scope| arithmetic(scope, Two::Mul)),
    row("TFLITE::NEG", |scope| unary(scope, One::Neg)),
    row("TFLITE::NOT_EQUAL", not_equal),
    row("TFLITE::POW", |scope| binary(scope, Two::Pow)),
    row("TFLITE::PRELU", |scope| binary(scope, Two::PRelu)),
    row("TFLITE::RELU", |scope| unary(scope, One::Relu)),
    row("TFLITE::RELU6", |scope| unary(scope, One::Clip(0.0, 6.0))),
    row("TFLITE::RELU_0_TO_1", |scope| unary(scope, One::Clip(0.0, 1.0))),
    row("TFLITE::RELU_N1_TO_1", |scope| unary(scope, One::Clip(-1.0, 1.0))),
    row("TFLITE::RIGHT_SHIFT", |scope| binary(scope, Two::BitShift { left: false })),
    row("TFLITE::ROUND", |scope| unary(scope, One::Round)),
    row("TFLITE::RSQRT", rsqrt),
    row("TFLITE::SELECT", select),
    row("TFLITE::SELECT_V2", select),
    row("TFLITE::SIGN", |scope| unary(scope, One::Sign)),
    row("TFLITE::SIN", |scope| unary(scope, One::Sin)),
    row("TFLITE::SQRT", |scope| unary(scope, One::Sqrt)),
    row("TFLITE::SQUARE", square),
    row("TFLITE::SQUARED_DIFFERENCE", squared_difference),
    row("TFLITE::SUB", |scope| arithmetic(scope, Two::Sub)),
    row("TFLITE::TANH", |scope| unary(scope, One::Tanh)),
];
