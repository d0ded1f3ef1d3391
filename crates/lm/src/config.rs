mod keys;
mod rope;

use crate::family::{Positions, WindowRope};
use crate::{Family, LmError, Norm};
use keys::Keys;
pub use rope::{Rope, RopeScaling};
use sidestage_formats::WeightIndex;
use sidestage_formats::gguf::Metadata;

/// The sizes of a decoder, from a file's metadata.
#[derive(Clone, Debug)]
pub struct Config {
    /// Its family.
    pub family: &'static Family,
    /// Its layers, the first first.
    pub layers: Vec<Layer>,
    /// Values of one position between layers.
    pub width: usize,
    /// Values of one head.
    pub head_dim: usize,
    /// Tokens in the vocabulary.
    pub vocab_size: usize,
    /// Positions it was trained for.
    pub trained_context: usize,
    /// Added to the mean square or the variance in norms.
    pub epsilon: f32,
    /// What `use_parallel_residual` says; yes without it.
    pub parallel: bool,
    /// Rotary positions; `None`: learned ones.
    pub rope: Option<Rope>,
    /// Those of layers with a window.
    pub window_rope: Option<Rope>,
    /// Multiplies attention's scores.
    pub attention_scale: f32,
    /// Scores become `cap * tanh(score / cap)`.
    pub attention_softcap: Option<f32>,
    /// Multiplies embeddings.
    pub embedding_scale: f32,
    /// Multiplies what is added to the values between layers.
    pub residual_scale: f32,
    /// Multiplies logits.
    pub logit_scale: f32,
    /// Logits become `cap * tanh(logit / cap)`.
    pub logit_softcap: Option<f32>,
    /// The experts of layers that have some.
    pub experts: Option<Experts>,
}

/// The sizes of one layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layer {
    /// Query heads.
    pub heads: usize,
    /// Key and value heads.
    pub kv_heads: usize,
    /// Positions of the convolution that stands in the place of attention.
    pub taps: Option<usize>,
    /// Values inside the feed-forward part.
    pub feed_forward: usize,
    /// Latest positions that attention sees; `None`: all.
    pub window: Option<usize>,
    /// How its queries and keys are rotated.
    pub rotation: Rotation,
}

/// How a layer's queries and keys are rotated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rotation {
    /// Not at all.
    None,
    /// As [`Config::rope`] says.
    Usual,
    /// As [`Config::window_rope`] says.
    Windowed,
}

/// A choice of feed-forward parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Experts {
    /// Parts there are.
    pub count: usize,
    /// Parts a position takes.
    pub used: usize,
    /// Values inside a part.
    pub feed_forward: usize,
    /// Whether the weights of those taken are divided by their sum.
    pub normalized: bool,
}

/// No real model comes near these; a hostile file would.
const MAX_LAYERS: u64 = 1024;
/// Also of all heads together.
const MAX_WIDTH: u64 = 1 << 20;
const MAX_CONTEXT: u64 = 1 << 26;
const MAX_TAPS: u64 = 64;
const MAX_EXPERTS: u64 = 1 << 10;

impl Config {
    /// Reads the sizes and checks that they fit each other.
    ///
    /// # Errors
    /// An architecture or feature that is not supported, or the key that is missing or impossible.
    pub fn read(metadata: &Metadata, weights: &WeightIndex) -> Result<Self, LmError> {
        let name = metadata.get_str("general.architecture")?.ok_or(LmError::NoArchitecture)?;
        let family =
            Family::find(name).ok_or_else(|| LmError::Architecture { name: name.into() })?;
        let keys = Keys { metadata, architecture: name };
        let width = keys.size("embedding_length", MAX_WIDTH)?;
        let trained_context = keys.size("context_length", MAX_CONTEXT)?;
        let vocab_size = match weights.get("token_embd.weight") {
            Some(table) => table.extents.first().copied().unwrap_or(0) as usize,
            None => return Err(LmError::MissingTensor { name: "token_embd.weight".into() }),
        };
        let (head_dim, layers) = Layer::read_all(&keys, family, width, trained_context)?;
        let rope = match family.positions {
            Positions::Rotary(_) => Some(Rope::read(&keys, head_dim, trained_context)?),
            Positions::Learned => None,
        };
        let window_base = keys.optional_float("rope.freq_base_swa")?;
        let window_rope = rope.as_ref().map(|rope| match (family.windows.rope, window_base) {
            (WindowRope::Same, None) => rope.clone(),
            (WindowRope::Same, Some(base)) => Rope { base, ..rope.clone() },
            (WindowRope::Unscaled, base) => rope.plain(base.unwrap_or(rope.base)),
            (WindowRope::Base(usual), base) => rope.plain(base.unwrap_or(usual)),
        });
        let epsilon = match family.norm {
            Norm::Rms => "attention.layer_norm_rms_epsilon",
            Norm::Layer => "attention.layer_norm_epsilon",
        };
        let shared = family.shared_scale_layers == Some(layers.len());
        let divisor = if shared { width / layers[0].heads } else { head_dim };
        let scale = keys.float_if_any("attention.scale")?;
        let embedding_scale = if family.scaled_embeddings { (width as f32).sqrt() } else { 1.0 };
        Ok(Self {
            family,
            width,
            head_dim,
            vocab_size,
            trained_context,
            epsilon: keys.float(epsilon, None)?,
            parallel: keys.flag("use_parallel_residual")?.unwrap_or(true),
            rope,
            window_rope,
            attention_scale: scale.unwrap_or(1.0 / (divisor as f32).sqrt()),
            attention_softcap: keys.float_if_any("attn_logit_softcapping")?,
            embedding_scale: keys.float("embedding_scale", Some(embedding_scale))?,
            residual_scale: keys.float("residual_scale", Some(1.0))?,
            logit_scale: 1.0 / keys.float("logit_scale", Some(1.0))?,
            logit_softcap: keys.float_if_any("final_logit_softcapping")?,
            experts: Experts::read(&keys, &layers)?,
            layers,
        })
    }
}

