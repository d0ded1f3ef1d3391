use super::{CallInfo, axis, row};
use crate::interpolate::Taps;
use crate::{Cast, Interpolate, Take};
use sidestage_ir::{Scope, Stop, Traced};
use sidestage_tensor::{DType, Tensor};

/// How an axis is resized (ONNX 19, "Resize").
pub(super) struct Axis {
    pub(super) input: usize,
    pub(super) output: usize,
    pub(super) scale: f64,
    /// Of the region of interest: where it begins and ends.
    pub(super) region: (f64, f64),
}

impl Axis {
    /// Where in the operand the `at`-th element of the result lies.
    fn place(&self, at: usize, mode: &str) -> Result<f64, Stop> {
        let (at, input, output) = (at as f64, self.input as f64, self.output as f64);
        Ok(match mode {
            "half_pixel" => (at + 0.5) / self.scale - 0.5,
            "half_pixel_symmetric" => {
                let adjust = output / (self.scale * input);
                let center = input / 2.0;
                center * (1.0 - adjust) + (at + 0.5) / self.scale - 0.5
            }
            "pytorch_half_pixel" if self.output > 1 => (at + 0.5) / self.scale - 0.5,
            "pytorch_half_pixel" => 0.0,
            // With a scale, of the size that it gives before that is cut to a whole one.
            "align_corners" if self.output > 1 => at * (input - 1.0) / (self.scale * input - 1.0),
            "align_corners" => 0.0,
            "asymmetric" => at / self.scale,
            "tf_crop_and_resize" => {
                let (start, end) = self.region;
                if self.output > 1 {
                    start * (input - 1.0) + at * (end - start) * (input - 1.0) / (output - 1.0)
                } else {
                    0.5 * (start + end) * (input - 1.0)
                }
            }
            other => return Err(Stop::Refused(format!("there is no way {other} of coordinates"))),
        })
    }

    /// The element next to each place.
    fn nearest(&self, mode: &str, rounding: &str) -> Result<Vec<i64>, Stop> {
        let mut all = Vec::with_capacity(self.output);
        for at in 0..self.output {
            let place = self.place(at, mode)?;
            let near = match rounding {
                "round_prefer_floor" => (place - 0.5).ceil(),
                "round_prefer_ceil" => (place + 0.5).floor(),
                "floor" => place.floor(),
                "ceil" => place.ceil(),
                other => return Err(Stop::Refused(format!("there is no rounding {other}"))),
            };
            all.push((near as i64).clamp(0, self.input as i64 - 1));
        }
        Ok(all)
    }

    /// What the `at`-th element of the result is made of.
    fn taps(&self, at: usize, how: &Interpolation<'_>) -> Result<Taps, Stop> {
        // Antialiased: a smaller result takes all that lies under it.
        let wide = if how.antialias { self.scale.min(1.0) } else { 1.0 };
        let reach = if how.cubic { 2.0 } else { 1.0 } / wide;
        let (place, end) = (self.place(at, how.mode)?, self.input as i64);
        if how.mode == "tf_crop_and_resize" && !(0.0..=self.input as f64 - 1.0).contains(&place) {
            return Ok(Vec::new());
        }
        let (first, last) = ((place - reach).ceil() as i64, (place + reach).floor() as i64);
        let mut taps: Vec<(i64, f64)> = (first..=last)
            .map(|tap| (tap, how.weight((tap as f64 - place) * wide)))
            .filter(|(_, weight)| *weight != 0.0)
            .collect();
        if how.exclude || how.antialias {
            if how.exclude {
                taps.retain(|(tap, _)| (0..end).contains(tap));
            }
            let sum: f64 = taps.iter().map(|(_, weight)| weight).sum();
            taps.iter_mut().for_each(|(_, weight)| *weight /= sum);
        }
        // Those outside are the outermost element.
        taps.iter_mut().for_each(|(tap, _)| *tap = (*tap).clamp(0, end - 1));
        let one = |same: &[(i64, f64)]| {
            (same[0].0 as usize, same.iter().map(|(_, weight)| weight).sum::<f64>() as f32)
        };
        Ok(taps.chunk_by(|a, b| a.0 == b.0).map(one).collect())
    }
}

