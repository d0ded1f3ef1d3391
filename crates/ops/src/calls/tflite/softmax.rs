//! What relates elements along the last axis to each other.

use super::{activated, float, give, one, two};
use crate::calls::reduce::reduced;
use crate::calls::softmax::along;
use crate::calls::{CallInfo, row, scalar};
use crate::{Pool, Pooling};
use sidestage_ir::{Scope, Stop};
use sidestage_kernels::{Binary as Two, Reduction, Unary as One, Windows};
use sidestage_tensor::DType;

fn softmax(scope: &mut Scope<'_, '_>, log: bool) -> Result<(), Stop> {
    let mut x = float(scope, 0)?;
    let beta = scope.float("beta").unwrap_or(1.0);
    if !log && beta != 1.0 {
        let beta = scalar(scope, DType::F32, beta.into())?;
        x = two(scope, Two::Mul, &x, &beta)?;
    }
    let last = x.dims().len().checked_sub(1).ok_or("x must have a dimension")?;
    let y = along(scope, &x, last, log)?;
    give(scope, 0, y)
}

/// Rows over the roots of the sums of their squares.
fn l2(scope: &mut Scope<'_, '_>) -> Result<(), Stop> {
    let x = float(scope, 0)?;
    let last = x.dims().len().checked_sub(1).ok_or("x must have a dimension")?;
    let sums = reduced(scope, &x, &[last], Reduction::SumSquare, true)?;
    let least = scalar(scope, DType::F32, 1e-6)?;
    let norms = one(scope, One::Sqrt, &sums)?;
    let norms = two(scope, Two::Max, &norms, &least)?;
    let y = two(scope, Two::Div, &x, &norms)?;
    let y = activated(scope, y)?;
    give(scope, 0, y)
}

/// Each element over a power of the squares of its neighbours among the channels.
fn local(scope: &mut Scope<'_, '_>) -> Result<(), Stop> {
    let x = float(scope, 0)?;
    let last = x.dims().len().checked_sub(1).ok_or("x must have a dimension")?;
    let radius = scope.int("radius").and_then(|radius| usize::try_from(radius).ok());
    let radius = radius.filter(|radius| *radius < 1 << 30).ok_or("a radius below 0")?;
    let number = |name: &str| f64::from(scope.float(name).unwrap_or(0.0));
    let (bias, alpha, beta) = (number("bias"), number("alpha"), number("beta"));
    let (width, taps) = (x.dims()[last], 2 * radius + 1);
    let rows: usize = x.dims()[..last].iter().product();
    let squares = two(scope, Two::Mul, &x, &x)?;
    let squares = scope.view(&squares, &[rows, 1, 1, 1, width])?;
    let windows = Windows {
        input: [1, 1, width],
        output: [1, 1, width],
        kernel: [1, 1, taps],
        stride: [1; 3],
        dilation: [1; 3],
        pad: [0, 0, radius],
    };
    // A mean with all of the padding is the sum over the number of taps.
    let ends = Some([1, 1, width + 2 * radius]);
    let pool = Pool { pooling: Pooling::Average { ends }, windows };
    let means = scope.apply(pool, &[squares])?;
    let means = scope.view(&means, x.dims())?;
    let factor = scalar(scope, DType::F32, alpha * taps as f64)?;
    let bias = scalar(scope, DType::F32, bias)?;
    let power = scalar(scope, DType::F32, -beta)?;
    let y = two(scope, Two::Mul, &means, &factor)?;
    let y = two(scope, Two::Add, &y, &bias)?;
    let y = two(scope, Two::Pow, &y, &power)?;
    let y = two(scope, Two::Mul, &x, &y)?;
    give(scope, 0, y)
}

pub(in crate::calls) const CALLS: &[CallInfo] = &[
    row("TFLITE::L2_NORMALIZATION", l2),
    row("TFLITE::LOCAL_RESPONSE_NORMALIZATION", local),
    row("TFLITE::LOG_SOFTMAX", |scope| softmax(scope, true)),
    row("TFLITE::SOFTMAX", |scope| softmax(scope, false)),
];
