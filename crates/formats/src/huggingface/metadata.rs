use super::architecture::{Architecture, Windows};
use super::config::{Config, feature, problem};
use super::rope::Rope;
use super::{FolderError, GenerationDefaults};
use crate::gguf::{Metadata, Value};
use serde_json::Value as Json;

/// The metadata of one architecture while they are written.
pub(super) struct Keys {
    architecture: &'static str,
    pairs: Vec<(String, Value)>,
}

impl Keys {
    /// Sets `{architecture}.{suffix}`, also anew.
    pub(super) fn put(&mut self, suffix: &str, value: impl Into<Value>) {
        let key = format!("{}.{suffix}", self.architecture);
        self.pairs.retain(|(other, _)| *other != key);
        self.pairs.push((key, value.into()));
    }

    /// Sets a whole number.
    pub(super) fn count(&mut self, suffix: &str, count: u64) -> Result<(), FolderError> {
        let count = u32::try_from(count).map_err(|_| problem(suffix, "is too large"))?;
        self.put(suffix, count);
        Ok(())
    }

    /// Sets a number.
    pub(super) fn float(&mut self, suffix: &str, number: f64) {
        self.put(suffix, number as f32);
    }
}

/// The metadata of a folder, as `convert_hf_to_gguf.py` names them.
pub(super) fn of(
    config: &Config,
    architecture: &Architecture,
    defaults: &GenerationDefaults,
) -> Result<Metadata, FolderError> {
    let mut keys = Keys { architecture: architecture.gguf, pairs: Vec::new() };
    keys.pairs.push(("general.architecture".into(), architecture.gguf.into()));
    let activation =
        config.text(&["hidden_activation", "hidden_act", "activation_function", "activation"])?;
    if let Some(activation) = activation.filter(|name| !architecture.activations.contains(name)) {
        return Err(feature("hidden_act", &activation.into()));
    }
    let (layers, width, heads) = (config.layers()?, config.width()?, config.heads()?);
    let context = ["max_position_embeddings", "n_ctx", "n_positions", "max_sequence_length"];
    keys.count("block_count", layers)?;
    keys.count("context_length", config.size(&context)?)?;
    keys.count("embedding_length", width)?;
    let inner = ["intermediate_size", "ffn_hidden_size", "n_inner", "hidden_dim"];
    let inner = match config.count(&inner)? {
        Some(inner) => inner,
        None => width.checked_mul(4).ok_or_else(|| problem("hidden_size", "is too large"))?,
    };
    keys.count("feed_forward_length", inner)?;
    keys.count("attention.head_count", heads)?;
    keys.count("attention.head_count_kv", architecture.kv_heads(config)?)?;
    keys.count("attention.key_length", config.head_dim()?)?;
    keys.count("attention.value_length", config.head_dim()?)?;
    if let Some(epsilon) = config.number(&["rms_norm_eps", "norm_eps"])? {
        keys.float("attention.layer_norm_rms_epsilon", epsilon);
    }
    let epsilon = ["layer_norm_eps", "layer_norm_epsilon", "norm_epsilon"];
    if let Some(epsilon) = config.number(&epsilon)? {
        keys.float("attention.layer_norm_epsilon", epsilon);
    }
    if let Some(experts) = config.count(&["num_local_experts", "num_experts"])? {
        keys.count("expert_count", experts)?;
        keys.count("expert_used_count", config.size(&["num_experts_per_tok"])?)?;
    }
    if let Some(vocabulary) = config.count(&["vocab_size"])? {
        keys.count("vocab_size", vocabulary)?;
    }
    windows(config, architecture, layers, &mut keys)?;
    Rope::read(config)?.put(config, architecture, &mut keys)?;
    (architecture.own)(config, &mut keys)?;
    for (key, id) in [
        ("tokenizer.ggml.bos_token_id", defaults.bos),
        ("tokenizer.ggml.eos_token_id", defaults.eos.first().copied()),
        ("tokenizer.ggml.padding_token_id", defaults.pad),
    ] {
        keys.pairs.extend(id.map(|id| (key.to_owned(), id.into())));
    }
    Ok(Metadata::new(keys.pairs)?)
}

/// `attention.sliding_window`, and which layers have it.
fn windows(
    config: &Config,
    architecture: &Architecture,
    layers: u64,
    keys: &mut Keys,
) -> Result<(), FolderError> {
    let rule = architecture.windows;
    let used = config.flag("use_sliding_window")?.unwrap_or(rule != Windows::Late);
    let size = config.count(&["sliding_window"])?.filter(|_| used && rule != Windows::Never);
    let Some(size) = size.filter(|&size| size > 0) else {
        // Readers take a missing key for the window of Google's files.
        if matches!(rule, Windows::AllBut(_)) {
            keys.count("attention.sliding_window", 0)?;
        }
        return Ok(());
    };
    let pattern: Vec<bool> = match (config.list("layer_types")?, rule) {
        (Some(types), _) => types
            .iter()
            .map(|kind| match kind.as_str() {
                Some("sliding_attention") => Ok(true),
                Some("full_attention") => Ok(false),
                _ => Err(feature("layer_types", kind)),
            })
            .collect::<Result<_, _>>()?,
        (None, Windows::Late) => {
            let first = config
                .count(&["max_window_layers"])?
                .ok_or_else(|| feature("use_sliding_window", &Json::Bool(true)))?;
            (0..layers).map(|layer| layer >= first).collect()
        }
        (None, Windows::AllBut(usual)) => {
            let stated = config.count(&["sliding_window_pattern", "_sliding_window_pattern"])?;
            let every = stated.unwrap_or(usual).max(1);
            (0..layers).map(|layer| (layer + 1) % every != 0).collect()
        }
        (None, _) => vec![true; layers as usize],
    };
    if pattern.len() as u64 != layers {
        return Err(problem("layer_types", "has not one entry for each layer"));
    }
    let any = pattern.contains(&true);
    keys.count("attention.sliding_window", if any { size } else { 0 })?;
    if any && (pattern.contains(&false) || rule != Windows::All) {
        keys.put("attention.sliding_window_pattern", pattern);
    }
    Ok(())
}
