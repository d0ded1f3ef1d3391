use super::{CallInfo, biased, row};
use crate::Unary;
use sidestage_ir::{Scope, Stop};
use sidestage_kernels::Unary as One;

/// A function of `x + bias`.
fn one(scope: &mut Scope<'_, '_>, function: One) -> Result<(), Stop> {
    let (x, bias) = (scope.tensor(0)?, scope.optional_tensor(1)?);
    let x = biased(scope, x, bias.as_ref())?;
    let y = scope.apply(Unary { function }, &[x])?;
    scope.give_tensor(0, y);
    Ok(())
}

pub(crate) const CALLS: &[CallInfo] = &[
    row("com.microsoft::BiasGelu", |scope| one(scope, One::Gelu)),
    row("com.microsoft::FastGelu", |scope| one(scope, One::GeluTanh)),
    row("com.microsoft::Gelu", |scope| one(scope, One::Gelu)),
    row("com.microsoft::QuickGelu", |scope| {
        one(scope, One::Swish(scope.float("alpha").unwrap_or(1.702)))
    }),
];
