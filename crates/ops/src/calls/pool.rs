use super::conv::{Laid, channels_last, five, images, windows};
use super::{CallInfo, cast, row, transpose};
use crate::{Cast, Pool, PoolImages, Pooling};
use sidestage_ir::{Scope, Stop, Traced};
use sidestage_tensor::DType;

/// A pool whose windows are described, or are whole channels.
fn pool(
    scope: &mut Scope<'_, '_>,
    whole: bool,
    pooling: impl Fn(&Scope<'_, '_>, [usize; 3]) -> Pooling,
) -> Result<(), Stop> {
    let given = scope.tensor(0)?;
    let results = pooled(scope, &given, whole, pooling)?;
    results.into_iter().enumerate().for_each(|(index, y)| scope.give_tensor(index, y));
    Ok(())
}

/// The same of any tensor.
pub(super) fn pooled(
    scope: &mut Scope<'_, '_>,
    given: &Traced,
    whole: bool,
    pooling: impl Fn(&Scope<'_, '_>, [usize; 3]) -> Pooling,
) -> Result<Vec<Traced>, Stop> {
    let mut x = given.clone();
    if x.dims().len() < 3 {
        return Err(Stop::Refused(format!("x of {:?}", x.dims())));
    }
    if x.dtype() != DType::F32 {
        x = scope.apply(Cast { to: DType::F32 }, &[x])?;
    }
    let spatial = &x.dims()[2..];
    let kernel: Vec<usize> = match scope.ints("kernel_shape") {
        _ if whole => spatial.to_vec(),
        Some(kernel) => kernel.iter().map(|dim| usize::try_from(*dim).unwrap_or(0)).collect(),
        None => return Err("kernel_shape is missing".into()),
    };
    let Laid { windows, ends } = windows(scope, spatial, &kernel)?;
    let pooling = pooling(scope, ends);
    let order = channels_last(x.dims().len());
    let indices = scope.call().outputs.len() > 1;
    if x.order() == Some(&order) && !indices && !matches!(pooling, Pooling::Lp { .. }) {
        let x = scope.in_order(&x, &order, transpose)?;
        let x = images(scope, &x)?;
        let y = scope.apply(PoolImages { pooling, windows }, &[x])?;
        let dims = [&y.dims()[..1], &y.dims()[6 - order.len()..]].concat();
        let y = scope.view(&y, &dims)?;
        let y = scope.ordered(&y, &order, transpose)?;
        return Ok(vec![cast(scope, &y, given.dtype())?]);
    }
    let behind = 5 - spatial.len()..5;
    let five = scope.view(&x, &five(x.dims()))?;
    let results = scope.apply_all(Pool { pooling, windows }, &[five])?;
    let mut all = Vec::new();
    for (index, y) in results.into_iter().enumerate() {
        let dims = [&y.dims()[..2], &y.dims()[behind.clone()]].concat();
        let mut y = scope.view(&y, &dims)?;
        if index == 0 && given.dtype() != DType::F32 {
            y = scope.apply(Cast { to: given.dtype() }, &[y])?;
        }
        all.push(y);
    }
    Ok(all)
}

pub(super) fn average(scope: &Scope<'_, '_>, ends: [usize; 3]) -> Pooling {
    Pooling::Average { ends: (scope.int("count_include_pad") == Some(1)).then_some(ends) }
}

fn max(scope: &Scope<'_, '_>, _: [usize; 3]) -> Pooling {
    Pooling::Max { column_major: scope.int("storage_order") == Some(1) }
}

fn lp(scope: &Scope<'_, '_>, _: [usize; 3]) -> Pooling {
    Pooling::Lp { p: scope.int("p").unwrap_or(2) as f64 }
}

pub(super) const CALLS: &[CallInfo] = &[
    row("AveragePool", |scope| pool(scope, false, average)),
    row("GlobalAveragePool", |scope| pool(scope, true, |_, _| Pooling::Average { ends: None })),
    row("GlobalLpPool", |scope| pool(scope, true, lp)),
    row("GlobalMaxPool", |scope| pool(scope, true, max)),
    row("LpPool", |scope| pool(scope, false, lp)),
    row("MaxPool", |scope| pool(scope, false, max)),
];
