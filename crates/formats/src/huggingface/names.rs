//! The names of tensors, theirs and GGUF's. A star is a number: of the layer, then of the expert or
//! head.

use super::FolderError;
use super::architecture::Architecture;

/// A tensor's name without `.weight` or `.bias`, and how it becomes a weight.
#[derive(Clone, Copy, Debug)]
pub(super) struct Name {
    theirs: &'static str,
    ours: &'static str,
    pub(super) way: Way,
}

/// How a tensor becomes a weight.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// As it is.
    Same,
    /// As it is, in `F32`.
    Exact,
    /// In `F32`, without the rows before that of a text's first position.
    Positions,
    /// The halves of each query head become pairs.
    Queries,
    /// The halves of each key head become pairs.
    Keys,
    /// Groups of queries, a key and a value come apart.
    Fused,
    /// A matrix is transposed.
    Columns,
    /// One of the experts.
    Expert,
    /// In `F32`, without the extent of 1 in the middle.
    Taps,
    /// The norm of one of the query heads.
    QueryNorm,
    /// The norm of one of the key heads.
    KeyNorm,
}

const fn name(theirs: &'static str, ours: &'static str) -> Name {
    Name { theirs, ours, way: Way::Same }
}

const fn way(theirs: &'static str, ours: &'static str, way: Way) -> Name {
    Name { theirs, ours, way }
}

/// What most decoders share.
pub(super) const DECODER: &[Name] = &[
    name("model.embed_tokens", "token_embd"),
    name("model.norm", "output_norm"),
    name("lm_head", "output"),
    name("model.layers.*.input_layernorm", "blk.*.attn_norm"),
    name("model.layers.*.self_attn.o_proj", "blk.*.attn_output"),
];

pub(super) const SEPARATE: &[Name] = &[
    name("model.layers.*.self_attn.q_proj", "blk.*.attn_q"),
    name("model.layers.*.self_attn.k_proj", "blk.*.attn_k"),
    name("model.layers.*.self_attn.v_proj", "blk.*.attn_v"),
];

pub(super) const PERMUTED_HEADS: &[Name] = &[
    way("model.layers.*.self_attn.q_proj", "blk.*.attn_q", Way::Queries),
    way("model.layers.*.self_attn.k_proj", "blk.*.attn_k", Way::Keys),
    name("model.layers.*.self_attn.v_proj", "blk.*.attn_v"),
];

pub(super) const HEAD_NORMS: &[Name] = &[
    name("model.layers.*.self_attn.q_norm", "blk.*.attn_q_norm"),
    name("model.layers.*.self_attn.k_norm", "blk.*.attn_k_norm"),
];

pub(super) const STACKED_HEAD_NORMS: &[Name] = &[
    way("model.layers.*.self_attn.q_layernorm.norms.*", "blk.*.attn_q_norm", Way::QueryNorm),
    way("model.layers.*.self_attn.k_layernorm.norms.*", "blk.*.attn_k_norm", Way::KeyNorm),
];

pub(super) const FEED_FORWARD_NORM: &[Name] =
    &[name("model.layers.*.post_attention_layernorm", "blk.*.ffn_norm")];

pub(super) const NORMS_AFTER: &[Name] = &[
    name("model.layers.*.post_attention_layernorm", "blk.*.post_attention_norm"),
    name("model.layers.*.post_feedforward_layernorm", "blk.*.post_ffw_norm"),
];

pub(super) const NORMS_AROUND: &[Name] = &[
    name("model.layers.*.post_attention_layernorm", "blk.*.post_attention_norm"),
    name("model.layers.*.pre_feedforward_layernorm", "blk.*.ffn_norm"),
    name("model.layers.*.post_feedforward_layernorm", "blk.*.post_ffw_norm"),
];

pub(super) const GATED: &[Name] = &[
    name("model.layers.*.mlp.gate_proj", "blk.*.ffn_gate"),
    name("model.layers.*.mlp.up_proj", "blk.*.ffn_up"),
    name("model.layers.*.mlp.down_proj", "blk.*.ffn_down"),
];

pub(super) const QWEN_EXPERTS: &[Name] = &[
    way("model.layers.*.mlp.gate", "blk.*.ffn_gate_inp", Way::Exact),
    way("model.layers.*.mlp.experts.*.gate_proj", "blk.*.ffn_gate_exps", Way::Expert),
    way("model.layers.*.mlp.experts.*.up_proj", "blk.*.ffn_up_exps", Way::Expert),
    way("model.layers.*.mlp.experts.*.down_proj", "blk.*.ffn_down_exps", Way::Expert),
];

pub(super) const MIXTRAL_EXPERTS: &[Name] = &[
    way("model.layers.*.block_sparse_moe.gate", "blk.*.ffn_gate_inp", Way::Exact),
    way("model.layers.*.block_sparse_moe.experts.*.w1", "blk.*.ffn_gate_exps", Way::Expert),
    way("model.layers.*.block_sparse_moe.experts.*.w3", "blk.*.ffn_up_exps", Way::Expert),
    way("model.layers.*.block_sparse_moe.experts.*.w2", "blk.*.ffn_down_exps", Way::Expert),
];

