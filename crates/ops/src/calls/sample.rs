//! Elements of images at places that are computed.

use super::conv::{Laid, applied, windows};
use super::conv_transpose::biased;
use super::matmul::matmul;
use super::{CallInfo, cast, row, transpose};
use crate::{DeformIm2Col, Det, GridSample, Padding, RoiAlign, Sampling};
use sidestage_ir::{Scope, Stop};
use sidestage_tensor::{DType, Tensor};

/// ONNX 20: `linear` and `cubic`; before, `bilinear` and `bicubic`.
fn grid_sample(scope: &mut Scope<'_, '_>) -> Result<(), Stop> {
    let (x, grid) = (scope.tensor(0)?, scope.tensor(1)?);
    let sampling = match scope.text("mode").unwrap_or("linear") {
        "linear" | "bilinear" => Sampling::Linear,
        "nearest" => Sampling::Nearest,
        "cubic" | "bicubic" => Sampling::Cubic,
        other => return Err(Stop::Refused(format!("there is no mode {other}"))),
    };
    let padding = match scope.text("padding_mode").unwrap_or("zeros") {
        "zeros" => Padding::Zeros,
        "border" => Padding::Border,
        "reflection" => Padding::Reflection,
        other => return Err(Stop::Refused(format!("there is no padding {other}"))),
    };
    let align_corners = scope.int("align_corners") == Some(1);
    let y = applied(scope, GridSample { sampling, padding, align_corners }, &[x, grid])?;
    scope.give_tensor(0, y);
    Ok(())
}

/// Where each element of a result comes from: `[n, …, 2 or 3]`, the places in `-1..=1` through a matrix.
fn affine_grid(scope: &mut Scope<'_, '_>) -> Result<(), Stop> {
    let theta = scope.tensor(0)?;
    let size = scope.integers(1)?.ok_or("the size is missing")?;
    let size = size.into_iter().map(usize::try_from).collect::<Result<Vec<_>, _>>();
    let size = size.map_err(|_| "a size below 0")?;
    let [n, _, spatial @ ..] = &size[..] else { return Err("the size is too short".into()) };
    let axes = spatial.len();
    if !matches!(axes, 2 | 3) || theta.dims() != [*n, axes, axes + 1] {
        return Err(Stop::Refused(format!("matrices of {:?} for {size:?}", theta.dims())));
    }
    let all = spatial.iter().try_fold(1_usize, |all, dim| all.checked_mul(*dim));
    let all = all.filter(|all| *all <= 1 << 26).ok_or("the grid is too large")?;
    let align = scope.int("align_corners") == Some(1);
    let place = |at: usize, dim: usize| match (align, dim) {
        (true, 1) => 0.0,
        (true, _) => 2.0 * at as f64 / (dim - 1) as f64 - 1.0,
        (false, _) => (2 * at + 1) as f64 / dim as f64 - 1.0,
    };
    let mut bytes = Vec::with_capacity(all * (axes + 1) * 8);
    for element in 0..all {
        let mut rest = element;
        // The last axis first.
        for &dim in spatial.iter().rev() {
            bytes.extend(place(rest % dim, dim).to_le_bytes());
            rest /= dim;
        }
        bytes.extend(1.0_f64.to_le_bytes());
    }
    let places = Tensor::new(DType::F64, &[all, axes + 1], &bytes).map_err(|_| "no memory")?;
    let places = scope.constant(places);
    let places = cast(scope, &places, theta.dtype())?;
    let matrices = transpose(scope, &theta, &[0, 2, 1])?;
    let grid = matmul(scope, &places, &matrices)?;
    let grid = scope.view(&grid, &[&[*n], spatial, &[axes]].concat())?;
    scope.give_tensor(0, grid);
    Ok(())
}

