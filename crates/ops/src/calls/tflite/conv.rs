use super::{
    Affine, activated, activated_limits, activation, cast, float, give, hybrid, of_operand,
    of_result, optional_float, result_type, two,
};
use crate::calls::matmul::matmul;
use crate::calls::{CallInfo, row, steps, transpose};
use crate::{
    Col2Im, Conv, DepthwiseConv, DepthwiseQLinearConv, Finish, Pack, PackInt8, PackTaps,
    QLinearConv, QuantizedConv, StridedCopy, ToBytes,
};
use sidestage_ir::{Scope, Stop, Traced};
use sidestage_kernels::{Activation, Binary as Two, Multiplier, Requantize, Windows};
use sidestage_tensor::DType;

/// More elements along a dimension are refused.
const MOST: usize = 1 << 31;

/// A size that is an option; it must not be 0.
pub(super) fn size(scope: &Scope<'_, '_>, name: &str) -> Result<usize, Stop> {
    let size = usize::try_from(scope.int(name).unwrap_or(1)).ok();
    let size = size.filter(|size| (1..MOST).contains(size));
    size.ok_or_else(|| Stop::Refused(format!("{name} must be at least 1")))
}

/// Windows of `kernel` over `input`, as the call's options say; in two dimensions the first is 1.
pub(super) fn laid(
    scope: &Scope<'_, '_>,
    input: [usize; 3],
    kernel: [usize; 3],
    deep: bool,
) -> Result<Windows, Stop> {
    let option = |what: &str, axis: usize, suffix: &str| match axis {
        0 if !deep => Ok(1),
        _ => size(scope, &format!("{what}_{}{suffix}", ["d", "h", "w"][axis])),
    };
    let mut windows =
        Windows { input, output: [1; 3], kernel, stride: [1; 3], dilation: [1; 3], pad: [0; 3] };
    for axis in 0..3 {
        let (stride, dilation) =
            (option("stride", axis, "")?, option("dilation", axis, "_factor")?);
        let reach = kernel[axis].checked_sub(1).and_then(|taps| taps.checked_mul(dilation));
        let reach = reach.filter(|reach| *reach < MOST).ok_or("windows that are too large")? + 1;
        (windows.stride[axis], windows.dilation[axis]) = (stride, dilation);
        if scope.int("padding") == Some(1) {
            let left = input[axis].checked_sub(reach).ok_or("windows that are too large")?;
            windows.output[axis] = left / stride + 1;
        } else {
            let output = input[axis].div_ceil(stride);
            let all = (output.saturating_sub(1) * stride + reach).saturating_sub(input[axis]);
            (windows.output[axis], windows.pad[axis]) = (output, all / 2);
        }
    }
    Ok(windows)
}

/// The four dimensions of an operand.
fn four(x: &Traced) -> Result<[usize; 4], Stop> {
    let four = <[usize; 4]>::try_from(x.dims());
    four.map_err(|_| Stop::Refused(format!("{:?} must have four dimensions", x.dims())))
}

/// `x[n, d, h, w, c]` of numbers convolved with weights that lie as the file has them:
/// `[m, kd, kh, kw, c / groups]`, or `[kd, kh, kw, m]` where each channel is by itself.
fn convolved(
    scope: &mut Scope<'_, '_>,
    x: &Traced,
    weight: &Traced,
    bias: Option<Traced>,
    (windows, groups, activation): (Windows, usize, Activation),
) -> Result<Traced, Stop> {
    let wrong = || Stop::Refused(format!("x of {:?}, weights of {:?}", x.dims(), weight.dims()));
    let finish = Finish { bias: bias.is_some(), activation, ..Finish::default() };
    let (all, taps, channels) = (weight.dims(), windows.taps(), x.dims()[4]);
    let elements: usize = all.iter().product();
    let apart = all.len() == 4;
    let outputs = if apart { all[3] } else { all[0] };
    let per = elements.checked_div(outputs.saturating_mul(taps)).unwrap_or(0);
    let whole = groups > 0 && outputs.is_multiple_of(groups) && per * groups == channels;
    if !whole || per * outputs * taps != elements {
        return Err(wrong());
    }
    if apart && outputs == channels {
        let weight = scope.view(weight, &[taps, channels])?;
        let operands: Vec<Traced> = [x.clone(), weight].into_iter().chain(bias).collect();
        return scope.apply(DepthwiseConv { windows, finish }, &operands);
    }
    let weight = if apart {
        let weight = scope.view(weight, &[taps, outputs])?;
        transpose(scope, &weight, &[1, 0])?
    } else {
        weight.clone()
    };
    let weight = scope.view(&weight, &[groups, outputs / groups, taps * per])?;
    let weight = scope.apply(Pack { transposed: true }, &[weight])?;
    let operands: Vec<Traced> = [x.clone(), weight].into_iter().chain(bias).collect();
    scope.apply(Conv { groups, outputs, windows, finish }, &operands)
}

