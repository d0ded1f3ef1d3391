use super::conv::laid;
use super::{activated, activated_limits, cast, float, give, of_operand, of_result, one, two};
use crate::calls::{CallInfo, row};
use crate::{PoolImages, Pooling, QuantizeAffine};
use sidestage_ir::{Scope, Stop, Traced};
use sidestage_kernels::{Binary as Two, Unary as One};
use sidestage_tensor::DType;

/// Windows of `x[n, h, w, c]` of numbers.
fn pooled(scope: &mut Scope<'_, '_>, x: &Traced, pooling: Pooling) -> Result<Traced, Stop> {
    let &[n, h, w, c] = x.dims() else {
        return Err(Stop::Refused(format!("{:?} must have four dimensions", x.dims())));
    };
    let side = |name: &str| super::conv::size(scope, name);
    let kernel = [1, side("filter_height")?, side("filter_width")?];
    let windows = laid(scope, [1, h, w], kernel, false)?;
    let x = scope.view(x, &[n, 1, h, w, c])?;
    let y = scope.apply(PoolImages { pooling, windows }, &[x])?;
    scope.view(&y, &[n, windows.output[1], windows.output[2], c])
}

/// The means of integers are rounded, halves away from 0; their scale stays the same.
fn pool(scope: &mut Scope<'_, '_>, pooling: Pooling) -> Result<(), Stop> {
    let x = scope.tensor(0)?;
    let dtype = x.dtype();
    let same = match (of_operand(scope, 0)?, of_result(scope, 0)?) {
        (Some(of_x), Some(of_y)) if of_x.single()? == of_y.single()? => Some(of_x.single()?),
        _ => None,
    };
    if let Some(of) = same.filter(|_| super::quantizable(dtype)) {
        let limits = activated_limits(scope, dtype, of)?;
        let x = cast(scope, &x, DType::F32)?;
        let y = pooled(scope, &x, pooling)?;
        let op = QuantizeAffine { to: dtype, scale: 1.0, zero: 0, limits };
        let y = scope.apply(op, &[y])?;
        scope.give_tensor(0, y);
        return Ok(());
    }
    let x = float(scope, 0)?;
    let y = pooled(scope, &x, pooling)?;
    let y = activated(scope, y)?;
    give(scope, 0, y)
}

/// The roots of the means of squares.
fn l2(scope: &mut Scope<'_, '_>) -> Result<(), Stop> {
    let x = float(scope, 0)?;
    let squares = two(scope, Two::Mul, &x, &x)?;
    let means = pooled(scope, &squares, Pooling::Average { ends: None })?;
    let y = one(scope, One::Sqrt, &means)?;
    let y = activated(scope, y)?;
    give(scope, 0, y)
}

pub(in crate::calls) const CALLS: &[CallInfo] = &[
    row("TFLITE::AVERAGE_POOL_2D", |scope| pool(scope, Pooling::Average { ends: None })),
    row("TFLITE::L2_POOL_2D", l2),
    row("TFLITE::MAX_POOL_2D", |scope| pool(scope, Pooling::Max { column_major: false })),
];
