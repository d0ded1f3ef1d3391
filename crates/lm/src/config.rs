use crate::{Family, LmError};
use sidestage_formats::WeightIndex;
use sidestage_formats::gguf::{Metadata, Value};

/// The sizes of a decoder, from a file's metadata.
#[derive(Clone, Debug)]
pub struct Config {
    /// Its family.
    pub family: &'static Family,
    /// Layers.
    pub layers: usize,
    /// Values of one position between layers.
    pub width: usize,
    /// Query heads.
    pub heads: usize,
    /// Key and value heads.
    pub kv_heads: usize,
    /// Values of one head.
    pub head_dim: usize,
    /// Values inside the feed-forward part.
    pub feed_forward: usize,
    /// Tokens in the vocabulary.
    pub vocab_size: usize,
    /// Positions it was trained for.
    pub trained_context: usize,
    /// Added to the mean square in norms.
    pub epsilon: f32,
    /// Values of a head that are rotated.
    pub rotated: usize,
    /// Base of the rotary frequencies.
    pub rope_base: f32,
    /// Positions are divided by this (linear scaling).
    pub rope_divisor: f32,
    /// Latest positions that attention sees; `None`: all.
    pub window: Option<usize>,
}

/// No real model comes near these; a hostile file would.
const MAX_LAYERS: u64 = 1024;
/// Also of all heads together.
const MAX_WIDTH: u64 = 1 << 20;
const MAX_CONTEXT: u64 = 1 << 26;

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
        if let Some(experts) = metadata.get_u64(&keys.key("expert_count"))?
            && experts > 0
        {
            let key = keys.key("expert_count");
            return Err(LmError::Feature { key, value: experts.to_string() });
        }
        let width = keys.size("embedding_length", MAX_WIDTH)?;
        let heads = keys.size("attention.head_count", MAX_WIDTH)?;
        let kv_heads = keys.size_or("attention.head_count_kv", heads, MAX_WIDTH)?;
        if heads % kv_heads != 0 {
            return Err(keys.problem("attention.head_count_kv", "does not divide head_count"));
        }
        let head_dim = keys.size_or("attention.key_length", width / heads, MAX_WIDTH)?;
        if keys.size_or("attention.value_length", head_dim, MAX_WIDTH)? != head_dim {
            return Err(keys.problem("attention.value_length", "differs from key_length"));
        }
        if heads as u64 * head_dim as u64 > MAX_WIDTH {
            return Err(keys.problem("attention.key_length", "is too much for so many heads"));
        }
        let rotated = keys.size_or("rope.dimension_count", head_dim, MAX_WIDTH)?;
        if rotated > head_dim || rotated % 2 != 0 {
            return Err(keys.problem("rope.dimension_count", "is odd or more than a head"));
        }
        let vocab_size = match weights.get("token_embd.weight") {
            Some(table) => table.extents.first().copied().unwrap_or(0) as usize,
            None => return Err(LmError::MissingTensor { name: "token_embd.weight".into() }),
        };
        let trained_context = keys.size("context_length", MAX_CONTEXT)?;
        let window = match keys.size_or("attention.sliding_window", trained_context, MAX_CONTEXT)? {
            window if window < trained_context => Some(window),
            _ => None,
        };
        Ok(Self {
            family,
            layers: keys.size("block_count", MAX_LAYERS)?,
            width,
            heads,
            kv_heads,
            head_dim,
            feed_forward: keys.size("feed_forward_length", MAX_WIDTH)?,
            vocab_size,
            trained_context,
            epsilon: keys.float("attention.layer_norm_rms_epsilon", None)?,
            rotated,
            rope_base: keys.float("rope.freq_base", Some(10_000.0))?,
            rope_divisor: keys.rope_divisor()?,
            window,
        })
    }

    /// The angle per position of each rotated pair.
    pub fn frequencies(&self) -> Vec<f32> {
        let base = f64::from(self.rope_base);
        let pairs = self.rotated / 2;
        (0..pairs)
            .map(|pair| {
                let exponent = -((2 * pair) as f64) / self.rotated as f64;
                (base.powf(exponent) / f64::from(self.rope_divisor)) as f32
            })
            .collect()
    }
}

/// The metadata keys of one architecture.
struct Keys<'a> {
    metadata: &'a Metadata,
    architecture: &'a str,
}

impl Keys<'_> {
    fn key(&self, suffix: &str) -> String {
        format!("{}.{suffix}", self.architecture)
    }

    fn problem(&self, suffix: &str, problem: &str) -> LmError {
        LmError::Metadata { key: self.key(suffix), problem: problem.into() }
    }

    fn size(&self, suffix: &str, limit: u64) -> Result<usize, LmError> {
        self.optional_size(suffix, limit)?.ok_or_else(|| self.problem(suffix, "is missing"))
    }

    fn size_or(&self, suffix: &str, default: usize, limit: u64) -> Result<usize, LmError> {
        match self.optional_size(suffix, limit)? {
            Some(size) => Ok(size),
            None if default > 0 => Ok(default),
            None => Err(self.problem(suffix, "is missing and cannot be derived")),
        }
    }

    fn optional_size(&self, suffix: &str, limit: u64) -> Result<Option<usize>, LmError> {
        let key = self.key(suffix);
        if let Some(Value::Array(_)) = self.metadata.get(&key) {
            let value = "a list with one entry for each layer".into();
            return Err(LmError::Feature { key, value });
        }
        match self.metadata.get_u64(&key)? {
            Some(size) if (1..=limit).contains(&size) => Ok(Some(size as usize)),
            Some(size) => Err(self.problem(suffix, &format!("{size} is not possible"))),
            None => Ok(None),
        }
    }

    fn float(&self, suffix: &str, default: Option<f32>) -> Result<f32, LmError> {
        let key = self.key(suffix);
        let found = self.metadata.get_f32(&key)?;
        match found.or(default) {
            Some(value) if value.is_finite() && value > 0.0 => Ok(value),
            Some(value) => Err(self.problem(suffix, &format!("{value} is not possible"))),
            None => Err(self.problem(suffix, "is missing")),
        }
    }

    /// `rope.scaling.*`: none and linear; a scheme without a row here is refused by name.
    fn rope_divisor(&self) -> Result<f32, LmError> {
        let key = self.key("rope.scaling.type");
        match self.metadata.get_str(&key)? {
            None | Some("none") => match self.metadata.get_f32(&self.key("rope.scale_linear"))? {
                None => Ok(1.0),
                Some(_) => self.float("rope.scale_linear", None),
            },
            Some("linear") => self.float("rope.scaling.factor", None),
            Some(other) => Err(LmError::Feature { key, value: other.into() }),
        }
    }
}
