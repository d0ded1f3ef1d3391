//! Norms, of simpler operators.

use super::conv::applied;
use super::reduce::reduced;
use super::{CallInfo, axes, axis, cast, row, scalar};
use crate::{Binary, Pool, Pooling, Unary, Where};
use sidestage_ir::{Scope, Stop, Traced};
use sidestage_kernels::{Binary as Two, Reduction, Unary as One, Windows};
use sidestage_tensor::DType;

fn two(scope: &mut Scope<'_, '_>, function: Two, a: &Traced, b: &Traced) -> Result<Traced, Stop> {
    scope.apply(Binary { function }, &[a.clone(), b.clone()])
}

/// Halves are computed in single precision: their squares would leave the range.
fn precise(scope: &mut Scope<'_, '_>, x: &Traced) -> Result<Traced, Stop> {
    let dtype = if x.dtype() == DType::F64 { DType::F64 } else { DType::F32 };
    cast(scope, x, dtype)
}

/// Gives a result in the type of the first operand.
fn give(scope: &mut Scope<'_, '_>, y: &Traced) -> Result<(), Stop> {
    let dtype = scope.tensor(0)?.dtype();
    let y = cast(scope, y, dtype)?;
    scope.give_tensor(0, y);
    Ok(())
}

/// `1 / sqrt(x + epsilon)`, with epsilon an attribute.
fn inverse_root(scope: &mut Scope<'_, '_>, x: &Traced) -> Result<Traced, Stop> {
    let epsilon = scope.float("epsilon").unwrap_or(1e-5);
    let epsilon = scalar(scope, x.dtype(), epsilon.into())?;
    let sum = two(scope, Two::Add, x, &epsilon)?;
    let root = scope.apply(Unary { function: One::Sqrt }, &[sum])?;
    scope.apply(Unary { function: One::Reciprocal }, &[root])
}

/// A vector of channels, to be broadcast over `[n, c, …]`.
fn channels(scope: &mut Scope<'_, '_>, of: &Traced, rank: usize) -> Result<Traced, Stop> {
    let mut dims = vec![1; rank.saturating_sub(1)];
    if let Some(first) = dims.first_mut() {
        *first = of.dims().iter().product();
    }
    let of = precise(scope, of)?;
    scope.view(&of, &dims)
}

/// `x` with the weight and bias of its channels, the call's second and third operand.
fn weighed(scope: &mut Scope<'_, '_>, x: &Traced, rank: usize) -> Result<Traced, Stop> {
    let (weight, bias) = (scope.tensor(1)?, scope.tensor(2)?);
    let (weight, bias) = (channels(scope, &weight, rank)?, channels(scope, &bias, rank)?);
    let y = two(scope, Two::Mul, x, &weight)?;
    two(scope, Two::Add, &y, &bias)
}

fn batch(scope: &mut Scope<'_, '_>) -> Result<(), Stop> {
    let x = scope.tensor(0)?;
    let x = precise(scope, &x)?;
    if scope.int("training_mode") == Some(1) {
        return batch_of_its_own(scope, &x);
    }
    let rank = x.dims().len();
    let [weight, bias, mean, variance] = [1, 2, 3, 4].map(|index| scope.tensor(index));
    let [weight, bias] = [channels(scope, &weight?, rank)?, channels(scope, &bias?, rank)?];
    let [mean, variance] = [channels(scope, &mean?, rank)?, channels(scope, &variance?, rank)?];
    let root = inverse_root(scope, &variance)?;
    let factor = two(scope, Two::Mul, &weight, &root)?;
    let shift = two(scope, Two::Mul, &mean, &factor)?;
    let shift = two(scope, Two::Sub, &bias, &shift)?;
    let y = two(scope, Two::Mul, &x, &factor)?;
    let y = two(scope, Two::Add, &y, &shift)?;
    give(scope, &y)
}

/// With the mean and variance of this batch, which move the running ones.
fn batch_of_its_own(scope: &mut Scope<'_, '_>, x: &Traced) -> Result<(), Stop> {
    let rank = x.dims().len();
    let over: Vec<usize> = (0..rank).filter(|axis| *axis != 1).collect();
    let mean = reduced(scope, x, &over, Reduction::Mean, true)?;
    let centered = two(scope, Two::Sub, x, &mean)?;
    let squares = two(scope, Two::Mul, &centered, &centered)?;
    let variance = reduced(scope, &squares, &over, Reduction::Mean, true)?;
    let momentum = f64::from(scope.float("momentum").unwrap_or(0.9));
    for (index, now) in [(1, &mean), (2, &variance)] {
        let before = scope.tensor(index + 2)?;
        let (dtype, dims) = (before.dtype(), before.dims().to_vec());
        let before = cast(scope, &before, x.dtype())?;
        let now = scope.view(now, &dims)?;
        let old = scalar(scope, x.dtype(), momentum)?;
        let new = scalar(scope, x.dtype(), 1.0 - momentum)?;
        let (old, new) = (two(scope, Two::Mul, &before, &old)?, two(scope, Two::Mul, &now, &new)?);
        let running = two(scope, Two::Add, &old, &new)?;
        let running = cast(scope, &running, dtype)?;
        scope.give_tensor(index, running);
    }
    let root = inverse_root(scope, &variance)?;
    let y = two(scope, Two::Mul, &centered, &root)?;
    let y = weighed(scope, &y, rank)?;
    give(scope, &y)
}

