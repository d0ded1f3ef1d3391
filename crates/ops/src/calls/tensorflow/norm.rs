//! Norms, of simpler operators.

use super::{
    CallInfo, Done, One, S, Two, axis, cast, channels_first, inward, one, outward, row, two, with,
};
use crate::calls::normalization::Response;
use crate::calls::softmax::along;
use sidestage_ir::{Stop, Traced};
use sidestage_tensor::DType;

/// A function of each element and the number of its channel.
pub(super) fn by_channel(
    scope: &mut S<'_, '_>,
    function: Two,
    x: &Traced,
    channels: &Traced,
) -> Result<Traced, Stop> {
    let mut channels = cast(scope, channels, x.dtype())?;
    let rank = x.dims().len();
    // Layers name the axis.
    let at = match scope.int("axis") {
        Some(at) => axis(at, rank)?,
        None if channels_first(scope) && rank > 2 => 1,
        None => rank.saturating_sub(1),
    };
    if at + 1 < rank && channels.dims().len() == 1 {
        let mut dims = vec![1; rank - at];
        dims[0] = channels.dims()[0];
        channels = scope.view(&channels, &dims)?;
    }
    two(scope, function, x, &channels)
}

/// With a mean and a variance that are known, a factor and a sum for each channel.
fn batch(scope: &mut S<'_, '_>) -> Done {
    if scope.int("is_training") == Some(1) {
        return Err("training is not supported".into());
    }
    let x = scope.tensor(0)?;
    let x = cast(scope, &x, DType::F32)?;
    let [scale, offset, mean, variance] = [1, 2, 3, 4].map(|index| scope.tensor(index));
    let (scale, offset, mean, variance) = (scale?, offset?, mean?, variance?);
    let epsilon = scope.float("epsilon").unwrap_or(1e-3);
    let sum = with(scope, Two::Add, &variance, epsilon.into())?;
    let root = one(scope, One::Sqrt, &sum)?;
    let factor = two(scope, Two::Div, &scale, &root)?;
    let shift = two(scope, Two::Mul, &mean, &factor)?;
    let shift = two(scope, Two::Sub, &offset, &shift)?;
    let y = by_channel(scope, Two::Mul, &x, &factor)?;
    let y = by_channel(scope, Two::Add, &y, &shift)?;
    scope.give_tensor(0, y);
    Ok(())
}

fn local_response(scope: &mut S<'_, '_>) -> Done {
    let x = scope.tensor(0)?;
    let x = inward(scope, &x)?;
    let radius = scope.int("depth_radius").unwrap_or(5);
    let radius = usize::try_from(radius).ok().filter(|radius| *radius < 1 << 30);
    let size = 2 * radius.ok_or("a radius that is none")? + 1;
    let float = |name: &str, default: f32| f64::from(scope.float(name).unwrap_or(default));
    // Of the sum, not of the mean.
    let alpha = float("alpha", 1.0) * size as f64;
    let response = Response { size, alpha, beta: float("beta", 0.5), bias: float("bias", 1.0) };
    let y = response.of(scope, &x)?;
    let y = outward(scope, &y)?;
    scope.give_tensor(0, y);
    Ok(())
}

fn softmax(scope: &mut S<'_, '_>, log: bool) -> Done {
    let x = scope.tensor(0)?;
    let x = cast(scope, &x, DType::F32)?;
    let at = axis(-1, x.dims().len())?;
    let y = along(scope, &x, at, log)?;
    scope.give_tensor(0, y);
    Ok(())
}

pub(super) const CALLS: &[CallInfo] = &[
    row("TF::FusedBatchNorm", batch),
    row("TF::FusedBatchNormV2", batch),
    row("TF::FusedBatchNormV3", batch),
    row("TF::LRN", local_response),
    row("TF::LogSoftmax", |scope| softmax(scope, true)),
    row("TF::Softmax", |scope| softmax(scope, false)),
];
