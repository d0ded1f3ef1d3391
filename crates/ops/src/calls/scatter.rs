use super::conv::sizes;
use super::{CallInfo, axis, cast, expand, row, scalar};
use crate::{Binary as Two, Concat, Places, Scatter};
use sidestage_ir::{Scope, Stop};
use sidestage_kernels::Binary;
use sidestage_tensor::DType;

fn scatter(scope: &mut Scope<'_, '_>, slices: bool) -> Result<(), Stop> {
    let all = [scope.tensor(0)?, scope.tensor(1)?, scope.tensor(2)?];
    let places = if slices {
        Places::Slices
    } else {
        Places::Elements(axis(scope.int("axis").unwrap_or(0), all[0].dims().len())?)
    };
    let reduction = match scope.text("reduction").unwrap_or("none") {
        "none" => None,
        "add" => Some(Binary::Add),
        "mul" => Some(Binary::Mul),
        "max" => Some(Binary::Max),
        "min" => Some(Binary::Min),
        other => return Err(Stop::Refused(format!("there is no reduction {other}"))),
    };
    let y = scope.apply(Scatter { places, reduction }, &all)?;
    scope.give_tensor(0, y);
    Ok(())
}

/// A cache with updates along an axis, for each sequence from an index on (ONNX 24, "TensorScatter").
fn tensor_scatter(scope: &mut Scope<'_, '_>) -> Result<(), Stop> {
    let (cache, update) = (scope.tensor(0)?, scope.tensor(1)?);
    let rank = cache.dims().len();
    let along = axis(scope.int("axis").unwrap_or(-2), rank)?;
    if along == 0 || update.dims().len() != rank {
        return Err(Stop::Refused(format!("{:?} into {:?}", update.dims(), cache.dims())));
    }
    let (most, count) = (cache.dims()[along], update.dims()[along]);
    let (mut of_sequence, mut of_update) = (vec![1; rank], vec![1; rank]);
    (of_sequence[0], of_update[along]) = (cache.dims()[0], count);
    let places = scope.list(&(0..count as i64).collect::<Vec<_>>())?;
    let mut places = scope.view(&places, &of_update)?;
    if let Some(first) = scope.optional_tensor(2)? {
        let first = cast(scope, &first, DType::I64)?;
        let first = scope.view(&first, &of_sequence)?;
        places = scope.apply(Two { function: Binary::Add }, &[places, first])?;
    }
    if scope.text("mode") == Some("circular") {
        let most = scalar(scope, DType::I64, most as f64)?;
        places = scope.apply(Two { function: Binary::Mod { fmod: false } }, &[places, most])?;
    }
    let places = expand(scope, &places, update.dims())?;
    let scatter = Scatter { places: Places::Elements(along), reduction: None };
    let y = scope.apply(scatter, &[cache, places, update])?;
    scope.give_tensor(0, y);
    Ok(())
}

/// What a pool took, at the places that it had: zeros elsewhere (ONNX 22, "MaxUnpool").
fn max_unpool(scope: &mut Scope<'_, '_>) -> Result<(), Stop> {
    let (x, places) = (scope.tensor(0)?, scope.tensor(1)?);
    let wanted = scope.integers(2)?;
    let [n, c, spatial @ ..] = x.dims() else {
        return Err(Stop::Refused(format!("x of {:?}", x.dims())));
    };
    let rank = spatial.len();
    let kernel = scope.ints("kernel_shape").map_or(0, <[i64]>::len);
    if rank == 0 || kernel != rank || places.dims() != x.dims() {
        return Err(Stop::Refused(format!("x of {:?}, indices of {:?}", x.dims(), places.dims())));
    }
    let kernel = sizes(scope, "kernel_shape", rank, 1)?;
    let (strides, pads) = (sizes(scope, "strides", rank, 1)?, sizes(scope, "pads", 2 * rank, 0)?);
    let mut dims = vec![*n, *c];
    for axis in 0..rank {
        let all = spatial[axis].saturating_sub(1).checked_mul(strides[axis]);
        let all = all.and_then(|all| all.checked_add(kernel[axis]));
        let left = all.and_then(|all| all.checked_sub(pads[axis])?.checked_sub(pads[rank + axis]));
        dims.push(left.ok_or("windows that do not fit")?);
    }
    let all = dims.iter().try_fold(1_usize, |all, dim| all.checked_mul(*dim));
    let all = all.ok_or("the result is too large")?;
    let count = x.dims().iter().product();
    let (values, places) = (scope.view(&x, &[count])?, scope.view(&places, &[count])?);
    let zero = scalar(scope, x.dtype(), 0.0)?;
    let zeros = expand(scope, &zero, &[all])?;
    let scatter = Scatter { places: Places::Elements(0), reduction: None };
    let y = scope.apply(scatter, &[zeros, places, values])?;
    let mut y = scope.view(&y, &dims)?;
    // A larger result has zeros behind.
    for (axis, dim) in wanted.into_iter().flatten().enumerate() {
        let more = usize::try_from(dim).ok().filter(|_| axis < y.dims().len());
        let more = more.and_then(|dim| dim.checked_sub(y.dims()[axis]));
        let more = more.ok_or("the result's shape is too small")?;
        if more > 0 {
            let mut dims = y.dims().to_vec();
            dims[axis] = more;
            let zeros = expand(scope, &zero, &dims)?;
            y = scope.apply(Concat { axis }, &[y, zeros])?;
        }
    }
    scope.give_tensor(0, y);
    Ok(())
}

pub(super) const CALLS: &[CallInfo] = &[
    row("MaxUnpool", max_unpool),
    row("Scatter", |scope| scatter(scope, false)),
    row("ScatterElements", |scope| scatter(scope, false)),
    row("ScatterND", |scope| scatter(scope, true)),
    row("TensorScatter", tensor_scatter),
];
