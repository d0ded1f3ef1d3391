//! Operators that ONNX Runtime makes of two.

use super::super::conv::convolved;
use super::super::matmul::{gemmed, product};
use super::{CallInfo, Two, biased, cast, row, scalar, transpose, two};
use crate::Unary;
use sidestage_ir::{Scope, Stop, Traced};
use sidestage_kernels::Unary as One;

/// The function that an attribute names, of parameters that others are.
fn activated(
    scope: &mut Scope<'_, '_>,
    x: Traced,
    (alpha, beta): (Option<f32>, Option<f32>),
) -> Result<Traced, Stop> {
    let function = match scope.text("activation").unwrap_or("") {
        "" => return Ok(x),
        "Relu" => One::Relu,
        "Tanh" => One::Tanh,
        "Sigmoid" => One::Sigmoid,
        "LeakyRelu" => One::LeakyRelu(alpha.unwrap_or(0.01)),
        "HardSigmoid" => One::HardSigmoid(alpha.unwrap_or(0.2), beta.unwrap_or(0.5)),
        "Clip" => {
            let (least, most) = (alpha.unwrap_or(f32::MIN), beta.unwrap_or(f32::MAX));
            let least = scalar(scope, x.dtype(), least.into())?;
            let most = scalar(scope, x.dtype(), most.into())?;
            let x = two(scope, Two::Max, &x, &least)?;
            return two(scope, Two::Min, &x, &most);
        }
        other => return Err(Stop::Refused(format!("there is no activation {other}"))),
    };
    scope.apply(Unary { function }, &[x])
}

/// `alpha * a * b`, each perhaps transposed.
fn matmul(scope: &mut Scope<'_, '_>) -> Result<(), Stop> {
    let mut sides = [scope.tensor(0)?, scope.tensor(1)?];
    let names = [("transBatchA", "transA"), ("transBatchB", "transB")];
    for (side, (batch, own)) in sides.iter_mut().zip(names) {
        let rank = side.dims().len();
        let mut order: Vec<usize> = (0..rank).collect();
        if rank > 2 && scope.int(batch) == Some(1) {
            // The first dimension goes before the last.
            order = (1..rank - 1).chain([0, rank - 1]).collect();
        }
        if rank > 1 && scope.int(own) == Some(1) {
            order.swap(rank - 2, rank - 1);
        }
        *side = transpose(scope, side, &order)?;
    }
    let [a, b] = sides;
    let mut y = product(scope, &a, &b)?;
    let alpha = scope.float("alpha").unwrap_or(1.0);
    if alpha != 1.0 {
        let alpha = scalar(scope, y.dtype(), alpha.into())?;
        y = two(scope, Two::Mul, &y, &alpha)?;
    }
    scope.give_tensor(0, y);
    Ok(())
}

fn gemm(scope: &mut Scope<'_, '_>) -> Result<(), Stop> {
    let y = gemmed(scope)?;
    let parameters = (scope.float("activation_alpha"), scope.float("activation_beta"));
    let y = activated(scope, y, parameters)?;
    scope.give_tensor(0, y);
    Ok(())
}

/// A convolution, to which something may be added before the activation.
fn conv(scope: &mut Scope<'_, '_>) -> Result<(), Stop> {
    let (x, weight, bias) = (scope.tensor(0)?, scope.tensor(1)?, scope.optional_tensor(2)?);
    let y = convolved(scope, &x, &weight, bias)?;
    let more = scope.optional_tensor(3)?;
    let y = biased(scope, y, more.as_ref())?;
    let list = match scope.call().attribute("activation_params") {
        Some(sidestage_ir::Attribute::Floats(list)) => list.as_slice(),
        _ => &[],
    };
    let y = activated(scope, y, (list.first().copied(), list.get(1).copied()))?;
    let y = cast(scope, &y, x.dtype())?;
    scope.give_tensor(0, y);
    Ok(())
}

pub(crate) const CALLS: &[CallInfo] = &[
    row("com.microsoft::FusedConv", conv),
    row("com.microsoft::FusedGemm", gemm),
    row("com.microsoft::FusedMatMul", matmul),
];
