use super::{
    CallInfo, Done, One, S, Two, cast, channels_first, inward, outward, row, sizes, transpose, two,
};
use crate::calls::conv::{Laid, Laying, laid};
use crate::calls::conv_transpose::spread;
use crate::{Conv, DepthwiseConv, Finish, Pack};
use sidestage_ir::{Attribute, Stop, Traced};
use sidestage_kernels::{Activation, Windows};
use sidestage_tensor::DType;

/// An attribute that names a number for each dimension, or for those along which windows move.
pub(super) fn along(scope: &S<'_, '_>, name: &str, rank: usize) -> Result<Vec<usize>, Stop> {
    let wrong = || Stop::Refused(format!("{name} is not sizes of {rank} dimensions"));
    let list = match scope.call().attribute(name) {
        Some(Attribute::Ints(list)) if !list.is_empty() => list.clone(),
        Some(Attribute::Int(one)) => vec![*one; rank],
        _ => return Ok(vec![1; rank]),
    };
    let inner = match list.len() {
        all if all == rank + 2 && channels_first(scope) => &list[2..],
        all if all == rank + 2 => &list[1..=rank],
        all if all == rank => &list[..],
        _ => return Err(wrong()),
    };
    let sizes = inner.iter().map(|size| usize::try_from(*size).ok());
    sizes.collect::<Option<_>>().ok_or_else(wrong)
}

/// The windows of a call over `spatial`, of `kernel`.
pub(super) fn windows(
    scope: &S<'_, '_>,
    spatial: &[usize],
    kernel: &[usize],
    dilations: Vec<usize>,
) -> Result<Laid, Stop> {
    let rank = spatial.len();
    let mut pads = vec![0; 2 * rank];
    let auto = match scope.text("padding").unwrap_or("VALID") {
        "SAME" | "same" => "SAME_UPPER",
        "VALID" | "valid" => "VALID",
        "EXPLICIT" => {
            let list = scope.ints("explicit_paddings").unwrap_or_default();
            let first = if channels_first(scope) { 2 } else { 1 };
            for axis in 0..rank {
                for (side, to) in [(0, axis), (1, rank + axis)] {
                    let pad = list.get(2 * (first + axis) + side).copied().unwrap_or(0);
                    pads[to] = usize::try_from(pad).map_err(|_| "a padding below 0")?;
                }
            }
            "NOTSET"
        }
        other => return Err(Stop::Refused(format!("there is no padding {other}"))),
    };
    let strides = along(
        scope,
        if rank == 1 && scope.int("stride").is_some() { "stride" } else { "strides" },
        rank,
    )?;
    laid(Laying { strides, dilations, pads, auto, ceil: false }, spatial, kernel)
}

/// What a graph optimiser has put into one call with another operator: a function after the bias.
fn function(scope: &S<'_, '_>, name: &[u8]) -> Result<Activation, Stop> {
    Ok(match name {
        b"Relu" => Activation::Clip(0.0, f32::INFINITY),
        b"Relu6" => Activation::Clip(0.0, 6.0),
        b"Elu" => Activation::Unary(One::Elu(1.0)),
        b"Sigmoid" => Activation::Unary(One::Sigmoid),
        b"Tanh" => Activation::Unary(One::Tanh),
        b"LeakyRelu" => {
            Activation::Unary(One::LeakyRelu(scope.float("leakyrelu_alpha").unwrap_or(0.2)))
        }
        other => {
            let name = String::from_utf8_lossy(other);
            return Err(Stop::Refused(format!("{name} in one call with another operator")));
        }
    })
}

/// All that is put into one call: the bias, the slopes of a `Prelu`, and other functions.
pub(super) struct Fused {
    pub(super) bias: Option<Traced>,
    pub(super) slopes: Option<Traced>,
    pub(super) activation: Activation,
}

impl Fused {
    pub(super) fn read(scope: &S<'_, '_>) -> Result<Self, Stop> {
        let names: &[Vec<u8>] = match scope.call().attribute("fused_ops") {
            Some(Attribute::Texts(names)) => names,
            _ => &[],
        };
        let mut fused = Self { bias: None, slopes: None, activation: Activation::None };
        let mut more = 2;
        for (at, name) in names.iter().enumerate() {
            match name.as_slice() {
                b"BiasAdd" if at == 0 => fused.bias = Some(scope.tensor(more)?),
                b"Prelu" if at + 1 == names.len() => fused.slopes = Some(scope.tensor(more)?),
                other if at + 1 == names.len() => {
                    fused.activation = function(scope, other)?;
                    continue;
                }
                _ => return Err("more in one call than a bias and a function".into()),
            }
            more += 1;
        }
        Ok(fused)
    }
}

