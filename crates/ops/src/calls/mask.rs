use super::{CallInfo, row, scalar};
use crate::Where;
use sidestage_ir::{Scope, Stop};
use sidestage_tensor::{DType, Tensor};

/// The upper or lower triangle of matrices, 0 elsewhere.
fn trilu(scope: &mut Scope<'_, '_>) -> Result<(), Stop> {
    let x = scope.tensor(0)?;
    let [.., rows, columns] = *x.dims() else { return Err("x must be matrices".into()) };
    let diagonal = scope.integers(1)?.and_then(|k| k.first().copied()).unwrap_or(0);
    let upper = scope.int("upper") != Some(0);
    let kept = |row: usize, column: usize| {
        let over = (column as i64).saturating_sub(row as i64);
        if upper { over >= diagonal } else { over <= diagonal }
    };
    let all = (0..rows).flat_map(|row| (0..columns).map(move |column| (row, column)));
    let bytes: Vec<u8> = all.map(|(row, column)| kept(row, column).into()).collect();
    let mask = Tensor::new(DType::Bool, &[rows, columns], &bytes).map_err(|_| "no memory")?;
    let (mask, zero) = (scope.constant(mask), scalar(scope, x.dtype(), 0.0)?);
    let y = scope.apply(Where, &[mask, x, zero])?;
    scope.give_tensor(0, y);
    Ok(())
}

/// Ones on a diagonal.
fn eye_like(scope: &mut Scope<'_, '_>) -> Result<(), Stop> {
    let x = scope.tensor(0)?;
    let [rows, columns] = *x.dims() else { return Err("x must be a matrix".into()) };
    let dtype = scope.int("dtype").map_or(Ok(x.dtype()), super::cast::dtype)?;
    let k = scope.int("k").unwrap_or(0);
    let all = (0..rows).flat_map(|row| (0..columns).map(move |column| (row, column)));
    let bytes = all.map(|(row, column)| u8::from(column as i64 - row as i64 == k));
    let bytes: Vec<u8> = bytes.collect();
    let mask = Tensor::new(DType::Bool, &[rows, columns], &bytes).map_err(|_| "no memory")?;
    let mask = scope.constant(mask);
    let y = scope.apply(crate::Cast { to: dtype }, &[mask])?;
    scope.give_tensor(0, y);
    Ok(())
}

pub(super) const CALLS: &[CallInfo] = &[row("EyeLike", eye_like), row("Trilu", trilu)];