pub(super) const PHI3: &[Name] = &[
    name("model.layers.*.self_attn.qkv_proj", "blk.*.attn_qkv"),
    name("model.layers.*.post_attention_layernorm", "blk.*.ffn_norm"),
    name("model.layers.*.mlp.gate_up_proj", "blk.*.ffn_up"),
    name("model.layers.*.mlp.down_proj", "blk.*.ffn_down"),
];

pub(super) const PHI: &[Name] = &[
    name("model.final_layernorm", "output_norm"),
    name("model.layers.*.self_attn.dense", "blk.*.attn_output"),
    name("model.layers.*.mlp.fc1", "blk.*.ffn_up"),
    name("model.layers.*.mlp.fc2", "blk.*.ffn_down"),
];

pub(super) const STARCODER: &[Name] = &[
    name("model.layers.*.mlp.c_fc", "blk.*.ffn_up"),
    name("model.layers.*.mlp.c_proj", "blk.*.ffn_down"),
];

pub(super) const GPT2: &[Name] = &[
    name("transformer.wte", "token_embd"),
    way("transformer.wpe", "position_embd", Way::Exact),
    name("transformer.ln_f", "output_norm"),
    name("lm_head", "output"),
    name("transformer.h.*.ln_1", "blk.*.attn_norm"),
    way("transformer.h.*.attn.c_attn", "blk.*.attn_qkv", Way::Columns),
    way("transformer.h.*.attn.c_proj", "blk.*.attn_output", Way::Columns),
    name("transformer.h.*.ln_2", "blk.*.ffn_norm"),
    way("transformer.h.*.mlp.c_fc", "blk.*.ffn_up", Way::Columns),
    way("transformer.h.*.mlp.c_proj", "blk.*.ffn_down", Way::Columns),
];

pub(super) const GPT_NEOX: &[Name] = &[
    name("gpt_neox.embed_in", "token_embd"),
    name("gpt_neox.final_layer_norm", "output_norm"),
    name("embed_out", "output"),
    name("gpt_neox.layers.*.input_layernorm", "blk.*.attn_norm"),
    way("gpt_neox.layers.*.attention.query_key_value", "blk.*.attn_qkv", Way::Fused),
    name("gpt_neox.layers.*.attention.dense", "blk.*.attn_output"),
    name("gpt_neox.layers.*.post_attention_layernorm", "blk.*.ffn_norm"),
    name("gpt_neox.layers.*.mlp.dense_h_to_4h", "blk.*.ffn_up"),
    name("gpt_neox.layers.*.mlp.dense_4h_to_h", "blk.*.ffn_down"),
];

pub(super) const FALCON: &[Name] = &[
    name("transformer.word_embeddings", "token_embd"),
    name("transformer.ln_f", "output_norm"),
    name("lm_head", "output"),
    name("transformer.h.*.input_layernorm", "blk.*.attn_norm"),
    name("transformer.h.*.ln_mlp", "blk.*.attn_norm"),
    name("transformer.h.*.ln_attn", "blk.*.attn_norm_2"),
    way("transformer.h.*.self_attention.query_key_value", "blk.*.attn_qkv", Way::Fused),
    name("transformer.h.*.self_attention.dense", "blk.*.attn_output"),
    name("transformer.h.*.mlp.dense_h_to_4h", "blk.*.ffn_up"),
    name("transformer.h.*.mlp.dense_4h_to_h", "blk.*.ffn_down"),
];

pub(super) const LFM2: &[Name] = &[
    name("model.embed_tokens", "token_embd"),
    name("model.embedding_norm", "token_embd_norm"),
    name("lm_head", "output"),
    name("model.layers.*.operator_norm", "blk.*.attn_norm"),
    name("model.layers.*.self_attn.out_proj", "blk.*.attn_output"),
    name("model.layers.*.self_attn.q_layernorm", "blk.*.attn_q_norm"),
    name("model.layers.*.self_attn.k_layernorm", "blk.*.attn_k_norm"),
    way("model.layers.*.conv.conv", "blk.*.shortconv.conv", Way::Taps),
    name("model.layers.*.conv.in_proj", "blk.*.shortconv.in_proj"),
    name("model.layers.*.conv.out_proj", "blk.*.shortconv.out_proj"),
    name("model.layers.*.ffn_norm", "blk.*.ffn_norm"),
    name("model.layers.*.feed_forward.w1", "blk.*.ffn_gate"),
    name("model.layers.*.feed_forward.w3", "blk.*.ffn_up"),
    name("model.layers.*.feed_forward.w2", "blk.*.ffn_down"),
];