/// A bias, an activation, and the call's result.
fn finished(scope: &mut Scope<'_, '_>, mut y: Traced, bias: Option<Traced>) -> Result<(), Stop> {
    if let Some(bias) = bias {
        let dims = y.dims().to_vec();
        y = two(scope, Two::Add, &y, &bias)?;
        if y.dims() != dims {
            return Err("a bias that is larger than the result".into());
        }
    }
    let y = activated(scope, y)?;
    give(scope, 0, y)
}

/// The parameters of a convolution of integers: of `x`, the weights and the result. `None`: it is one
/// of numbers.
pub(super) fn scales(
    scope: &Scope<'_, '_>,
    x: usize,
    weight: usize,
) -> Result<Option<[Affine; 3]>, Stop> {
    let dtype = scope.tensor(x)?.dtype();
    let integers = matches!(dtype, DType::I8 | DType::U8 | DType::I16);
    if !integers || result_type(scope, 0) != Some(dtype) {
        return Ok(None);
    }
    let all = (of_operand(scope, x)?, of_operand(scope, weight)?, of_result(scope, 0)?);
    let (Some(x), Some(weight), Some(y)) = all else { return Ok(None) };
    Ok(Some([x, weight, y]))
}

/// Weights without their zero, in 16 bits.
pub(super) fn centered(
    scope: &mut Scope<'_, '_>,
    weight: &Traced,
    of: &Affine,
) -> Result<Traced, Stop> {
    let wide = cast(scope, weight, DType::I16)?;
    let Some(&zero) = of.zeros.first().filter(|zero| **zero != 0) else { return Ok(wide) };
    if of.zeros.iter().any(|other| *other != zero) {
        return Err("weights with several zeros".into());
    }
    let zero = crate::calls::scalar(scope, DType::I16, zero as f64)?;
    two(scope, Two::Sub, &wide, &zero)
}

/// `x[n, h, w, c]` of integers, convolved with `weight[m, kh, kw, c / groups]`, in the result's scale.
pub(super) fn exact(
    scope: &mut Scope<'_, '_>,
    [x, weight]: [&Traced; 2],
    bias: Option<Traced>,
    [of_x, of_weight, of_y]: &[Affine; 3],
    (windows, spread, groups): (Windows, [usize; 2], usize),
) -> Result<Traced, Stop> {
    let all = [of_x, of_weight, of_y];
    if let (Some(weight), [1, 1]) = (whole_bytes(scope, [x, weight])?, spread) {
        let to = to_bytes(scope, x.dtype(), all)?;
        return of_bytes(scope, [x, &weight], bias, (of_weight, to), (windows, groups));
    }
    let weight = centered(scope, weight, of_weight)?;
    let Rounded { x_zero, multipliers, zero, limits } = rounded(scope, x.dtype(), all)?;
    let op = QuantizedConv { groups, windows, spread, x_zero, multipliers, zero, limits };
    let mut operands = vec![x.clone(), weight];
    operands.extend(bias);
    scope.apply(op, &operands)
}

/// What becomes of the sums of a convolution of integers.
struct Rounded {
    x_zero: i32,
    multipliers: Vec<Multiplier>,
    zero: i32,
    limits: [i32; 2],
}

