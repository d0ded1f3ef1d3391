use super::arg::{back, rows_along};
use super::{CallInfo, axis, row};
use crate::Cumulative;
use sidestage_ir::{Scope, Stop};

fn cumulative(scope: &mut Scope<'_, '_>, product: bool) -> Result<(), Stop> {
    let x = scope.tensor(0)?;
    let given = scope.integers(1)?.ok_or("the axis is missing")?;
    let [given] = given[..] else { return Err("the axis must be one number".into()) };
    let at = axis(given, x.dims().len())?;
    let exclusive = scope.int("exclusive") == Some(1);
    let reverse = scope.int("reverse") == Some(1);
    let (rows, dims) = rows_along(scope, &x, at)?;
    let y = scope.apply(Cumulative { product, exclusive, reverse }, &[rows])?;
    let y = scope.view(&y, &dims)?;
    let y = back(scope, &y, at)?;
    scope.give_tensor(0, y);
    Ok(())
}

pub(super) const CALLS: &[CallInfo] = &[
    row("CumProd", |scope| cumulative(scope, true)),
    row("CumSum", |scope| cumulative(scope, false)),
];
