//! Branches of TensorFlow 1: a value goes one way only, and what depends on the other is not computed.

use super::{CallInfo, Done, S, integer, list, row};
use sidestage_ir::{Stop, Val};

/// The second operand says to which result the first goes.
fn switch(scope: &mut S<'_, '_>) -> Done {
    let val = scope.val(0)?;
    let taken = usize::from(integer(scope, 1)? != 0);
    scope.give(taken, val);
    scope.give(1 - taken, Val::Dead);
    Ok(())
}

/// The one that has come.
fn merge(scope: &mut S<'_, '_>) -> Done {
    for index in 0..scope.count() {
        match scope.optional(index) {
            None | Some(Val::Dead) => {}
            Some(val) => {
                scope.give(0, val);
                let place = list(scope, &[], &[index as i64])?;
                scope.give_tensor(1, place);
                return Ok(());
            }
        }
    }
    Err(Stop::Dead)
}

/// The first operand, if the others have come.
fn after(scope: &mut S<'_, '_>) -> Done {
    for index in 1..scope.count() {
        scope.val(index)?;
    }
    let val = scope.val(0)?;
    scope.give(0, val);
    Ok(())
}

pub(super) const CALLS: &[CallInfo] =
    &[row("TF::After", after), row("TF::Merge", merge), row("TF::Switch", switch)];
