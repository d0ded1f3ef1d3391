//! What has as many elements as the values say: computed when they are known.

use super::{CallInfo, axis, row};
use crate::Take;
use sidestage_ir::{Scope, Stop, Traced};
use sidestage_tensor::{DType, Tensor};

/// Which elements are not 0.
pub(super) fn full(scope: &Scope<'_, '_>, x: &Traced) -> Result<Vec<usize>, Stop> {
    let known = scope.known(x)?;
    let size = known.dtype().block_bytes();
    // Both zeros of a number with a fraction are 0: all bits but the sign's.
    let float = matches!(known.dtype(), DType::F16 | DType::BF16 | DType::F32 | DType::F64);
    let full = |element: &[u8]| {
        let (last, rest) = (element[size - 1], &element[..size - 1]);
        rest.iter().any(|byte| *byte != 0) || if float { last & 127 != 0 } else { last != 0 }
    };
    let elements = known.bytes().chunks_exact(size).enumerate();
    Ok(elements.filter(|(_, one)| full(one)).map(|(at, _)| at).collect())
}

/// The indices of what is not 0, a row for each dimension.
fn non_zero(scope: &mut Scope<'_, '_>) -> Result<(), Stop> {
    let x = scope.tensor(0)?;
    let found = full(scope, &x)?;
    let mut bytes = Vec::with_capacity(found.len() * x.dims().len() * 8);
    let mut step: usize = x.dims().iter().product();
    for &dim in x.dims() {
        step = step.checked_div(dim).unwrap_or(1);
        bytes.extend(found.iter().flat_map(|at| ((at / step % dim) as i64).to_le_bytes()));
    }
    let y = Tensor::new(DType::I64, &[x.dims().len(), found.len()], &bytes);
    let y = scope.constant(y.map_err(|_| "no memory")?);
    scope.give_tensor(0, y);
    Ok(())
}

/// The slices along an axis whose condition is true.
fn compress(scope: &mut Scope<'_, '_>) -> Result<(), Stop> {
    let mut x = scope.tensor(0)?;
    let condition = scope.integers(1)?.ok_or("the condition is missing")?;
    let at = match scope.int("axis") {
        Some(at) => axis(at, x.dims().len())?,
        None => {
            x = scope.view(&x, &[x.dims().iter().product()])?;
            0
        }
    };
    let kept = condition.iter().take(x.dims()[at]).enumerate().filter(|(_, kept)| **kept != 0);
    let kept: Vec<i64> = kept.map(|(at, _)| at as i64).collect();
    let kept = scope.list(&kept)?;
    let y = scope.apply(Take { axis: at }, &[x, kept])?;
    scope.give_tensor(0, y);
    Ok(())
}

pub(super) const CALLS: &[CallInfo] = &[row("Compress", compress), row("NonZero", non_zero)];