/// How elements are mixed.
pub(super) struct Interpolation<'a> {
    pub(super) mode: &'a str,
    pub(super) cubic: bool,
    /// Of the cubic curve.
    pub(super) coefficient: f64,
    pub(super) exclude: bool,
    pub(super) antialias: bool,
}

impl Interpolation<'_> {
    /// The weight of an element so far away.
    fn weight(&self, distance: f64) -> f64 {
        let (a, x) = (self.coefficient, distance.abs());
        match x {
            _ if !self.cubic => (1.0 - x).max(0.0),
            ..=1.0 => ((a + 2.0) * x - (a + 3.0)) * x * x + 1.0,
            ..2.0 => ((a * x - 5.0 * a) * x + 8.0 * a) * x - 4.0 * a,
            _ => 0.0,
        }
    }
}

/// The axes that are resized, and how.
fn plan(scope: &Scope<'_, '_>, x: &Traced) -> Result<Vec<(usize, Axis)>, Stop> {
    let rank = x.dims().len();
    let version = scope.call().version;
    let (roi, scales, sizes) = if version < 11 { (None, 1, None) } else { (Some(1), 2, Some(3)) };
    let floats = |index: usize| -> Result<Option<Vec<f64>>, Stop> {
        let Some(tensor) = scope.optional_tensor(index)? else { return Ok(None) };
        let known = scope.known(&tensor)?;
        Ok(Some(match known.dtype() {
            DType::F32 => known.elements::<f32>().iter().map(|x| f64::from(*x)).collect(),
            DType::F64 => known.elements::<f64>().to_vec(),
            _ => return Err(Stop::Refused(format!("operand {index} must be F32 or F64"))),
        }))
    };
    let mut scales = floats(scales)?.filter(|scales| !scales.is_empty());
    if let Some(sidestage_ir::Attribute::Floats(list)) = scope.call().attribute("scales") {
        scales = Some(list.iter().map(|scale| f64::from(*scale)).collect());
    }
    let sizes = match sizes {
        Some(index) => scope.integers(index)?.filter(|sizes| !sizes.is_empty()),
        None => None,
    };
    let axes = match scope.ints("axes") {
        Some(axes) => axes.iter().map(|one| axis(*one, rank)).collect::<Result<Vec<_>, _>>()?,
        None => (0..rank).collect(),
    };
    let roi = match roi {
        Some(index) => floats(index)?.filter(|roi| roi.len() == 2 * axes.len()),
        None => None,
    };
    let given = scales.as_ref().map(Vec::len).or(sizes.as_ref().map(Vec::len));
    if given != Some(axes.len()) {
        return Err("scales or sizes must be given, one for each axis".into());
    }
    let input = |at: usize| x.dims()[axes[at]];
    let mut scales = scales.unwrap_or_else(|| {
        let sizes = sizes.iter().flatten().enumerate();
        sizes.map(|(at, size)| *size as f64 / input(at) as f64).collect()
    });
    let policy = scope.text("keep_aspect_ratio_policy").unwrap_or("stretch");
    let keeps = sizes.is_some() && policy != "stretch";
    if keeps {
        let pick = if policy == "not_larger" { f64::min } else { f64::max };
        let scale = scales.iter().copied().reduce(pick).unwrap_or(1.0);
        scales.fill(scale);
    }
    let mut plan = Vec::new();
    for (at, &axis) in axes.iter().enumerate() {
        let scale = scales[at];
        let output = match &sizes {
            Some(sizes) if !keeps => sizes[at] as f64,
            Some(_) => (scale * input(at) as f64 + 0.5).floor(),
            None => (scale * input(at) as f64).floor(),
        };
        let grows = scale > 0.0;
        if !grows || !(0.0..(1_u64 << 31) as f64).contains(&output) || input(at) == 0 {
            return Err(Stop::Refused(format!("{} elements to {output}", input(at))));
        }
        let region = roi.as_ref().map_or((0.0, 1.0), |roi| (roi[at], roi[axes.len() + at]));
        let output = output as usize;
        // A scale that is not quite a quotient counts as it is, but not where nothing changes.
        let whole = output == input(at) && scale == 1.0 && region == (0.0, 1.0);
        if !whole {
            plan.push((axis, Axis { input: input(at), output, scale, region }));
        }
    }
    Ok(plan)
}

