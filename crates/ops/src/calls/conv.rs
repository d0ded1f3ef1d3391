use super::arrange::arranged_dims;
use super::{CallInfo, cast, expand, row, scalar, steps, transpose};
use crate::{Concat, Conv, ConvWeights, DepthwiseConv, Finish, StridedCopy, Unary};
use sidestage_ir::{Operator, Scope, Stop, Traced};
use sidestage_kernels::{Unary as One, Windows};
use sidestage_tensor::DType;

/// Where windows lie, and where the padding ends along each dimension.
pub(super) struct Laid {
    pub(super) windows: Windows,
    pub(super) ends: [usize; 3],
}

/// An attribute that is so many sizes.
pub(super) fn sizes(
    scope: &Scope<'_, '_>,
    name: &str,
    count: usize,
    default: usize,
) -> Result<Vec<usize>, Stop> {
    let Some(list) = scope.ints(name) else { return Ok(vec![default; count]) };
    let wrong = || Stop::Refused(format!("{name} {list:?}, which must be {count} sizes"));
    let found = list.iter().map(|one| usize::try_from(*one)).collect::<Result<Vec<_>, _>>();
    found.ok().filter(|found| found.len() == count).ok_or_else(wrong)
}

/// How windows lie, as models say it, along each dimension.
pub(super) struct Laying<'a> {
    pub(super) strides: Vec<usize>,
    pub(super) dilations: Vec<usize>,
    /// Before each dimension, then behind each.
    pub(super) pads: Vec<usize>,
    /// `SAME_UPPER`, `SAME_LOWER` or `VALID`: instead of the pads.
    pub(super) auto: &'a str,
    /// Whether a window may reach beyond the end.
    pub(super) ceil: bool,
}

/// The windows that a call's attributes describe (ONNX, "Conv" and the pools): over `spatial`, of
/// `kernel`.
pub(super) fn windows(
    scope: &Scope<'_, '_>,
    spatial: &[usize],
    kernel: &[usize],
) -> Result<Laid, Stop> {
    let rank = spatial.len();
    let laying = Laying {
        strides: sizes(scope, "strides", rank, 1)?,
        dilations: sizes(scope, "dilations", rank, 1)?,
        pads: sizes(scope, "pads", 2 * rank, 0)?,
        auto: scope.text("auto_pad").unwrap_or("NOTSET"),
        ceil: scope.int("ceil_mode") == Some(1),
    };
    laid(laying, spatial, kernel)
}

/// Windows over `spatial`, of `kernel`.
pub(super) fn laid(
    Laying { strides, dilations, mut pads, auto, ceil }: Laying<'_>,
    spatial: &[usize],
    kernel: &[usize],
) -> Result<Laid, Stop> {
    let rank = spatial.len();
    if rank == 0 || rank > 3 || kernel.len() != rank {
        return Err(Stop::Refused(format!("windows of {kernel:?} over {spatial:?}")));
    }
    if strides.contains(&0) || dilations.contains(&0) {
        return Err("strides and dilations must be at least 1".into());
    }
    let mut laid = Laid {
        windows: Windows {
            input: [1; 3],
            output: [1; 3],
            kernel: [1; 3],
            stride: [1; 3],
            dilation: [1; 3],
            pad: [0; 3],
        },
        ends: [1; 3],
    };
    for axis in 0..rank {
        let (dim, stride) = (spatial[axis], strides[axis]);
        let too_large = "windows that are too large";
        let reach = kernel[axis].checked_sub(1).and_then(|taps| taps.checked_mul(dilations[axis]));
        let reach = reach.and_then(|reach| reach.checked_add(1)).ok_or(too_large)?;
        if auto == "VALID" {
            (pads[axis], pads[rank + axis]) = (0, 0);
        }
        let output = if auto.starts_with("SAME") {
            let output = dim.div_ceil(stride);
            let all = (output.saturating_sub(1) * stride).checked_add(reach).ok_or(too_large)?;
            let all = all.saturating_sub(dim);
            let before = if auto == "SAME_LOWER" { all.div_ceil(2) } else { all / 2 };
            (pads[axis], pads[rank + axis]) = (before, all - before);
            output
        } else {
            let padded =
                dim.checked_add(pads[axis]).and_then(|all| all.checked_add(pads[rank + axis]));
            let Some(left) = padded.ok_or(too_large)?.checked_sub(reach) else {
                return Err(Stop::Refused(format!("windows of {kernel:?} over {spatial:?}")));
            };
            let mut output = if ceil { left.div_ceil(stride) } else { left / stride } + 1;
            // A window that begins in the padding behind is left out.
            if ceil && (output - 1) * stride >= dim + pads[axis] {
                output -= 1;
            }
            output
        };
        let at = 3 - rank + axis;
        laid.windows.input[at] = dim;
        laid.windows.output[at] = output;
        laid.windows.kernel[at] = kernel[axis];
        laid.windows.stride[at] = stride;
        laid.windows.dilation[at] = dilations[axis];
        laid.windows.pad[at] = pads[axis];
        laid.ends[at] = dim + pads[axis] + pads[rank + axis];
    }
    Ok(laid)
}

