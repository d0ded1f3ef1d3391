//! Weights as the operators read them, once, before a model is first run.
//!
//! A trace would make them of the file's each time it meets new shapes, and both would stay.

use crate::{ConvWeights, Pack};
use sidestage_ir::{Attribute, Call, Model, Operator, Scope, Stop, Var, computed};
use sidestage_tensor::{DType, Tensor};
use std::collections::HashMap;

/// The attribute that says that a call's weights are arranged, and which dimensions they had.
const ARRANGED: &str = "sidestage.arranged";

/// The dimensions that the weights of a call had before they were arranged; `None`: they are not.
pub(super) fn arranged_dims(scope: &Scope<'_, '_>) -> Result<Option<Vec<usize>>, Stop> {
    let Some(dims) = scope.ints(ARRANGED) else { return Ok(None) };
    let dims = dims.iter().map(|dim| usize::try_from(*dim)).collect::<Result<_, _>>();
    Ok(Some(dims.map_err(|_| "weights of a size below 0")?))
}

/// Arranges the weights of convolutions and of products with matrices, each in the place of the file's.
/// Those that several calls use stay as they are, as do those for which there is no memory.
pub fn arrange(model: &mut Model) {
    let mut uses: HashMap<Var, usize> = HashMap::new();
    for body in &model.bodies {
        let operands = body.calls.iter().flat_map(|call| call.inputs.iter().flatten());
        for var in operands.chain(&body.outputs) {
            *uses.entry(*var).or_default() += 1;
        }
    }
    for port in &model.outputs {
        *uses.entry(port.var).or_default() += 1;
    }
    let places: HashMap<Var, usize> =
        model.constants.iter().enumerate().map(|(at, (var, _))| (*var, at)).collect();
    for call in model.bodies.iter_mut().flat_map(|body| &mut body.calls) {
        let Some(Some(var)) = call.inputs.get(1) else { continue };
        let Some(at) = places.get(var).filter(|_| uses.get(var) == Some(&1)) else { continue };
        let weights = &model.constants[*at].1;
        if weights.dtype() != DType::F32 {
            continue;
        }
        let Some(arranged) = arranged(call, weights) else { continue };
        let dims = weights.dims().iter().map(|dim| *dim as i64).collect();
        call.attributes.push((ARRANGED.into(), Attribute::Ints(dims)));
        model.constants[*at].1 = arranged;
    }
}

/// The arranged weights of a call; `None`: they stay as they are.
fn arranged(call: &Call, weights: &Tensor) -> Option<Tensor> {
    let int = |name: &str| match call.attribute(name) {
        Some(Attribute::Int(value)) => Some(*value),
        _ => None,
    };
    match (call.op.as_str(), weights.dims()) {
        ("Conv", &[outputs, per, ref taps @ ..]) => {
            let groups = usize::try_from(int("group").unwrap_or(1)).ok()?;
            let weights = weights.reshaped(&[outputs, per, taps.iter().product()]);
            one(&ConvWeights { groups }, &weights)
        }
        ("Gemm", [_, _]) => {
            one(&Pack { transposed: int("transB").is_some_and(|value| value != 0) }, weights)
        }
        ("MatMul", [.., _, _]) => one(&Pack { transposed: false }, weights),
        _ => None,
    }
}

fn one(op: &dyn Operator, of: &Tensor) -> Option<Tensor> {
    computed(op, &[of]).ok()?.pop()
}
