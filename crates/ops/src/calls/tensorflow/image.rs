use super::{CallInfo, Done, S, cast, integers, part, row, sizes};
use crate::Concat;
use crate::calls::resize::{Axis, Interpolation, mixed, nearest};
use sidestage_ir::{Stop, Traced};
use sidestage_tensor::DType;

/// Height and width of `[n, h, w, c]` to these sizes.
fn plan(x: &Traced, to: &[usize]) -> Result<Vec<(usize, Axis)>, Stop> {
    let (&[_, h, w, _], &[high, wide]) = (x.dims(), to) else {
        return Err(Stop::Refused(format!("{:?} to {to:?}", x.dims())));
    };
    let mut plan = Vec::new();
    for (axis, input, output) in [(1, h, high), (2, w, wide)] {
        if input == 0 || output == 0 {
            return Err(Stop::Refused(format!("{input} elements to {output}")));
        }
        if input != output {
            let scale = output as f64 / input as f64;
            plan.push((axis, Axis { input, output, scale, region: (0.0, 1.0) }));
        }
    }
    Ok(plan)
}

fn coordinates(scope: &S<'_, '_>) -> &'static str {
    match (scope.int("align_corners"), scope.int("half_pixel_centers")) {
        (Some(1), _) => "align_corners",
        (_, Some(1)) => "half_pixel",
        _ => "asymmetric",
    }
}

fn linear(mode: &str) -> Interpolation<'_> {
    Interpolation { mode, cubic: false, coefficient: 0.0, exclude: false, antialias: false }
}

fn bilinear(scope: &mut S<'_, '_>) -> Done {
    let x = scope.tensor(0)?;
    let plan = plan(&x, &sizes(scope, 1)?)?;
    let x = cast(scope, &x, DType::F32)?;
    let y = mixed(scope, x, plan, &linear(coordinates(scope)), 0.0)?;
    scope.give_tensor(0, y);
    Ok(())
}

fn neighbor(scope: &mut S<'_, '_>) -> Done {
    let x = scope.tensor(0)?;
    let plan = plan(&x, &sizes(scope, 1)?)?;
    let mode = coordinates(scope);
    let rounding = if mode == "asymmetric" { "floor" } else { "round_prefer_ceil" };
    let y = nearest(scope, x, plan, mode, rounding)?;
    scope.give_tensor(0, y);
    Ok(())
}

/// Boxes of images, each brought to one size.
fn crop_and_resize(scope: &mut S<'_, '_>) -> Done {
    let (x, boxes) = (scope.tensor(0)?, scope.tensor(1)?);
    let (images, size) = (integers(scope, 2)?, sizes(scope, 3)?);
    let corners = super::numbers(scope, 1)?;
    let (&[n, h, w, c], &[count, 4], &[high, wide]) = (x.dims(), boxes.dims(), &size[..]) else {
        return Err(Stop::Refused(format!("boxes of {:?} of {:?}", boxes.dims(), x.dims())));
    };
    if images.len() != count || [h, w, high, wide].contains(&0) {
        return Err("there must be an image for each box, and a size".into());
    }
    let outside = scope.float("extrapolation_value").unwrap_or(0.0);
    if matches!(scope.text("method"), Some("nearest")) {
        return Err("the nearest element of a box is not supported".into());
    }
    let x = cast(scope, &x, DType::F32)?;
    let mut parts = Vec::with_capacity(count);
    for (at, image) in images.iter().enumerate() {
        let image = usize::try_from(*image).ok().filter(|image| *image < n);
        let image = image.ok_or("a box of an image that is not there")?;
        let one = part(scope, &x, 0, image, image + 1)?;
        let [top, left, bottom, right] = [0, 1, 2, 3].map(|side| corners[4 * at + side]);
        let axis = |input: usize, output: usize, from: f64, to: f64| Axis {
            input,
            output,
            scale: output as f64 / input as f64,
            region: (from, to),
        };
        let plan = vec![(1, axis(h, high, top, bottom)), (2, axis(w, wide, left, right))];
        parts.push(mixed(scope, one, plan, &linear("tf_crop_and_resize"), outside)?);
    }
    let y = match parts.as_slice() {
        [] => {
            let none = super::scalar(scope, DType::F32, 0.0)?;
            super::expand(scope, &none, &[0, high, wide, c])?
        }
        [one] => one.clone(),
        _ => scope.apply(Concat { axis: 0 }, &parts)?,
    };
    scope.give_tensor(0, y);
    Ok(())
}

pub(super) const CALLS: &[CallInfo] = &[
    row("TF::CropAndResize", crop_and_resize),
    row("TF::ResizeBilinear", bilinear),
    row("TF::ResizeNearestNeighbor", neighbor),
];
