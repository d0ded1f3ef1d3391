//! The decoder of a model: positions, slots and tables are inputs, and attention is that over the KV cache.

use super::net::{Ports, int, needed};
use super::probe::{Positions, given};
use super::refused;
use super::sites::Site;
use crate::{KvType, LmError};
use sidestage_ir::{Attribute, Call, Model, Port, Var};
use sidestage_tensor::{DType, Tensor};

/// For how many rows, after what past as far as anything asks, and with how many pages at most.
#[derive(Clone, Copy)]
pub(super) struct Shape {
    pub(super) rows: usize,
    pub(super) past: usize,
    pub(super) pages: usize,
}

/// See the module.
pub(super) struct Rewrite<'a> {
    pub(super) model: &'a Model,
    pub(super) ports: &'a Ports,
    pub(super) sites: &'a [Site],
    pub(super) positions: &'a [Positions],
}

/// A call of this kind of model's own.
fn call(op: &str, name: &str, inputs: Vec<Var>, outputs: &[Var]) -> Call {
    Call {
        op: op.into(),
        version: 1,
        name: name.into(),
        inputs: inputs.into_iter().map(Some).collect(),
        outputs: outputs.iter().copied().map(Some).collect(),
        attributes: Vec::new(),
    }
}

impl Rewrite<'_> {
    /// Inputs: tokens, positions, slots, sequences, tables, wanted rows. Outputs: the last hidden state and
    /// the logits.
    pub(super) fn decoder(&self, shape: Shape, kv_type: KvType) -> Result<Model, LmError> {
        let mut model = self.model.clone();
        let names = ["tokens", "positions", "slots", "sequences", "tables", "wanted"];
        let [tokens, positions, slots, sequences, tables, wanted] =
            names.map(|name| model.var(name));
        model.inputs = [tokens, positions, slots, sequences, tables, wanted]
            .map(Port::of)
            .into_iter()
            .collect();
        let mut calls = Vec::new();
        let list = |from: Var, to: Var, dtype: DType, batch: bool| {
            call("sidestage::List", "", vec![from], &[to])
                .with("to", Attribute::Type(dtype))
                .with("batch", Attribute::Int(batch.into()))
        };
        for port in &self.model.inputs {
            let dtype = port.dtype.unwrap_or(DType::I64);
            let is = |other: &Option<Port>| other.as_ref().is_some_and(|o| o.var == port.var);
            if port.var == self.ports.tokens.var {
                calls.push(list(tokens, port.var, dtype, true));
            } else if is(&self.ports.positions) {
                calls.push(list(positions, port.var, dtype, true));
            } else {
                let value = given(self.ports, port, shape.past, shape.rows)?;
                model.constants.push((port.var, value));
            }
        }
        for found in self.positions {
            calls.push(list(positions, found.var, found.dtype, found.batch));
        }
        let made = |call: &Call| {
            let outputs = call.outputs.iter().flatten();
            outputs.clone().any(|var| self.positions.iter().any(|found| found.var == *var))
        };
        let head = self.head()?;
        let hidden = model.var("hidden");
        let body = model.bodies.first().map(|body| body.calls.clone()).unwrap_or_default();
        let cache = [positions, slots, sequences, tables];
        for (at, old) in body.into_iter().enumerate() {
            let layer = self.sites.iter().position(|site| site.call == at);
            match layer {
                Some(layer) => {
                    self.attention(&mut model, layer, &old, cache, kv_type, &mut calls)?;
                }
                None if at == head => {
                    let from = old.inputs.first().copied().flatten();
                    let from = from.ok_or_else(|| refused("logits of nothing"))?;
                    calls.push(call("sidestage::Wanted", "wanted", vec![from, wanted], &[hidden]));
                    let mut product = old;
                    product.inputs[0] = Some(hidden);
                    calls.push(product);
                }
                None if made(&old) => {}
                None => calls.push(old),
            }
        }
        let outputs = [hidden, self.ports.logits].map(|from| {
            let to = model.var("");
            calls.push(call("Cast", "", vec![from], &[to]).with("to", Attribute::Int(1)));
            to
        });
        model.outputs = outputs.map(Port::of).into_iter().collect();
        let alive = needed(&model, &calls, &outputs);
        let mut alive = alive.into_iter();
        calls.retain(|_| alive.next().unwrap_or(false));
        if let Some(body) = model.bodies.first_mut() {
            body.inputs = model.inputs.iter().map(|port| port.var).collect();
            body.calls = calls;
            body.outputs = outputs.to_vec();
        }
        Ok(model)
    }

    /// The product that gives the logits.
    fn head(&self) -> Result<usize, LmError> {
        let calls = self.model.bodies.first().map_or(&[][..], |body| body.calls.as_slice());
        let known = |var: Var| self.model.constants.iter().any(|(constant, _)| *constant == var);
        let mut var = self.ports.logits;
        loop {
            let at = calls.iter().position(|call| call.outputs.contains(&Some(var)));
            let at = at.ok_or_else(|| refused("its logits are not computed"))?;
            let call = &calls[at];
            let unknown: Vec<Var> =
                call.inputs.iter().flatten().copied().filter(|var| !known(*var)).collect();
            match call.op.as_str() {
                "MatMul" | "Gemm" | "com.microsoft::FusedMatMul" | "sidestage::Linear" => {
                    return Ok(at);
                }
                // Of each number alone.
                "Add" | "Cast" | "Div" | "Identity" | "Mul" | "Tanh" if unknown.len() == 1 => {
                    var = unknown[0];
                }
                other => return Err(refused(format!("its logits come of {other}"))),
            }
        }
    }

    /// The calls in the place of a site.
    fn attention(
        &self,
        model: &mut Model,
        layer: usize,
        old: &Call,
        cache: [Var; 4],
        kv_type: KvType,
        calls: &mut Vec<Call>,
    ) -> Result<(), LmError> {
        let site = &self.sites[layer];
        let out = old.outputs.first().copied().flatten();
        let out = out.ok_or_else(|| refused("attention without a result"))?;
        let [mut query, mut key, value] = match (site.new, site.heads, site.head_dim) {
            (Some([key, value]), ..) => [site.query, key, value],
            (None, Some([heads, own]), Some(width)) => {
                let apart = ["q", "k", "v"].map(|name| model.var(name));
                let sizes = [heads * width, own * width, own * width].map(|size| size as i64);
                let bytes: Vec<u8> = sizes.iter().flat_map(|size| size.to_le_bytes()).collect();
                let refused = LmError::refused("list", bytes.len());
                let sizes = Tensor::new(DType::I64, &[3], &bytes).map_err(refused)?;
                let split = model.var("");
                model.constants.push((split, sizes));
                let mut split = call("Split", "", vec![site.query, split], &apart);
                split.version = 13;
                calls.push(split.with("axis", Attribute::Int(2)));
                apart
            }
            _ => return Err(refused("queries, keys and values whose sizes are not known")),
        };
        if let (Some(rotary), Some(heads)) = (&site.rotary, site.heads) {
            // The positions of a batch, as the call takes them.
            let ids = model.var("");
            let list = call("sidestage::List", "", vec![cache[0]], &[ids]);
            calls.push(list.with("batch", Attribute::Int(1)));
            for (x, heads) in [(&mut query, heads[0]), (&mut key, heads[1])] {
                let turned = model.var("rotated");
                let inputs = vec![*x, ids, rotary.cos, rotary.sin];
                calls.push(
                    call("com.microsoft::RotaryEmbedding", "rotary", inputs, &[turned])
                        .with("num_heads", Attribute::Int(heads as i64))
                        .with("interleaved", Attribute::Int(rotary.interleaved)),
                );
                *x = turned;
            }
        }
        let inputs = [query, key, value].into_iter().chain(cache).collect();
        let mut attention = call("sidestage::CachedAttention", "attention", inputs, &[out])
            .with("layer", Attribute::Int(layer as i64))
            .with("kv_type", Attribute::Type(kv_type.dtype()));
        if let Some([heads, own]) = site.heads {
            attention = attention
                .with("heads", Attribute::Int(heads as i64))
                .with("kv_heads", Attribute::Int(own as i64));
        }
        if let Some(scale) = site.scale {
            attention = attention.with("scale", Attribute::Float(scale));
        }
        if let Some(cap) = site.softcap {
            attention = attention.with("softcap", Attribute::Float(cap));
        }
        if let Some(window) = site.window {
            attention = attention.with("window", Attribute::Int(window as i64));
        }
        calls.push(attention);
        Ok(())
    }
}

/// Makes two calls of each product with a weight of few bits, so that the weight is made once.
pub(super) fn split_weights(model: &mut Model) {
    let Some(body) = model.bodies.first_mut() else { return };
    let mut calls = Vec::with_capacity(body.calls.len());
    for old in std::mem::take(&mut body.calls) {
        if old.op != "com.microsoft::MatMulNBits" || int(&old, "N").is_none() {
            calls.push(old);
            continue;
        }
        model.names.push("weight".into());
        let weight = Some(Var(model.names.len() as u32 - 1));
        let input = |index: usize| old.inputs.get(index).copied().flatten();
        let linear = Call {
            op: "sidestage::Linear".into(),
            inputs: vec![input(0), weight, input(5)],
            attributes: Vec::new(),
            ..old.clone()
        };
        calls.push(Call {
            op: "sidestage::BlockWeight".into(),
            inputs: (1..5).map(input).collect(),
            outputs: vec![weight],
            ..old
        });
        calls.push(linear);
    }
    body.calls = calls;
}
