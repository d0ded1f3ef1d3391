//! Operators of numbers between integers, as operators of the integers.
//!
//! Quantised models of ONNX are those of numbers with integers between the operators: each operand is
//! made numbers (`DequantizeLinear`), each result integers (`QuantizeLinear`). Here they become the
//! operators of integers that they stand for, before the model is traced: a trace computes what depends
//! on known values only, and of the weights as numbers no pass over a graph could tell the integers.

use sidestage_ir::{Attribute, Body, Call, Model, Var};
use sidestage_tensor::{DType, Tensor};
use std::collections::{HashMap, HashSet};

/// How far the scale of a bias may be from those of `x` and weights, relatively: they are written as
/// single floats.
const NEAR: f32 = 1e-4;

/// Who makes and reads what in a body.
struct Uses<'a> {
    calls: &'a [Call],
    /// The call that makes a value.
    made: HashMap<Var, usize>,
    /// How often a value is read.
    read: HashMap<Var, usize>,
    constants: HashMap<Var, &'a Tensor>,
}

impl<'a> Uses<'a> {
    fn input(&self, call: &Call, at: usize) -> Option<Var> {
        call.inputs.get(at).copied().flatten()
    }

    /// The call of this kind that makes a value.
    fn maker(&self, of: Var, op: &str) -> Option<&'a Call> {
        let call = &self.calls[*self.made.get(&of)?];
        (call.op == op && call.outputs.len() == 1).then_some(call)
    }

    fn once(&self, of: Var) -> bool {
        self.read.get(&of) == Some(&1)
    }

    /// Integers, their scale and their zero, of which numbers are made.
    fn integers(&self, numbers: Var) -> Option<[Var; 3]> {
        let call = self.maker(numbers, "DequantizeLinear")?;
        let blocks = !matches!(call.attribute("block_size"), None | Some(Attribute::Int(0)));
        let all = [0, 1, 2].map(|at| self.input(call, at));
        match all {
            [Some(x), Some(scale), Some(zero)] if !blocks => Some([x, scale, zero]),
            _ => None,
        }
    }

    fn scales(&self, of: Var) -> Option<&'a [f32]> {
        let scales = self.constants.get(&of).filter(|of| of.dtype() == DType::F32)?;
        Some(scales.elements())
    }

    /// The operator of integers that a quantisation is the end of.
    fn of_integers(&self, last: &Call) -> Option<Call> {
        if last.op != "QuantizeLinear" {
            return None;
        }
        self.product(last).or_else(|| self.binary(last))
    }

    /// A sum or product of two operands with one scale each.
    fn binary(&self, last: &Call) -> Option<Call> {
        let y = self.input(last, 0).filter(|y| self.once(*y))?;
        let add = self.maker(y, "Add");
        let made = add.or_else(|| self.maker(y, "Mul"))?;
        let op = format!("com.microsoft::QLinear{}", made.op);
        let [a, b] = [0, 1].map(|at| self.integers(self.input(made, at)?));
        let y = [self.input(last, 1)?, self.input(last, 2)?];
        let (a, b) = (a?, b?);
        for [scale, zero] in [[a[1], a[2]], [b[1], b[2]], y] {
            let zero = self.constants.get(&zero)?;
            let bytes = matches!(zero.dtype(), DType::I8 | DType::U8);
            if !bytes || zero.len() != 1 || self.scales(scale)?.len() != 1 {
                return None;
            }
        }
        Some(Call {
            op,
            version: made.version,
            name: made.name.clone(),
            inputs: [&a[..], &b, &y].concat().into_iter().map(Some).collect(),
            outputs: last.outputs.clone(),
            attributes: Vec::new(),
        })
    }

    /// The call of a convolution or product that makes a value, its name of integers, and the dimension of
    /// weights that is that of the results' channels.
    fn summed(&self, y: Var) -> Option<(&'a Call, &'static str, i64)> {
        if let Some(conv) = self.maker(y, "Conv") {
            return Some((conv, "QLinearConv", 0));
        }
        if let Some(matmul) = self.maker(y, "MatMul") {
            return Some((matmul, "QLinearMatMul", 1));
        }
        let gemm = self.maker(y, "Gemm")?;
        let set =
            |name: &str| matches!(gemm.attribute(name), Some(Attribute::Int(value)) if *value != 0);
        let one = |name: &str| matches!(gemm.attribute(name), None | Some(Attribute::Float(1.0)));
        let plain = !set("transA") && one("alpha") && one("beta");
        plain.then_some((gemm, "com.microsoft::QGemm", i64::from(!set("transB"))))
    }

    /// A convolution or a product with known weights.
    fn product(&self, last: &Call) -> Option<Call> {
        let (y_scale, y_zero) = (self.input(last, 1)?, self.input(last, 2)?);
        let zero = self.constants.get(&y_zero).filter(|zero| zero.len() == 1)?;
        let mut y = self.input(last, 0)?;
        if let Some(relu) = self.maker(y, "Relu") {
            // The least integer must be 0.
            let least = if zero.dtype() == DType::I8 { -128 } else { 0 };
            if !self.once(y) || zero.integers()? != [least] {
                return None;
            }
            y = self.input(relu, 0)?;
        }
        if !self.once(y) {
            return None;
        }
        let (call, op, of_results) = self.summed(y)?;
        let [x, x_scale, x_zero] = self.integers(self.input(call, 0)?)?;
        let numbers = self.input(call, 1)?;
        let [weight, w_scale, w_zero] = self.integers(numbers)?;
        let of_weights = self.constants.get(&weight)?;
        let of_zeros = self.constants.get(&w_zero)?;
        let bytes = |of: &Tensor| matches!(of.dtype(), DType::I8 | DType::U8);
        let known = self.constants.contains_key(&x_zero) && of_zeros.dtype() == of_weights.dtype();
        let matrix = op == "QLinearConv" || of_weights.dims().len() == 2;
        if !known || !matrix || !bytes(of_weights) || !bytes(zero) {
            return None;
        }
        let (of_x, of_w) = (self.scales(x_scale)?, self.scales(w_scale)?);
        if of_x.len() != 1 || of_w.is_empty() || self.scales(y_scale)?.len() != 1 {
            return None;
        }
        let axis = match self.maker(numbers, "DequantizeLinear")?.attribute("axis") {
            Some(Attribute::Int(axis)) if *axis < 0 => axis + of_weights.dims().len() as i64,
            Some(Attribute::Int(axis)) => *axis,
            _ => 1,
        };
        if of_w.len() > 1 && axis != of_results {
            return None;
        }
        let mut of_bias = None;
        if let Some(bias) = self.input(call, 2) {
            let made = self.maker(bias, "DequantizeLinear")?;
            let (bias, scale) = (self.input(made, 0)?, self.input(made, 1)?);
            let zeros = match self.input(made, 2) {
                Some(zero) => self.constants.get(&zero)?.integers()?,
                None => vec![0],
            };
            let known = self.constants.get(&bias)?;
            let known = known.dtype() == DType::I32 && known.dims().len() == 1;
            let same = self.scales(scale)?.iter().enumerate().all(|(at, scale)| {
                let exact = of_x[0] * of_w.get(at).unwrap_or(&of_w[0]);
                (scale - exact).abs() <= NEAR * exact
            });
            if !known || !same || zeros.iter().any(|zero| *zero != 0) {
                return None;
            }
            of_bias = Some(bias);
        }
        let operands = [x, x_scale, x_zero, weight, w_scale, w_zero].map(Some);
        let to = [y_scale, y_zero].map(Some);
        let inputs = match (op, of_bias) {
            ("com.microsoft::QGemm", bias) => [&operands[..], &[bias], &to].concat(),
            (_, None) => [&operands[..], &to].concat(),
            (_, bias) => [&operands[..], &to, &[bias]].concat(),
        };
        Some(Call {
            op: op.into(),
            version: call.version,
            name: call.name.clone(),
            inputs,
            outputs: last.outputs.clone(),
            attributes: call.attributes.clone(),
        })
    }
}

