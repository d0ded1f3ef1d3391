use super::{CallInfo, axis, row};
use crate::Concat;
use sidestage_ir::{Scope, Stop};

fn concat(scope: &mut Scope<'_, '_>) -> Result<(), Stop> {
    let parts =
        (0..scope.count()).map(|index| scope.tensor(index)).collect::<Result<Vec<_>, _>>()?;
    let rank = parts.first().ok_or("there are no operands")?.dims().len();
    let axis = axis(scope.int("axis").unwrap_or(1), rank)?;
    let y = match parts.as_slice() {
        [one] => one.clone(),
        _ => scope.apply(Concat { axis }, &parts)?,
    };
    scope.give_tensor(0, y);
    Ok(())
}

pub(super) const CALLS: &[CallInfo] = &[row("Concat", concat)];
