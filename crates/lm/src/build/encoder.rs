//! The graph of an encoder.

use super::{Builder, MAX_SEQUENCES, Places};
use crate::{Config, KvType, LmError, PAGE};
use sidestage_formats::WeightIndex;
use sidestage_ir::{Dim, Graph, GraphBuilder, ValueId};
use sidestage_ops::{Add, Gather};
use sidestage_tensor::DType;

/// An encoder's graph and the values through which it is used.
#[derive(Debug)]
pub(crate) struct EncoderGraph {
    pub(crate) graph: Graph,
    pub(crate) inputs: EncoderInputs,
    /// `[rows, width]`.
    pub(crate) hidden: ValueId,
}

/// What each step gives the graph, all `i32`: whole texts, one behind the other.
#[derive(Clone, Copy, Debug)]
pub(crate) struct EncoderInputs {
    /// `[rows]`.
    pub(crate) tokens: ValueId,
    /// `[rows]`: which of the parts of a text a token belongs to; `None`: the model knows none.
    pub(crate) types: Option<ValueId>,
    /// `[rows]`: in the row's own text.
    pub(crate) positions: ValueId,
    /// `[rows]`: the last position of the row's text.
    pub(crate) last: ValueId,
    /// `[rows]`: where the row's keys and values go.
    pub(crate) slots: ValueId,
    /// `[rows]`: the row of the tables.
    pub(crate) sequences: ValueId,
    /// `[sequences, pages]`: page numbers.
    pub(crate) tables: ValueId,
}

/// Builds the graph of an encoder for texts of at most `max_rows` tokens, and steps of as many.
///
/// It attends as decoders do, over pages, but each row up to the end of its text: the pages hold one step's
/// keys and values, unrounded.
pub(crate) fn build(
    config: &Config,
    weights: &WeightIndex,
    max_rows: usize,
) -> Result<EncoderGraph, LmError> {
    let max_pages = max_rows.div_ceil(PAGE);
    let mut graph = GraphBuilder::new();
    let rows = graph.symbol("rows", max_rows);
    let sequences = graph.symbol("sequences", MAX_SEQUENCES);
    let mut list = |name: &str| graph.input(name, DType::I32, &[rows]);
    let [tokens, positions, last, slots, row_sequences] =
        ["tokens", "positions", "last", "slots", "sequences"].map(&mut list);
    let types = weights.get("token_types.weight").map(|info| (list("types"), info));
    let tables = graph.input("tables", DType::I32, &[sequences, Dim::Fixed(max_pages)]);
    let inputs = EncoderInputs {
        tokens,
        types: types.map(|(types, _)| types),
        positions,
        last,
        slots,
        sequences: row_sequences,
        tables,
    };
    let places = Places { positions, slots, seen: last, sequences: row_sequences, tables };
    let kv_type = KvType::F32;
    let mut encoder = Builder { config, weights, graph, places, max_rows, max_pages, kv_type };
    let table = encoder.matrix("token_embd.weight", config.vocab_size, config.width)?;
    let mut x = encoder.apply("embedding", Gather::<true>, &[tokens, table])?;
    if let Some((types, info)) = types {
        let count = info.extents.first().copied().unwrap_or(0) as usize;
        let table = encoder.matrix("token_types.weight", count, config.width)?;
        let types = encoder.apply("types", Gather::<true>, &[types, table])?;
        x = encoder.apply("embedding_and_types", Add, &[x, types])?;
    }
    x = encoder.learned_positions(x)?;
    x = encoder.norm("token_embd_norm", x)?;
    let angles = encoder.angles(max_rows)?;
    for layer in 0..config.layers.len() {
        let name = |part: &str| format!("blk.{layer}.{part}");
        let attended = encoder.attention(layer, x, &angles)?;
        let sum = encoder.apply(&name("attention_residual"), Add, &[x, attended])?;
        x = encoder.norm(&name("attn_output_norm"), sum)?;
        let fed = encoder.feed_forward(layer, x)?;
        let sum = encoder.apply(&name("residual"), Add, &[x, fed])?;
        x = encoder.norm(&name("layer_output_norm"), sum)?;
    }
    let graph = encoder.graph.finish(&[x]);
    Ok(EncoderGraph { graph, inputs, hidden: x })
}
