use super::{CallInfo, Done, S, axis, cast, common, integers, list, row};
use crate::Arg;
use crate::calls::arg::rows_along;
use crate::calls::axes;
use crate::calls::reduce::reduced;
use sidestage_ir::Stop;
use sidestage_kernels::Reduction;
use sidestage_tensor::DType;

/// Over the axes of the second operand; `of` gives the type in which it is computed.
fn reduce(
    scope: &mut S<'_, '_>,
    reduction: Reduction,
    of: impl Fn(DType) -> DType,
    truths: bool,
) -> Done {
    let x = scope.tensor(0)?;
    let gone = axes(&integers(scope, 1)?, x.dims().len())?;
    let keep = scope.int("keep_dims") == Some(1);
    let x = cast(scope, &x, of(x.dtype()))?;
    let y = reduced(scope, &x, &gone, reduction, keep)?;
    let y = if truths { cast(scope, &y, DType::Bool)? } else { y };
    scope.give_tensor(0, y);
    Ok(())
}

fn numeric(dtype: DType) -> DType {
    common(dtype, DType::I32)
}

fn arg(scope: &mut S<'_, '_>, largest: bool) -> Done {
    let x = scope.tensor(0)?;
    let at = match scope.optional_tensor(1)? {
        Some(_) => super::integer(scope, 1)?,
        None => 0,
    };
    let at = axis(at, x.dims().len())?;
    let (rows, _) = rows_along(scope, &x, at)?;
    let y = scope.apply(Arg { largest, last: false }, &[rows])?;
    let mut dims = x.dims().to_vec();
    dims.remove(at);
    let y = scope.view(&y, &dims)?;
    let y = cast(scope, &y, DType::I32)?;
    scope.give_tensor(0, y);
    Ok(())
}

/// How often each number occurs, or the sum of its weights.
fn bincount(scope: &mut S<'_, '_>) -> Done {
    let x = scope.tensor(0)?;
    let places = integers(scope, 0)?;
    let size = usize::try_from(super::integer(scope, 1)?).ok().filter(|size| *size < 1 << 31);
    let size = size.ok_or("a size that is none")?;
    let weights = super::numbers(scope, 2)?;
    let binary = scope.int("binary_output") == Some(1);
    let (rows, width) = match *x.dims() {
        [width] => (1, width),
        [rows, width] => (rows, width),
        _ => return Err(Stop::Refused(format!("x of {:?}", x.dims()))),
    };
    let mut counts = vec![0.0_f64; super::product(&[rows, size])?];
    for (at, place) in places.iter().enumerate() {
        let place = usize::try_from(*place).map_err(|_| "a number below 0")?;
        if place < size {
            let count = &mut counts[at / width.max(1) * size + place];
            let weight = weights.get(at).copied().unwrap_or(1.0);
            *count = if binary { 1.0 } else { *count + weight };
        }
    }
    let floats = scope.optional_tensor(2)?.is_some_and(|weights| weights.dtype() == DType::F32);
    let bytes = counts.iter().flat_map(|count| match floats {
        true => (*count as f32).to_le_bytes(),
        false => (*count as i32).to_le_bytes(),
    });
    let bytes: Vec<u8> = bytes.collect();
    let dtype = if floats { DType::F32 } else { DType::I32 };
    let dims = if x.dims().len() == 1 { vec![size] } else { vec![rows, size] };
    let tensor = sidestage_tensor::Tensor::new(dtype, &dims, &bytes).map_err(|_| "no memory")?;
    let y = scope.constant(tensor);
    scope.give_tensor(0, y);
    Ok(())
}

/// The first place at which a value can stand in a row that is in order; the last, if `after`.
fn bound(scope: &mut S<'_, '_>, after: bool) -> Done {
    let (rows, values) = (scope.tensor(0)?, scope.tensor(1)?);
    let (&[count, width], &[other, wanted]) = (rows.dims(), values.dims()) else {
        return Err("the rows and the values must be matrices".into());
    };
    if count != other {
        return Err("there must be values for each row".into());
    }
    let (sorted, wanted_values) = (super::numbers(scope, 0)?, super::numbers(scope, 1)?);
    let places = wanted_values.iter().enumerate().map(|(at, value)| {
        let row = &sorted[at / wanted.max(1) * width..][..width];
        row.partition_point(|one| if after { one <= value } else { one < value }) as i64
    });
    let places: Vec<i64> = places.collect();
    let y = list(scope, values.dims(), &places)?;
    scope.give_tensor(0, y);
    Ok(())
}

pub(super) const CALLS: &[CallInfo] = &[
    row("TF::All", |scope| reduce(scope, Reduction::Min, |_| DType::I32, true)),
    row("TF::Any", |scope| reduce(scope, Reduction::Max, |_| DType::I32, true)),
    row("TF::ArgMax", |scope| arg(scope, true)),
    row("TF::ArgMin", |scope| arg(scope, false)),
    row("TF::Bincount", bincount),
    row("TF::DenseBincount", bincount),
    row("TF::EuclideanNorm", |scope| reduce(scope, Reduction::L2, |_| DType::F32, false)),
    row("TF::LowerBound", |scope| bound(scope, false)),
    row("TF::Max", |scope| reduce(scope, Reduction::Max, numeric, false)),
    row("TF::Mean", |scope| reduce(scope, Reduction::Mean, |_| DType::F32, false)),
    row("TF::Min", |scope| reduce(scope, Reduction::Min, numeric, false)),
    row("TF::Prod", |scope| reduce(scope, Reduction::Prod, numeric, false)),
    row("TF::Sum", |scope| reduce(scope, Reduction::Sum, numeric, false)),
    row("TF::UpperBound", |scope| bound(scope, true)),
];
