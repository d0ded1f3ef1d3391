use super::norm::normalized;
use super::{CallInfo, Two, cast, row, scalar, two};
use crate::Take;
use sidestage_ir::{Scope, Stop, Traced};
use sidestage_kernels::Reduction;
use sidestage_tensor::DType;

/// The norm of the sum of the embeddings of words, positions and segments.
fn embed(scope: &mut Scope<'_, '_>) -> Result<(), Stop> {
    let ids = scope.tensor(0)?;
    let [n, s] = *ids.dims() else { return Err(Stop::Refused(format!("ids of {:?}", ids.dims()))) };
    let rows = |scope: &mut Scope<'_, '_>, table: usize, ids: Traced| {
        let table = scope.tensor(table)?;
        scope.apply(Take { axis: 0 }, &[table, ids])
    };
    let positions = match scope.optional_tensor(8)? {
        Some(positions) => positions,
        None => {
            let all: Vec<i64> = (0..s as i64).collect();
            scope.list(&all)?
        }
    };
    let words = rows(scope, 2, ids)?;
    let places = rows(scope, 3, positions)?;
    let mut sum = two(scope, Two::Add, &words, &places)?;
    if let Some(segments) = scope.optional_tensor(1)? {
        let segments = rows(scope, 4, segments)?;
        sum = two(scope, Two::Add, &sum, &segments)?;
    }
    let (gamma, beta) = (scope.tensor(5)?, scope.tensor(6)?);
    if sum.dims().last() != gamma.dims().last() {
        return Err(Stop::Refused(format!("{:?}, normalised by {:?}", sum.dims(), gamma.dims())));
    }
    let epsilon = scope.float("epsilon").unwrap_or(1e-12);
    let y = normalized(scope, &sum, &gamma, Some(&beta), (false, epsilon))?;
    // How many words each sequence has.
    let lengths = match scope.optional_tensor(7)? {
        Some(mask) => {
            let mask = cast(scope, &mask, DType::F32)?;
            super::super::reduce::reduced(scope, &mask, &[1], Reduction::Sum, false)?
        }
        None => {
            let zero = scalar(scope, DType::F32, 0.0)?;
            super::expand(scope, &zero, &[n])?
        }
    };
    let lengths = cast(scope, &lengths, DType::I32)?;
    scope.give_tensor(0, y);
    scope.give_tensor(1, lengths);
    scope.give_tensor(2, sum);
    Ok(())
}

pub(crate) const CALLS: &[CallInfo] = &[row("com.microsoft::EmbedLayerNormalization", embed)];