/// `x[n, …, c]` convolved with `weight[…, c / groups, m]`; depthwise, `weight[…, c, m / c]`.
fn convolved(
    scope: &mut S<'_, '_>,
    x: &Traced,
    weight: &Traced,
    (windows, depthwise): (Windows, bool),
    bias: Option<Traced>,
    activation: Activation,
) -> Result<Traced, Stop> {
    let rank = x.dims().len() - 2;
    let (channels, taps) = (x.dims()[rank + 1], windows.taps());
    let (of, more) = (weight.dims()[rank], weight.dims()[rank + 1]);
    let wrong = || Stop::Refused(format!("{channels} channels, weights of {:?}", weight.dims()));
    let (groups, per) =
        if depthwise { (channels, 1) } else { (channels.checked_div(of).unwrap_or(0), of) };
    let outputs = if depthwise { super::product(&[of, more])? } else { more };
    if groups == 0 || (depthwise && of != channels) || groups * per != channels {
        return Err(wrong());
    }
    if !outputs.is_multiple_of(groups) {
        return Err(wrong());
    }
    let five: Vec<usize> = [x.dims()[0]]
        .into_iter()
        .chain(std::iter::repeat_n(1, 3 - rank))
        .chain(x.dims()[1..].iter().copied())
        .collect();
    let five = scope.view(x, &five)?;
    let finish = Finish { bias: bias.is_some(), activation, ..Finish::default() };
    let y = if depthwise && outputs == channels {
        let weight = scope.view(weight, &[taps, outputs])?;
        let operands: Vec<Traced> = [five, weight].into_iter().chain(bias).collect();
        scope.apply(DepthwiseConv { windows, finish }, &operands)?
    } else {
        let n = outputs / groups;
        let weight = scope.view(weight, &[taps * per, groups, n])?;
        let weight = transpose(scope, &weight, &[1, 0, 2])?;
        let weight = scope.apply(Pack { transposed: false }, &[weight])?;
        let operands: Vec<Traced> = [five, weight].into_iter().chain(bias).collect();
        scope.apply(Conv { groups, outputs, windows, finish }, &operands)?
    };
    let dims = [&y.dims()[..1], &y.dims()[4 - rank..]].concat();
    scope.view(&y, &dims)
}

/// A convolution of `rank` dimensions; `x` may come without the first, the batch.
fn conv(scope: &mut S<'_, '_>, rank: usize, depthwise: bool) -> Done {
    let (x, weight) = (scope.tensor(0)?, scope.tensor(1)?);
    let Fused { bias, slopes, activation } = Fused::read(scope)?;
    let x = cast(scope, &x, DType::F32)?;
    let alone = x.dims().len() == rank + 1;
    let first = channels_first(scope);
    let x = if alone { scope.view(&x, &[&[1], x.dims()].concat())? } else { x };
    if x.dims().len() != rank + 2 || weight.dims().len() != rank + 2 {
        return Err(Stop::Refused(format!("x of {:?}, weights of {:?}", x.dims(), weight.dims())));
    }
    let x = if first { outward(scope, &x)? } else { x };
    let named = rank == 1 && scope.int("dilation").is_some();
    let dilations = along(scope, if named { "dilation" } else { "dilations" }, rank)?;
    let (spatial, kernel) = (&x.dims()[1..=rank], &weight.dims()[..rank]);
    let Laid { windows, .. } = windows(scope, spatial, kernel, dilations)?;
    let y = convolved(scope, &x, &weight, (windows, depthwise), bias, activation)?;
    let y = if first { inward(scope, &y)? } else { y };
    let y = match slopes {
        Some(slopes) => two(scope, Two::PRelu, &y, &slopes)?,
        None => y,
    };
    let y = if alone { scope.view(&y, &y.dims()[1..])? } else { y };
    scope.give_tensor(0, y);
    Ok(())
}

/// The way back of a convolution: its operand's shape, the weights, and what it gave.
fn conv_backprop(scope: &mut S<'_, '_>, rank: usize) -> Done {
    let mut shape = sizes(scope, 0)?;
    let (weight, x) = (scope.tensor(1)?, scope.tensor(2)?);
    let x = cast(scope, &x, DType::F32)?;
    let first = channels_first(scope);
    if x.dims().len() != rank + 2 || weight.dims().len() != rank + 2 {
        return Err(Stop::Refused(format!("x of {:?}, weights of {:?}", x.dims(), weight.dims())));
    }
    // Some say only the dimensions along which the windows move.
    if shape.len() == rank {
        shape =
            if first { [&[0, 0], &shape[..]].concat() } else { [&[0], &shape[..], &[0]].concat() };
    }
    let given = x.dims().to_vec();
    let wrong = || Stop::Refused(format!("x of {given:?} to {shape:?}"));
    if shape.len() != rank + 2 {
        return Err(wrong());
    }
    let spatial = if first { &shape[2..] } else { &shape[1..=rank] };
    let dilations = along(scope, "dilations", rank)?;
    let Laid { windows, .. } = windows(scope, spatial, &weight.dims()[..rank], dilations)?;
    let x = if first { x } else { inward(scope, &x)? };
    if x.dims()[2..] != windows.output[3 - rank..] || x.dims()[1] != weight.dims()[rank + 1] {
        return Err(wrong());
    }
    let order: Vec<usize> = [rank + 1, rank].into_iter().chain(0..rank).collect();
    let weight = transpose(scope, &weight, &order)?;
    let y = spread(scope, [&x, &weight], (1, windows))?;
    let y = if first { y } else { outward(scope, &y)? };
    scope.give_tensor(0, y);
    Ok(())
}

pub(super) const CALLS: &[CallInfo] = &[
    row("TF::Conv1D", |scope| conv(scope, 1, false)),
    row("TF::Conv2D", |scope| conv(scope, 2, false)),
    row("TF::Conv2DBackpropInput", |scope| conv_backprop(scope, 2)),
    row("TF::Conv3D", |scope| conv(scope, 3, false)),
    row("TF::Conv3DBackpropInputV2", |scope| conv_backprop(scope, 3)),
    row("TF::DepthwiseConv2d", |scope| conv(scope, 2, true)),
    row("TF::DepthwiseConv2dNative", |scope| conv(scope, 2, true)),
    row("TF::FusedDepthwiseConv2dNative", |scope| conv(scope, 2, true)),
    row("TF::_FusedConv2D", |scope| conv(scope, 2, false)),
];