impl Layer {
    /// The width of a head, and all layers, of which there is at least one.
    fn read_all(
        keys: &Keys<'_>,
        family: &Family,
        width: usize,
        trained_context: usize,
    ) -> Result<(usize, Vec<Self>), LmError> {
        let count = keys.size("block_count", MAX_LAYERS)?;
        let heads = keys
            .sizes("attention.head_count", count, 1..=MAX_WIDTH)?
            .ok_or_else(|| keys.problem("attention.head_count", "is missing"))?;
        // Where it has convolutions, a layer without keys is one.
        let taps = keys.optional_size("shortconv.l_cache", MAX_TAPS)?;
        let least = if taps.is_some() { 0 } else { 1 };
        let kv_heads = keys.sizes("attention.head_count_kv", count, least..=MAX_WIDTH)?;
        let kv_heads = kv_heads.unwrap_or_else(|| heads.clone());
        let feed_forward = keys
            .sizes("feed_forward_length", count, 1..=MAX_WIDTH)?
            .ok_or_else(|| keys.problem("feed_forward_length", "is missing"))?;
        let head_dim = keys.size_or("attention.key_length", width / heads[0], MAX_WIDTH)?;
        if keys.size_or("attention.value_length", head_dim, MAX_WIDTH)? != head_dim {
            return Err(keys.problem("attention.value_length", "differs from key_length"));
        }
        let size = match keys.metadata.contains(&keys.key("attention.sliding_window")) {
            true => keys.size_if_any("attention.sliding_window", MAX_CONTEXT)?,
            false => family.windows.size,
        };
        let windowed = match size {
            Some(_) => {
                let suffix = "attention.sliding_window_pattern";
                keys.windowed(suffix, count, family.windows.full_every)?
            }
            None => vec![false; count],
        };
        let mut layers = Vec::with_capacity(count);
        for layer in 0..count {
            let (heads, kv_heads) = (heads[layer], kv_heads[layer]);
            if kv_heads > 0 && heads % kv_heads != 0 {
                return Err(keys.problem("attention.head_count_kv", "does not divide head_count"));
            }
            if heads as u64 * head_dim as u64 > MAX_WIDTH {
                return Err(keys.problem("attention.key_length", "is too much for so many heads"));
            }
            let unrotated =
                family.unrotated_every.is_some_and(|every| (layer + 1).is_multiple_of(every));
            layers.push(Self {
                heads,
                kv_heads,
                taps: taps.filter(|_| kv_heads == 0),
                feed_forward: feed_forward[layer],
                window: size.filter(|&size| windowed[layer] && size < trained_context),
                rotation: match (unrotated, windowed[layer]) {
                    (true, _) => Rotation::None,
                    (false, false) => Rotation::Usual,
                    (false, true) => Rotation::Windowed,
                },
            });
        }
        Ok((head_dim, layers))
    }
}

impl Experts {
    fn read(keys: &Keys<'_>, layers: &[Layer]) -> Result<Option<Self>, LmError> {
        let Some(count) = keys.size_if_any("expert_count", MAX_EXPERTS)? else { return Ok(None) };
        let used = keys.size("expert_used_count", MAX_EXPERTS)?;
        if used > count {
            return Err(keys.problem("expert_used_count", "is more than expert_count"));
        }
        // 1 is the softmax over all experts.
        for (suffix, usual) in [("expert_gating_func", 1), ("expert_shared_count", 0)] {
            let key = keys.key(suffix);
            match keys.metadata.get_u64(&key)? {
                Some(value) if value != usual => {
                    return Err(LmError::Feature { key, value: value.to_string() });
                }
                _ => {}
            }
        }
        let suffix = "expert_weights_scale";
        match keys.float_if_any(suffix)? {
            Some(scale) if scale != 1.0 => {
                return Err(LmError::Feature { key: keys.key(suffix), value: scale.to_string() });
            }
            _ => {}
        }
        let usual = layers[0].feed_forward;
        Ok(Some(Self {
            count,
            used,
            feed_forward: keys.size_or("expert_feed_forward_length", usual, MAX_WIDTH)?,
            normalized: keys.flag("expert_weights_norm")?.unwrap_or(true),
        }))
    }
}
