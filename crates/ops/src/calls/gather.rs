use super::{CallInfo, axis, row};
use crate::{Take, Where};
use sidestage_ir::{Scope, Stop};

fn gather(scope: &mut Scope<'_, '_>) -> Result<(), Stop> {
    let (x, indices) = (scope.tensor(0)?, scope.tensor(1)?);
    let axis = axis(scope.int("axis").unwrap_or(0), x.dims().len())?;
    let y = scope.apply(Take { axis }, &[x, indices])?;
    scope.give_tensor(0, y);
    Ok(())
}

fn choose(scope: &mut Scope<'_, '_>) -> Result<(), Stop> {
    let all = [scope.tensor(0)?, scope.tensor(1)?, scope.tensor(2)?];
    let y = scope.apply(Where, &all)?;
    scope.give_tensor(0, y);
    Ok(())
}

pub(super) const CALLS: &[CallInfo] = &[row("Gather", gather), row("Where", choose)];