/// `[n, c, …]` with three dimensions behind.
pub(super) fn five(dims: &[usize]) -> Vec<usize> {
    let missing = 5_usize.saturating_sub(dims.len());
    let (outer, inner) = dims.split_at(2.min(dims.len()));
    outer
        .iter()
        .copied()
        .chain(std::iter::repeat_n(1, missing))
        .chain(inner.iter().copied())
        .collect()
}

/// The order of axes in which the channels of `[n, c, …]` come last.
pub(super) fn channels_last(rank: usize) -> Vec<usize> {
    let spatial = 2..rank.max(2);
    [0].into_iter().chain(spatial).chain([1]).collect()
}

/// `[n, …, c]` with three dimensions in between.
pub(super) fn images(scope: &mut Scope<'_, '_>, x: &Traced) -> Result<Traced, Stop> {
    let (first, rest) = x.dims().split_at(1.min(x.dims().len()));
    let missing = 4_usize.saturating_sub(rest.len());
    let dims: Vec<usize> = first
        .iter()
        .copied()
        .chain(std::iter::repeat_n(1, missing))
        .chain(rest.iter().copied())
        .collect();
    scope.view(x, &dims)
}

/// `x` convolved as the call's attributes say.
pub(super) fn convolved(
    scope: &mut Scope<'_, '_>,
    x: &Traced,
    weight: &Traced,
    bias: Option<Traced>,
) -> Result<Traced, Stop> {
    let groups = usize::try_from(scope.int("group").unwrap_or(1)).unwrap_or(0);
    let arranged = arranged_dims(scope)?;
    let dims = arranged.clone().unwrap_or_else(|| weight.dims().to_vec());
    if x.dims().len() < 3 || dims.len() != x.dims().len() {
        return Err(Stop::Refused(format!("x of {:?}, weights of {dims:?}", x.dims())));
    }
    let Laid { windows, .. } = windows(scope, &x.dims()[2..], &dims[2..])?;
    let weight = if arranged.is_some() { weight.clone() } else { read(scope, weight, groups)? };
    of_windows(scope, x, (&weight, &dims), bias, (groups, windows))
}

/// Weights as they are read.
fn read(scope: &mut Scope<'_, '_>, weight: &Traced, groups: usize) -> Result<Traced, Stop> {
    let [outputs, per, taps @ ..] = weight.dims() else {
        return Err(Stop::Refused(format!("weights of {:?}", weight.dims())));
    };
    let dims = [*outputs, *per, taps.iter().product()];
    let weight = cast(scope, weight, DType::F32)?;
    let weight = scope.view(&weight, &dims)?;
    scope.apply(ConvWeights { groups }, &[weight])
}

