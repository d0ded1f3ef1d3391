//! Functions of one element and of two.

use super::{
    CallInfo, Done, One, S, Two, cast, common, expand, integers, matched, one, row, scalar, two,
    with,
};
use crate::Where;
use sidestage_ir::{Stop, Traced};
use sidestage_tensor::DType;

/// A function of numbers with a fraction.
fn float(scope: &mut S<'_, '_>, function: One) -> Done {
    let x = scope.tensor(0)?;
    let x = cast(scope, &x, DType::F32)?;
    let y = one(scope, function, &x)?;
    scope.give_tensor(0, y);
    Ok(())
}

/// A function of any numbers.
fn unary(scope: &mut S<'_, '_>, function: One) -> Done {
    let x = scope.tensor(0)?;
    let x = cast(scope, &x, common(x.dtype(), DType::I32))?;
    let y = one(scope, function, &x)?;
    scope.give_tensor(0, y);
    Ok(())
}

/// Whole numbers stay as they are.
fn rounded(scope: &mut S<'_, '_>, function: One) -> Done {
    let x = scope.tensor(0)?;
    let y = if x.dtype() == DType::F32 { one(scope, function, &x)? } else { x };
    scope.give_tensor(0, y);
    Ok(())
}

/// A function of one element that is composed of others.
fn composed(
    scope: &mut S<'_, '_>,
    function: impl Fn(&mut S<'_, '_>, &Traced) -> Result<Traced, Stop>,
) -> Done {
    let x = scope.tensor(0)?;
    let x = cast(scope, &x, DType::F32)?;
    let y = function(scope, &x)?;
    scope.give_tensor(0, y);
    Ok(())
}

/// Both operands, as numbers of one type.
fn pair(scope: &mut S<'_, '_>) -> Result<[Traced; 2], Stop> {
    let (a, b) = (scope.tensor(0)?, scope.tensor(1)?);
    let [a, b] = matched(scope, &a, &b)?;
    let dtype = common(a.dtype(), DType::I32);
    Ok([cast(scope, &a, dtype)?, cast(scope, &b, dtype)?])
}

fn binary(scope: &mut S<'_, '_>, function: Two) -> Done {
    let [a, b] = pair(scope)?;
    let y = two(scope, function, &a, &b)?;
    scope.give_tensor(0, y);
    Ok(())
}

fn logical(scope: &mut S<'_, '_>, function: Two) -> Done {
    let (a, b) = (scope.tensor(0)?, scope.tensor(1)?);
    let (a, b) = (cast(scope, &a, DType::Bool)?, cast(scope, &b, DType::Bool)?);
    let y = two(scope, function, &a, &b)?;
    scope.give_tensor(0, y);
    Ok(())
}

fn not_equal(scope: &mut S<'_, '_>) -> Done {
    let [a, b] = pair(scope)?;
    let equal = two(scope, Two::Equal, &a, &b)?;
    let y = one(scope, One::Not, &equal)?;
    scope.give_tensor(0, y);
    Ok(())
}

/// Downwards, also below 0.
fn floor_quotient(scope: &mut S<'_, '_>, a: &Traced, b: &Traced) -> Result<Traced, Stop> {
    if a.dtype() == DType::F32 {
        let quotient = two(scope, Two::Div, a, b)?;
        return one(scope, One::Floor, &quotient);
    }
    let rest = two(scope, Two::Mod { fmod: false }, a, b)?;
    let whole = two(scope, Two::Sub, a, &rest)?;
    two(scope, Two::Div, &whole, b)
}

fn floor_div(scope: &mut S<'_, '_>) -> Done {
    let [a, b] = pair(scope)?;
    let y = floor_quotient(scope, &a, &b)?;
    scope.give_tensor(0, y);
    Ok(())
}

/// Of whole numbers downwards, as TensorFlow.js has it.
fn div(scope: &mut S<'_, '_>) -> Done {
    let [a, b] = pair(scope)?;
    let y = match a.dtype() {
        DType::F32 => two(scope, Two::Div, &a, &b)?,
        _ => floor_quotient(scope, &a, &b)?,
    };
    scope.give_tensor(0, y);
    Ok(())
}

/// 0 where the divisor is 0.
fn div_no_nan(scope: &mut S<'_, '_>) -> Done {
    let (a, b) = (scope.tensor(0)?, scope.tensor(1)?);
    let (a, b) = (cast(scope, &a, DType::F32)?, cast(scope, &b, DType::F32)?);
    let none = with(scope, Two::Equal, &b, 0.0)?;
    let quotient = two(scope, Two::Div, &a, &b)?;
    let zero = scalar(scope, DType::F32, 0.0)?;
    let y = scope.apply(Where, &[none, zero, quotient])?;
    scope.give_tensor(0, y);
    Ok(())
}

