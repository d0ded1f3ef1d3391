use super::arrange::arranged_dims;
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
    multiplied(scope, a, b, None, false)
}

/// The same where `b` may be `[…, n, k]`, or packed of what had these dimensions.
fn multiplied(
    scope: &mut Scope<'_, '_>,
    a: &Traced,
    b: &Traced,
    arranged: Option<&[usize]>,
    transposed: bool,
) -> Result<Traced, Stop> {
    let (&[.., m, _], &[.., rows, columns]) = (a.dims(), arranged.unwrap_or(b.dims())) else {
        return Err("a and b must have at least two dimensions".into());
    };
    let singles = a.dtype() == DType::F32 && b.dtype() == DType::F32;
    let packed = if arranged.is_some() {
        b.clone()
    } else if !singles || (b.known().is_none() && m < PACKED) {
        let rank = b.dims().len();
        let mut order: Vec<usize> = (0..rank).collect();
        if transposed {
            order.swap(rank - 1, rank - 2);
        }
        let b = transpose(scope, b, &order)?;
        return scope.apply(MatMul, &[a.clone(), b]);
    } else {
        scope.apply(Pack { transposed }, std::slice::from_ref(b))?
    };
    let n = if transposed { rows } else { columns };
    scope.apply(Gemm { n, finish: Finish::default() }, &[a.clone(), packed])
}

/// As numpy's: a vector is a matrix of one row, or of one column, and the one goes again.
pub(super) fn product(scope: &mut Scope<'_, '_>, a: &Traced, b: &Traced) -> Result<Traced, Stop> {
    product_of(scope, a, b, None)
}

fn product_of(
    scope: &mut Scope<'_, '_>,
    a: &Traced,
    b: &Traced,
    arranged: Option<&[usize]>,
) -> Result<Traced, Stop> {
    let (row, column) = (a.dims().len() == 1, b.dims().len() == 1);
    let a = if row { scope.view(a, &[1, a.dims()[0]])? } else { a.clone() };
    let b = if column { scope.view(b, &[b.dims()[0], 1])? } else { b.clone() };
    let y = multiplied(scope, &a, &b, arranged, false)?;
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
    let arranged = arranged_dims(scope)?;
    let y = product_of(scope, &a, &b, arranged.as_deref())?;
    scope.give_tensor(0, y);
    Ok(())
}

/// `alpha * a * b + beta * c`, a and b perhaps transposed.
pub(super) fn gemmed(scope: &mut Scope<'_, '_>) -> Result<Traced, Stop> {
    let (mut a, b, arranged) = (scope.tensor(0)?, scope.tensor(1)?, arranged_dims(scope)?);
    if a.dims().len() != 2 || arranged.as_deref().unwrap_or(b.dims()).len() != 2 {
        return Err("a and b must be matrices".into());
    }
    let turned = |scope: &Scope<'_, '_>, name| scope.int(name).is_some_and(|value| value != 0);
    if turned(scope, "transA") {
        a = transpose(scope, &a, &[1, 0])?;
    }
    let transposed = turned(scope, "transB");
    let times = |scope: &mut Scope<'_, '_>, x: Traced, name: &str| match scope.float(name) {
        Some(factor) if factor != 1.0 => {
            let factor = scalar(scope, x.dtype(), factor.into())?;
            scope.apply(Binary { function: Two::Mul }, &[x, factor])
        }
        _ => Ok(x),
    };
    let y = multiplied(scope, &a, &b, arranged.as_deref(), transposed)?;
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
