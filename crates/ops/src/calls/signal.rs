//! Signals: Fourier transforms, windows, scales of pitch.

use super::cast::dtype;
use super::{CallInfo, axis, cast, row, steps, transpose};
use crate::{Binary, Dft, StridedCopy};
use sidestage_ir::{Scope, Stop};
use sidestage_kernels::Binary as Two;
use sidestage_tensor::{DType, Tensor};
use std::f64::consts::PI;

/// An operand that is one integer.
fn integer(scope: &Scope<'_, '_>, index: usize) -> Result<Option<i64>, Stop> {
    Ok(scope.integers(index)?.and_then(|list| list.first().copied()))
}

/// A length that a transform can have.
fn length(length: i64) -> Result<usize, Stop> {
    let found = usize::try_from(length).ok();
    let found = found.filter(|length| (1..=sidestage_kernels::Dft::MOST).contains(length));
    found.ok_or_else(|| Stop::Refused(format!("a transform of {length} elements")))
}

/// ONNX 20: the axis is an operand; before, an attribute.
fn dft(scope: &mut Scope<'_, '_>) -> Result<(), Stop> {
    let x = scope.tensor(0)?;
    let rank = x.dims().len();
    let at = match scope.call().version {
        ..20 => scope.int("axis").unwrap_or(1),
        _ => integer(scope, 2)?.unwrap_or(-2),
    };
    let at = axis(at, rank)?;
    if at + 1 == rank {
        return Err("the last axis holds the parts of numbers".into());
    }
    let inverse = scope.int("inverse") == Some(1);
    let onesided = scope.int("onesided") == Some(1);
    let whole = match integer(scope, 1)? {
        Some(whole) => whole,
        None if inverse && onesided => 2 * (x.dims()[at] as i64 - 1),
        None => x.dims()[at] as i64,
    };
    let plan = sidestage_kernels::Dft::new(length(whole)?, inverse);
    let others = (0..rank - 1).filter(|one| *one != at);
    let order: Vec<usize> = others.chain([at, rank - 1]).collect();
    let moved = transpose(scope, &x, &order)?;
    let [outer @ .., along, parts] = moved.dims() else { return Err("x is a number".into()) };
    let rows = scope.view(&moved, &[outer.iter().product(), *along, *parts])?;
    let y = scope.apply(Dft { plan, inverse, onesided }, &[rows])?;
    let y = scope.view(&y, &[outer, &y.dims()[1..]].concat())?;
    let mut way_back = vec![0; rank];
    order.iter().enumerate().for_each(|(now, before)| way_back[*before] = now);
    let y = transpose(scope, &y, &way_back)?;
    scope.give_tensor(0, y);
    Ok(())
}

/// The transforms of frames of a signal, each under the window.
fn stft(scope: &mut Scope<'_, '_>) -> Result<(), Stop> {
    let mut x = scope.tensor(0)?;
    if let [n, length] = *x.dims() {
        x = scope.view(&x, &[n, length, 1])?;
    }
    let [n, all, parts] = *x.dims() else { return Err("a signal needs three dimensions".into()) };
    let window = scope.optional_tensor(2)?;
    let of_window = window.as_ref().map(|window| window.dims().iter().product::<usize>() as i64);
    let step = integer(scope, 1)?.and_then(|step| usize::try_from(step).ok());
    let step = step.filter(|step| *step > 0).ok_or("the frames' step is missing")?;
    let frame = integer(scope, 3)?.or(of_window).ok_or("the frames' length is missing")?;
    let frame = length(frame)?;
    let frames = all.checked_sub(frame).map_or(0, |left| left / step + 1);
    let [of_signal, of_sample, _] = steps(x.dims())[..] else { return Err("no signal".into()) };
    let mut framed = scope.apply(
        StridedCopy {
            dims: vec![n, frames, frame, parts],
            start: 0,
            steps: vec![of_signal, of_sample.saturating_mul(step as isize), of_sample, 1],
        },
        std::slice::from_ref(&x),
    )?;
    if let Some(window) = window {
        let window = cast(scope, &window, x.dtype())?;
        let window = scope.view(&window, &[frame, 1])?;
        framed = scope.apply(Binary { function: Two::Mul }, &[framed, window])?;
    }
    let rows = scope.view(&framed, &[n * frames, frame, parts])?;
    let onesided = scope.int("onesided") != Some(0);
    let plan = sidestage_kernels::Dft::new(frame, false);
    let y = scope.apply(Dft { plan, inverse: false, onesided }, &[rows])?;
    let y = scope.view(&y, &[n, frames, y.dims()[1], 2])?;
    scope.give_tensor(0, y);
    Ok(())
}

