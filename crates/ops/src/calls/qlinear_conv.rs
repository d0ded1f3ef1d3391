//! Convolutions of bytes with scales, whose parameters are known.

use super::conv::{Laid, channels_last, images, windows};
use super::transpose;
use crate::{DepthwiseQLinearConv, PackInt8, PackTaps, QLinearConv, ToBytes};
use sidestage_ir::{Scope, Stop, Traced};
use sidestage_kernels::Requantize;
use sidestage_tensor::{DType, Tensor};

/// What an operand's integers are without their zero.
struct Known {
    scales: Vec<f32>,
    zeros: Vec<i32>,
}

impl Known {
    /// Scales and zeros, if they are known and of bytes.
    fn new(scale: &Traced, zero: &Traced) -> Option<Self> {
        let scale = scale.known().filter(|scale| scale.dtype() == DType::F32)?;
        let zeros = zero.known().and_then(Tensor::integers)?;
        let zeros = zeros.iter().map(|zero| i32::try_from(*zero).ok()).collect::<Option<_>>()?;
        Some(Self { scales: scale.elements().to_vec(), zeros })
    }

    /// The scale and zero of all.
    fn single(&self) -> Option<(f32, i32)> {
        match (&self.scales[..], &self.zeros[..]) {
            (&[scale], &[zero]) => Some((scale, zero)),
            _ => None,
        }
    }
}

/// `x[n, c, …]` of bytes convolved with `weight[m, c / groups, …]` of bytes, as the call's attributes say
/// (ONNX 10, "QLinearConv"). Operands: x, its scale and zero; those of the weights; the scale and zero of
/// the result. `None`: not all that it takes is known, or of bytes.
pub(super) fn of_bytes(
    scope: &mut Scope<'_, '_>,
    all: &[Traced],
    bias: Option<Traced>,
) -> Result<Option<Traced>, Stop> {
    let [x, x_scale, x_zero, weight, w_scale, w_zero, y_scale, y_zero] = all else {
        return Ok(None);
    };
    let bytes = |of: &Traced| matches!(of.dtype(), DType::I8 | DType::U8);
    let fits = bytes(x) && bytes(weight) && y_zero.dtype() == x.dtype();
    let biased = bias.as_ref().is_none_or(|bias| bias.dtype() == DType::I32);
    let known = [(x_scale, x_zero), (w_scale, w_zero), (y_scale, y_zero)];
    let known = known.map(|(scale, zero)| Known::new(scale, zero));
    let ([Some(of_x), Some(of_weight), Some(of_y)], true, true) = (known, fits, biased) else {
        return Ok(None);
    };
    let (Some((x_scale, x_zero)), Some((y_scale, zero))) = (of_x.single(), of_y.single()) else {
        return Ok(None);
    };
    let (&[_, c, ref spatial @ ..], &[outputs, per, ref taps @ ..]) = (x.dims(), weight.dims())
    else {
        return Ok(None);
    };
    let (rank, groups) = (x.dims().len(), scope.int("group").unwrap_or(1));
    let groups = usize::try_from(groups).unwrap_or(0);
    if groups == 0 || !outputs.is_multiple_of(groups) || per.checked_mul(groups) != Some(c) {
        return Err(Stop::Refused(format!("x of {:?}, weights of {:?}", x.dims(), weight.dims())));
    }
    let Laid { windows, .. } = windows(scope, spatial, taps)?;
    let unsigned = weight.dtype() == DType::U8;
    let moved = if unsigned { 128 } else { 0 };
    let mut zeros: Vec<i32> =
        of_weight.zeros.iter().map(|zero| zero.saturating_sub(moved)).collect();
    if zeros.iter().all(|zero| *zero == 0) {
        zeros.clear();
    }
    let factors = of_weight.scales.iter().map(|scale| x_scale * scale / y_scale).collect();
    let limits = if x.dtype() == DType::I8 { [-128, 127] } else { [0, 255] };
    let to = Requantize::new(factors, zero, limits, x.dtype() == DType::I8);
    let to = ToBytes { x_zero, to };
    let taps: usize = taps.iter().product();
    let weight = scope.view(weight, &[outputs, per, taps])?;
    let order = channels_last(rank);
    let x = scope.in_order(x, &order, transpose)?;
    let x = images(scope, &x)?;
    let apart = per == 1 && outputs == c && zeros.is_empty();
    let y = if apart && DepthwiseQLinearConv::takes(&windows) {
        let weight = scope.view(&weight, &[outputs, taps])?;
        let weight = transpose(scope, &weight, &[1, 0])?;
        let weight = scope.apply(PackTaps { kernel: windows.kernel }, &[weight])?;
        let operands: Vec<Traced> = [x, weight].into_iter().chain(bias).collect();
        scope.apply(DepthwiseQLinearConv { windows, to }, &operands)?
    } else {
        let weight = transpose(scope, &weight, &[0, 2, 1])?;
        let weight = scope.view(&weight, &[groups, outputs / groups, taps * per])?;
        let weight = scope.apply(PackInt8 { transposed: true }, &[weight])?;
        let operands: Vec<Traced> = [x, weight].into_iter().chain(bias).collect();
        scope.apply(QLinearConv { groups, outputs, windows, zeros, to }, &operands)?
    };
    let dims = [&y.dims()[..1], &y.dims()[6 - rank..]].concat();
    let y = scope.view(&y, &dims)?;
    scope.ordered(&y, &order, transpose).map(Some)
}