fn squared_difference(scope: &mut S<'_, '_>) -> Done {
    let [a, b] = pair(scope)?;
    let difference = two(scope, Two::Sub, &a, &b)?;
    let y = two(scope, Two::Mul, &difference, &difference)?;
    scope.give_tensor(0, y);
    Ok(())
}

fn square(scope: &mut S<'_, '_>) -> Done {
    let x = scope.tensor(0)?;
    let y = two(scope, Two::Mul, &x, &x)?;
    scope.give_tensor(0, y);
    Ok(())
}

fn add_n(scope: &mut S<'_, '_>) -> Done {
    let mut sum = scope.tensor(0)?;
    for index in 1..scope.count() {
        let next = scope.tensor(index)?;
        let [a, b] = matched(scope, &sum, &next)?;
        sum = two(scope, Two::Add, &a, &b)?;
    }
    scope.give_tensor(0, sum);
    Ok(())
}

/// The bias of channels, which may be the second dimension.
fn bias_add(scope: &mut S<'_, '_>) -> Done {
    let (x, bias) = (scope.tensor(0)?, scope.tensor(1)?);
    let y = super::norm::by_channel(scope, Two::Add, &x, &bias)?;
    scope.give_tensor(0, y);
    Ok(())
}

pub(super) fn clipped(
    scope: &mut S<'_, '_>,
    x: &Traced,
    least: f64,
    most: f64,
) -> Result<Traced, Stop> {
    let y = with(scope, Two::Max, x, least)?;
    with(scope, Two::Min, &y, most)
}

fn clip(scope: &mut S<'_, '_>) -> Done {
    let x = scope.tensor(0)?;
    let (least, most) = (super::number(scope, 1, 0.0)?, super::number(scope, 2, 0.0)?);
    let y = clipped(scope, &x, least, most)?;
    scope.give_tensor(0, y);
    Ok(())
}

/// `exp(x) - 1`, also near 0: `tanh(x / 2) * (exp(x) + 1)`.
fn expm1(scope: &mut S<'_, '_>, x: &Traced) -> Result<Traced, Stop> {
    let half = with(scope, Two::Mul, x, 0.5)?;
    let tanh = one(scope, One::Tanh, &half)?;
    let exp = one(scope, One::Exp, x)?;
    let more = with(scope, Two::Add, &exp, 1.0)?;
    two(scope, Two::Mul, &tanh, &more)
}

/// `log(1 + x)`, near 0 by `2 * atanh(x / (2 + x))`.
fn log1p(scope: &mut S<'_, '_>, x: &Traced) -> Result<Traced, Stop> {
    let more = with(scope, Two::Add, x, 2.0)?;
    let quotient = two(scope, Two::Div, x, &more)?;
    let atanh = one(scope, One::Atanh, &quotient)?;
    let near = with(scope, Two::Mul, &atanh, 2.0)?;
    let more = with(scope, Two::Add, x, 1.0)?;
    let far = one(scope, One::Log, &more)?;
    let size = one(scope, One::Abs, x)?;
    let small = with(scope, Two::Less, &size, 0.5)?;
    scope.apply(Where, &[small, near, far])
}

/// The angle of a point: that of its slope, half a turn on where x is below 0.
fn atan2(scope: &mut S<'_, '_>) -> Done {
    let (y, x) = (scope.tensor(0)?, scope.tensor(1)?);
    let (y, x) = (cast(scope, &y, DType::F32)?, cast(scope, &x, DType::F32)?);
    let slope = two(scope, Two::Div, &y, &x)?;
    let angle = one(scope, One::Atan, &slope)?;
    let pi = std::f64::consts::PI;
    let (on, back) = (with(scope, Two::Add, &angle, pi)?, with(scope, Two::Sub, &angle, pi)?);
    let below = with(scope, Two::Less, &y, 0.0)?;
    let turned = scope.apply(Where, &[below, back, on])?;
    let left = with(scope, Two::Less, &x, 0.0)?;
    let angle = scope.apply(Where, &[left, turned, angle])?;
    // Neither has a slope: no angle.
    let zeros = [with(scope, Two::Equal, &x, 0.0)?, with(scope, Two::Equal, &y, 0.0)?];
    let neither = two(scope, Two::And, &zeros[0], &zeros[1])?;
    let zero = scalar(scope, DType::F32, 0.0)?;
    let angle = scope.apply(Where, &[neither, zero, angle])?;
    scope.give_tensor(0, angle);
    Ok(())
}