/// ONNX 16: coordinates are those of middles, if nothing else is said; before, never.
fn roi_align(scope: &mut Scope<'_, '_>) -> Result<(), Stop> {
    let (x, regions, images) = (scope.tensor(0)?, scope.tensor(1)?, scope.tensor(2)?);
    let size = |name: &str, default: i64, most: usize| {
        let found = usize::try_from(scope.int(name).unwrap_or(default)).ok();
        let found = found.filter(|size| *size <= most);
        found.ok_or_else(|| Stop::Refused(format!("{name} is not a size")))
    };
    let output = [size("output_height", 1, 1 << 12)?, size("output_width", 1, 1 << 12)?];
    let op = RoiAlign {
        output,
        scale: scope.float("spatial_scale").unwrap_or(1.0),
        samples: size("sampling_ratio", 0, 1 << 6)?,
        largest: scope.text("mode") == Some("max"),
        half_pixel: match scope.text("coordinate_transformation_mode") {
            Some(mode) => mode == "half_pixel",
            None => scope.call().version >= 16,
        },
    };
    let dtype = x.dtype();
    let operands = [cast(scope, &x, DType::F32)?, cast(scope, &regions, DType::F32)?, images];
    let y = scope.apply(op, &operands)?;
    let y = cast(scope, &y, dtype)?;
    scope.give_tensor(0, y);
    Ok(())
}

/// The moved windows, times the weights.
fn deform_conv(scope: &mut Scope<'_, '_>) -> Result<(), Stop> {
    let (x, weight, offset) = (scope.tensor(0)?, scope.tensor(1)?, scope.tensor(2)?);
    let wrong = || Stop::Refused(format!("x of {:?}, weights of {:?}", x.dims(), weight.dims()));
    let (&[n, c, height, width], &[m, per_group, kh, kw]) = (x.dims(), weight.dims()) else {
        return Err(wrong());
    };
    let count = |name: &str| usize::try_from(scope.int(name).unwrap_or(1)).unwrap_or(0);
    let (groups, moved) = (count("group"), count("offset_group"));
    let fits = groups > 0 && m.is_multiple_of(groups) && per_group.checked_mul(groups) == Some(c);
    if !fits {
        return Err(wrong());
    }
    let Laid { windows, .. } = windows(scope, &[height, width], &[kh, kw])?;
    let [_, rows, columns] = windows.output;
    let (bias, mask) = (scope.optional_tensor(3)?, scope.optional_tensor(4)?);
    let operands: Vec<_> = [x.clone(), offset].into_iter().chain(mask).collect();
    let moved = applied(scope, DeformIm2Col { groups: moved, windows }, &operands)?;
    let moved = cast(scope, &moved, DType::F32)?;
    let moved = scope.view(&moved, &[n, groups, per_group * kh * kw, rows * columns])?;
    let weight = cast(scope, &weight, DType::F32)?;
    let weight = scope.view(&weight, &[groups, m / groups, per_group * kh * kw])?;
    let y = matmul(scope, &weight, &moved)?;
    let y = scope.view(&y, &[n, m, rows, columns])?;
    let y = biased(scope, y, bias)?;
    let y = cast(scope, &y, x.dtype())?;
    scope.give_tensor(0, y);
    Ok(())
}

fn det(scope: &mut Scope<'_, '_>) -> Result<(), Stop> {
    let x = scope.tensor(0)?;
    let [outer @ .., rows, columns] = x.dims() else {
        return Err(Stop::Refused(format!("x of {:?} is no matrix", x.dims())));
    };
    let matrices = scope.view(&x, &[outer.iter().product(), *rows, *columns])?;
    let y = scope.apply(Det, &[matrices])?;
    let y = scope.view(&y, outer)?;
    scope.give_tensor(0, y);
    Ok(())
}

pub(super) const CALLS: &[CallInfo] = &[
    row("AffineGrid", affine_grid),
    row("DeformConv", deform_conv),
    row("Det", det),
    row("GridSample", grid_sample),
    row("RoiAlign", roi_align),
];
