use super::{CallInfo, axes, row, transpose};
use crate::Reduce;
use sidestage_ir::{Scope, Stop, Traced};
use sidestage_kernels::Reduction;

/// A tensor with some axes reduced to one element; without `keep` they are gone.
pub(super) fn reduced(
    scope: &mut Scope<'_, '_>,
    x: &Traced,
    gone: &[usize],
    reduction: Reduction,
    keep: bool,
) -> Result<Traced, Stop> {
    let rank = x.dims().len();
    let left: Vec<usize> = (0..rank).filter(|axis| !gone.contains(axis)).collect();
    let order: Vec<usize> = left.iter().chain(gone).copied().collect();
    let product = |axes: &[usize]| axes.iter().map(|&axis| x.dims()[axis]).product::<usize>();
    let moved = transpose(scope, x, &order)?;
    let matrix = scope.view(&moved, &[product(&left), product(gone)])?;
    let rows = scope.apply(Reduce { reduction }, &[matrix])?;
    let dims: Vec<usize> = if keep {
        (0..rank).map(|axis| if gone.contains(&axis) { 1 } else { x.dims()[axis] }).collect()
    } else {
        left.iter().map(|&axis| x.dims()[axis]).collect()
    };
    scope.view(&rows, &dims)
}

/// The axes are an operand since ONNX 18 (of ReduceSum since 13); before, an attribute.
fn reduce(scope: &mut Scope<'_, '_>, reduction: Reduction) -> Result<(), Stop> {
    let x = scope.tensor(0)?;
    let list = match scope.ints("axes") {
        Some(list) => Some(list.to_vec()),
        None => scope.integers(1)?,
    };
    let gone = match list.filter(|list| !list.is_empty()) {
        Some(list) => axes(&list, x.dims().len())?,
        None if scope.int("noop_with_empty_axes") == Some(1) => {
            // Nothing is summed, but squares and logarithms are taken all the same.
            let dims: Vec<usize> = x.dims().iter().copied().chain([1]).collect();
            let rows = scope.view(&x, &dims)?;
            let y = reduced(scope, &rows, &[x.dims().len()], reduction, false)?;
            scope.give_tensor(0, y);
            return Ok(());
        }
        None => (0..x.dims().len()).collect(),
    };
    let keep = scope.int("keepdims") != Some(0);
    let y = reduced(scope, &x, &gone, reduction, keep)?;
    scope.give_tensor(0, y);
    Ok(())
}

pub(super) const CALLS: &[CallInfo] = &[
    row("ReduceL1", |scope| reduce(scope, Reduction::L1)),
    row("ReduceL2", |scope| reduce(scope, Reduction::L2)),
    row("ReduceLogSum", |scope| reduce(scope, Reduction::LogSum)),
    row("ReduceLogSumExp", |scope| reduce(scope, Reduction::LogSumExp)),
    row("ReduceMax", |scope| reduce(scope, Reduction::Max)),
    row("ReduceMean", |scope| reduce(scope, Reduction::Mean)),
    row("ReduceMin", |scope| reduce(scope, Reduction::Min)),
    row("ReduceProd", |scope| reduce(scope, Reduction::Prod)),
    row("ReduceSum", |scope| reduce(scope, Reduction::Sum)),
    row("ReduceSumSquare", |scope| reduce(scope, Reduction::SumSquare)),
];
