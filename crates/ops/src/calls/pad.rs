use super::{CallInfo, axis, expand, row, scalar, steps};
use crate::{Concat, StridedCopy, Take};
use sidestage_ir::{Scope, Stop, Traced};

/// What lies outside.
pub(super) enum Mode {
    Constant,
    Edge,
    Reflect,
    Wrap,
}

/// Elements `from..to` along an axis.
fn part(
    scope: &mut Scope<'_, '_>,
    x: &Traced,
    axis: usize,
    from: usize,
    to: usize,
) -> Result<Traced, Stop> {
    let (mut dims, steps) = (x.dims().to_vec(), steps(x.dims()));
    dims[axis] = to - from;
    let start = if dims.contains(&0) { 0 } else { from * steps[axis] as usize };
    scope.apply(StridedCopy { dims, start, steps }, std::slice::from_ref(x))
}

/// One axis with more before and behind; less, where the numbers are below 0.
pub(super) fn pad_axis(
    scope: &mut Scope<'_, '_>,
    mut x: Traced,
    axis: usize,
    (mut before, mut behind): (i64, i64),
    mode: &Mode,
    value: &Traced,
) -> Result<Traced, Stop> {
    let dim = x.dims()[axis] as i64;
    if before < 0 || behind < 0 {
        let (from, to) = ((-before).max(0), dim + behind.min(0));
        if from > to {
            return Err("more is cut off than there is".into());
        }
        x = part(scope, &x, axis, from as usize, to as usize)?;
        (before, behind) = (before.max(0), behind.max(0));
    }
    if (before, behind) == (0, 0) {
        return Ok(x);
    }
    let dim = x.dims()[axis] as i64;
    if matches!(mode, Mode::Constant) {
        let mut parts = Vec::new();
        for (at, count) in [before, 0, behind].into_iter().enumerate() {
            let mut dims = x.dims().to_vec();
            dims[axis] = count as usize;
            if at == 1 {
                parts.push(x.clone());
            } else if count > 0 {
                parts.push(expand(scope, value, &dims)?);
            }
        }
        return scope.apply(Concat { axis }, &parts);
    }
    if dim == 0 {
        return Err("nothing is there to be repeated".into());
    }
    let place = |at: i64| match mode {
        Mode::Edge => at.clamp(0, dim - 1),
        Mode::Wrap => at.rem_euclid(dim),
        _ if dim == 1 => 0,
        _ => {
            let period = 2 * (dim - 1);
            let at = at.rem_euclid(period);
            at.min(period - at)
        }
    };
    scope.afford(usize::try_from(before + dim + behind).unwrap_or(usize::MAX))?;
    let places: Vec<i64> = (-before..dim + behind).map(place).collect();
    let places = scope.list(&places)?;
    scope.apply(Take { axis }, &[x, places])
}

/// One axis with a value before and behind.
pub(super) fn filled(
    scope: &mut Scope<'_, '_>,
    x: Traced,
    axis: usize,
    around: (i64, i64),
    value: &Traced,
) -> Result<Traced, Stop> {
    pad_axis(scope, x, axis, around, &Mode::Constant, value)
}

/// ONNX 11: the pads are an operand; before, an attribute.
fn pad(scope: &mut Scope<'_, '_>) -> Result<(), Stop> {
    let mut x = scope.tensor(0)?;
    let rank = x.dims().len();
    let pads = match scope.ints("pads") {
        Some(pads) => pads.to_vec(),
        None => scope.integers(1)?.ok_or("the pads are missing")?,
    };
    let mode = match scope.text("mode").unwrap_or("constant") {
        "constant" => Mode::Constant,
        "edge" => Mode::Edge,
        "reflect" => Mode::Reflect,
        "wrap" => Mode::Wrap,
        other => return Err(Stop::Refused(format!("there is no mode {other}"))),
    };
    let value = match scope.optional_tensor(2)? {
        Some(value) => scope.view(&value, &[])?,
        None => scalar(scope, x.dtype(), scope.float("value").unwrap_or(0.0).into())?,
    };
    let axes = match scope.integers(3)? {
        Some(axes) => axes.iter().map(|one| axis(*one, rank)).collect::<Result<Vec<_>, _>>()?,
        None => (0..rank).collect(),
    };
    if pads.len() != 2 * axes.len() || pads.iter().any(|pad| pad.unsigned_abs() > 1 << 31) {
        return Err(Stop::Refused(format!("pads {pads:?} of {} axes", axes.len())));
    }
    for (at, &axis) in axes.iter().enumerate() {
        let around = (pads[at], pads[axes.len() + at]);
        x = pad_axis(scope, x, axis, around, &mode, &value)?;
    }
    scope.give_tensor(0, x);
    Ok(())
}

/// Each axis cut or filled with 0 to a length, the middle staying in the middle.
fn center_crop_pad(scope: &mut Scope<'_, '_>) -> Result<(), Stop> {
    let mut x = scope.tensor(0)?;
    let rank = x.dims().len();
    let shape = scope.integers(1)?.ok_or("the shape is missing")?;
    let axes = match scope.ints("axes") {
        Some(axes) => axes.iter().map(|one| axis(*one, rank)).collect::<Result<Vec<_>, _>>()?,
        None => (0..rank).collect(),
    };
    if shape.len() != axes.len() || shape.iter().any(|dim| !(0..1 << 31).contains(dim)) {
        return Err(Stop::Refused(format!("shape {shape:?} of {} axes", axes.len())));
    }
    let zero = scalar(scope, x.dtype(), 0.0)?;
    for (dim, axis) in shape.into_iter().zip(axes) {
        let more = dim - x.dims()[axis] as i64;
        // Cut: the smaller half before; filled: likewise.
        let before = if more < 0 { -(-more / 2) } else { more / 2 };
        x = pad_axis(scope, x, axis, (before, more - before), &Mode::Constant, &zero)?;
    }
    scope.give_tensor(0, x);
    Ok(())
}

pub(super) const CALLS: &[CallInfo] = &[row("CenterCropPad", center_crop_pad), row("Pad", pad)];