/// How often each value is read, in any body or by the caller.
pub(super) fn readers(model: &Model) -> HashMap<Var, usize> {
    let mut read: HashMap<Var, usize> = HashMap::new();
    for body in &model.bodies {
        let operands = body.calls.iter().flat_map(|call| call.inputs.iter().flatten());
        for var in operands.chain(&body.outputs) {
            *read.entry(*var).or_default() += 1;
        }
    }
    for port in &model.outputs {
        *read.entry(port.var).or_default() += 1;
    }
    read
}

/// Operators that only move elements, which may be integers.
const MOVING: &[&str] = &["Flatten", "Reshape", "Squeeze", "Transpose", "Unsqueeze"];

/// Lets integers be moved before they are made numbers, so that these lie before the operator that a
/// rule looks for: a classifier's last product has a `Flatten` before it.
fn moved(model: &mut Model) {
    let read = readers(model);
    let single: HashSet<Var> =
        model.constants.iter().filter(|(_, of)| of.len() == 1).map(|(var, _)| *var).collect();
    for at in 0..model.bodies.len() {
        let calls = std::mem::take(&mut model.bodies[at].calls);
        let (mut all, mut made) = (Vec::with_capacity(calls.len()), HashMap::new());
        for mut call in calls {
            let numbers = call.inputs.first().copied().flatten();
            let numbers = numbers.filter(|of| read.get(of).is_none_or(|count| *count == 1));
            let from = numbers.and_then(|of| made.get(&of)).cloned();
            if let Some(mut from) = from.filter(|_: &Call| MOVING.contains(&call.op.as_str())) {
                let integers = Some(model.var(""));
                call.inputs[0] = std::mem::replace(&mut from.inputs[0], integers);
                from.outputs = std::mem::replace(&mut call.outputs, vec![integers]);
                all.push(call);
                call = from;
            }
            if let ("DequantizeLinear", [Some(_), scales @ ..], &[Some(of)]) =
                (call.op.as_str(), &call.inputs[..], &call.outputs[..])
                && scales.iter().flatten().all(|scale| single.contains(scale))
            {
                made.insert(of, call.clone());
            }
            all.push(call);
        }
        model.bodies[at].calls = all;
    }
}

