use super::conv::{Laid, applied, sizes, windows};
use super::matmul::matmul;
use super::{CallInfo, cast, row, transpose};
use crate::{Binary, Col2Im};
use sidestage_ir::{Scope, Stop, Traced};
use sidestage_kernels::{Binary as Two, Windows};
use sidestage_tensor::DType;

/// More elements along a dimension are refused.
const MOST: usize = 1 << 31;

/// Windows of the result whose number is that of the elements of `x` (ONNX 22, "ConvTranspose").
fn laid(scope: &Scope<'_, '_>, spatial: &[usize], kernel: &[usize]) -> Result<Windows, Stop> {
    let rank = spatial.len();
    let list = |name, count, default| sizes(scope, name, count, default);
    let (strides, dilations) = (list("strides", rank, 1)?, list("dilations", rank, 1)?);
    let (pads, more) = (list("pads", 2 * rank, 0)?, list("output_padding", rank, 0)?);
    let shape = match scope.ints("output_shape") {
        // Some files name the channels, too.
        Some(shape) if shape.len() == rank + 2 => {
            let spatial = shape[2..].iter().map(|dim| usize::try_from(*dim));
            Some(spatial.collect::<Result<Vec<_>, _>>().map_err(|_| "a size below 0")?)
        }
        Some(_) => Some(list("output_shape", rank, 0)?),
        None => None,
    };
    let auto = scope.text("auto_pad").unwrap_or("NOTSET");
    if strides.contains(&0) || dilations.contains(&0) {
        return Err("strides and dilations must be at least 1".into());
    }
    let one = [1; 3];
    let mut windows =
        Windows { input: one, output: one, kernel: one, stride: one, dilation: one, pad: [0; 3] };
    for axis in 0..rank {
        let (dim, stride) = (spatial[axis], strides[axis]);
        let all = kernel[axis]
            .checked_sub(1)
            .and_then(|taps| taps.checked_mul(dilations[axis]))
            .and_then(|reach| reach.checked_add(1)?.checked_add(more[axis]))
            .and_then(|reach| dim.saturating_sub(1).checked_mul(stride)?.checked_add(reach))
            .filter(|all| *all < MOST)
            .ok_or("windows that are too large")?;
        let wanted = match &shape {
            Some(shape) => Some(shape[axis]),
            None if auto.starts_with("SAME") => dim.checked_mul(stride),
            None => None,
        };
        let (output, pad) = match wanted {
            Some(output) => {
                let gone = all.saturating_sub(output);
                (output, if auto == "SAME_UPPER" { gone / 2 } else { gone.div_ceil(2) })
            }
            None if auto == "VALID" => (all, 0),
            None => {
                let left =
                    all.checked_sub(pads[axis]).and_then(|l| l.checked_sub(pads[rank + axis]));
                (left.ok_or("the pads take everything away")?, pads[axis])
            }
        };
        if output >= MOST {
            return Err("windows that are too large".into());
        }
        let at = 3 - rank + axis;
        windows.input[at] = output;
        windows.output[at] = dim;
        windows.kernel[at] = kernel[axis];
        windows.stride[at] = stride;
        windows.dilation[at] = dilations[axis];
        windows.pad[at] = pad;
    }
    Ok(windows)
}

/// `y` and the bias of its channels.
pub(super) fn biased(
    scope: &mut Scope<'_, '_>,
    y: Traced,
    bias: Option<Traced>,
) -> Result<Traced, Stop> {
    let Some(bias) = bias else { return Ok(y) };
    let mut dims = vec![1; y.dims().len() - 1];
    dims[0] = bias.dims().iter().product();
    let bias = cast(scope, &bias, y.dtype())?;
    let bias = scope.view(&bias, &dims)?;
    scope.apply(Binary { function: Two::Add }, &[y, bias])
}

/// Each element of `x[n, c, …]` times `weight[c, m / groups, …]` is a window of the result, in F32.
pub(super) fn spread(
    scope: &mut Scope<'_, '_>,
    [x, weight]: [&Traced; 2],
    (groups, windows): (usize, Windows),
) -> Result<Traced, Stop> {
    let ([n, c, spatial @ ..], [_, per_group, ..]) = (x.dims(), weight.dims()) else {
        return Err("x and the weights must have channels".into());
    };
    let rows = per_group.checked_mul(windows.taps()).ok_or("weights that are too large")?;
    let singles = [cast(scope, x, DType::F32)?, cast(scope, weight, DType::F32)?];
    let flat = scope.view(&singles[0], &[*n, groups, c / groups, windows.outputs()])?;
    let weight = scope.view(&singles[1], &[groups, c / groups, rows])?;
    let weight = transpose(scope, &weight, &[0, 2, 1])?;
    let columns = matmul(scope, &weight, &flat)?;
    let columns = scope.view(&columns, &[*n, groups * rows, windows.outputs()])?;
    let y = scope.apply(Col2Im { windows }, &[columns])?;
    let dims = [&y.dims()[..2], &y.dims()[5 - spatial.len()..]].concat();
    scope.view(&y, &dims)
}

fn conv_transpose(scope: &mut Scope<'_, '_>) -> Result<(), Stop> {
    let (x, weight) = (scope.tensor(0)?, scope.tensor(1)?);
    let dtype = x.dtype();
    let wrong = || Stop::Refused(format!("x of {:?}, weights of {:?}", x.dims(), weight.dims()));
    let ([_, c, spatial @ ..], [own, _, kernel @ ..]) = (x.dims(), weight.dims()) else {
        return Err(wrong());
    };
    let groups = usize::try_from(scope.int("group").unwrap_or(1)).unwrap_or(0);
    let fits =
        groups > 0 && c == own && c.is_multiple_of(groups) && (1..=3).contains(&spatial.len());
    if !fits || kernel.len() != spatial.len() {
        return Err(wrong());
    }
    let windows = laid(scope, spatial, kernel)?;
    let y = spread(scope, [&x, &weight], (groups, windows))?;
    let bias = scope.optional_tensor(2)?;
    let y = biased(scope, y, bias)?;
    let y = cast(scope, &y, dtype)?;
    scope.give_tensor(0, y);
    Ok(())
}

fn col2im(scope: &mut Scope<'_, '_>) -> Result<(), Stop> {
    let x = scope.tensor(0)?;
    let list = |index: usize| -> Result<Vec<usize>, Stop> {
        let list = scope.integers(index)?.ok_or("a shape is missing")?;
        let sizes = list.into_iter().map(|dim| usize::try_from(dim).ok().filter(|dim| *dim < MOST));
        Ok(sizes.collect::<Option<_>>().ok_or("a size that is none")?)
    };
    let (image, block) = (list(1)?, list(2)?);
    let Laid { windows, .. } = windows(scope, &image, &block)?;
    let product = |dims: &[usize]| dims.iter().try_fold(1_usize, |all, dim| all.checked_mul(*dim));
    if [windows.input, windows.output, windows.kernel].iter().any(|dims| product(dims).is_none()) {
        return Err("an image that is too large".into());
    }
    let y = applied(scope, Col2Im { windows }, &[x])?;
    let dims = [&y.dims()[..2], &y.dims()[5 - image.len()..]].concat();
    let y = scope.view(&y, &dims)?;
    scope.give_tensor(0, y);
    Ok(())
}

pub(super) const CALLS: &[CallInfo] =
    &[row("Col2Im", col2im), row("ConvTranspose", conv_transpose)];