/// `x[n, c, …]` convolved with weights of `dims`, `[m, c / groups, …]`, as they are read.
fn of_windows(
    scope: &mut Scope<'_, '_>,
    x: &Traced,
    (weight, dims): (&Traced, &[usize]),
    bias: Option<Traced>,
    (groups, windows): (usize, Windows),
) -> Result<Traced, Stop> {
    let wrong = || Stop::Refused(format!("x of {:?}, weights of {dims:?}", x.dims()));
    let ([_, channels, ..], [outputs, per, ..]) = (x.dims(), dims) else {
        return Err(wrong());
    };
    let (outputs, per) = (*outputs, *per);
    let whole = groups > 0 && outputs.is_multiple_of(groups);
    if !whole || per.checked_mul(groups) != Some(*channels) {
        return Err(wrong());
    }
    let (dtype, rank) = (x.dtype(), x.dims().len());
    let x = cast(scope, x, DType::F32)?;
    let order = channels_last(rank);
    let x = scope.in_order(&x, &order, transpose)?;
    let x = images(scope, &x)?;
    let finish = Finish { bias: bias.is_some(), ..Finish::default() };
    let bias = bias.map(|bias| cast(scope, &bias, DType::F32)).transpose()?;
    let operands: Vec<Traced> = [x, weight.clone()].into_iter().chain(bias).collect();
    let y = if (ConvWeights { groups }).depthwise(outputs, per) {
        scope.apply(DepthwiseConv { windows, finish }, &operands)?
    } else {
        scope.apply(Conv { groups, outputs, windows, finish }, &operands)?
    };
    let dims = [&y.dims()[..1], &y.dims()[6 - rank..]].concat();
    let y = scope.view(&y, &dims)?;
    let y = scope.ordered(&y, &order, transpose)?;
    cast(scope, &y, dtype)
}

/// What an operator of F32 makes of operands of another type with a fraction, in their type.
pub(super) fn applied(
    scope: &mut Scope<'_, '_>,
    op: impl Operator + 'static,
    operands: &[Traced],
) -> Result<Traced, Stop> {
    let dtype = operands.first().ok_or("there are no operands")?.dtype();
    let singles = operands.iter().map(|one| cast(scope, one, DType::F32));
    let singles = singles.collect::<Result<Vec<_>, _>>()?;
    let y = scope.apply(op, &singles)?;
    cast(scope, &y, dtype)
}

fn conv(scope: &mut Scope<'_, '_>) -> Result<(), Stop> {
    let (x, weight, bias) = (scope.tensor(0)?, scope.tensor(1)?, scope.optional_tensor(2)?);
    let y = convolved(scope, &x, &weight, bias)?;
    scope.give_tensor(0, y);
    Ok(())
}

/// Each channel by itself, along a sequence that goes on where an earlier one ended (ONNX 27,
/// "CausalConvWithState").
fn causal(scope: &mut Scope<'_, '_>) -> Result<(), Stop> {
    let (x, weight) = (scope.tensor(0)?, scope.tensor(1)?);
    let (&[n, c, _], &[_, _, taps]) = (x.dims(), weight.dims()) else {
        return Err(Stop::Refused(format!("x of {:?}, weights of {:?}", x.dims(), weight.dims())));
    };
    let before = taps.checked_sub(1).ok_or("a window of no elements")?;
    let past = match scope.optional_tensor(3)? {
        Some(past) => past,
        None => {
            let zero = scalar(scope, x.dtype(), 0.0)?;
            expand(scope, &zero, &[n, c, before])?
        }
    };
    let all = scope.apply(Concat { axis: 2 }, &[past, x.clone()])?;
    let Laid { windows, .. } = windows(scope, &all.dims()[2..], &[taps])?;
    let bias = scope.optional_tensor(2)?;
    let read = read(scope, &weight, c)?;
    let mut y = of_windows(scope, &all, (&read, weight.dims()), bias, (c, windows))?;
    if matches!(scope.text("activation"), Some("silu" | "swish")) {
        y = applied(scope, Unary { function: One::Swish(1.0) }, &[y])?;
    }
    scope.give_tensor(0, y);
    let start = all.dims()[2].checked_sub(before).ok_or("a state that is too short")?;
    let steps = steps(all.dims());
    let state = scope.apply(StridedCopy { dims: vec![n, c, before], start, steps }, &[all])?;
    scope.give_tensor(1, state);
    Ok(())
}

pub(super) const CALLS: &[CallInfo] = &[row("CausalConvWithState", causal), row("Conv", conv)];
