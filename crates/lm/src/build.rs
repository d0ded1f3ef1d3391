use crate::{Config, LmError, PAGE};
use sidestage_formats::{TensorInfo, WeightIndex};
use sidestage_ir::{Dim, Graph, GraphBuilder, Operator, ValueId};
use sidestage_kernels::activation_dtype;
use sidestage_ops::{
    Add, Attention, Gather, KvWrite, Linear, Quantize, RmsNormalization, RotaryAngles,
    RotaryEmbedding, SwiGlu, TakeRows,
};
use sidestage_tensor::DType;

/// Most rows of one step.
pub const MAX_ROWS: usize = 128;

/// Most rows of one step whose logits are wanted.
pub const MAX_OUTPUTS: usize = 8;

/// Most sequences in one step.
pub const MAX_SEQUENCES: usize = 8;

/// A decoder's graph and the values through which it is used.
#[derive(Debug)]
pub(crate) struct DecoderGraph {
    pub(crate) graph: Graph,
    pub(crate) inputs: Inputs,
    pub(crate) hidden: ValueId,
    pub(crate) logits: ValueId,
}

/// What each step gives the graph. All but the vectors are `i32`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Inputs {
    /// `[rows]`: the token, or -1 where a vector is given.
    pub(crate) tokens: ValueId,
    /// `[rows, width]`.
    pub(crate) vectors: ValueId,
    /// `[rows]`.
    pub(crate) positions: ValueId,
    /// `[rows]`: where in the cache the row's keys and values go.
    pub(crate) slots: ValueId,
    /// `[rows]`: the row of the tables.
    pub(crate) sequences: ValueId,
    /// `[sequences, pages]`: page numbers, -1 after the last.
    pub(crate) tables: ValueId,
    /// `[outputs]`: rows whose results are wanted.
    pub(crate) wanted: ValueId,
}

/// Builds the graph of a decoder; what the family does not say is told by the tensors there are.
pub(crate) fn build(
    config: &Config,
    weights: &WeightIndex,
    max_pages: usize,
) -> Result<DecoderGraph, LmError> {
    let mut graph = GraphBuilder::new();
    let rows = graph.symbol("rows", MAX_ROWS);
    let sequences = graph.symbol("sequences", MAX_SEQUENCES);
    let outputs = graph.symbol("outputs", MAX_OUTPUTS);
    let width = Dim::Fixed(config.width);
    let inputs = Inputs {
        tokens: graph.input("tokens", DType::I32, &[rows]),
        vectors: graph.input("vectors", DType::F32, &[rows, width]),
        positions: graph.input("positions", DType::I32, &[rows]),
        slots: graph.input("slots", DType::I32, &[rows]),
        sequences: graph.input("sequences", DType::I32, &[rows]),
        tables: graph.input("tables", DType::I32, &[sequences, Dim::Fixed(max_pages)]),
        wanted: graph.input("wanted", DType::I32, &[outputs]),
    };
    let mut decoder = Builder { config, weights, graph, inputs };
    let table = decoder.matrix("token_embd.weight", config.vocab_size, config.width)?;
    let embedded = [inputs.tokens, inputs.vectors, table];
    let mut x = decoder.apply("embedding", Gather, &embedded)?;
    let angles = decoder.angles()?;
    for layer in 0..config.layers {
        x = decoder.layer(layer, x, angles)?;
    }
    let x = decoder.apply("wanted", TakeRows, &[x, inputs.wanted])?;
    let hidden = decoder.norm("output_norm", x, config.width)?;
    let tied = decoder.weights.get("output.weight").is_none();
    let head = if tied { "token_embd" } else { "output" };
    let logits = decoder.linear(head, hidden, config.vocab_size, config.width)?;
    let graph = decoder.graph.finish(&[hidden, logits]);
    Ok(DecoderGraph { graph, inputs, hidden, logits })
}

struct Builder<'a> {
    config: &'a Config,
    weights: &'a WeightIndex,
    graph: GraphBuilder,
    inputs: Inputs,
}