fn is_finite(scope: &mut S<'_, '_>) -> Done {
    composed(scope, |scope, x| {
        let infinite = one(scope, One::IsInf { negative: true, positive: true }, x)?;
        let none = one(scope, One::IsNaN, x)?;
        let either = two(scope, Two::Or, &infinite, &none)?;
        one(scope, One::Not, &either)
    })
}

fn rsqrt(scope: &mut S<'_, '_>) -> Done {
    composed(scope, |scope, x| {
        let root = one(scope, One::Sqrt, x)?;
        one(scope, One::Reciprocal, &root)
    })
}

/// In the first version a vector chooses rows.
fn select(scope: &mut S<'_, '_>) -> Done {
    let (condition, a, b) = (scope.tensor(0)?, scope.tensor(1)?, scope.tensor(2)?);
    let mut condition = cast(scope, &condition, DType::Bool)?;
    let [a, b] = matched(scope, &a, &b)?;
    let rows = condition.dims() == a.dims().get(..1).unwrap_or_default();
    if scope.call().op == "TF::Select" && rows && a.dims().len() > 1 {
        let mut dims = vec![1; a.dims().len()];
        dims[0] = a.dims()[0];
        condition = scope.view(&condition, &dims)?;
    }
    let y = scope.apply(Where, &[condition, a, b])?;
    scope.give_tensor(0, y);
    Ok(())
}

fn to_type(scope: &mut S<'_, '_>) -> Done {
    let x = scope.tensor(0)?;
    let y = match scope.call().attribute("DstT") {
        Some(sidestage_ir::Attribute::Type(to)) => cast(scope, &x, *to)?,
        _ => return Err("the type is not supported".into()),
    };
    scope.give_tensor(0, y);
    Ok(())
}

fn prelu(scope: &mut S<'_, '_>) -> Done {
    binary(scope, Two::PRelu)
}

fn broadcast_to(scope: &mut S<'_, '_>) -> Done {
    let x = scope.tensor(0)?;
    let dims = super::sizes(scope, 1)?;
    let y = expand(scope, &x, &dims)?;
    scope.give_tensor(0, y);
    Ok(())
}

/// The shape to which two shapes are broadcast.
fn broadcast_args(scope: &mut S<'_, '_>) -> Done {
    let (a, b) = (super::sizes(scope, 0)?, super::sizes(scope, 1)?);
    let dims: Vec<i64> =
        crate::rules::broadcast(&a, &b)?.into_iter().map(|dim| dim as i64).collect();
    let dims = super::list(scope, &[dims.len()], &dims)?;
    scope.give_tensor(0, dims);
    Ok(())
}

/// TensorFlow.js does not round where training did.
fn first(scope: &mut S<'_, '_>) -> Done {
    let x = scope.val(0)?;
    scope.give(0, x);
    Ok(())
}

fn cumulative(scope: &mut S<'_, '_>, product: bool) -> Done {
    use crate::calls::arg::{back, rows_along};
    let x = scope.tensor(0)?;
    let [given] = integers(scope, 1)?[..] else { return Err("the axis must be one number".into()) };
    let at = super::axis(given, x.dims().len())?;
    let on = |name: &str| scope.int(name) == Some(1);
    let op = crate::Cumulative { product, exclusive: on("exclusive"), reverse: on("reverse") };
    let (rows, dims) = rows_along(scope, &x, at)?;
    let y = scope.apply(op, &[rows])?;
    let y = scope.view(&y, &dims)?;
    let y = back(scope, &y, at)?;
    scope.give_tensor(0, y);
    Ok(())
}

