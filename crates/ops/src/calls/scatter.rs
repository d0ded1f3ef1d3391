use super::{CallInfo, axis, row};
use crate::{Places, Scatter};
use sidestage_ir::{Scope, Stop};
use sidestage_kernels::Binary;

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

pub(super) const CALLS: &[CallInfo] = &[
    row("Scatter", |scope| scatter(scope, false)),
    row("ScatterElements", |scope| scatter(scope, false)),
    row("ScatterND", |scope| scatter(scope, true)),
];