/// Gives numbers that are known, in the type that an attribute names.
fn give(scope: &mut Scope<'_, '_>, dims: &[usize], values: &[f64]) -> Result<(), Stop> {
    let to = dtype(scope.int("output_datatype").unwrap_or(1))?;
    let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
    let tensor = Tensor::new(DType::F64, dims, &bytes).map_err(|_| "no memory")?;
    let tensor = scope.constant(tensor);
    let y = cast(scope, &tensor, to)?;
    scope.give_tensor(0, y);
    Ok(())
}

/// A window that is a sum of cosines, of these heights.
fn window(scope: &mut Scope<'_, '_>, heights: [f64; 3]) -> Result<(), Stop> {
    let size = integer(scope, 0)?.ok_or("the size is missing")?;
    let size = if size == 0 { 0 } else { length(size)? };
    let periodic = scope.int("periodic") != Some(0);
    let period = if periodic { size } else { size.saturating_sub(1) }.max(1);
    let value = |at: usize| {
        let angle = 2.0 * PI * at as f64 / period as f64;
        heights[0] - heights[1] * angle.cos() + heights[2] * (2.0 * angle).cos()
    };
    let values: Vec<f64> = (0..size).map(value).collect();
    give(scope, &[size], &values)
}

/// Triangles that lie side by side on the scale of pitch: what each bin of a spectrum adds to each.
fn mel_weight_matrix(scope: &mut Scope<'_, '_>) -> Result<(), Stop> {
    let missing = "an operand is missing";
    let bands = integer(scope, 0)?.and_then(|bands| usize::try_from(bands).ok()).ok_or(missing)?;
    let frame = length(integer(scope, 1)?.ok_or(missing)?)?;
    let rate = integer(scope, 2)?.filter(|rate| *rate > 0).ok_or(missing)?;
    let edge = |index: usize| -> Result<f64, Stop> {
        let edge = scope.tensor(index)?;
        let known = scope.known(&edge)?;
        let mut wide = [0; 8];
        if known.len() != 1 {
            return Err("an edge must be one number".into());
        }
        sidestage_kernels::cast(known.dtype(), known.bytes(), DType::F64, &mut wide);
        Ok(f64::from_le_bytes(wide))
    };
    let pitch = |hertz: f64| 2595.0 * (1.0 + hertz / 700.0).log10();
    let (low, high) = (pitch(edge(3)?), pitch(edge(4)?));
    let bins = frame / 2 + 1;
    let size = bins.checked_mul(bands).filter(|size| *size <= 1 << 28).ok_or("too many bands")?;
    let step = (high - low) / (bands + 2) as f64;
    let place = |band: usize| {
        let hertz = 700.0 * (10_f64.powf((band as f64 * step + low) / 2595.0) - 1.0);
        // Beyond the last bin there is nothing that could count.
        (((frame + 1) as f64 * hertz / rate as f64).floor().clamp(0.0, 1e9)) as usize
    };
    let mut all = vec![0.0; size];
    for band in 0..bands {
        let (lower, center, upper) = (place(band), place(band + 1), place(band + 2));
        for bin in lower..(upper.max(center) + 1).min(bins) {
            all[bin * bands + band] = if bin < center {
                (bin - lower) as f64 / (center - lower) as f64
            } else if bin == center {
                1.0
            } else {
                upper.saturating_sub(bin) as f64 / upper.saturating_sub(center).max(1) as f64
            };
        }
    }
    give(scope, &[bins, bands], &all)
}

pub(super) const CALLS: &[CallInfo] = &[
    row("BlackmanWindow", |scope| window(scope, [0.42, 0.5, 0.08])),
    row("DFT", dft),
    row("HammingWindow", |scope| window(scope, [25.0 / 46.0, 21.0 / 46.0, 0.0])),
    row("HannWindow", |scope| window(scope, [0.5, 0.5, 0.0])),
    row("MelWeightMatrix", mel_weight_matrix),
    row("STFT", stft),
];
