//! What a page says of a model to load, and is told of it.

use super::{ErrorInfo, PortInfo};
use serde::{Deserialize, Serialize};
#[cfg(feature = "typescript")]
use ts_rs::TS;

/// Where a model's bytes come from.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "typescript", derive(TS))]
#[serde(tag = "kind", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum ModelSource {
    /// A URL or `hf:owner/repo[/path][@revision]`.
    Url {
        /// The URL.
        url: String,
    },
    /// Files or bytes that the host holds: a GGUF, all files of a split one, a folder, or a graph model
    /// with what lies beside it.
    Held {
        /// The files.
        files: Vec<HeldFile>,
    },
}

/// A file that the host holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "typescript", derive(TS))]
#[serde(rename_all = "camelCase")]
pub struct HeldFile {
    /// Its name; of a folder's files, which the engine looks for by name, without the folder.
    pub name: String,
    /// Its size in bytes.
    #[cfg_attr(feature = "typescript", ts(type = "number"))]
    pub size: u64,
}

/// How many threads a model gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Threads {
    /// So many.
    Count(u32),
    /// As many of those that were started as are measured to be the fastest.
    Auto(Auto),
}

impl Threads {
    /// As [`Threads::Auto`], which has a word of its own on the wire.
    pub const AUTO: Self = Self::Auto(Auto::Auto);
}

/// The word `auto`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Auto {
    /// The only one.
    Auto,
}

/// What was measured of a model's threads: the next load of it on the same machine need not measure.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "typescript", derive(TS))]
#[serde(rename_all = "camelCase")]
pub struct ThreadsFigure {
    /// Shapes and types of the model's weights, as a hash that this build makes: its speed hangs on
    /// nothing else.
    pub model: String,
    /// The threads that were the fastest.
    pub threads: u32,
    /// Of so many that there were.
    pub of: u32,
    /// Whether that is settled. What else the machine does hides what more threads would bring, so
    /// fewer than there were are measured once more, by the next load.
    pub sure: bool,
}

/// How to load a model.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "typescript", derive(TS))]
#[serde(rename_all = "camelCase", default)]
pub struct LoadOptions {
    /// Positions a conversation may have; default: the model's own, at most 4096.
    pub context_length: Option<u32>,
    /// Threads; default `max(1, cores - 1)`. The worker gives the number it really started, or `auto`
    /// if the engine is to find out how many of those are the fastest.
    #[cfg_attr(feature = "typescript", ts(type = "number | \"auto\" | null"))]
    pub threads: Option<Threads>,
    /// What an earlier load with `auto` measured; the worker fills it in.
    pub measured: Option<ThreadsFigure>,
    /// `auto` or `cpu`; `webgpu` is refused with `DEVICE_UNAVAILABLE`.
    pub device: Option<String>,
    /// Base URL of `hf:` sources.
    pub hub_url: Option<String>,
    /// Access token for the hub; sent to it and to nobody else.
    pub hub_token: Option<String>,
    /// `default`, `no-store`, `reload`, `force-cache` or `only-if-cached`, with the meanings of
    /// `Request.cache` of the Fetch standard.
    pub cache: Option<String>,
    /// Name under which the file of a URL is kept, for URLs that change (signatures); default: the
    /// URL.
    pub cache_key: Option<String>,
    /// Type that the weights of a safetensors file are kept as, for example `q8_0`; default: their
    /// own.
    pub dtype: Option<String>,
    /// Type of the KV cache's elements: `f32`, `f16` (the default) or `q8_0`.
    pub kv_type: Option<String>,
    /// What it is for: `auto` (default), or `run` for a decoder of a graph format whose past the page
    /// keeps itself: it is run as the graph that its file has.
    pub task: Option<String>,
    /// Bytes the model may take in all; the worker fills in what its memory allows.
    #[cfg_attr(feature = "typescript", ts(type = "number | null"))]
    pub memory_limit: Option<u64>,
}

