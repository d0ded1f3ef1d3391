use super::{cast, give_moved, of_operand};
use crate::Take;
use crate::calls::pad::filled;
use crate::calls::{CallInfo, row, scalar};
use sidestage_ir::{Scope, Stop, Traced};

/// What stands for 0 among the first operand's elements.
pub(super) fn zero(scope: &mut Scope<'_, '_>, x: &Traced) -> Result<Traced, Stop> {
    let zero = match of_operand(scope, 0)? {
        Some(of) if super::quantizable(x.dtype()) => of.single()?.1,
        _ => 0,
    };
    scalar(scope, x.dtype(), zero.into())
}

/// How many elements come before and behind each axis: `[rank, 2]`.
fn edges(scope: &Scope<'_, '_>, rank: usize) -> Result<Vec<[i64; 2]>, Stop> {
    let list = scope.integers(1)?.ok_or("the paddings are missing")?;
    let (pairs, rest) = list.as_chunks();
    let fits = rest.is_empty() && pairs.len() == rank;
    if !fits || list.iter().any(|edge| !(0..1 << 31).contains(edge)) {
        return Err(Stop::Refused(format!("paddings {list:?} of {rank} axes")));
    }
    Ok(pairs.to_vec())
}

fn pad(scope: &mut Scope<'_, '_>) -> Result<(), Stop> {
    let mut x = scope.tensor(0)?;
    let edges = edges(scope, x.dims().len())?;
    let value = match scope.optional_tensor(2)? {
        Some(value) => {
            let value = cast(scope, &value, x.dtype())?;
            scope.view(&value, &[])?
        }
        None => zero(scope, &x)?,
    };
    for (axis, [before, behind]) in edges.into_iter().enumerate() {
        x = filled(scope, x, axis, (before, behind), &value)?;
    }
    give_moved(scope, 0, 0, x)
}

/// With what lies inside, the other way round; the edge itself only if the mode is 1.
fn mirror(scope: &mut Scope<'_, '_>) -> Result<(), Stop> {
    let mut x = scope.tensor(0)?;
    let edges = edges(scope, x.dims().len())?;
    let twice = i64::from(scope.int("mode") == Some(1));
    for (axis, [before, behind]) in edges.into_iter().enumerate() {
        let dim = x.dims()[axis] as i64;
        if before > dim - 1 + twice || behind > dim - 1 + twice {
            return Err(Stop::Refused(format!("{before} and {behind} more of {dim}")));
        }
        if (before, behind) == (0, 0) {
            continue;
        }
        let place = |at: i64| match at {
            ..0 => -at - twice,
            at if at >= dim => 2 * dim - 2 + twice - at,
            at => at,
        };
        let places: Vec<i64> = (-before..dim + behind).map(place).collect();
        let places = scope.list(&places)?;
        x = scope.apply(Take { axis }, &[x, places])?;
    }
    give_moved(scope, 0, 0, x)
}

/// The elements with zeros, or another value, between them.
fn dilate(scope: &mut Scope<'_, '_>) -> Result<(), Stop> {
    let mut x = scope.tensor(0)?;
    let by = scope.integers(1)?.ok_or("the dilations are missing")?;
    let value = scope.tensor(2)?;
    let value = scope.view(&value, &[])?;
    if by.len() != x.dims().len() || by.iter().any(|by| !(1..1 << 31).contains(by)) {
        return Err(Stop::Refused(format!("dilations {by:?} of {:?}", x.dims())));
    }
    for (axis, by) in by.into_iter().enumerate().filter(|(_, by)| *by > 1) {
        let mut dims = x.dims().to_vec();
        dims.insert(axis + 1, 1);
        x = scope.view(&x, &dims)?;
        x = filled(scope, x, axis + 1, (0, by - 1), &value)?;
        let mut dims = x.dims().to_vec();
        let each = dims.remove(axis + 1);
        dims[axis] = dims[axis].saturating_mul(each);
        x = scope.view(&x, &dims)?;
        let length = x.dims()[axis].saturating_sub(each - 1);
        x = super::layout::part(scope, &x, axis, 0, length)?;
    }
    scope.give_tensor(0, x);
    Ok(())
}

pub(in crate::calls) const CALLS: &[CallInfo] = &[
    row("TFLITE::DILATE", dilate),
    row("TFLITE::MIRROR_PAD", mirror),
    row("TFLITE::PAD", pad),
    row("TFLITE::PADV2", pad),
];
