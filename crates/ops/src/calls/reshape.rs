//! What gives the same elements another shape.

use super::{CallInfo, axes, axis, row};
use sidestage_ir::{Scope, Stop};

fn reshape(scope: &mut Scope<'_, '_>) -> Result<(), Stop> {
    let x = scope.tensor(0)?;
    let shape = match scope.ints("shape") {
        Some(shape) if scope.call().version < 5 => shape.to_vec(),
        _ => scope.integers(1)?.ok_or("the shape is missing")?,
    };
    let zeros = scope.int("allowzero") == Some(1);
    let mut dims = Vec::with_capacity(shape.len());
    let mut free = None;
    for (at, &dim) in shape.iter().enumerate() {
        dims.push(match dim {
            -1 if free.replace(at).is_none() => 1,
            0 if !zeros => *x.dims().get(at).ok_or("a 0 past the last dimension")?,
            0.. => dim as usize,
            _ => return Err(Stop::Refused(format!("{shape:?} is no shape"))),
        });
    }
    if let Some(at) = free {
        let product = |dims: &[usize]| dims.iter().product::<usize>();
        let (all, others) = (product(x.dims()), product(&dims));
        dims[at] = all.checked_div(others).unwrap_or(0);
    }
    let y = scope.view(&x, &dims)?;
    scope.give_tensor(0, y);
    Ok(())
}

fn flatten(scope: &mut Scope<'_, '_>) -> Result<(), Stop> {
    let x = scope.tensor(0)?;
    let rank = x.dims().len();
    let at = match scope.int("axis").unwrap_or(1) {
        at if at == rank as i64 => rank,
        at => axis(at, rank.max(1))?,
    };
    let (outer, inner) = x.dims().split_at(at);
    let dims = [outer.iter().product(), inner.iter().product()];
    let y = scope.view(&x, &dims)?;
    scope.give_tensor(0, y);
    Ok(())
}

/// ONNX 13: the axes are an operand; before, an attribute.
fn list(scope: &Scope<'_, '_>) -> Result<Option<Vec<i64>>, Stop> {
    match scope.ints("axes") {
        Some(list) => Ok(Some(list.to_vec())),
        None => scope.integers(1),
    }
}

fn squeeze(scope: &mut Scope<'_, '_>) -> Result<(), Stop> {
    let x = scope.tensor(0)?;
    let gone = match list(scope)? {
        Some(list) => axes(&list, x.dims().len())?,
        None => (0..x.dims().len()).filter(|&axis| x.dims()[axis] == 1).collect(),
    };
    if let Some(axis) = gone.iter().find(|&&axis| x.dims()[axis] != 1) {
        return Err(Stop::Refused(format!("axis {axis} of {:?} is not 1", x.dims())));
    }
    let left = x.dims().iter().enumerate().filter(|(axis, _)| !gone.contains(axis));
    let dims: Vec<usize> = left.map(|(_, dim)| *dim).collect();
    let y = scope.view(&x, &dims)?;
    scope.give_tensor(0, y);
    Ok(())
}

fn unsqueeze(scope: &mut Scope<'_, '_>) -> Result<(), Stop> {
    let x = scope.tensor(0)?;
    let list = list(scope)?.ok_or("the axes are missing")?;
    let new = axes(&list, x.dims().len() + list.len())?;
    let mut dims = x.dims().to_vec();
    new.into_iter().for_each(|axis| dims.insert(axis, 1));
    let y = scope.view(&x, &dims)?;
    scope.give_tensor(0, y);
    Ok(())
}

/// The same value, of any kind.
fn identity(scope: &mut Scope<'_, '_>) -> Result<(), Stop> {
    let x = scope.val(0)?;
    scope.give(0, x);
    Ok(())
}

/// Nothing is dropped when a model is used.
fn dropout(scope: &mut Scope<'_, '_>) -> Result<(), Stop> {
    let training = scope.integers(2)?.is_some_and(|training| training != [0]);
    let ratio_is_zero = match scope.optional_tensor(1)? {
        Some(ratio) => scope.known(&ratio)?.bytes().iter().all(|byte| *byte == 0),
        None => false,
    };
    if training && !ratio_is_zero {
        return Err("training is not supported".into());
    }
    let x = scope.tensor(0)?;
    let all = super::scalar(scope, sidestage_tensor::DType::Bool, 1.0)?;
    let all = super::expand(scope, &all, x.dims())?;
    scope.give_tensor(1, all);
    scope.give_tensor(0, x);
    Ok(())
}

pub(super) const CALLS: &[CallInfo] = &[
    row("Dropout", dropout),
    row("Flatten", flatten),
    row("Identity", identity),
    row("Reshape", reshape),
    row("Squeeze", squeeze),
    row("Unsqueeze", unsqueeze),
];
