//! Convolutions and products of bytes with scales, whose parameters are known.

use super::conv::{Laid, channels_last, images, windows};
use super::transpose;
use crate::{DepthwiseQLinearConv, PackInt8, PackTaps, QLinearConv, ToBytes};
use sidestage_ir::{Scope, Stop, Traced};
use sidestage_kernels::{Requantize, Windows};
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

/// What stands for 0 in packed weights, and what becomes of sums, if all that it takes is known. Operands:
/// x, its scale and zero; those of the weights; the scale and zero of the result.
fn rounded(all: &[Traced], bias: Option<&Traced>) -> Option<(Vec<i32>, ToBytes)> {
    let [x, x_scale, x_zero, weight, w_scale, w_zero, y_scale, y_zero] = all else { return None };
    let bytes = |of: &Traced| matches!(of.dtype(), DType::I8 | DType::U8);
    let fits = bytes(x) && bytes(weight) && y_zero.dtype() == x.dtype();
    if !fits || bias.is_some_and(|bias| bias.dtype() != DType::I32) {
        return None;
    }
    let (x_scale, x_zero) = Known::new(x_scale, x_zero)?.single()?;
    let of_weight = Known::new(w_scale, w_zero)?;
    let (y_scale, zero) = Known::new(y_scale, y_zero)?.single()?;
    let moved = if weight.dtype() == DType::U8 { 128 } else { 0 };
    let mut zeros: Vec<i32> =
        of_weight.zeros.iter().map(|zero| zero.saturating_sub(moved)).collect();
    if zeros.iter().all(|zero| *zero == 0) {
        zeros.clear();
    }
    let factors = of_weight.scales.iter().map(|scale| x_scale * scale / y_scale).collect();
    let limits = if x.dtype() == DType::I8 { [-128, 127] } else { [0, 255] };
    let to = Requantize::new(factors, zero, limits, x.dtype() == DType::I8);
    Some((zeros, ToBytes { x_zero, to }))
}

/// `x[…, k]` of bytes times known `weight[k, n]` of bytes, or `[n, k]` if it is transposed (ONNX 10,
/// "QLinearMatMul"; ONNX Runtime, "QGemm"), as a convolution of places of one element. The operands are
/// those of [`of_bytes`].
pub(super) fn product(
    scope: &mut Scope<'_, '_>,
    all: &[Traced; 8],
    bias: Option<Traced>,
    transposed: bool,
) -> Result<Option<Traced>, Stop> {
    let (x, weight) = (&all[0], &all[3]);
    let (&[ref outer @ .., _, k], &[down, across]) = (x.dims(), weight.dims()) else {
        return Ok(None);
    };
    let (steps, outputs) = if transposed { (across, down) } else { (down, across) };
    let Some((zeros, to)) = rounded(all, bias.as_ref()) else { return Ok(None) };
    let each = |count: usize| count <= 1 || count == outputs;
    let fits = bias.as_ref().is_none_or(|bias| bias.dims() == [outputs]);
    let known = weight.known().is_some() && each(zeros.len()) && each(to.to.factors().len());
    if steps != k || k == 0 || !known || !fits {
        return Ok(None);
    }
    let dims = [outer, &[x.dims()[outer.len()], outputs]].concat();
    let rows = x.dims().iter().product::<usize>() / k;
    let x = scope.view(x, &[rows, 1, 1, 1, k])?;
    let weight = scope.view(weight, &[1, down, across])?;
    let weight = scope.apply(PackInt8 { transposed }, &[weight])?;
    let one = [1; 3];
    let windows =
        Windows { input: one, output: one, kernel: one, stride: one, dilation: one, pad: [0; 3] };
    let operands: Vec<Traced> = [x, weight].into_iter().chain(bias).collect();
    let y = scope.apply(QLinearConv { groups: 1, outputs, windows, zeros, to }, &operands)?;
    scope.view(&y, &dims).map(Some)
}

/// `x[n, c, …]` of bytes convolved with `weight[m, c / groups, …]` of bytes, as the call's attributes say
/// (ONNX 10, "QLinearConv"). Operands: x, its scale and zero; those of the weights; the scale and zero of
/// the result. `None`: not all that it takes is known, or of bytes.
pub(super) fn of_bytes(
    scope: &mut Scope<'_, '_>,
    all: &[Traced],
    bias: Option<Traced>,
) -> Result<Option<Traced>, Stop> {
    let [x, _, _, weight, ..] = all else { return Ok(None) };
    let Some((zeros, to)) = rounded(all, bias.as_ref()) else { return Ok(None) };
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
