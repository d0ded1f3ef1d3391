//! What the integers of inputs and outputs stand for: the call says it that reads or makes them.

use sidestage_ir::{Attribute, Call, Model, Quantization, Var};
use sidestage_tensor::{DType, Tensor};
use std::collections::HashMap;

/// Where the integers are among a call's operands, each before its scale and its zero, and where the
/// scale of its result is, before its zero.
fn places(op: &str) -> (&'static [usize], Option<usize>) {
    match op.strip_prefix("com.microsoft::").unwrap_or(op) {
        "DequantizeLinear" => (&[0], None),
        "QuantizeLinear" => (&[], Some(1)),
        "QLinearConv" => (&[0], Some(6)),
        "QLinearMatMul" | "QLinearAdd" | "QLinearMul" => (&[0, 3], Some(6)),
        "QLinearSigmoid"
        | "QLinearLeakyRelu"
        | "QLinearSoftmax"
        | "QLinearAveragePool"
        | "QLinearGlobalAveragePool" => (&[0], Some(3)),
        "QLinearConcat" => (&[2], Some(0)),
        "QGemm" => (&[0, 3], Some(7)),
        _ => (&[], None),
    }
}

/// Declares it, where it is one known scale.
pub(super) fn declare(model: &mut Model) {
    let Some(body) = model.bodies.first() else { return };
    let mut known: HashMap<Var, &Tensor> = model.constants.iter().map(|(v, t)| (*v, t)).collect();
    for call in body.calls.iter().filter(|call| call.op == "Constant") {
        if let (Some(var), Some(Attribute::Tensor(tensor))) =
            (operand(&call.outputs, 0), call.attribute("value"))
        {
            known.insert(var, tensor);
        }
    }
    let mut found: HashMap<Var, Quantization> = HashMap::new();
    for call in &body.calls {
        let (operands, result) = places(&call.op);
        for &at in operands {
            let of = operand(&call.inputs, at).zip(said(call, at + 1, &known));
            of.map(|(var, of)| found.entry(var).or_insert(of));
        }
        if let Some(at) = result {
            let of = operand(&call.outputs, 0).zip(said(call, at, &known));
            of.map(|(var, of)| found.entry(var).or_insert(of));
        }
    }
    for port in model.inputs.iter_mut().chain(&mut model.outputs) {
        port.quantization = found.get(&port.var).copied();
    }
}

fn operand(list: &[Option<Var>], at: usize) -> Option<Var> {
    list.get(at).copied().flatten()
}

/// One scale, and the zero behind it; without one that is 0.
fn said(call: &Call, at: usize, known: &HashMap<Var, &Tensor>) -> Option<Quantization> {
    let scale = known.get(&operand(&call.inputs, at)?)?;
    if scale.dtype() != DType::F32 || scale.len() != 1 {
        return None;
    }
    let zero = match operand(&call.inputs, at + 1) {
        Some(var) => *known.get(&var)?.integers()?.first()?,
        None => 0,
    };
    Quantization::new(scale.elements::<f32>()[0], zero)
}
