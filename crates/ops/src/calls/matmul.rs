use super::{CallInfo, row, scalar, transpose};
use crate::{Binary, MatMul};
use sidestage_ir::{Scope, Stop, Traced};
use sidestage_kernels::Binary as Two;

/// As numpy's: a vector is a matrix of one row, or of one column, and the one goes again.
pub(super) fn product(scope: &mut Scope<'_, '_>, a: &Traced, b: &Traced) -> Result<Traced, Stop> {
    let (row, column) = (a.dims().len() == 1, b.dims().len() == 1);
    let a = if row { scope.view(a, &[1, a.dims()[0]])? } else { a.clone() };
    let b = if column { scope.view(b, &[b.dims()[0], 1])? } else { b.clone() };
    let y = scope.apply(MatMul, &[a, b])?;
    let mut dims = y.dims().to_vec();
    if column {
        dims.pop();
    }
    if row {
        dims.remove(y.dims().len() - 2);
    }
    scope.view(&y, &dims)
}

fn matmul(scope: &mut Scope<'_, '_>) -> Result<(), Stop> {
    let (a, b) = (scope.tensor(0)?, scope.tensor(1)?);
    let y = product(scope, &a, &b)?;
    scope.give_tensor(0, y);
    Ok(())
}

/// `alpha * a * b + beta * c`, a and b perhaps transposed.
pub(super) fn gemmed(scope: &mut Scope<'_, '_>) -> Result<Traced, Stop> {
    let mut sides = [scope.tensor(0)?, scope.tensor(1)?];
    for (side, name) in sides.iter_mut().zip(["transA", "transB"]) {
        if side.dims().len() != 2 {
            return Err("a and b must be matrices".into());
        }
        if scope.int(name).is_some_and(|transposed| transposed != 0) {
            *side = transpose(scope, side, &[1, 0])?;
        }
    }
    let times = |scope: &mut Scope<'_, '_>, x: Traced, name: &str| match scope.float(name) {
        Some(factor) if factor != 1.0 => {
            let factor = scalar(scope, x.dtype(), factor.into())?;
            scope.apply(Binary { function: Two::Mul }, &[x, factor])
        }
        _ => Ok(x),
    };
    let y = scope.apply(MatMul, &sides)?;
    let mut y = times(scope, y, "alpha")?;
    if let Some(c) = scope.optional_tensor(2)? {
        let c = times(scope, c, "beta")?;
        let dims = y.dims().to_vec();
        y = scope.apply(Binary { function: Two::Add }, &[y, c])?;
        if y.dims() != dims {
            return Err("c is larger than the product".into());
        }
    }
    Ok(y)
}

fn gemm(scope: &mut Scope<'_, '_>) -> Result<(), Stop> {
    let y = gemmed(scope)?;
    scope.give_tensor(0, y);
    Ok(())
}

pub(super) const CALLS: &[CallInfo] = &[row("Gemm", gemm), row("MatMul", matmul)];