/// `(x - mean) / sqrt(variance + epsilon)` over some axes, and mean and inverse root.
fn standard(scope: &mut Scope<'_, '_>, x: &Traced, over: &[usize]) -> Result<[Traced; 3], Stop> {
    let mean = reduced(scope, x, over, Reduction::Mean, true)?;
    let centered = two(scope, Two::Sub, x, &mean)?;
    let squares = two(scope, Two::Mul, &centered, &centered)?;
    let variance = reduced(scope, &squares, over, Reduction::Mean, true)?;
    let root = inverse_root(scope, &variance)?;
    Ok([two(scope, Two::Mul, &centered, &root)?, mean, root])
}

fn layer(scope: &mut Scope<'_, '_>) -> Result<(), Stop> {
    let x = scope.tensor(0)?;
    let x = precise(scope, &x)?;
    let rank = x.dims().len();
    let over: Vec<usize> = (axis(scope.int("axis").unwrap_or(-1), rank)?..rank).collect();
    let [mut y, mean, root] = standard(scope, &x, &over)?;
    let weight = scope.tensor(1)?;
    let weight = cast(scope, &weight, x.dtype())?;
    y = two(scope, Two::Mul, &y, &weight)?;
    if let Some(bias) = scope.optional_tensor(2)? {
        let bias = cast(scope, &bias, x.dtype())?;
        y = two(scope, Two::Add, &y, &bias)?;
    }
    scope.give_tensor(1, mean);
    scope.give_tensor(2, root);
    give(scope, &y)
}

fn rms(scope: &mut Scope<'_, '_>) -> Result<(), Stop> {
    let x = scope.tensor(0)?;
    let x = precise(scope, &x)?;
    let rank = x.dims().len();
    let over: Vec<usize> = (axis(scope.int("axis").unwrap_or(-1), rank)?..rank).collect();
    let squares = two(scope, Two::Mul, &x, &x)?;
    let mean = reduced(scope, &squares, &over, Reduction::Mean, true)?;
    let root = inverse_root(scope, &mean)?;
    let y = two(scope, Two::Mul, &x, &root)?;
    let weight = scope.tensor(1)?;
    let weight = cast(scope, &weight, x.dtype())?;
    let y = two(scope, Two::Mul, &y, &weight)?;
    give(scope, &y)
}

fn instance(scope: &mut Scope<'_, '_>) -> Result<(), Stop> {
    let x = scope.tensor(0)?;
    let x = precise(scope, &x)?;
    let rank = x.dims().len();
    let over: Vec<usize> = (2..rank).collect();
    let [y, ..] = standard(scope, &x, &over)?;
    let y = weighed(scope, &y, rank)?;
    give(scope, &y)
}

/// ONNX 21: weight and bias are those of the channels; before, of the groups.
fn group(scope: &mut Scope<'_, '_>) -> Result<(), Stop> {
    let x = scope.tensor(0)?;
    let x = precise(scope, &x)?;
    let dims = x.dims().to_vec();
    let groups = scope.int("num_groups").and_then(|groups| usize::try_from(groups).ok());
    let [n, c, ..] = *dims else { return Err(Stop::Refused(format!("x of {dims:?}"))) };
    let groups = groups.filter(|groups| *groups > 0 && c.is_multiple_of(*groups));
    let groups = groups.ok_or_else(|| format!("{c} channels are not whole groups"))?;
    let inner = dims[2..].iter().product::<usize>();
    let rows = scope.view(&x, &[n, groups, c / groups * inner])?;
    let [mut y, ..] = standard(scope, &rows, &[2])?;
    if scope.tensor(1)?.dims() != [groups] {
        y = scope.view(&y, &[n, c, inner])?;
    }
    let y = weighed(scope, &y, 3)?;
    let y = scope.view(&y, &dims)?;
    give(scope, &y)
}

