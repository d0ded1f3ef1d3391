#![allow(unsafe_code, reason = "each thread writes the heads it was given")]

use crate::{OpInfo, rules};
use sidestage_ir::{Args, Operator, ValueType, Work};
use sidestage_tensor::DType;
use std::ops::Range;

pub(crate) const INFO: OpInfo = OpInfo {
    name: "LinearAttention",
    summary: "attention whose past is a matrix that each position changes",
};

/// How a position changes the state, and how the result is read from it, in `f32` (ONNX 27,
/// "LinearAttention").
///
/// Operands: `query[n, s, heads * k]`, `key[n, s, kv_heads * k]`, `value[n, s, kv_heads * v]`, the
/// state before `[n, kv_heads, k, v]`, then where there is a gate `decay[n, s, kv_heads * (k or 1)]`,
/// then where there is a rate `beta[n, s, kv_heads or 1]`. Results: `[n, s, heads * v]`, and the state.
#[derive(Debug)]
pub struct LinearAttention {
    /// Heads of queries.
    pub heads: usize,
    /// Heads of keys, values and the state.
    pub kv_heads: usize,
    /// What results are multiplied with.
    pub scale: f32,
    /// Whether the state fades, by the exponential of an operand.
    pub gated: bool,
    /// Whether only what the state does not hold yet is added, at a rate that is an operand.
    pub delta: bool,
}

impl Operator for LinearAttention {
    fn name(&self) -> &'static str {
        INFO.name
    }

    fn infer(&self, inputs: &[&ValueType]) -> Result<Vec<ValueType>, String> {
        let wanted = 4 + usize::from(self.gated) + usize::from(self.delta);
        if inputs.len() != wanted {
            return Err(format!("takes {wanted} operands, got {}", inputs.len()));
        }
        let mut dims = Vec::new();
        for (index, ty) in inputs.iter().enumerate() {
            rules::dtype("an operand", ty, DType::F32)?;
            rules::rank("an operand", ty, if index == 3 { 4 } else { 3 })?;
            dims.push(rules::dims("an operand", ty)?);
        }
        let heads = |of: usize, heads: usize| -> Result<usize, String> {
            let width = dims[of][2];
            let whole = heads > 0 && width.is_multiple_of(heads);
            if whole { Ok(width / heads) } else { Err(format!("{heads} heads of {width}")) }
        };
        let (n, s) = (dims[0][0], dims[0][1]);
        let (keys, values) = (heads(1, self.kv_heads)?, heads(2, self.kv_heads)?);
        let grouped = heads(0, self.heads)? == keys && self.heads.is_multiple_of(self.kv_heads);
        let rows = |of: &Vec<usize>| of[..2] == [n, s];
        if !grouped || !rows(&dims[1]) || !rows(&dims[2]) {
            return Err(format!("queries, keys and values of {:?}", &dims[..3]));
        }
        if dims[3] != [n, self.kv_heads, keys, values] {
            return Err(format!("a state of {:?}", dims[3]));
        }
        let more =
            [(self.gated, self.kv_heads * keys, self.kv_heads), (self.delta, self.kv_heads, 1)];
        let more = more.into_iter().filter(|(there, ..)| *there);
        for ((_, each, shared), of) in more.zip(&dims[4..]) {
            if !rows(of) || of[2] != each && of[2] != shared {
                return Err(format!("gates or rates of {of:?}"));
            }
        }
        let width = self.heads.checked_mul(values).ok_or("too many heads")?;
        Ok(vec![ValueType::fixed(DType::F32, &[n, s, width]), inputs[3].clone()])
    }

    fn work(&self, args: &Args<'_>) -> Work {
        let state = args.tensor(3).extents;
        let [n, heads, keys, values] = *state.dims() else {
            return Work { units: 0, grain: 1, cost: 1 };
        };
        let positions = args.tensor(0).extents.dims()[1];
        Work { units: n * heads, grain: 1, cost: 4 * positions * keys * values }
    }

    fn run(&self, args: &Args<'_>, units: Range<usize>) {
        let [query, key, value, past] = [0, 1, 2, 3].map(|index| args.tensor(index).f32s());
        let &[_, heads, keys, values] = args.tensor(3).extents.dims() else { return };
        let positions = args.tensor(0).extents.dims()[1];
        let gate = self.gated.then(|| args.tensor(4));
        let rate = self.delta.then(|| args.tensor(4 + usize::from(self.gated)));
        let (out, states) = (args.outputs[0].cells::<f32>(), args.outputs[1].cells::<f32>());
        let shared = self.heads / self.kv_heads;
        let size = keys * values;
        let mut write = vec![0.0; values];
        for unit in units {
            let (image, head) = (unit / heads, unit % heads);
            // SAFETY: units are whole heads, and no two threads have the same.
            let state = unsafe { states.part(unit * size..(unit + 1) * size) };
            state.copy_from_slice(&past[unit * size..(unit + 1) * size]);
            for position in image * positions..(image + 1) * positions {
                let key = &key[(position * heads + head) * keys..][..keys];
                let value = &value[(position * heads + head) * values..][..values];
                if let Some(gate) = gate {
                    let (own, gate) = (gate.extents.inner() / heads, gate.f32s());
                    for (at, row) in state.chunks_exact_mut(values.max(1)).enumerate() {
                        let from = (position * heads + head) * own;
                        let fade = gate[from + if own == 1 { 0 } else { at }].exp();
                        row.iter_mut().for_each(|cell| *cell *= fade);
                    }
                }
                write.copy_from_slice(value);
                if let Some(rate) = rate {
                    for (row, key) in state.chunks_exact(values.max(1)).zip(key) {
                        write.iter_mut().zip(row).for_each(|(write, cell)| *write -= key * cell);
                    }
                    let own = rate.extents.inner();
                    let rate = rate.f32s()[position * own + if own == 1 { 0 } else { head }];
                    write.iter_mut().for_each(|write| *write *= rate);
                }
                for (row, key) in state.chunks_exact_mut(values.max(1)).zip(key) {
                    row.iter_mut().zip(&write).for_each(|(cell, write)| *cell += key * write);
                }
                for reader in head * shared..(head + 1) * shared {
                    let at = position * self.heads + reader;
                    let query = &query[at * keys..(at + 1) * keys];
                    // SAFETY: these are results of this head only.
                    let cells = unsafe { out.part(at * values..(at + 1) * values) };
                    cells.fill(0.0);
                    for (row, query) in state.chunks_exact(values.max(1)).zip(query) {
                        cells.iter_mut().zip(row).for_each(|(out, cell)| *out += query * cell);
                    }
                    cells.iter_mut().for_each(|out| *out *= self.scale);
                }
            }
        }
    }
}
