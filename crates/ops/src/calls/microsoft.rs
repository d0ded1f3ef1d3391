//! What ONNX Runtime adds to ONNX: the domain `com.microsoft`, in which exported transformers are
//! written ([its operators](https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md)).

pub(super) mod activation;
mod attend;
pub(super) mod attention;
pub(super) mod blocks;
pub(super) mod embed;
pub(super) mod fused;
pub(super) mod group_query;
pub(super) mod multi_head;
pub(super) mod norm;
pub(super) mod qlinear;
pub(super) mod quantized;
pub(super) mod rotary;

use super::{CallInfo, axis, cast, expand, row, scalar, transpose};
use crate::{Binary, Concat, StridedCopy};
use sidestage_ir::{Scope, Stop, Traced};
use sidestage_kernels::Binary as Two;

fn two(scope: &mut Scope<'_, '_>, function: Two, a: &Traced, b: &Traced) -> Result<Traced, Stop> {
    scope.apply(Binary { function }, &[a.clone(), b.clone()])
}

/// `x + bias`, if there is one.
fn biased(scope: &mut Scope<'_, '_>, x: Traced, bias: Option<&Traced>) -> Result<Traced, Stop> {
    let Some(bias) = bias else { return Ok(x) };
    let bias = cast(scope, bias, x.dtype())?;
    two(scope, Two::Add, &x, &bias)
}

/// Elements `from..from + count` along an axis.
fn slice(
    scope: &mut Scope<'_, '_>,
    x: &Traced,
    axis: usize,
    (from, count): (usize, usize),
) -> Result<Traced, Stop> {
    let (mut dims, steps) = (x.dims().to_vec(), super::steps(x.dims()));
    if from + count > dims[axis] {
        return Err(Stop::Refused(format!("{count} elements from {from} of {}", dims[axis])));
    }
    if count == dims[axis] {
        return Ok(x.clone());
    }
    dims[axis] = count;
    let start = from * steps[axis] as usize;
    scope.apply(StridedCopy { dims, start, steps }, std::slice::from_ref(x))
}

/// Tensors one behind the other along an axis; those without elements are left out.
fn joined(scope: &mut Scope<'_, '_>, parts: &[Traced], axis: usize) -> Result<Traced, Stop> {
    let there = parts.iter().filter(|part| part.dims().get(axis) != Some(&0));
    let there: Vec<Traced> = there.cloned().collect();
    match there.as_slice() {
        [] => parts.first().cloned().ok_or_else(|| "there is nothing to join".into()),
        [one] => Ok(one.clone()),
        _ => scope.apply(Concat { axis }, &there),
    }
}

/// A size that an attribute gives.
fn size(scope: &Scope<'_, '_>, name: &str) -> Option<usize> {
    scope.int(name).and_then(|size| usize::try_from(size).ok()).filter(|size| *size > 0)
}

/// That a call does not use what is not supported.
fn without(scope: &Scope<'_, '_>, operands: &[(usize, &str)]) -> Result<(), Stop> {
    match operands.iter().find(|(index, _)| scope.optional(*index).is_some()) {
        Some((_, name)) => Err(Stop::Refused(format!("{name} is not supported"))),
        None => Ok(()),
    }
}

/// That nobody wants these results.
fn unwanted(scope: &Scope<'_, '_>, results: &[(usize, &str)]) -> Result<(), Stop> {
    let wanted = |index: usize| scope.call().outputs.get(index).is_some_and(Option::is_some);
    match results.iter().find(|(index, _)| wanted(*index)) {
        Some((_, name)) => Err(Stop::Refused(format!("the result {name} is not supported"))),
        None => Ok(()),
    }
}
