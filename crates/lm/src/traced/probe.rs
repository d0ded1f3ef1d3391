//! What a decoder does to scores, and where it has its positions from, found out by running the parts of
//! it that say so: those that know the length of the past, but nothing of tokens.

use super::net::{Net, Ports, needed, numbers};
use super::refused;
use super::sites::{Factor, Mask, Site};
use crate::LmError;
use sidestage_cpu::{Progress, Runner, Value};
use sidestage_ir::{Model, Port, Var};
use sidestage_pool::Pool;
use sidestage_tensor::{AlignedBytes, DType, Tensor};
use std::collections::HashMap;
use std::sync::Arc;

/// Most bytes between the operators of such a part.
const LIMIT: usize = 1 << 30;

/// A score is hidden by at least this.
const HIDDEN: f32 = -1e4;

/// Calls of which exporters make positions.
const MAKE_POSITIONS: [&str; 14] = [
    "Add",
    "Cast",
    "Clip",
    "Expand",
    "Gather",
    "Max",
    "Mul",
    "Range",
    "Reshape",
    "Slice",
    "Squeeze",
    "Sub",
    "Unsqueeze",
    "Where",
];

/// A value that is the positions of the tokens, and whether it has an axis for the batch.
#[derive(Clone, Copy, Debug)]
pub(super) struct Positions {
    pub(super) var: Var,
    pub(super) dtype: DType,
    pub(super) batch: bool,
}

/// Fills in scales, caps and windows, and checks that masks hide what is to come and nothing else. Gives the
/// values that are positions, without the input that is.
pub(super) fn settle(
    model: &Model,
    ports: &Ports,
    net: &Net<'_>,
    sites: &mut [Site],
    context: usize,
) -> Result<Vec<Positions>, LmError> {
    let aside = net.aside(ports);
    let masks = sites.iter().flat_map(|site| site.masks.iter().map(|mask| mask.var()));
    let masks: Vec<Var> = masks.filter(|var| !net.constants.contains_key(var)).collect();
    if masks.iter().any(|var| !aside.contains(var)) {
        return Err(refused("a mask depends on tokens"));
    }
    let factors = sites.iter().flat_map(|site| site.factors.iter().chain(&site.cap));
    let factors = factors.map(|factor| factor.var).filter(|var| !net.constants.contains_key(var));
    let candidates = net.alive().filter(|(_, call)| MAKE_POSITIONS.contains(&call.op.as_str()));
    let candidates = candidates.filter_map(|(_, call)| call.outputs.first().copied().flatten());
    let candidates: Vec<Var> = candidates.filter(|var| aside.contains(var)).collect();
    let mut all: Vec<Var> =
        factors.chain(masks.iter().copied()).chain(candidates.clone()).collect();
    all.sort_unstable();
    all.dedup();

    let probe = |past: usize, new: usize, vars: &[Var]| run(model, ports, (past, new), vars);
    let (few, none) = (probe(5, 3, &all)?, probe(0, 4, &all)?);
    let number = |factor: &Factor| -> Result<f32, LmError> {
        let known = net.number(Some(factor.var));
        let value = known.or_else(|| {
            let both = [&few, &none].map(|found| numbers(found.get(&factor.var)?));
            match both {
                [Some(a), Some(b)] if a.len() == 1 && a == b => Some(a[0]),
                _ => None,
            }
        });
        let value = value.ok_or_else(|| refused("scores that are not multiplied by a number"))?;
        Ok(if factor.divides { 1.0 / value } else { value })
    };
    for site in sites.iter_mut() {
        let product = |factors: &[Factor]| -> Result<f32, LmError> {
            let mut numbers = factors.iter().map(number);
            numbers.try_fold(1.0, |all, one| Ok(all * one?))
        };
        if let Some(scale) = &mut site.scale {
            *scale *= product(&site.factors)?;
        }
        if !site.cap.is_empty() {
            // tanh(a x) c is c tanh(a c x / c).
            let cap = product(&site.cap)?;
            site.softcap = Some(cap);
            site.scale = site.scale.map(|scale| scale * cap);
        }
    }
    windows(net, sites, (&few, &none), || probe(context.max(16) - 1, 1, &masks), context)?;

    let mut positions = Vec::new();
    for var in candidates {
        let (Some(few), Some(none)) = (few.get(&var), none.get(&var)) else { continue };
        let are = |found: &Tensor, from: i64, count: i64| {
            let flat = matches!(*found.dims(), [n] | [1, n] if n as i64 == count);
            let whole = matches!(found.dtype(), DType::I64 | DType::I32);
            flat && whole && found.integers() == Some((from..from + count).collect())
        };
        if are(few, 5, 3) && are(none, 0, 4) {
            positions.push(Positions { var, dtype: few.dtype(), batch: few.dims().len() == 2 });
        }
    }
    Ok(positions)
}

type Found = HashMap<Var, Tensor>;

