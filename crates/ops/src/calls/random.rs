//! Numbers at random. The last operand of each call is the number of the run
//! ([`sidestage_ir::Model::number_runs`]).

use super::tensorflow::{integer, sizes};
use super::{CallInfo, cast, row, scalar};
use crate::{Arg, Binary, Distribution, Random, Unary};
use sidestage_ir::{Attribute, Scope, Stop, Traced};
use sidestage_kernels::{Binary as Two, Unary as One};
use sidestage_tensor::DType;

type Done = Result<(), Stop>;

fn drawn(
    scope: &mut Scope<'_, '_>,
    dims: &[usize],
    distribution: Distribution,
    [low, width]: [f32; 2],
) -> Result<Traced, Stop> {
    let run = scope.tensor(scope.call().inputs.len().wrapping_sub(1))?;
    let stream = scope.int("stream").ok_or("the number of the run is missing")?;
    let seeds = [scope.int("seed"), scope.int("seed2")].map(|seed| seed.unwrap_or(0));
    let bits = scope.float("seed").map_or(0, f32::to_bits);
    let seed = bits ^ seeds[0] as u32 ^ (seeds[1] as u32).rotate_left(16);
    let dims = dims.to_vec();
    scope.apply(Random { distribution, key: [stream as u32, seed], dims, low, width }, &[run])
}

/// The type that an attribute names.
fn named(scope: &Scope<'_, '_>, attribute: &str, default: DType) -> Result<DType, Stop> {
    match scope.call().attribute(attribute) {
        Some(Attribute::Type(dtype)) => Ok(*dtype),
        Some(Attribute::Int(id)) => super::cast::dtype(*id),
        _ => Ok(default),
    }
}

fn give(scope: &mut Scope<'_, '_>, x: &Traced, dtype: DType) -> Done {
    let y = cast(scope, x, dtype)?;
    scope.give_tensor(0, y);
    Ok(())
}

/// ONNX's: of the attribute `shape`, or in the shape and the type of an operand.
fn of_attributes(scope: &mut Scope<'_, '_>, distribution: Distribution, like: bool) -> Done {
    let (dims, dtype) = if like {
        let x = scope.tensor(0)?;
        (x.dims().to_vec(), x.dtype())
    } else {
        let dims = scope.ints("shape").ok_or("the shape is missing")?;
        let dims = dims.iter().map(|&dim| usize::try_from(dim).map_err(|_| "a dimension below 0"));
        (dims.collect::<Result<_, _>>()?, DType::F32)
    };
    let dtype = named(scope, "dtype", dtype)?;
    let number = |name: &str, default: f32| scope.float(name).unwrap_or(default);
    let scale = if distribution == Distribution::Uniform {
        let low = number("low", 0.0);
        [low, number("high", 1.0) - low]
    } else {
        [number("mean", 0.0), number("scale", 1.0)]
    };
    let x = drawn(scope, &dims, distribution, scale)?;
    give(scope, &x, dtype)
}

/// TensorFlow's: the shape is an operand.
fn of_shape(scope: &mut Scope<'_, '_>, distribution: Distribution) -> Done {
    let dims = sizes(scope, 0)?;
    let dtype = named(scope, "dtype", DType::F32)?;
    let x = drawn(scope, &dims, distribution, [0.0, 1.0])?;
    give(scope, &x, dtype)
}

/// Integers from one up to another, which is left out.
fn integers(scope: &mut Scope<'_, '_>) -> Done {
    let (dims, least, most) = (sizes(scope, 0)?, integer(scope, 1)?, integer(scope, 2)?);
    // More than 2^24 numbers are not told apart.
    let width = most.saturating_sub(least) as f32;
    let x = drawn(scope, &dims, Distribution::Uniform, [0.0, width])?;
    let x = scope.apply(Unary { function: One::Floor }, &[x])?;
    let x = cast(scope, &x, DType::I32)?;
    let least = scalar(scope, DType::I32, least as f64)?;
    let y = scope.apply(Binary { function: Two::Add }, &[x, least])?;
    scope.give_tensor(0, y);
    Ok(())
}

/// 1 as often as the operand says (ONNX 22, "Bernoulli").
fn bernoulli(scope: &mut Scope<'_, '_>) -> Done {
    let x = scope.tensor(0)?;
    let dtype = named(scope, "dtype", x.dtype())?;
    let drawn = drawn(scope, x.dims(), Distribution::Uniform, [0.0, 1.0])?;
    let likely = cast(scope, &x, DType::F32)?;
    let y = scope.apply(Binary { function: Two::Less }, &[drawn, likely])?;
    give(scope, &y, dtype)
}

/// Draws columns as often as logarithms of their probabilities say.
fn multinomial(scope: &mut Scope<'_, '_>, count: i64, dtype: DType) -> Done {
    let logits = scope.tensor(0)?;
    let (&[rows, width], Ok(count)) = (logits.dims(), usize::try_from(count)) else {
        return Err("takes rows of logarithms, and how many to draw".into());
    };
    let logits = cast(scope, &logits, DType::F32)?;
    let logits = scope.view(&logits, &[rows, 1, width])?;
    let noise = drawn(scope, &[rows, count, width], Distribution::Gumbel, [0.0, 1.0])?;
    let sums = scope.apply(Binary { function: Two::Add }, &[noise, logits])?;
    let sums = scope.view(&sums, &[rows * count, width])?;
    let y = scope.apply(Arg { largest: true, last: false }, &[sums])?;
    let y = scope.view(&y, &[rows, count])?;
    give(scope, &y, dtype)
}

pub(super) const CALLS: &[CallInfo] = &[
    row("Bernoulli", bernoulli),
    row("Multinomial", |scope| {
        let (count, dtype) =
            (scope.int("sample_size").unwrap_or(1), named(scope, "dtype", DType::I32)?);
        multinomial(scope, count, dtype)
    }),
    row("RandomNormal", |scope| of_attributes(scope, Distribution::Normal, false)),
    row("RandomNormalLike", |scope| of_attributes(scope, Distribution::Normal, true)),
    row("RandomUniform", |scope| of_attributes(scope, Distribution::Uniform, false)),
    row("RandomUniformLike", |scope| of_attributes(scope, Distribution::Uniform, true)),
    row("TF::Multinomial", |scope| {
        let (count, dtype) = (integer(scope, 1)?, named(scope, "output_dtype", DType::I32)?);
        multinomial(scope, count, dtype)
    }),
    row("TF::RandomStandardNormal", |scope| of_shape(scope, Distribution::Normal)),
    row("TF::RandomUniform", |scope| of_shape(scope, Distribution::Uniform)),
    row("TF::RandomUniformInt", integers),
    row("TF::TruncatedNormal", |scope| of_shape(scope, Distribution::TruncatedNormal)),
    row("TFLITE::RANDOM_STANDARD_NORMAL", |scope| of_shape(scope, Distribution::Normal)),
    row("TFLITE::RANDOM_UNIFORM", |scope| of_shape(scope, Distribution::Uniform)),
];

/// Whether an operator draws numbers.
pub(super) fn is_random(op: &str) -> bool {
    CALLS.iter().any(|call| call.op == op)
}
