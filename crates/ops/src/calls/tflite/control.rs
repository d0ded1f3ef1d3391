//! Branches and loops, whose bodies are subgraphs.

use crate::calls::control::{body, repeat, truth};
use crate::calls::{CallInfo, row};
use sidestage_ir::{Scope, Stop};

/// The operands after the condition are those of either branch.
fn branch(scope: &mut Scope<'_, '_>) -> Result<(), Stop> {
    let condition = scope.val(0)?;
    let name = if truth(scope, &condition)? { "then_branch" } else { "else_branch" };
    let id = body(scope, name)?;
    for (at, var) in scope.body(id).inputs.clone().into_iter().enumerate() {
        let val = scope.val(at + 1)?;
        scope.set(var, val);
    }
    scope.enter(id, None);
    Ok(())
}

pub(in crate::calls) const CALLS: &[CallInfo] =
    &[row("TFLITE::IF", branch), row("TFLITE::WHILE", repeat)];
