use super::{CallInfo, cast, expand, joined, row, size, transpose};
use crate::{RopeStyle, RotaryEmbedding, Take};
use sidestage_ir::{Scope, Stop, Traced};
use sidestage_tensor::DType;

/// Cosines and sines, of each position one row of half as many as are turned.
pub(super) struct Caches {
    pub(super) cos: Traced,
    pub(super) sin: Traced,
    pub(super) interleaved: bool,
}

/// The heads of `x[n, s, heads, width]`, turned by the angles of `positions[n, s]`.
pub(super) fn turned(
    scope: &mut Scope<'_, '_>,
    x: &Traced,
    positions: &Traced,
    caches: &Caches,
) -> Result<Traced, Stop> {
    let [n, s, heads, width] = *x.dims() else { return Err("x needs four dimensions".into()) };
    let mut angles = Vec::new();
    for cache in [&caches.cos, &caches.sin] {
        let cache = cast(scope, cache, DType::F32)?;
        let taken = scope.apply(Take { axis: 0 }, &[cache, positions.clone()])?;
        let half = taken.dims().last().copied().unwrap_or(0);
        angles.push(scope.view(&taken, &[n * s, half])?);
    }
    let angles = joined(scope, &angles, 1)?;
    let rows = cast(scope, x, DType::F32)?;
    let rows = scope.view(&rows, &[n * s, heads * width])?;
    let style = if caches.interleaved { RopeStyle::Norm } else { RopeStyle::Neox };
    let y = scope.apply(RotaryEmbedding { head_dim: width, style }, &[rows, angles])?;
    let y = scope.view(&y, x.dims())?;
    cast(scope, &y, x.dtype())
}

fn rotary(scope: &mut Scope<'_, '_>) -> Result<(), Stop> {
    let (given, ids) = (scope.tensor(0)?, scope.tensor(1)?);
    let interleaved = scope.int("interleaved") == Some(1);
    let caches = Caches { cos: scope.tensor(2)?, sin: scope.tensor(3)?, interleaved };
    if scope.int("is_packed_batching") == Some(1) || scope.float("scale").unwrap_or(1.0) != 1.0 {
        return Err("packed batches and scales are not supported".into());
    }
    let half = caches.cos.dims().last().copied().unwrap_or(0);
    let apart = given.dims().len() == 4;
    let x = match *given.dims() {
        [_, _, _, _] => transpose(scope, &given, &[0, 2, 1, 3])?,
        [n, s, all] => {
            // Without a number of heads all of a head is turned.
            let heads = size(scope, "num_heads").unwrap_or(all.checked_div(2 * half).unwrap_or(0));
            if heads == 0 || all % heads != 0 {
                return Err(Stop::Refused(format!("{heads} heads of {all}")));
            }
            scope.view(&given, &[n, s, heads, all / heads])?
        }
        _ => return Err(Stop::Refused(format!("x of {:?}", given.dims()))),
    };
    let (n, s) = (x.dims()[0], x.dims()[1]);
    // One position is that of the first; all sequences begin there.
    let positions = if ids.dims().iter().product::<usize>() == 1 && n * s != 1 {
        let steps: Vec<i64> = (0..s as i64).collect();
        let steps = scope.list(&steps)?;
        let first = cast(scope, &ids, DType::I64)?;
        let first = scope.view(&first, &[1])?;
        let all = super::two(scope, super::Two::Add, &first, &steps)?;
        expand(scope, &all, &[n, s])?
    } else {
        scope.view(&ids, &[n, s])?
    };
    let mut y = turned(scope, &x, &positions, &caches)?;
    if apart {
        y = transpose(scope, &y, &[0, 2, 1, 3])?;
    }
    let y = scope.view(&y, given.dims())?;
    scope.give_tensor(0, y);
    Ok(())
}

pub(crate) const CALLS: &[CallInfo] = &[row("com.microsoft::RotaryEmbedding", rotary)];
