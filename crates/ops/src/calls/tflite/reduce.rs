use super::{give, real};
use crate::calls::reduce::reduced;
use crate::calls::{CallInfo, axes, row};
use sidestage_ir::{Scope, Stop};
use sidestage_kernels::Reduction;

fn reduce(scope: &mut Scope<'_, '_>, reduction: Reduction) -> Result<(), Stop> {
    let list = scope.integers(1)?.ok_or("the axes are missing")?;
    let x = real(scope, 0)?;
    // An axis may be named twice here.
    let mut list: Vec<i64> = list
        .into_iter()
        .map(|axis| if axis < 0 { axis.saturating_add(x.dims().len() as i64) } else { axis })
        .collect();
    list.sort_unstable();
    list.dedup();
    let gone = axes(&list, x.dims().len())?;
    let keep = scope.int("keep_dims") == Some(1);
    let y = reduced(scope, &x, &gone, reduction, keep)?;
    give(scope, 0, y)
}

pub(in crate::calls) const CALLS: &[CallInfo] = &[
    row("TFLITE::MEAN", |scope| reduce(scope, Reduction::Mean)),
    row("TFLITE::REDUCE_ALL", |scope| reduce(scope, Reduction::Min)),
    row("TFLITE::REDUCE_ANY", |scope| reduce(scope, Reduction::Max)),
    row("TFLITE::REDUCE_MAX", |scope| reduce(scope, Reduction::Max)),
    row("TFLITE::REDUCE_MIN", |scope| reduce(scope, Reduction::Min)),
    row("TFLITE::REDUCE_PROD", |scope| reduce(scope, Reduction::Prod)),
    row("TFLITE::SUM", |scope| reduce(scope, Reduction::Sum)),
];
