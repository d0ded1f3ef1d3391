use super::FolderError;
use super::config::Config;
use serde_json::{Map, Value};

/// What `generation_config.json` says, and where it does not, `config.json`. A value that cannot be
/// is left out: these are recommendations.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct GenerationDefaults {
    /// Whether tokens are drawn; `false`: the likeliest is taken, and what follows is unused.
    pub do_sample: Option<bool>,
    /// Divides logits.
    pub temperature: Option<f32>,
    /// Share of probability from which tokens are drawn.
    pub top_p: Option<f32>,
    /// Number of tokens from which one is drawn.
    pub top_k: Option<u32>,
    /// Least probability, as a share of the largest.
    pub min_p: Option<f32>,
    /// Divides the logits of tokens that have occurred.
    pub repetition_penalty: Option<f32>,
    /// The token before everything.
    pub bos: Option<u32>,
    /// Tokens that end an answer.
    pub eos: Vec<u32>,
    /// The token that fills up.
    pub pad: Option<u32>,
}

impl GenerationDefaults {
    /// Reads `config.json`, and where it is there `generation_config.json`.
    ///
    /// # Errors
    /// JSON that is none.
    pub fn of_files(config: &[u8], generation: Option<&[u8]>) -> Result<Self, FolderError> {
        Self::read(&Config::read(config)?, generation)
    }

    pub(super) fn read(config: &Config, generation: Option<&[u8]>) -> Result<Self, FolderError> {
        let values: Map<String, Value> = match generation {
            None => Map::new(),
            Some(json) => serde_json::from_slice(json).map_err(|error| FolderError::Json {
                file: "generation_config.json",
                problem: error.to_string(),
            })?,
        };
        let get = |key: &str| values.get(key).filter(|value| !value.is_null());
        let either = |key: &str| get(key).or_else(|| config.get(key));
        let float = |key: &str| {
            let value = get(key)?.as_f64()? as f32;
            (value.is_finite() && value >= 0.0).then_some(value)
        };
        let id = |value: &Value| value.as_u64().and_then(|id| u32::try_from(id).ok());
        let eos = match either("eos_token_id") {
            Some(Value::Array(ids)) => ids.iter().filter_map(id).collect(),
            one => one.and_then(id).into_iter().collect(),
        };
        Ok(Self {
            do_sample: get("do_sample").and_then(Value::as_bool),
            temperature: float("temperature"),
            top_p: float("top_p"),
            top_k: get("top_k").and_then(id),
            min_p: float("min_p"),
            repetition_penalty: float("repetition_penalty"),
            bos: either("bos_token_id").and_then(id),
            eos,
            pad: either("pad_token_id").and_then(id),
        })
    }
}
