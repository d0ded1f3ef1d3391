use super::conv::{along, windows};
use super::{CallInfo, Done, S, Two, cast, channels_first, inward, outward, row, two, with};
use crate::calls::conv::{Laid, five, images};
use crate::{Pool, PoolImages, Pooling};
use sidestage_ir::{Stop, Traced};
use sidestage_tensor::DType;

/// Windows of `[n, c, …]`.
fn pooled(
    scope: &mut S<'_, '_>,
    x: &Traced,
    rank: usize,
    pooling: Pooling,
) -> Result<Vec<Traced>, Stop> {
    let kernel = along(scope, "ksize", rank)?;
    let Laid { windows, .. } = windows(scope, &x.dims()[2..], &kernel, vec![1; rank])?;
    let five = scope.view(x, &five(x.dims()))?;
    let results = scope.apply_all(Pool { pooling, windows }, &[five])?;
    let behind = 5 - rank..5;
    let shape = |y: &Traced| [&y.dims()[..2], &y.dims()[behind.clone()]].concat();
    results.into_iter().map(|y| scope.view(&y, &shape(&y))).collect()
}

/// The rank is that of `ksize`, which names all dimensions.
fn pool(scope: &mut S<'_, '_>, max: bool) -> Done {
    let given = scope.tensor(0)?;
    let rank = given.dims().len().checked_sub(2).filter(|rank| (1..=3).contains(rank));
    let rank = rank.ok_or_else(|| Stop::Refused(format!("x of {:?}", given.dims())))?;
    let x = cast(scope, &given, DType::F32)?;
    // The padding does not count.
    let pooling =
        if max { Pooling::Max { column_major: false } } else { Pooling::Average { ends: None } };
    let y = if channels_first(scope) {
        pooled(scope, &x, rank, pooling)?.swap_remove(0)
    } else {
        let kernel = along(scope, "ksize", rank)?;
        let Laid { windows, .. } = windows(scope, &x.dims()[1..=rank], &kernel, vec![1; rank])?;
        let x = images(scope, &x)?;
        let y = scope.apply(PoolImages { pooling, windows }, &[x])?;
        scope.view(&y, &[&y.dims()[..1], &y.dims()[4 - rank..]].concat())?
    };
    let y = cast(scope, &y, given.dtype())?;
    scope.give_tensor(0, y);
    Ok(())
}

/// The largest elements, and their places in `[h, w, c]`, with the batch if that is wanted.
fn with_places(scope: &mut S<'_, '_>) -> Done {
    let x = scope.tensor(0)?;
    let &[n, h, w, c] = x.dims() else { return Err(Stop::Refused(format!("x of {:?}", x.dims()))) };
    let x = cast(scope, &x, DType::F32)?;
    let x = inward(scope, &x)?;
    let mut results = pooled(scope, &x, 2, Pooling::Max { column_major: false })?;
    let places = results.pop().ok_or("a pool without places")?;
    // Here they count the elements of a channel, and the channels before.
    let all = super::product(&[h, w])?;
    let place = with(scope, Two::Mod { fmod: false }, &places, all as f64)?;
    let place = with(scope, Two::Mul, &place, c as f64)?;
    let channel = scope.list(&(0..c as i64).collect::<Vec<_>>())?;
    let channel = scope.view(&channel, &[1, c, 1, 1])?;
    let mut place = two(scope, Two::Add, &place, &channel)?;
    if scope.int("include_batch_in_index") == Some(1) {
        let batch: Vec<i64> = (0..n).map(|batch| (batch * all * c) as i64).collect();
        let batch = scope.list(&batch)?;
        let batch = scope.view(&batch, &[n, 1, 1, 1])?;
        place = two(scope, Two::Add, &place, &batch)?;
    }
    let place = cast(scope, &place, DType::I32)?;
    for (index, y) in [results.swap_remove(0), place].into_iter().enumerate() {
        let y = outward(scope, &y)?;
        scope.give_tensor(index, y);
    }
    Ok(())
}

pub(super) const CALLS: &[CallInfo] = &[
    row("TF::AvgPool", |scope| pool(scope, false)),
    row("TF::AvgPool3D", |scope| pool(scope, false)),
    row("TF::MaxPool", |scope| pool(scope, true)),
    row("TF::MaxPool3D", |scope| pool(scope, true)),
    row("TF::MaxPoolWithArgmax", with_places),
];