pub(super) const BERT: &[Name] = &[
    name("bert.embeddings.word_embeddings", "token_embd"),
    way("bert.embeddings.position_embeddings", "position_embd", Way::Positions),
    way("bert.embeddings.token_type_embeddings", "token_types", Way::Exact),
    name("bert.embeddings.LayerNorm", "token_embd_norm"),
    name("bert.encoder.layer.*.attention.self.query", "blk.*.attn_q"),
    name("bert.encoder.layer.*.attention.self.key", "blk.*.attn_k"),
    name("bert.encoder.layer.*.attention.self.value", "blk.*.attn_v"),
    name("bert.encoder.layer.*.attention.output.dense", "blk.*.attn_output"),
    name("bert.encoder.layer.*.attention.output.LayerNorm", "blk.*.attn_output_norm"),
    name("bert.encoder.layer.*.intermediate.dense", "blk.*.ffn_up"),
    name("bert.encoder.layer.*.output.dense", "blk.*.ffn_down"),
    name("bert.encoder.layer.*.output.LayerNorm", "blk.*.layer_output_norm"),
];

pub(super) const DISTILBERT: &[Name] = &[
    name("distilbert.embeddings.word_embeddings", "token_embd"),
    way("distilbert.embeddings.position_embeddings", "position_embd", Way::Positions),
    name("distilbert.embeddings.LayerNorm", "token_embd_norm"),
    name("distilbert.transformer.layer.*.attention.q_lin", "blk.*.attn_q"),
    name("distilbert.transformer.layer.*.attention.k_lin", "blk.*.attn_k"),
    name("distilbert.transformer.layer.*.attention.v_lin", "blk.*.attn_v"),
    name("distilbert.transformer.layer.*.attention.out_lin", "blk.*.attn_output"),
    name("distilbert.transformer.layer.*.sa_layer_norm", "blk.*.attn_output_norm"),
    name("distilbert.transformer.layer.*.ffn.lin1", "blk.*.ffn_up"),
    name("distilbert.transformer.layer.*.ffn.lin2", "blk.*.ffn_down"),
    name("distilbert.transformer.layer.*.output_layer_norm", "blk.*.layer_output_norm"),
];

/// Masks, angles and positions that older versions stored.
const UNUSED: &[&str] = &[
    ".position_ids",
    ".attn.bias",
    ".attn.masked_bias",
    ".attention.bias",
    ".attention.masked_bias",
    ".rotary_emb.inv_freq",
];

/// What encoders have for their training, by names that decoders have for other things.
const TRAINING: &[&str] = &["lm_head.", "vocab_"];

/// What belongs to eyes, and what encoders have for their training.
const OTHER_PARTS: &[&str] = &[
    "vision_tower.",
    "multi_modal_projector.",
    "model.vision_tower.",
    "pooler.",
    "bert.pooler.",
    "roberta.pooler.",
    "cls.",
];

/// A tensor by its place in the model.
#[derive(Debug)]
pub(super) struct Found {
    /// The weight's name.
    pub(super) weight: String,
    /// Its row.
    pub(super) way: Way,
    /// The number of the expert or head.
    pub(super) member: u64,
    /// Whether it is the weight of a norm.
    pub(super) is_norm: bool,
}

/// Finds a tensor of a file; `None` for one that nobody needs.
pub(super) fn find(
    architecture: &Architecture,
    tensor: &str,
) -> Result<Option<Found>, FolderError> {
    let begins = |starts: &[&str]| starts.iter().any(|start| tensor.starts_with(start));
    let unused = UNUSED.iter().any(|end| tensor.ends_with(end))
        || begins(OTHER_PARTS)
        || architecture.gguf == "bert" && begins(TRAINING)
        || tensor.starts_with("model.multi_modal_projector.");
    if unused {
        return Ok(None);
    }
    let unknown =
        || FolderError::UnknownTensor { tensor: tensor.into(), architecture: architecture.gguf };
    let (stem, kind) = tensor.rsplit_once('.').ok_or_else(unknown)?;
    if !matches!(kind, "weight" | "bias") {
        return Err(unknown());
    }
    // Models that also see keep the language model under a name of its own.
    let stem = stem.replace("language_model.", "");
    // RoBERTa's tensors are those of BERT under another first name.
    let stem = stem.strip_prefix("roberta.").unwrap_or(&stem);
    let mut numbers = Vec::new();
    let mut pattern = String::new();
    for part in stem.split('.') {
        let number: Option<u64> =
            part.bytes().all(|b| b.is_ascii_digit()).then(|| part.parse().ok()).flatten();
        numbers.extend(number);
        pattern.push_str(if number.is_some() { "*" } else { part });
        pattern.push('.');
    }
    pattern.pop();
    let names = || architecture.tensors.iter().copied().flatten();
    // A model saved without its head lacks the first part: `wte` for `transformer.wte`.
    let bare = |name: &&Name| name.theirs.split_once('.').is_some_and(|(_, rest)| rest == pattern);
    let exact = names().find(|name| name.theirs == pattern);
    let found = exact.or_else(|| names().find(bare)).ok_or_else(unknown)?;
    let mut numbers = numbers.into_iter();
    let layer = numbers.next().unwrap_or(0);
    Ok(Some(Found {
        weight: format!("{}.{kind}", found.ours.replacen('*', &layer.to_string(), 1)),
        way: found.way,
        member: numbers.next().unwrap_or(0),
        is_norm: pattern.ends_with("norm") && kind == "weight",
    }))
}