/// The standard score over some axes; a little is added to the deviation.
fn mean_variance(scope: &mut Scope<'_, '_>) -> Result<(), Stop> {
    let x = scope.tensor(0)?;
    let x = precise(scope, &x)?;
    let over = axes(scope.ints("axes").unwrap_or(&[0, 2, 3]), x.dims().len())?;
    let mean = reduced(scope, &x, &over, Reduction::Mean, true)?;
    let centered = two(scope, Two::Sub, &x, &mean)?;
    let squares = two(scope, Two::Mul, &centered, &centered)?;
    let variance = reduced(scope, &squares, &over, Reduction::Mean, true)?;
    let deviation = scope.apply(Unary { function: One::Sqrt }, &[variance])?;
    let epsilon = scalar(scope, x.dtype(), 1e-9)?;
    let deviation = two(scope, Two::Add, &deviation, &epsilon)?;
    let y = two(scope, Two::Div, &centered, &deviation)?;
    give(scope, &y)
}

/// By the sum of sizes, or the root of the sum of squares; zeros remain.
fn lp(scope: &mut Scope<'_, '_>) -> Result<(), Stop> {
    let x = scope.tensor(0)?;
    let x = precise(scope, &x)?;
    let along = axis(scope.int("axis").unwrap_or(-1), x.dims().len())?;
    let reduction = match scope.int("p").unwrap_or(2) {
        1 => Reduction::L1,
        2 => Reduction::L2,
        p => return Err(Stop::Refused(format!("there is no norm of order {p}"))),
    };
    let norm = reduced(scope, &x, &[along], reduction, true)?;
    let (zero, one) = (scalar(scope, x.dtype(), 0.0)?, scalar(scope, x.dtype(), 1.0)?);
    let none = two(scope, Two::Equal, &norm, &zero)?;
    let norm = scope.apply(Where, &[none, one, norm])?;
    let y = two(scope, Two::Div, &x, &norm)?;
    give(scope, &y)
}

fn local_response(scope: &mut Scope<'_, '_>) -> Result<(), Stop> {
    let x = scope.tensor(0)?;
    let x = precise(scope, &x)?;
    let size = scope.int("size").and_then(|size| usize::try_from(size).ok());
    let size = size.filter(|size| *size > 0).ok_or("the size is missing")?;
    let float = |name: &str, default: f32| f64::from(scope.float(name).unwrap_or(default));
    let response = Response {
        size,
        alpha: float("alpha", 1e-4),
        beta: float("beta", 0.75),
        bias: float("bias", 1.0),
    };
    let y = response.of(scope, &x)?;
    give(scope, &y)
}

/// `x / (bias + alpha * mean of squares)^beta`, the mean that of so many channels around: those that
/// are not there count as zeros.
pub(super) struct Response {
    pub(super) size: usize,
    pub(super) alpha: f64,
    pub(super) beta: f64,
    pub(super) bias: f64,
}

impl Response {
    /// Of `[n, c, …]`.
    pub(super) fn of(&self, scope: &mut Scope<'_, '_>, x: &Traced) -> Result<Traced, Stop> {
        let size = self.size;
        let dims = x.dims().to_vec();
        let [n, c, ..] = *dims else { return Err(Stop::Refused(format!("x of {dims:?}"))) };
        let inner = dims[2..].iter().product::<usize>();
        // No more than reach from the first channel to the last.
        let most = c.saturating_sub(1);
        let (before, behind) = (((size - 1) / 2).min(most), (size / 2).min(most));
        let taps = before + behind + 1;
        let squares = two(scope, Two::Mul, x, x)?;
        let squares = scope.view(&squares, &[n, 1, c, 1, inner])?;
        let windows = Windows {
            input: [c, 1, inner],
            output: [c, 1, inner],
            kernel: [taps, 1, 1],
            stride: [1; 3],
            dilation: [1; 3],
            pad: [before, 0, 0],
        };
        let pooling = Pooling::Average { ends: Some([c + taps - 1, 1, inner]) };
        let mean = applied(scope, Pool { pooling, windows }, &[squares])?;
        let mean = scope.view(&mean, &dims)?;
        let alpha = self.alpha * taps as f64 / size as f64;
        let dtype = x.dtype();
        let [alpha, beta, bias] =
            [alpha, self.beta, self.bias].map(|value| scalar(scope, dtype, value));
        let [alpha, beta, bias] = [alpha?, beta?, bias?];
        let mean = two(scope, Two::Mul, &mean, &alpha)?;
        let sum = two(scope, Two::Add, &mean, &bias)?;
        let power = two(scope, Two::Pow, &sum, &beta)?;
        two(scope, Two::Div, x, &power)
    }
}

pub(super) const CALLS: &[CallInfo] = &[
    row("BatchNormalization", batch),
    row("GroupNormalization", group),
    row("InstanceNormalization", instance),
    row("LayerNormalization", layer),
    row("LpNormalization", lp),
    row("LRN", local_response),
    row("MeanVarianceNormalization", mean_variance),
    row("RMSNormalization", rms),
];