/// Finds the windows of the sites that have masks.
fn windows(
    net: &Net<'_>,
    sites: &mut [Site],
    (few, none): (&Found, &Found),
    long: impl FnOnce() -> Result<Found, LmError>,
    context: usize,
) -> Result<(), LmError> {
    if sites.iter().all(|site| site.masks.is_empty()) {
        return Ok(());
    }
    let long = long()?;
    let total = context.max(16);
    for site in sites.iter_mut().filter(|site| !site.masks.is_empty()) {
        let value = |found: &Found, mask: &Mask| -> Option<Tensor> {
            let known = net.constants.get(&mask.var()).map(|known| (*known).clone());
            known.or_else(|| found.get(&mask.var()).cloned())
        };
        // Whether a query sees each key.
        let seen = |found: &Found, rows: usize, keys: usize| -> Option<Vec<bool>> {
            let mut all = vec![true; rows * keys];
            for mask in &site.masks {
                hide(*mask, &value(found, mask)?, (rows, keys), &mut all)?;
            }
            Some(all)
        };
        let unknown = || refused("a mask that is not one of positions");
        let last = seen(&long, 1, total).ok_or_else(unknown)?;
        let count = last.iter().rev().take_while(|seen| **seen).count();
        let window =
            site.window.unwrap_or(usize::MAX).min(if count < total { count } else { usize::MAX });
        let expected = |past: usize, rows: usize| -> Vec<bool> {
            let keys = past + rows;
            let all = (0..rows).flat_map(|row| (0..keys).map(move |key| (past + row, key)));
            all.map(|(at, key)| key <= at && at - key < count.min(window)).collect()
        };
        let right = last == expected(total - 1, 1)
            && seen(few, 3, 8).ok_or_else(unknown)? == expected(5, 3)
            && seen(none, 4, 4).ok_or_else(unknown)? == expected(0, 4);
        if !right {
            return Err(refused("a mask hides other positions than those to come"));
        }
        site.window = Some(window).filter(|window| *window < context);
    }
    Ok(())
}

/// Takes away what one mask hides, which is the same for all heads. `None`: it does something else.
fn hide(
    mask: Mask,
    values: &Tensor,
    (rows, keys): (usize, usize),
    seen: &mut [bool],
) -> Option<()> {
    let dims = values.dims();
    let list = numbers(values)?;
    let at = |axis: usize| dims.len().checked_sub(axis).map_or(1, |axis| dims[axis]);
    let (width, height) = (at(1), at(2));
    let fits = (width == keys || width == 1) && (height == rows || height == 1);
    if !fits || list.is_empty() {
        return None;
    }
    let truth = values.dtype() == DType::Bool;
    for matrix in list.chunks_exact(width * height) {
        for (at, seen) in seen.iter_mut().enumerate() {
            let (row, key) = (at / keys % height, at % keys % width);
            let value = matrix[row * width + key];
            *seen &= match (mask, truth) {
                (Mask::Added(_), false) if value == 0.0 => true,
                (Mask::Added(_), false) if value <= HIDDEN => false,
                (Mask::Added(_), false) => return None,
                (Mask::Hidden(_), _) => value == 0.0,
                (Mask::Kept(_) | Mask::Added(_), _) => value != 0.0,
            };
        }
    }
    Some(())
}

/// Runs what some values need, after a past of so many positions. Values that come out otherwise than as a
/// tensor are left out.
fn run(
    model: &Model,
    ports: &Ports,
    (past, new): (usize, usize),
    vars: &[Var],
) -> Result<Found, LmError> {
    let mut part = model.clone();
    if let Some(body) = part.bodies.first_mut() {
        let alive = needed(model, &body.calls, vars);
        let mut alive = alive.into_iter();
        body.calls.retain(|_| alive.next().unwrap_or(false));
        body.outputs = vars.to_vec();
    }
    part.outputs = vars.iter().copied().map(Port::of).collect();
    let mut inputs = Vec::new();
    for port in &model.inputs {
        inputs.push(given(ports, port, past, new)?);
    }
    let failed = |error: sidestage_cpu::RunError| refused(error.to_string());
    let mut runner = Runner::new(Arc::new(part), sidestage_ops::lowering, LIMIT);
    runner.begin(inputs).map_err(failed)?;
    while runner.resume(&Pool::inline(), &mut || false).map_err(failed)? != Progress::Done {}
    let found = vars.iter().copied().zip(runner.finish());
    Ok(found
        .filter_map(|(var, value)| match value {
            Value::Tensor(tensor) => Some((var, tensor)),
            _ => None,
        })
        .collect())
}

/// What an input is when `new` tokens come after a past.
pub(super) fn given(
    ports: &Ports,
    port: &Port,
    past: usize,
    new: usize,
) -> Result<Tensor, LmError> {
    let dtype = port.dtype.unwrap_or(DType::F32);
    let is = |other: &Option<Port>| other.as_ref().is_some_and(|other| other.var == port.var);
    if is(&ports.positions) {
        return list(dtype, &[1, new], past as i64..(past + new) as i64);
    }
    if is(&ports.mask) {
        return list(dtype, &[1, past + new], std::iter::repeat_n(1, past + new));
    }
    let dims = match port.var {
        var if var == ports.tokens.var => vec![1, new],
        _ if is(&ports.kept) => Ports::dims(port, 0).iter().map(|_| 1).collect(),
        _ => Ports::dims(port, past),
    };
    let elements = dims.iter().try_fold(1_u64, |all, dim| all.checked_mul(*dim as u64));
    let bytes = elements.and_then(|all| usize::try_from(dtype.bytes_for(all)?).ok());
    let bytes = bytes.ok_or_else(|| refused("a past that is too large"))?;
    let room = AlignedBytes::zeroed(bytes).map_err(LmError::refused("past", bytes))?;
    Ok(Tensor::from_bytes(dtype, &dims, room))
}

fn list(
    dtype: DType,
    dims: &[usize],
    values: impl Iterator<Item = i64>,
) -> Result<Tensor, LmError> {
    let bytes: Vec<u8> = match dtype {
        DType::I64 => values.flat_map(|value| value.to_le_bytes()).collect(),
        DType::I32 => values.flat_map(|value| (value as i32).to_le_bytes()).collect(),
        DType::F32 => values.flat_map(|value| (value as f32).to_le_bytes()).collect(),
        DType::Bool => values.map(|value| value as u8).collect(),
        _ => return Err(refused(format!("a mask of {dtype}"))),
    };
    let refused = LmError::refused("list", bytes.len());
    Tensor::new(dtype, dims, &bytes).map_err(refused)
}
