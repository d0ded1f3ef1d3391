use super::{CallInfo, axis, row, steps};
use crate::StridedCopy;
use sidestage_ir::{Scope, Stop};

/// ONNX 13: the lengths are an operand; before, an attribute. Without them the parts are equal, the
/// last one may be smaller.
fn split(scope: &mut Scope<'_, '_>) -> Result<(), Stop> {
    let x = scope.tensor(0)?;
    let axis = axis(scope.int("axis").unwrap_or(0), x.dims().len())?;
    let dim = x.dims()[axis];
    let given = match scope.ints("split") {
        Some(list) => Some(list.to_vec()),
        None => scope.integers(1)?,
    };
    let count = scope.call().outputs.len();
    let lengths: Vec<usize> = match given {
        Some(list) => {
            let lengths = list
                .into_iter()
                .map(|length| usize::try_from(length).map_err(|_| "a length below 0"));
            lengths.collect::<Result<_, _>>()?
        }
        None => {
            let part = dim.div_ceil(count.max(1));
            (0..count).map(|at| part.min(dim.saturating_sub(at * part))).collect()
        }
    };
    if lengths.iter().sum::<usize>() != dim || lengths.len() != count {
        return Err(Stop::Refused(format!("{dim} cannot be split into {lengths:?}")));
    }
    let mut from = 0;
    for (index, length) in lengths.into_iter().enumerate() {
        let (mut dims, steps) = (x.dims().to_vec(), steps(x.dims()));
        dims[axis] = length;
        let start = if dims.contains(&0) { 0 } else { from * steps[axis] as usize };
        let part = scope.apply(StridedCopy { dims, start, steps }, std::slice::from_ref(&x))?;
        scope.give_tensor(index, part);
        from += length;
    }
    Ok(())
}

pub(super) const CALLS: &[CallInfo] = &[row("Split", split)];
