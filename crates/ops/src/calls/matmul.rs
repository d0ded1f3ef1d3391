use super::{CallInfo, row, scalar, transpose};
use crate::{Binary, Finish, Gemm, MatMul, Pack};
use sidestage_ir::{Scope, Stop, Traced};
use sidestage_kernels::Binary as Two;
use sidestage_tensor::DType;

/// Rows of which a product with a matrix that is not known packs it first: below, it would be read and
/// written more often than it is multiplied with.
const PACKED: usize = 8;

/// `a[…, m, k] · b[…, k, n]`, of one type.
pub(super) fn matmul(scope: &mut Scope<'_, '_>, a: &Traced, b: &Traced) -> Result<Traced, Stop> {
    let (&[.., m, _], &[.., n]) = (a.dims(), b.dims()) else {
        return Err("a and b must have at least two dimensions".into());
    };
    let singles = a.dtype() == DType::F32 && b.dtype() == DType::F32;
    if !singles || (b.known().is_none() && m < PACKED) {
        return scope.apply(MatMul, &[a.clone(), b.clone()]);
    }
    let packed = scope.apply(Pack { transposed: false }, std::slice::from_ref(b))?;
    scope.apply(Gemm { n, finish: Finish::default() }, &[a.clone(), packed])
}

/// As numpy's: a vector is a matrix of one row, or of one column, and the one goes again.
pub(super) fn product(scope: &mut Scope<'_, '_>, a: &Traced, b: &Traced) -> Result<Traced, Stop> {
    let (row, column) = (a.dims().len() == 1, b.dims().len() == 1);
    let a = if row { scope.view(a, &[1, a.dims()[0]])? } else { a.clone() };
    let b = if column { scope.view(b, &[b.dims()[0], 1])? } else { b.clone() };
    let y = matmul(scope, &a, &b)?;
    let mut dims = y.dims().to_vec();
    if column {
        dims.pop();
    }
    if row {
        dims.remove(y.dims().len() - 2);
    }
    scope.view(&y, &dims)
}

fn call(scope: &mut Scope<'_, '_>) -> Result<(), Stop> {
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
    let y = matmul(scope, &sides[0], &sides[1])?;
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

pub(super) const CALLS: &[CallInfo] = &[row("Gemm", gemm), row("MatMul", call)];