impl Builder<'_> {
    fn layer(&mut self, layer: usize, x: ValueId, angles: ValueId) -> Result<ValueId, LmError> {
        let Config { width, heads, kv_heads, head_dim, feed_forward, .. } = *self.config;
        let (q_width, kv_width) = (heads * head_dim, kv_heads * head_dim);
        let name = |part: &str| format!("blk.{layer}.{part}");

        let normed = self.norm(&name("attn_norm"), x, width)?;
        let q = self.linear(&name("attn_q"), normed, q_width, width)?;
        let k = self.linear(&name("attn_k"), normed, kv_width, width)?;
        let v = self.linear(&name("attn_v"), normed, kv_width, width)?;
        let q = self.head_norm(&name("attn_q_norm"), q)?;
        let k = self.head_norm(&name("attn_k_norm"), k)?;
        let rotary = || RotaryEmbedding { head_dim, style: self.config.family.rope };
        let (rotate_q, rotate_k) = (rotary(), rotary());
        let q = self.apply(&name("q"), rotate_q, &[q, angles])?;
        let k = self.apply(&name("k"), rotate_k, &[k, angles])?;
        let keys = self.graph.state(&name("keys"), DType::F32, &[PAGE, kv_width]);
        let values = self.graph.state(&name("values"), DType::F32, &[PAGE, kv_width]);
        let Inputs { slots, positions, sequences, tables, .. } = self.inputs;
        self.graph.effect(&name("kv"), KvWrite, &[k, v, slots, keys, values])?;
        let attention = Attention {
            heads,
            kv_heads,
            head_dim,
            scale: 1.0 / (head_dim as f32).sqrt(),
            window: self.config.window,
            softcap: None,
        };
        let operands = [q, keys, values, positions, sequences, tables];
        let attended = self.apply(&name("attention"), attention, &operands)?;
        let out = self.linear(&name("attn_output"), attended, width, q_width)?;
        let x = self.apply(&name("attention_residual"), Add, &[x, out])?;

        let normed = self.norm(&name("ffn_norm"), x, width)?;
        let gate = self.linear(&name("ffn_gate"), normed, feed_forward, width)?;
        let up = self.linear(&name("ffn_up"), normed, feed_forward, width)?;
        let inner = self.apply(&name("swiglu"), SwiGlu, &[gate, up])?;
        let down = self.linear(&name("ffn_down"), inner, width, feed_forward)?;
        self.apply(&name("residual"), Add, &[x, down])
    }

    fn apply(
        &mut self,
        name: &str,
        op: impl Operator + 'static,
        inputs: &[ValueId],
    ) -> Result<ValueId, LmError> {
        Ok(self.graph.apply(name, op, inputs)?)
    }

    /// `x * weight + bias`, the bias if there is one. Quantised weights take quantised activations;
    /// a value is quantised once for all its readers.
    fn linear(&mut self, name: &str, x: ValueId, n: usize, k: usize) -> Result<ValueId, LmError> {
        let weight = self.matrix(&format!("{name}.weight"), n, k)?;
        let x = match activation_dtype(self.graph.ty(weight).dtype) {
            DType::Act8 => match self.graph.reader(x, Quantize.name()) {
                Some(quantized) => quantized,
                None => self.apply(name, Quantize, &[x])?,
            },
            _ => x,
        };
        let bias = format!("{name}.bias");
        match self.weights.get(&bias) {
            Some(_) => {
                let bias = self.vector(&bias, n)?;
                self.apply(name, Linear, &[x, weight, bias])
            }
            None => self.apply(name, Linear, &[x, weight]),
        }
    }

    fn norm(&mut self, name: &str, x: ValueId, group: usize) -> Result<ValueId, LmError> {
        let weight = self.vector(&format!("{name}.weight"), group)?;
        let norm = RmsNormalization { epsilon: self.config.epsilon };
        self.apply(name, norm, &[x, weight])
    }

    /// The norm of each head, if the model has one.
    fn head_norm(&mut self, name: &str, x: ValueId) -> Result<ValueId, LmError> {
        match self.weights.get(&format!("{name}.weight")) {
            Some(_) => self.norm(name, x, self.config.head_dim),
            None => Ok(x),
        }
    }

    fn angles(&mut self) -> Result<ValueId, LmError> {
        let angles = RotaryAngles { frequencies: self.config.frequencies(), magnitude: 1.0 };
        let mut inputs = vec![self.inputs.positions];
        // Llama 3 divides the frequencies by factors that its files hold.
        if self.weights.get("rope_freqs.weight").is_some() {
            inputs.push(self.vector("rope_freqs.weight", self.config.rotated / 2)?);
        }
        self.apply("angles", angles, &inputs)
    }

    fn matrix(&mut self, name: &str, n: usize, k: usize) -> Result<ValueId, LmError> {
        self.weight(name, &[n, k], sidestage_kernels::supports)
    }

    fn vector(&mut self, name: &str, n: usize) -> Result<ValueId, LmError> {
        self.weight(name, &[n], |dtype| dtype == DType::F32)
    }

    fn weight(
        &mut self,
        name: &str,
        shape: &[usize],
        supported: impl Fn(DType) -> bool,
    ) -> Result<ValueId, LmError> {
        let missing = || LmError::MissingTensor { name: name.into() };
        let TensorInfo { dtype, extents, .. } = self.weights.get(name).ok_or_else(missing)?;
        let expected: Vec<u64> = shape.iter().map(|&dim| dim as u64).collect();
        if *extents != expected {
            return Err(LmError::Shape { name: name.into(), found: extents.clone(), expected });
        }
        if !supported(*dtype) {
            return Err(LmError::Type { name: name.into(), dtype: *dtype });
        }
        Ok(self.graph.weight(name, *dtype, shape))
    }
}
