//! Numbers times integers, as LiteRT multiplies them: the numbers become integers of 8 bits, with a
//! scale for each row that is found when the model runs. The integers are held as `f32`, in which sums
//! are exact as long as they are under 2^24.

use super::{Affine, cast, of_operand, two};
use crate::calls::reduce::reduced;
use crate::calls::scalar;
use crate::{QuantizeAffine, Where};
use sidestage_ir::{Scope, Stop, Traced};
use sidestage_kernels::{Binary as Two, Reduction};
use sidestage_tensor::DType;

/// The parameters of weights that are integers, where `x` is of numbers.
pub(super) fn weights(
    scope: &Scope<'_, '_>,
    x: usize,
    weight: usize,
) -> Result<Option<Affine>, Stop> {
    let (x, dtype) = (scope.tensor(x)?.dtype(), scope.tensor(weight)?.dtype());
    let hybrid = x == DType::F32 && matches!(dtype, DType::I8 | DType::U8 | DType::I4);
    let of =
        of_operand(scope, weight)?.filter(|of| hybrid && of.zeros.iter().all(|zero| *zero == 0));
    Ok(of)
}

/// Each of so many rows as integers, without their zero, and the scale of each: `[rows, 1]`. `both`:
/// the integers reach from the least to the most, else as far below 0 as above.
pub(super) fn levels(
    scope: &mut Scope<'_, '_>,
    x: &Traced,
    rows: usize,
    both: bool,
) -> Result<[Traced; 2], Stop> {
    let all: usize = x.dims().iter().product();
    let dims = x.dims().to_vec();
    let x = scope.view(x, &[rows, all.checked_div(rows).unwrap_or(0)])?;
    let number = |scope: &Scope<'_, '_>, value: f64| scalar(scope, DType::F32, value);
    let zero = number(scope, 0.0)?;
    let most = reduced(scope, &x, &[1], Reduction::Max, true)?;
    let least = reduced(scope, &x, &[1], Reduction::Min, true)?;
    let (most, least) = (two(scope, Two::Max, &most, &zero)?, two(scope, Two::Min, &least, &zero)?);
    let (range, steps) = if both {
        (two(scope, Two::Sub, &most, &least)?, number(scope, 255.0)?)
    } else {
        let below = two(scope, Two::Sub, &zero, &least)?;
        (two(scope, Two::Max, &most, &below)?, number(scope, 127.0)?)
    };
    // Rows of zeros stay what they are.
    let nothing = two(scope, Two::Equal, &range, &zero)?;
    let range = scope.apply(Where, &[nothing, steps.clone(), range])?;
    let scale = two(scope, Two::Div, &range, &steps)?;
    let inverse = two(scope, Two::Div, &steps, &range)?;
    let mut values = two(scope, Two::Mul, &x, &inverse)?;
    let round = |limits| QuantizeAffine { to: DType::I32, scale: 1.0, zero: 0, limits };
    if both {
        let first = number(scope, -128.0)?;
        let point = two(scope, Two::Mul, &least, &inverse)?;
        let point = two(scope, Two::Sub, &first, &point)?;
        let point = scope.apply(round([-128, 127]), &[point])?;
        let point = cast(scope, &point, DType::F32)?;
        values = two(scope, Two::Add, &values, &point)?;
        let integers = scope.apply(round([-128, 127]), &[values])?;
        let integers = cast(scope, &integers, DType::F32)?;
        values = two(scope, Two::Sub, &integers, &point)?;
    } else {
        let integers = scope.apply(round([-127, 127]), &[values])?;
        values = cast(scope, &integers, DType::F32)?;
    }
    let values = scope.view(&values, &dims)?;
    Ok([values, scale])
}

/// Sums of products of integers, `[rows, …, channels]`, as numbers.
pub(super) fn numbers(
    scope: &mut Scope<'_, '_>,
    sums: &Traced,
    scale: &Traced,
    of: &Affine,
) -> Result<Traced, Stop> {
    let rows = scale.dims()[0];
    let mut dims = vec![1; sums.dims().len()];
    dims[0] = rows;
    let scale = scope.view(scale, &dims)?;
    let scales = super::floats(scope, &[of.scales.len()], &of.scales)?;
    let channels = two(scope, Two::Mul, &scale, &scales)?;
    two(scope, Two::Mul, sums, &channels)
}