fn to_bytes(scope: &Scope<'_, '_>, dtype: DType, all: [&Affine; 3]) -> Result<ToBytes, Stop> {
    let [of_x, of_weight, of_y] = all;
    let ((x_scale, x_zero), (y_scale, zero)) = (of_x.single()?, of_y.single()?);
    let factors = of_weight.scales.iter().map(|scale| x_scale * scale / y_scale).collect();
    let limits = activated_limits(scope, dtype, (y_scale, zero))?;
    let to = Requantize::new(factors, zero, limits, dtype == DType::I8);
    Ok(ToBytes { x_zero, to })
}

fn rounded(
    scope: &Scope<'_, '_>,
    dtype: DType,
    [of_x, of_weight, of_y]: [&Affine; 3],
) -> Result<Rounded, Stop> {
    let ((x_scale, x_zero), (y_scale, zero)) = (of_x.single()?, of_y.single()?);
    let multiplier =
        |scale: &f32| Multiplier::new(f64::from(x_scale) * f64::from(*scale) / f64::from(y_scale));
    let multipliers = of_weight.scales.iter().map(multiplier).collect();
    let limits = activated_limits(scope, dtype, (y_scale, zero))?;
    Ok(Rounded { x_zero, multipliers, zero, limits })
}

/// The weights as bytes, if `x` and they are of at most 8 bits.
fn whole_bytes(
    scope: &mut Scope<'_, '_>,
    [x, weight]: [&Traced; 2],
) -> Result<Option<Traced>, Stop> {
    if !matches!(x.dtype(), DType::I8 | DType::U8) {
        return Ok(None);
    }
    match weight.dtype() {
        DType::I8 | DType::U8 => Ok(Some(weight.clone())),
        DType::I4 | DType::I2 => cast(scope, weight, DType::I8).map(Some),
        _ => Ok(None),
    }
}

/// What stands for 0 in packed weights; none, if that is 0.
fn packed_zeros(of: &Affine, dtype: DType) -> Result<Vec<i32>, Stop> {
    let moved = if dtype == DType::U8 { 128 } else { 0 };
    let zero = |zero: &i64| {
        i32::try_from(zero.saturating_sub(moved)).map_err(|_| "a zero that is too large")
    };
    let zeros = of.zeros.iter().map(zero).collect::<Result<Vec<_>, _>>()?;
    Ok(if zeros.iter().all(|zero| *zero == 0) { Vec::new() } else { zeros })
}

/// As [`exact`], of bytes.
fn of_bytes(
    scope: &mut Scope<'_, '_>,
    [x, weight]: [&Traced; 2],
    bias: Option<Traced>,
    (of_weight, to): (&Affine, ToBytes),
    (windows, groups): (Windows, usize),
) -> Result<Traced, Stop> {
    let ([n, h, w, c], [outputs, kh, kw, per]) = (four(x)?, four(weight)?);
    let zeros = packed_zeros(of_weight, weight.dtype())?;
    let each = outputs.checked_div(groups).unwrap_or(0);
    let weight = scope.view(weight, &[groups, each, kh * kw * per])?;
    let weight = scope.apply(PackInt8 { transposed: true }, &[weight])?;
    let x = scope.view(x, &[n, 1, h, w, c])?;
    let operands: Vec<Traced> = [x, weight].into_iter().chain(bias).collect();
    let y = scope.apply(QLinearConv { groups, outputs, windows, zeros, to }, &operands)?;
    scope.view(&y, &[n, windows.output[1], windows.output[2], outputs])
}

/// Each channel by itself, of bytes, with weights as the file has them: `[1, kh, kw, c]`. `None`: there
/// is no kernel for them.
fn apart(
    scope: &mut Scope<'_, '_>,
    [x, weight]: [&Traced; 2],
    bias: Option<Traced>,
    [of_x, of_weight, of_y]: &[Affine; 3],
    windows: Windows,
) -> Result<Option<Traced>, Stop> {
    let ([n, h, w, c], [_, kh, kw, outputs]) = (four(x)?, four(weight)?);
    let Some(weight) = whole_bytes(scope, [x, weight])? else { return Ok(None) };
    let symmetric = packed_zeros(of_weight, weight.dtype())?.is_empty();
    if outputs != c || !symmetric || !DepthwiseQLinearConv::takes(&windows) {
        return Ok(None);
    }
    let to = to_bytes(scope, x.dtype(), [of_x, of_weight, of_y])?;
    let weight = scope.view(&weight, &[kh * kw, c])?;
    let weight = scope.apply(PackTaps { kernel: [1, kh, kw] }, &[weight])?;
    let x = scope.view(x, &[n, 1, h, w, c])?;
    let operands: Vec<Traced> = [x, weight].into_iter().chain(bias).collect();
    let y = scope.apply(DepthwiseQLinearConv { windows, to }, &operands)?;
    scope.view(&y, &[n, windows.output[1], windows.output[2], c]).map(Some)
}