pub(super) const CALLS: &[CallInfo] = &[
    row("TF::Abs", |scope| unary(scope, One::Abs)),
    row("TF::Acos", |scope| float(scope, One::Acos)),
    row("TF::Acosh", |scope| float(scope, One::Acosh)),
    row("TF::Add", |scope| binary(scope, Two::Add)),
    row("TF::AddN", add_n),
    row("TF::AddV2", |scope| binary(scope, Two::Add)),
    row("TF::Asin", |scope| float(scope, One::Asin)),
    row("TF::Asinh", |scope| float(scope, One::Asinh)),
    row("TF::Atan", |scope| float(scope, One::Atan)),
    row("TF::Atan2", atan2),
    row("TF::Atanh", |scope| float(scope, One::Atanh)),
    row("TF::BiasAdd", bias_add),
    row("TF::BiasAddV1", bias_add),
    row("TF::BitwiseAnd", |scope| binary(scope, Two::BitwiseAnd)),
    row("TF::BroadcastArgs", broadcast_args),
    row("TF::BroadcastTo", broadcast_to),
    row("TF::Cast", to_type),
    row("TF::Ceil", |scope| rounded(scope, One::Ceil)),
    row("TF::ClipByValue", clip),
    row("TF::Cos", |scope| float(scope, One::Cos)),
    row("TF::Cosh", |scope| float(scope, One::Cosh)),
    row("TF::Cumprod", |scope| cumulative(scope, true)),
    row("TF::Cumsum", |scope| cumulative(scope, false)),
    row("TF::Div", div),
    row("TF::DivNoNan", div_no_nan),
    row("TF::Elu", |scope| float(scope, One::Elu(1.0))),
    row("TF::Equal", |scope| binary(scope, Two::Equal)),
    row("TF::Erf", |scope| float(scope, One::Erf)),
    row("TF::Exp", |scope| float(scope, One::Exp)),
    row("TF::Expm1", |scope| composed(scope, expm1)),
    row("TF::FakeQuantWithMinMaxVars", first),
    row("TF::Floor", |scope| rounded(scope, One::Floor)),
    row("TF::FloorDiv", floor_div),
    row("TF::FloorMod", |scope| binary(scope, Two::Mod { fmod: false })),
    row("TF::Greater", |scope| binary(scope, Two::Greater)),
    row("TF::GreaterEqual", |scope| binary(scope, Two::GreaterOrEqual)),
    row("TF::IsFinite", is_finite),
    row("TF::IsInf", |scope| float(scope, One::IsInf { negative: true, positive: true })),
    row("TF::IsNan", |scope| float(scope, One::IsNaN)),
    row("TF::LeakyRelu", |scope| {
        let slope = scope.float("alpha").unwrap_or(0.2);
        float(scope, One::LeakyRelu(slope))
    }),
    row("TF::Less", |scope| binary(scope, Two::Less)),
    row("TF::LessEqual", |scope| binary(scope, Two::LessOrEqual)),
    row("TF::Log", |scope| float(scope, One::Log)),
    row("TF::Log1p", |scope| composed(scope, log1p)),
    row("TF::LogicalAnd", |scope| logical(scope, Two::And)),
    row("TF::LogicalNot", not),
    row("TF::LogicalOr", |scope| logical(scope, Two::Or)),
    row("TF::Maximum", |scope| binary(scope, Two::Max)),
    row("TF::Minimum", |scope| binary(scope, Two::Min)),
    row("TF::Mod", |scope| binary(scope, Two::Mod { fmod: false })),
    row("TF::Mul", |scope| binary(scope, Two::Mul)),
    row("TF::Neg", |scope| unary(scope, One::Neg)),
    row("TF::NotEqual", not_equal),
    row("TF::Pow", |scope| binary(scope, Two::Pow)),
    row("TF::Prelu", prelu),
    row("TF::RealDiv", div),
    row("TF::Reciprocal", |scope| float(scope, One::Reciprocal)),
    row("TF::Relu", |scope| unary(scope, One::Relu)),
    row("TF::Relu6", |scope| composed(scope, |scope, x| clipped(scope, x, 0.0, 6.0))),
    row("TF::Round", |scope| rounded(scope, One::Round)),
    row("TF::Rsqrt", rsqrt),
    row("TF::Select", select),
    row("TF::SelectV2", select),
    row("TF::Selu", |scope| float(scope, One::Selu(1.673_263_2, 1.050_701))),
    row("TF::Sigmoid", |scope| float(scope, One::Sigmoid)),
    row("TF::Sign", |scope| unary(scope, One::Sign)),
    row("TF::Sin", |scope| float(scope, One::Sin)),
    row("TF::Sinh", |scope| float(scope, One::Sinh)),
    row("TF::Softplus", |scope| float(scope, One::Softplus)),
    row("TF::Sqrt", |scope| float(scope, One::Sqrt)),
    row("TF::Square", square),
    row("TF::SquaredDifference", squared_difference),
    row("TF::Sub", |scope| binary(scope, Two::Sub)),
    row("TF::Tan", |scope| float(scope, One::Tan)),
    row("TF::Tanh", |scope| float(scope, One::Tanh)),
];

fn not(scope: &mut S<'_, '_>) -> Done {
    let x = scope.tensor(0)?;
    let x = cast(scope, &x, DType::Bool)?;
    let y = one(scope, One::Not, &x)?;
    scope.give_tensor(0, y);
    Ok(())
}