/// Puts operators of integers in the place of those of numbers between integers.
pub(super) fn integers(model: &mut Model) {
    let ends = |body: &Body| body.calls.iter().any(|call| call.op == "QuantizeLinear");
    if !model.bodies.iter().any(ends) {
        return;
    }
    moved(model);
    let read = readers(model);
    let constants: HashMap<Var, &Tensor> =
        model.constants.iter().map(|(var, tensor)| (*var, tensor)).collect();
    for body in &mut model.bodies {
        let made = body.calls.iter().enumerate();
        let made =
            made.flat_map(|(at, call)| call.outputs.iter().flatten().map(move |of| (*of, at)));
        let uses = Uses {
            calls: &body.calls,
            made: made.collect(),
            read: read.clone(),
            constants: constants.clone(),
        };
        let new: Vec<Option<Call>> = body.calls.iter().map(|call| uses.of_integers(call)).collect();
        for (call, new) in body.calls.iter_mut().zip(new) {
            if let Some(new) = new {
                *call = new;
            }
        }
    }
    // Of what is not read any more, from the last call to the first.
    let mut read = readers(model);
    for body in &mut model.bodies {
        let mut kept = Vec::new();
        while let Some(call) = body.calls.pop() {
            let plain = matches!(
                call.op.as_str(),
                "DequantizeLinear" | "Conv" | "Gemm" | "MatMul" | "Relu" | "Add" | "Mul"
            );
            let dead = |of: &Var| read.get(of).is_none_or(|count| *count == 0);
            if plain && call.outputs.iter().flatten().all(dead) {
                for of in call.inputs.iter().flatten() {
                    if let Some(count) = read.get_mut(of) {
                        *count -= 1;
                    }
                }
            } else {
                kept.push(call);
            }
        }
        kept.reverse();
        body.calls = kept;
    }
}
