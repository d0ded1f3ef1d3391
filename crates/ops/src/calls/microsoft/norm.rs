//! Norms over the last dimensions, by the operators of the language models. Means and deviations are not
//! given: only training reads them.

use super::{CallInfo, axis, biased, cast, row};
use crate::{LayerNormalization, RmsNormalization};
use sidestage_ir::{Scope, Stop, Traced};
use sidestage_tensor::DType;

/// `x`, each group of the weight's length normalised: by its root mean square, or to mean 0 and
/// variance 1.
pub(super) fn normalized(
    scope: &mut Scope<'_, '_>,
    x: &Traced,
    weight: &Traced,
    bias: Option<&Traced>,
    (rms, epsilon): (bool, f32),
) -> Result<Traced, Stop> {
    let width: usize = weight.dims().iter().product();
    let all: usize = x.dims().iter().product();
    if width == 0 || !all.is_multiple_of(width) {
        return Err(Stop::Refused(format!("a weight of {:?} for {:?}", weight.dims(), x.dims())));
    }
    let mut vector = |of: &Traced| {
        let of = cast(scope, of, DType::F32)?;
        scope.view(&of, &[width])
    };
    let mut operands = vec![vector(weight)?];
    if let Some(bias) = bias {
        operands.push(vector(bias)?);
    }
    let wide = cast(scope, x, DType::F32)?;
    operands.insert(0, scope.view(&wide, &[all / width, width])?);
    let y = match rms {
        true => scope.apply(RmsNormalization { epsilon }, &operands)?,
        false => scope.apply(LayerNormalization { group: width, epsilon }, &operands)?,
    };
    let y = scope.view(&y, x.dims())?;
    cast(scope, &y, x.dtype())
}

/// ONNX Runtime writes it in the domain of ONNX too.
fn simplified(scope: &mut Scope<'_, '_>) -> Result<(), Stop> {
    let (x, weight) = (scope.tensor(0)?, scope.tensor(1)?);
    let first = axis(scope.int("axis").unwrap_or(-1), x.dims().len())?;
    let inner: usize = x.dims()[first..].iter().product();
    if weight.dims().iter().product::<usize>() != inner {
        return Err(Stop::Refused(format!("a weight of {:?} for {inner} values", weight.dims())));
    }
    let epsilon = scope.float("epsilon").unwrap_or(1e-5);
    let y = normalized(scope, &x, &weight, None, (true, epsilon))?;
    scope.give_tensor(0, y);
    Ok(())
}

/// The norm of a sum, and the sum.
fn skip(scope: &mut Scope<'_, '_>, rms: bool) -> Result<(), Stop> {
    let (x, skip, weight) = (scope.tensor(0)?, scope.tensor(1)?, scope.tensor(2)?);
    let beta = if rms { None } else { scope.optional_tensor(3)? };
    let bias = scope.optional_tensor(if rms { 3 } else { 4 })?;
    let dims = x.dims().to_vec();
    let sum = biased(scope, x, Some(&skip))?;
    let sum = biased(scope, sum, bias.as_ref())?;
    if sum.dims() != dims || dims.last() != weight.dims().last() {
        return Err(Stop::Refused(format!("{:?} and a weight of {:?}", dims, weight.dims())));
    }
    let epsilon = scope.float("epsilon").unwrap_or(1e-12);
    let y = normalized(scope, &sum, &weight, beta.as_ref(), (rms, epsilon))?;
    scope.give_tensor(3, sum);
    scope.give_tensor(0, y);
    Ok(())
}

pub(crate) const CALLS: &[CallInfo] = &[
    row("SimplifiedLayerNormalization", simplified),
    row("com.microsoft::SimplifiedLayerNormalization", simplified),
    row("com.microsoft::SkipLayerNormalization", |scope| skip(scope, false)),
    row("com.microsoft::SkipSimplifiedLayerNormalization", |scope| skip(scope, true)),
];
