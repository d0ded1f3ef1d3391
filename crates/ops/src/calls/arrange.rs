//! Weights as the operators read them, once, before a model is first run.
//!
//! A trace would make them of the file's each time it meets new shapes, and both would stay.

use crate::{ConvWeights, Pack, PackInt8};
use sidestage_ir::{Attribute, Call, Model, Operator, Scope, Stop, Var, computed};
use sidestage_kernels::{PANEL, pack_in_place};
use sidestage_tensor::{DType, Tensor};
use std::collections::{HashMap, HashSet};

/// The attribute that says that a call's weights are arranged, and which dimensions they had.
const ARRANGED: &str = "sidestage.arranged";

/// The attribute that says that arranged weights were bytes without a sign.
const UNSIGNED: &str = "sidestage.unsigned";

/// Whether arranged weights were bytes without a sign.
pub(super) fn arranged_unsigned(scope: &Scope<'_, '_>) -> bool {
    scope.int(UNSIGNED) == Some(1)
}

/// The dimensions that the weights of a call had before they were arranged; `None`: they are not.
pub(super) fn arranged_dims(scope: &Scope<'_, '_>) -> Result<Option<Vec<usize>>, Stop> {
    let Some(dims) = scope.ints(ARRANGED) else { return Ok(None) };
    let dims = dims.iter().map(|dim| usize::try_from(*dim)).collect::<Result<_, _>>();
    Ok(Some(dims.map_err(|_| "weights of a size below 0")?))
}

/// Puts operators of integers where those of numbers stand for them, and arranges the weights of
/// convolutions and of products with matrices, each in the place of the file's.
/// Those that several calls use stay as they are, as do those for which there is no memory. Calls that draw
/// numbers get the number of the run.
pub fn arrange(model: &mut Model) {
    model.number_runs(super::random::is_random);
    super::qdq::integers(model);
    let uses = super::qdq::readers(model);
    let places: HashMap<Var, usize> =
        model.constants.iter().enumerate().map(|(at, (var, _))| (*var, at)).collect();
    // What is known to be one number: zeros of activations.
    let mut ones: HashSet<Var> =
        model.constants.iter().filter(|(_, of)| of.len() == 1).map(|(var, _)| *var).collect();
    for call in model.bodies.iter().flat_map(|body| &body.calls) {
        if call.op == "DynamicQuantizeLinear" {
            ones.extend(call.outputs.iter().skip(1).flatten());
        }
    }
    for call in model.bodies.iter_mut().flat_map(|body| &mut body.calls) {
        let Some(Some(var)) = call.inputs.get(1) else { continue };
        let Some(at) = places.get(var).filter(|_| uses.get(var) == Some(&1)) else { continue };
        let weights = &model.constants[*at].1;
        let zeros = |at: usize| call.inputs.get(at).copied().flatten();
        let columns = |of: Var| {
            let known = places.get(&of).map(|at| model.constants[*at].1.len());
            known.is_some_and(|count| count == 1 || weights.dims().last() == Some(&count))
        };
        let bytes = match call.op.as_str() {
            "MatMulInteger" => {
                zeros(2).is_none_or(|zero| ones.contains(&zero)) && zeros(3).is_none_or(columns)
            }
            "com.microsoft::DynamicQuantizeMatMul" => zeros(3).is_none_or(columns),
            _ => false,
        };
        match weights.dtype() {
            DType::F32 if !bytes => {}
            DType::I8 | DType::U8 if bytes => {}
            _ => continue,
        }
        let unsigned = weights.dtype() == DType::U8;
        let weights = &mut model.constants[*at].1;
        let dims = weights.dims().iter().map(|dim| *dim as i64).collect();
        if arranged(call, weights).is_none() {
            continue;
        }
        call.attributes.push((ARRANGED.into(), Attribute::Ints(dims)));
        if unsigned {
            call.attributes.push((UNSIGNED.into(), Attribute::Int(1)));
        }
    }
}

/// Arranges the weights of a call; `None`: they stay as they are.
fn arranged(call: &Call, weights: &mut Tensor) -> Option<()> {
    let int = |name: &str| match call.attribute(name) {
        Some(Attribute::Int(value)) => Some(*value),
        _ => None,
    };
    let copied = match (call.op.as_str(), weights.dims()) {
        ("Conv", &[outputs, per, ref taps @ ..]) => {
            let groups = usize::try_from(int("group").unwrap_or(1)).ok()?;
            let taps = taps.iter().product();
            let columns = outputs / groups.max(1);
            let whole = columns * groups == outputs && per > 1;
            if whole && in_place(weights, &[groups], (columns, per, taps)).is_some() {
                return Some(());
            }
            one(&ConvWeights { groups }, &weights.reshaped(&[outputs, per, taps]))
        }
        ("Gemm", &[n, k]) => {
            let transposed = int("transB").is_some_and(|value| value != 0);
            if transposed && in_place(weights, &[], (n, k, 1)).is_some() {
                return Some(());
            }
            one(&Pack { transposed }, weights)
        }
        ("MatMulInteger" | "com.microsoft::DynamicQuantizeMatMul", [_, _]) => {
            one(&PackInt8 { transposed: false }, weights)
        }
        ("MatMul", [.., _, _]) => one(&Pack { transposed: false }, weights),
        _ => None,
    };
    *weights = copied?;
    Some(())
}

/// Packs columns that fill their panels where they lie: memory that is touched for the first time takes
/// longer than the packing.
fn in_place(
    weights: &mut Tensor,
    groups: &[usize],
    (columns, channels, taps): (usize, usize, usize),
) -> Option<()> {
    if weights.is_empty() || !columns.is_multiple_of(PANEL) {
        return None;
    }
    pack_in_place(weights.elements_mut()?, channels, taps)?;
    let packed = [columns / PANEL, channels * taps, PANEL];
    *weights = weights.reshaped(&[groups, &packed].concat());
    Some(())
}

fn one(op: &dyn Operator, of: &Tensor) -> Option<Tensor> {
    computed(op, &[of]).ok()?.pop()
}