/// Each element that of the operand next to it.
pub(super) fn nearest(
    scope: &mut Scope<'_, '_>,
    mut x: Traced,
    plan: Vec<(usize, Axis)>,
    coordinates: &str,
    rounding: &str,
) -> Result<Traced, Stop> {
    for (axis, how) in plan {
        let places = scope.list(&how.nearest(coordinates, rounding)?)?;
        x = scope.apply(Take { axis }, &[x, places])?;
    }
    Ok(x)
}

/// Each element (F32) mixed of those of the operand around it.
pub(super) fn mixed(
    scope: &mut Scope<'_, '_>,
    mut x: Traced,
    plan: Vec<(usize, Axis)>,
    how: &Interpolation<'_>,
    outside: f32,
) -> Result<Traced, Stop> {
    for (axis, of) in plan {
        let taps = (0..of.output).map(|at| of.taps(at, how)).collect::<Result<_, _>>()?;
        x = scope.apply(Interpolate { axis, taps }, &[x])?;
        if how.mode == "tf_crop_and_resize" {
            x = extrapolate(scope, x, axis, &of, outside)?;
        }
    }
    Ok(x)
}

fn resize(scope: &mut Scope<'_, '_>) -> Result<(), Stop> {
    let given = scope.tensor(0)?;
    let mut x = given.clone();
    let version = scope.call().version;
    let old = version < 11;
    let mode = if old { "asymmetric" } else { "half_pixel" };
    let coordinates = scope.text("coordinate_transformation_mode").unwrap_or(mode);
    let plan = plan(scope, &x)?;
    let interpolation = scope.text("mode").unwrap_or("nearest");
    if interpolation == "nearest" {
        let rounding = if old { "floor" } else { "round_prefer_floor" };
        let rounding = scope.text("nearest_mode").unwrap_or(rounding);
        x = nearest(scope, x, plan, coordinates, rounding)?;
        scope.give_tensor(0, x);
        return Ok(());
    }
    let how = Interpolation {
        mode: coordinates,
        cubic: interpolation == "cubic",
        coefficient: scope.float("cubic_coeff_a").unwrap_or(-0.75).into(),
        exclude: scope.int("exclude_outside") == Some(1),
        antialias: scope.int("antialias") == Some(1),
    };
    if x.dtype() != DType::F32 {
        x = scope.apply(Cast { to: DType::F32 }, &[x])?;
    }
    let outside = scope.float("extrapolation_value").unwrap_or(0.0);
    x = mixed(scope, x, plan, &how, outside)?;
    if x.dtype() != given.dtype() {
        x = scope.apply(Cast { to: given.dtype() }, &[x])?;
    }
    scope.give_tensor(0, x);
    Ok(())
}

/// What lies outside the operand has one value.
fn extrapolate(
    scope: &mut Scope<'_, '_>,
    x: Traced,
    axis: usize,
    of: &Axis,
    value: f32,
) -> Result<Traced, Stop> {
    let mut inside = Vec::with_capacity(of.output);
    for at in 0..of.output {
        let place = of.place(at, "tf_crop_and_resize")?;
        inside.push(u8::from((0.0..=of.input as f64 - 1.0).contains(&place)));
    }
    if !inside.contains(&0) {
        return Ok(x);
    }
    let mut dims = vec![1; x.dims().len()];
    dims[axis] = of.output;
    let inside = Tensor::new(DType::Bool, &dims, &inside).map_err(|_| "no memory")?;
    let inside = scope.constant(inside);
    let value = super::scalar(scope, DType::F32, value.into())?;
    scope.apply(crate::Where, &[inside, x, value])
}

pub(super) const CALLS: &[CallInfo] = &[row("Resize", resize), row("Upsample", resize)];