/// A convolution of numbers in two dimensions; `apart`: with the weights of channels by themselves.
fn of_numbers(
    scope: &mut Scope<'_, '_>,
    windows: Windows,
    groups: usize,
    apart: bool,
) -> Result<(), Stop> {
    let hybrid = hybrid::weights(scope, 0, 1)?;
    let activation = activation(scope)?;
    let mut x = float(scope, 0)?;
    let [n, h, w, c] = four(&x)?;
    let (weight, scale) = match &hybrid {
        None => (float(scope, 1)?, None),
        Some(of) => {
            let weight = scope.tensor(1)?;
            let both = apart || of.scales.len() > 1;
            let [values, scale] = hybrid::levels(scope, &x, n, both)?;
            x = values;
            (cast(scope, &weight, DType::F32)?, Some(scale))
        }
    };
    let bias = optional_float(scope, 2)?;
    let x = scope.view(&x, &[n, 1, h, w, c])?;
    let [first, kh, kw, last] = four(&weight)?;
    let (weight, m) = match apart {
        true => (weight, last),
        false => (scope.view(&weight, &[first, 1, kh, kw, last])?, first),
    };
    let dims = [n, windows.output[1], windows.output[2], m];
    let Some((of, scale)) = hybrid.zip(scale) else {
        let y = convolved(scope, &x, &weight, bias, (windows, groups, activation))?;
        let y = scope.view(&y, &dims)?;
        return give(scope, 0, y);
    };
    let y = convolved(scope, &x, &weight, None, (windows, groups, Activation::None))?;
    let y = scope.view(&y, &dims)?;
    let y = hybrid::numbers(scope, &y, &scale, &of)?;
    finished(scope, y, bias)
}

fn conv(scope: &mut Scope<'_, '_>) -> Result<(), Stop> {
    let (x, weight) = (scope.tensor(0)?, scope.tensor(1)?);
    let ([_, h, w, c], [_, kh, kw, per_group]) = (four(&x)?, four(&weight)?);
    let windows = laid(scope, [1, h, w], [1, kh, kw], false)?;
    let groups = c.checked_div(per_group).unwrap_or(0);
    if let Some(scales) = scales(scope, 0, 1)? {
        let bias = scope.optional_tensor(2)?;
        let y = exact(scope, [&x, &weight], bias, &scales, (windows, [1; 2], groups))?;
        scope.give_tensor(0, y);
        return Ok(());
    }
    of_numbers(scope, windows, groups, false)
}

/// Each channel by itself: the weights `[1, kh, kw, m]` are `[m, kh, kw, 1]`.
fn depthwise(scope: &mut Scope<'_, '_>) -> Result<(), Stop> {
    let (x, weight) = (scope.tensor(0)?, scope.tensor(1)?);
    let ([_, h, w, c], [one, kh, kw, _]) = (four(&x)?, four(&weight)?);
    if one != 1 {
        return Err(Stop::Refused(format!("weights of {:?}", weight.dims())));
    }
    let windows = laid(scope, [1, h, w], [1, kh, kw], false)?;
    if let Some(scales) = scales(scope, 0, 1)? {
        let bias = scope.optional_tensor(2)?;
        let y = match apart(scope, [&x, &weight], bias.clone(), &scales, windows)? {
            Some(y) => y,
            None => {
                let weight = transpose(scope, &weight, &[3, 1, 2, 0])?;
                exact(scope, [&x, &weight], bias, &scales, (windows, [1; 2], c))?
            }
        };
        scope.give_tensor(0, y);
        return Ok(());
    }
    of_numbers(scope, windows, c, true)
}