/// A loaded model.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "typescript", derive(TS))]
#[serde(rename_all = "camelCase")]
pub struct ModelInfo {
    /// Its handle.
    pub handle: u32,
    /// `general.name`, or the file's name.
    pub name: String,
    /// `gguf`, `safetensors`, `onnx`, `tflite` or `tfjs`.
    pub format: String,
    /// Of a graph model: what [`super::Request::Run`] takes, in the model's order.
    pub inputs: Vec<PortInfo>,
    /// Of a graph model: what it gives.
    pub outputs: Vec<PortInfo>,
    /// `general.architecture`; of a decoder in a graph format the `model_type` of the `config.json`
    /// beside it, else `decoder`; of other graph models nothing, as all that is said of tokens and text.
    pub architecture: String,
    /// Number of weights.
    #[cfg_attr(feature = "typescript", ts(type = "number"))]
    pub parameters: u64,
    /// The type that holds most of the weights, for example `Q4_0`.
    pub weight_type: String,
    /// Positions a conversation may have.
    pub context_length: u32,
    /// Positions the model was trained for.
    pub trained_context_length: u32,
    /// Tokens in the vocabulary.
    pub vocab_size: u32,
    /// Whether text can be tokenized (the file has a vocabulary).
    pub has_tokenizer: bool,
    /// Whether it has a chat template.
    pub has_chat_template: bool,
    /// `cpu`.
    pub device: String,
    /// Threads used.
    pub threads: u32,
    /// Why so many, where that was measured.
    pub threads_reason: Option<String>,
    /// Memory it takes.
    pub memory: MemoryPlan,
    /// Milliseconds from the request to here.
    pub load_ms: f64,
    /// The files it was read from, as paths in the repository or folder.
    pub files: Vec<String>,
    /// Why these, where there was a choice.
    pub choice: Option<String>,
    /// Bytes that came over the network.
    #[cfg_attr(feature = "typescript", ts(type = "number"))]
    pub downloaded_bytes: u64,
    /// Bytes that came from the cache.
    #[cfg_attr(feature = "typescript", ts(type = "number"))]
    pub cached_bytes: u64,
    /// Where its files are kept: `opfs`, `cache-api`, `memory` or `none`. The host fills it in.
    pub cache: String,
    /// Why not in a better place, or why not all of it was kept.
    pub cache_reason: Option<String>,
    /// What the app should know though the model was loaded.
    pub warnings: Vec<ErrorInfo>,
}

/// The memory a model takes, in bytes.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "typescript", derive(TS))]
#[serde(rename_all = "camelCase")]
pub struct MemoryPlan {
    /// Weights, as they lie in memory.
    #[cfg_attr(feature = "typescript", ts(type = "number"))]
    pub weights: u64,
    /// The KV cache when the context is full.
    #[cfg_attr(feature = "typescript", ts(type = "number"))]
    pub kv_cache: u64,
    /// Intermediate values and logits.
    #[cfg_attr(feature = "typescript", ts(type = "number"))]
    pub scratch: u64,
    /// All of it.
    #[cfg_attr(feature = "typescript", ts(type = "number"))]
    pub total: u64,
}

/// How far a load is. Never goes back.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "typescript", derive(TS))]
#[serde(rename_all = "camelCase")]
pub struct Progress {
    /// `waiting` (another tab is reading the same file), `download`, `prepare`, then `ready`.
    pub phase: String,
    /// The file that is being read.
    pub file: String,
    /// Bytes of all files so far, those from the cache included.
    #[cfg_attr(feature = "typescript", ts(type = "number"))]
    pub loaded_bytes: u64,
    /// Bytes in all, where known.
    #[cfg_attr(feature = "typescript", ts(type = "number | null"))]
    pub total_bytes: Option<u64>,
    /// Bytes of them that came from the cache.
    #[cfg_attr(feature = "typescript", ts(type = "number"))]
    pub cached_bytes: u64,
    /// Recent speed.
    pub bytes_per_second: f64,
    /// Seconds left at that speed, where known.
    pub eta_seconds: Option<f64>,
}
