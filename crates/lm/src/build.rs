mod attention;
mod convolution;
mod encoder;
mod feed_forward;
mod weights;

use crate::family::{NormPlacement, Residual};
use crate::{Config, KvType, LmError, PAGE};
use attention::Angles;
pub(crate) use encoder::{EncoderGraph, EncoderInputs, build as build_encoder};
use sidestage_formats::WeightIndex;
use sidestage_ir::{Dim, Graph, GraphBuilder, Operator, ValueId};
use sidestage_ops::{Add, Gather, Scale, SoftCap, TakeRows};
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
    /// `[rows, width]`; `None`: only tokens can be given.
    pub(crate) vectors: Option<ValueId>,
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
    context_length: usize,
    kv_type: KvType,
) -> Result<DecoderGraph, LmError> {
    let max_pages = context_length.div_ceil(PAGE);
    let mut graph = GraphBuilder::new();
    let rows = graph.symbol("rows", MAX_ROWS);
    let sequences = graph.symbol("sequences", MAX_SEQUENCES);
    let outputs = graph.symbol("outputs", MAX_OUTPUTS);
    let width = Dim::Fixed(config.width);
    let vectors = graph.input("vectors", DType::F32, &[rows, width]);
    let inputs = Inputs {
        tokens: graph.input("tokens", DType::I32, &[rows]),
        vectors: Some(vectors),
        positions: graph.input("positions", DType::I32, &[rows]),
        slots: graph.input("slots", DType::I32, &[rows]),
        sequences: graph.input("sequences", DType::I32, &[rows]),
        tables: graph.input("tables", DType::I32, &[sequences, Dim::Fixed(max_pages)]),
        wanted: graph.input("wanted", DType::I32, &[outputs]),
    };
    let Inputs { positions, slots, sequences, tables, .. } = inputs;
    let places = Places { positions, slots, seen: positions, sequences, tables };
    let max_rows = MAX_ROWS;
    let mut decoder = Builder { config, weights, graph, places, max_rows, max_pages, kv_type };
    let table = decoder.matrix("token_embd.weight", config.vocab_size, config.width)?;
    let embedded = [inputs.tokens, vectors, table];
    let x = decoder.apply("embedding", Gather::<true>, &embedded)?;
    let x = decoder.scaled("embedding_scale", x, config.embedding_scale)?;
    let mut x = decoder.learned_positions(x)?;
    let angles = decoder.angles(context_length)?;
    for layer in 0..config.layers.len() {
        x = decoder.layer(layer, x, &angles)?;
    }
    let x = decoder.apply("wanted", TakeRows, &[x, inputs.wanted])?;
    // LFM2's files call it so.
    let last = match decoder.has("token_embd_norm.weight") && !decoder.has("output_norm.weight") {
        true => "token_embd_norm",
        false => "output_norm",
    };
    let hidden = decoder.norm(last, x)?;
    let logits = decoder.head(hidden)?;
    let graph = decoder.graph.finish(&[hidden, logits]);
    Ok(DecoderGraph { graph, inputs, hidden, logits })
}

/// Where the rows of a step stand. All are `i32`.
struct Places {
    positions: ValueId,
    /// Where a row's keys and values go.
    slots: ValueId,
    /// The last position of its sequence that a row sees.
    seen: ValueId,
    sequences: ValueId,
    tables: ValueId,
}

struct Builder<'a> {
    config: &'a Config,
    weights: &'a WeightIndex,
    graph: GraphBuilder,
    places: Places,
    max_rows: usize,
    /// Pages of a full context.
    max_pages: usize,
    kv_type: KvType,
}

impl Builder<'_> {
    fn layer(&mut self, layer: usize, x: ValueId, angles: &Angles) -> Result<ValueId, LmError> {
        let name = |part: &str| format!("blk.{layer}.{part}");
        let (before, after) = match self.config.family.placement {
            NormPlacement::Before => (true, false),
            NormPlacement::After => (false, true),
            NormPlacement::Both => (true, true),
        };
        let (parallel, shared) = match self.config.family.residual {
            Residual::Sequential => (false, false),
            Residual::Shared => (true, true),
            Residual::Stated => (self.config.parallel, false),
            Residual::ByNorm => {
                let shared = !self.has(&name("ffn_norm.weight"));
                (shared, shared)
            }
        };

        let normed = if before { self.norm(&name("attn_norm"), x)? } else { x };
        // Falcon 40B: the first norm is the feed-forward part's.
        let taken = match self.has(&name("attn_norm_2.weight")) {
            true => self.norm(&name("attn_norm_2"), x)?,
            false => normed,
        };
        let mut attended = match self.config.layers[layer].taps {
            Some(taps) => self.convolution(layer, taken, taps)?,
            None => self.attention(layer, taken, angles)?,
        };
        if after {
            attended = self.norm(&name("post_attention_norm"), attended)?;
        }
        let attended =
            self.scaled(&name("attention_scale"), attended, self.config.residual_scale)?;
        let sum = self.apply(&name("attention_residual"), Add, &[x, attended])?;

        let from = if parallel { x } else { sum };
        let taken = match (shared, before) {
            (true, _) => normed,
            (false, true) => self.norm(&name("ffn_norm"), from)?,
            (false, false) => from,
        };
        let mut fed = self.feed_forward(layer, taken)?;
        if after {
            fed = self.norm(&name("post_ffw_norm"), fed)?;
        }
        let fed = self.scaled(&name("ffn_scale"), fed, self.config.residual_scale)?;
        self.apply(&name("residual"), Add, &[sum, fed])
    }

    /// Adds the vectors of the positions, where the model has learned some.
    fn learned_positions(&mut self, x: ValueId) -> Result<ValueId, LmError> {
        let Config { rope: None, trained_context, width, .. } = *self.config else { return Ok(x) };
        let table = self.matrix("position_embd.weight", trained_context, width)?;
        let positions = self.apply("positions", Gather::<true>, &[self.places.positions, table])?;
        self.apply("embedding_and_positions", Add, &[x, positions])
    }

    /// The logits; the embedding's table is the matrix where there is no other.
    fn head(&mut self, hidden: ValueId) -> Result<ValueId, LmError> {
        let Config { vocab_size, width, logit_scale, logit_softcap, .. } = *self.config;
        let tied = !self.has("output.weight");
        let matrix = if tied { "token_embd.weight" } else { "output.weight" };
        let matrix = self.matrix(matrix, vocab_size, width)?;
        let logits = self.product("output", hidden, (matrix, vocab_size), None)?;
        let logits = self.scaled("logit_scale", logits, logit_scale)?;
        match logit_softcap {
            Some(cap) => self.apply("logit_softcap", SoftCap { cap }, &[logits]),
            None => Ok(logits),
        }
    }

    /// `x` times a factor; no node where that is 1.
    fn scaled(&mut self, name: &str, x: ValueId, factor: f32) -> Result<ValueId, LmError> {
        if factor == 1.0 {
            return Ok(x);
        }
        self.apply(name, Scale { factor }, &[x])
    }

    fn apply(
        &mut self,
        name: &str,
        op: impl Operator + 'static,
        inputs: &[ValueId],
    ) -> Result<ValueId, LmError> {
        Ok(self.graph.apply(name, op, inputs)?)
    }

    fn has(&self, tensor: &str) -> bool {
        self.weights.get(tensor).is_some()
    }
}