/// In three dimensions; the weights `[kd, kh, kw, c, m]` are `[m, kd, kh, kw, c]`.
fn conv_3d(scope: &mut Scope<'_, '_>) -> Result<(), Stop> {
    let (x, weight) = (float(scope, 0)?, float(scope, 1)?);
    let bias = optional_float(scope, 2)?;
    let wrong = || Stop::Refused(format!("x of {:?}, weights of {:?}", x.dims(), weight.dims()));
    let (&[_, d, h, w, c], &[kd, kh, kw, per_group, _]) = (x.dims(), weight.dims()) else {
        return Err(wrong());
    };
    let windows = laid(scope, [d, h, w], [kd, kh, kw], true)?;
    let weight = transpose(scope, &weight, &[4, 0, 1, 2, 3])?;
    let groups = c.checked_div(per_group).unwrap_or(0);
    let activation = activation(scope)?;
    let y = convolved(scope, &x, &weight, bias, (windows, groups, activation))?;
    give(scope, 0, y)
}

/// The windows of the result that belong to the elements of `input`: their number is given.
fn laid_back(
    scope: &Scope<'_, '_>,
    input: [usize; 3],
    output: [usize; 3],
    kernel: [usize; 3],
    deep: bool,
) -> Result<Windows, Stop> {
    let windows = laid(scope, output, kernel, deep)?;
    if windows.output != input {
        return Err(Stop::Refused(format!("{output:?} of {input:?} by windows of {kernel:?}")));
    }
    Ok(windows)
}

/// `x[n, d, h, w, c]`, each element times `weight[m, kd, kh, kw, c]` a window of the result.
fn spread(
    scope: &mut Scope<'_, '_>,
    x: &Traced,
    weight: &Traced,
    windows: Windows,
) -> Result<Traced, Stop> {
    let (n, c, m) = (x.dims()[0], x.dims()[4], weight.dims()[0]);
    if weight.dims()[4] != c {
        return Err(Stop::Refused(format!("x of {:?}, weights of {:?}", x.dims(), weight.dims())));
    }
    let rows = m.checked_mul(windows.taps()).ok_or("weights that are too large")?;
    let weight = scope.view(weight, &[rows, c])?;
    let x = scope.view(x, &[n, windows.outputs(), c])?;
    let x = transpose(scope, &x, &[0, 2, 1])?;
    let columns = matmul(scope, &weight, &x)?;
    let y = scope.apply(Col2Im { windows }, &[columns])?;
    transpose(scope, &y, &[0, 2, 3, 4, 1])
}

/// Operands: the result's shape, weights, `x`, bias.
fn transposed(scope: &mut Scope<'_, '_>) -> Result<(), Stop> {
    let shape = scope.integers(0)?.ok_or("the shape is missing")?;
    let (weight, x) = (scope.tensor(1)?, scope.tensor(2)?);
    let ([n, h, w, c], [m, kh, kw, _]) = (four(&x)?, four(&weight)?);
    let size = |at: usize| {
        let size = shape.get(at).and_then(|dim| usize::try_from(*dim).ok());
        size.filter(|size| *size < MOST).ok_or("a shape that is none")
    };
    let (height, width) = (size(1)?, size(2)?);
    upsampled(scope, [&x, &weight], [n, h, w, c], [m, kh, kw], [height, width], (2, 1, 3))
}

