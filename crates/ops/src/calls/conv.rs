use super::{CallInfo, cast, expand, row, scalar, steps};
use crate::{Concat, Conv, StridedCopy, Unary};
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

/// The windows that a call's attributes describe (ONNX, "Conv" and the pools): over `spatial`, of
/// `kernel`.
pub(super) fn windows(
    scope: &Scope<'_, '_>,
    spatial: &[usize],
    kernel: &[usize],
) -> Result<Laid, Stop> {
    let rank = spatial.len();
    if rank == 0 || rank > 3 || kernel.len() != rank {
        return Err(Stop::Refused(format!("windows of {kernel:?} over {spatial:?}")));
    }
    let strides = sizes(scope, "strides", rank, 1)?;
    let dilations = sizes(scope, "dilations", rank, 1)?;
    let mut pads = sizes(scope, "pads", 2 * rank, 0)?;
    if strides.contains(&0) || dilations.contains(&0) {
        return Err("strides and dilations must be at least 1".into());
    }
    let ceil = scope.int("ceil_mode") == Some(1);
    let auto = scope.text("auto_pad").unwrap_or("NOTSET");
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

/// `x` convolved as the call's attributes say.
pub(super) fn convolved(
    scope: &mut Scope<'_, '_>,
    x: &Traced,
    weight: &Traced,
    bias: Option<Traced>,
) -> Result<Traced, Stop> {
    if x.dims().len() < 3 || weight.dims().len() != x.dims().len() {
        return Err(Stop::Refused(format!("x of {:?}, weights of {:?}", x.dims(), weight.dims())));
    }
    let Laid { windows, .. } = windows(scope, &x.dims()[2..], &weight.dims()[2..])?;
    let groups = usize::try_from(scope.int("group").unwrap_or(1)).unwrap_or(0);
    let spatial = 5 - (x.dims().len() - 2)..5;
    let mut operands =
        vec![scope.view(x, &five(x.dims()))?, scope.view(weight, &five(weight.dims()))?];
    operands.extend(bias);
    let y = applied(scope, Conv { groups, windows }, &operands)?;
    let dims = [&y.dims()[..2], &y.dims()[spatial]].concat();
    scope.view(&y, &dims)
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
    let mut operands =
        vec![scope.view(&all, &five(all.dims()))?, scope.view(&weight, &five(weight.dims()))?];
    operands.extend(scope.optional_tensor(2)?);
    let mut y = applied(scope, Conv { groups: c, windows }, &operands)?;
    if matches!(scope.text("activation"), Some("silu" | "swish")) {
        y = applied(scope, Unary { function: One::Swish(1.0) }, &[y])?;
    }
    let y = scope.view(&y, &[n, c, y.dims()[4]])?;
    scope.give_tensor(0, y);
    let start = all.dims()[2].checked_sub(before).ok_or("a state that is too short")?;
    let steps = steps(all.dims());
    let state = scope.apply(StridedCopy { dims: vec![n, c, before], start, steps }, &[all])?;
    scope.give_tensor(1, state);
    Ok(())
}

pub(super) const CALLS: &[CallInfo] = &[row("CausalConvWithState", causal), row("Conv", conv)];