/// A transposed convolution of [`transposed`]'s kind, of operands with these numbers.
fn upsampled(
    scope: &mut Scope<'_, '_>,
    [x, weight]: [&Traced; 2],
    [n, h, w, c]: [usize; 4],
    [m, kh, kw]: [usize; 3],
    [height, width]: [usize; 2],
    (of_x, of_weight, of_bias): (usize, usize, usize),
) -> Result<(), Stop> {
    let windows = laid_back(scope, [1, h, w], [1, height, width], [1, kh, kw], false)?;
    if let Some(scales) = scales(scope, of_x, of_weight)? {
        // As a convolution of elements with zeros between them, of weights from last to first.
        let (dims, mut by) = (weight.dims().to_vec(), steps(weight.dims()));
        let per_kernel = kh * kw * c;
        if dims[3] != c || per_kernel == 0 {
            return Err(Stop::Refused(format!("x of {:?}, weights of {dims:?}", x.dims())));
        }
        (by[1], by[2]) = (-by[1], -by[2]);
        let turned = StridedCopy { dims, start: (kh * kw - 1) * c, steps: by };
        let weight = scope.apply(turned, std::slice::from_ref(weight))?;
        let pad = |axis: usize, taps: usize| {
            let pad = (taps - 1).checked_sub(windows.pad[axis]);
            pad.ok_or("more padding than a window has")
        };
        let pad = [0, pad(1, kh)?, pad(2, kw)?];
        let spread = [windows.stride[1], windows.stride[2]];
        let (input, output) = ([1, h, w], [1, height, width]);
        let windows = Windows { input, output, stride: [1; 3], pad, ..windows };
        let bias = scope.optional_tensor(of_bias)?;
        let y = exact(scope, [x, &weight], bias, &scales, (windows, spread, 1))?;
        scope.give_tensor(0, y);
        return Ok(());
    }
    let (x, weight) = (float(scope, of_x)?, float(scope, of_weight)?);
    let bias = optional_float(scope, of_bias)?;
    let x = scope.view(&x, &[n, 1, h, w, c])?;
    let weight = scope.view(&weight, &[m, 1, kh, kw, weight.dims()[3]])?;
    let y = spread(scope, &x, &weight, windows)?;
    let y = scope.view(&y, &[n, height, width, m])?;
    finished(scope, y, bias)
}

/// MediaPipe's `Convolution2DTransposeBias`: as large as the windows reach, or the stride says.
fn with_bias(scope: &mut Scope<'_, '_>) -> Result<(), Stop> {
    let (x, weight) = (scope.tensor(0)?, scope.tensor(1)?);
    let ([n, h, w, c], [m, kh, kw, _]) = (four(&x)?, four(&weight)?);
    let all = |dim: usize, name: &str, taps: usize| {
        let stride = size(scope, name)?;
        let all = match scope.int("padding") {
            Some(1) => {
                dim.saturating_sub(1).checked_mul(stride).and_then(|all| all.checked_add(taps))
            }
            _ => dim.checked_mul(stride),
        };
        all.filter(|all| *all < MOST).ok_or_else(|| Stop::from("a result that is too large"))
    };
    let (height, width) = (all(h, "stride_h", kh)?, all(w, "stride_w", kw)?);
    upsampled(scope, [&x, &weight], [n, h, w, c], [m, kh, kw], [height, width], (0, 1, 2))
}

/// Operands as [`transposed`]'s; the weights are `[kd, kh, kw, m, c]`.
fn transposed_3d(scope: &mut Scope<'_, '_>) -> Result<(), Stop> {
    let shape = scope.integers(0)?.ok_or("the shape is missing")?;
    let (weight, x) = (float(scope, 1)?, float(scope, 2)?);
    let bias = optional_float(scope, 3)?;
    let wrong = || Stop::Refused(format!("x of {:?}, weights of {:?}", x.dims(), weight.dims()));
    let sizes: Vec<usize> = shape.iter().filter_map(|dim| usize::try_from(*dim).ok()).collect();
    let (&[_, d, h, w, _], &[kd, kh, kw, ..], &[_, od, oh, ow, _]) =
        (x.dims(), weight.dims(), &sizes[..])
    else {
        return Err(wrong());
    };
    if weight.dims().len() != 5 || sizes.iter().any(|size| *size >= MOST) {
        return Err(wrong());
    }
    let windows = laid_back(scope, [d, h, w], [od, oh, ow], [kd, kh, kw], true)?;
    let weight = transpose(scope, &weight, &[3, 0, 1, 2, 4])?;
    let y = spread(scope, &x, &weight, windows)?;
    finished(scope, y, bias)
}

pub(in crate::calls) const CALLS: &[CallInfo] = &[
    row("TFLITE::CONV_2D", conv),
    row("TFLITE::CONV_3D", conv_3d),
    row("TFLITE::CONV_3D_TRANSPOSE", transposed_3d),
    row("TFLITE::Convolution2DTransposeBias", with_bias),
    row("TFLITE::DEPTHWISE_CONV_2D", depthwise),
    row("TFLITE::TRANSPOSE_CONV", transposed),
];
