//! The protocol between a page and its worker, defined once.
//!
//! On the wire these are plain structured-clone objects with camelCase names; between the worker's
//! JavaScript and this module they are JSON. `cargo xtask build` writes the TypeScript
//! declarations (`packages/sidestage/src/protocol.ts`) from this module.
//!
//! Every [`Request`] with an `id` is answered by any number of events with that id and exactly one
//! last event, [`Event::Done`] or [`Event::Error`].

mod embed;
mod explain;
mod host;
mod load;
mod run;

pub use embed::EmbedOptions;
pub use explain::{Explanation, OperatorInfo, SegmentInfo, ValueInfo};
pub use host::{CacheEntry, Completion, Effect, Method, Origin};
pub use load::{
    Auto, HeldFile, LoadOptions, MemoryPlan, ModelInfo, ModelSource, Progress, Threads,
    ThreadsFigure,
};
pub use run::{DimInfo, NamedValue, PortInfo, Quantization, RunTimings, RunValue};

use serde::{Deserialize, Serialize};
#[cfg(feature = "typescript")]
use ts_rs::TS;

/// The protocol's version; both sides must agree.
pub const PROTOCOL: u32 = 1;

/// What a page asks of its worker.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "typescript", derive(TS))]
#[serde(tag = "type", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Request {
    /// The first message on a port; answered by [`Event::Welcome`]. Handled by the worker's
    /// JavaScript, like everything of the worker's life.
    Hello {
        /// [`PROTOCOL`] of the page's client.
        protocol: u32,
        /// Build id of the page's client.
        build: String,
        /// Folder of the wasm files, if not beside the worker.
        wasm_url: Option<String>,
    },
    /// Loads a model; its `id` becomes the model's handle.
    Load {
        /// Request id.
        id: u32,
        /// Where the bytes come from.
        source: ModelSource,
        /// How to load it.
        options: LoadOptions,
    },
    /// Generates text.
    Generate {
        /// Request id.
        id: u32,
        /// Handle of the model.
        model: u32,
        /// What to continue.
        prompt: Prompt,
        /// How.
        options: GenerateOptions,
        /// Tokens that may be sent before the page grants more; `None`: no limit.
        credits: Option<u32>,
    },
    /// Runs a graph model once. Runs of one model follow each other.
    Run {
        /// Request id.
        id: u32,
        /// Handle of the model.
        model: u32,
        /// Its inputs, in any order.
        inputs: Vec<NamedValue>,
        /// The names of the outputs that are wanted; `None`: all.
        outputs: Option<Vec<String>>,
        /// Whether what runs before have left for this one is forgotten: a model's variables and the
        /// states of its layers begin anew.
        #[serde(default)]
        reset: bool,
    },
    /// Makes a vector of each of some texts; answered as [`Request::Run`] is, with the outputs
    /// `embeddings[texts, dimensions]` and `tokens[texts]`, how many each has.
    Embed {
        /// Request id.
        id: u32,
        /// Handle of the model.
        model: u32,
        /// The texts, each text or token ids.
        input: Vec<Segment>,
        /// How.
        options: EmbedOptions,
    },
    /// Grants a generating request more tokens.
    Credit {
        /// The request.
        id: u32,
        /// Handle of the model.
        model: u32,
        /// Tokens granted.
        count: u32,
    },
    /// Ends a request early: a generation ends with [`FinishReason::Abort`], a load, run or
    /// [`Request::Embed`] with the error `ABORTED`.
    Abort {
        /// The request.
        id: u32,
        /// Handle of the model.
        model: u32,
    },
    /// Text to token ids.
    Tokenize {
        /// Request id.
        id: u32,
        /// Handle of the model.
        model: u32,
        /// The text.
        text: String,
        /// Add the model's begin and end tokens.
        add_special: bool,
        /// Read special tokens in the text.
        parse_special: bool,
    },
    /// Token ids to text.
    Detokenize {
        /// Request id.
        id: u32,
        /// Handle of the model.
        model: u32,
        /// The ids.
        tokens: Vec<u32>,
    },
    /// Renders messages by the model's chat template.
    ApplyChatTemplate {
        /// Request id.
        id: u32,
        /// Handle of the model.
        model: u32,
        /// The messages, as the template sees them.
        #[cfg_attr(feature = "typescript", ts(type = "Message[]"))]
        messages: serde_json::Value,
        /// Tools that the template offers to the model; default: none.
        #[cfg_attr(feature = "typescript", ts(type = "unknown[] | null"))]
        tools: Option<serde_json::Value>,
        /// More variables of the template (Hugging Face's `chat_template_kwargs`), by name.
        #[cfg_attr(feature = "typescript", ts(type = "Record<string, unknown> | null"))]
        chat_template_options: Option<serde_json::Value>,
        /// End with the opening of the assistant's turn.
        add_generation_prompt: bool,
    },
    /// Asks for [`Metrics`].
    Metrics {
        /// Request id.
        id: u32,
        /// Handle of the model.
        model: u32,
        /// Take the time of each operator from now on, until this is asked without it.
        #[serde(default)]
        profile: bool,
    },
    /// Asks what a graph model does: for its [`Explanation`].
    Explain {
        /// Request id.
        id: u32,
        /// Handle of the model.
        model: u32,
    },
    /// Frees a model and everything it holds. Handled by the worker's JavaScript, which drops the
    /// model's wasm instance.
    Dispose {
        /// Request id.
        id: u32,
        /// Handle of the model.
        model: u32,
    },
}

impl Request {
    /// Its id, if it ends with one [`Event::Done`] or [`Event::Error`].
    pub fn id(&self) -> Option<u32> {
        match self {
            Self::Load { id, .. }
            | Self::Generate { id, .. }
            | Self::Run { id, .. }
            | Self::Embed { id, .. }
            | Self::Tokenize { id, .. }
            | Self::Detokenize { id, .. }
            | Self::ApplyChatTemplate { id, .. }
            | Self::Metrics { id, .. }
            | Self::Explain { id, .. }
            | Self::Dispose { id, .. } => Some(*id),
            Self::Hello { .. } | Self::Credit { .. } | Self::Abort { .. } => None,
        }
    }
}

/// What a worker tells its page.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "typescript", derive(TS))]
#[serde(tag = "type", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Event {
    /// The answer to [`Request::Hello`].
    Welcome {
        /// [`PROTOCOL`] of the worker.
        protocol: u32,
        /// Build id of the worker.
        build: String,
        /// What the worker found it can do.
        capabilities: Capabilities,
        /// Name of the Web Lock that the worker holds as long as it lives, if it could.
        lock: Option<String>,
    },
    /// How far a load is.
    Progress {
        /// The load.
        id: u32,
        /// What is going on.
        progress: Progress,
    },
    /// A sign of life of an open request that has nothing else to say, a few times a second.
    Working {
        /// The request.
        id: u32,
        /// Where it is.
        stage: Stage,
        /// Tokens done in this stage.
        done: u32,
        /// Tokens in this stage, where known.
        total: Option<u32>,
    },
    /// The next piece of an answer. Text and reasoning are whole characters; either may be empty.
    Delta {
        /// The request.
        id: u32,
        /// Text of the answer.
        text: String,
        /// Text of the model's reasoning.
        reasoning: String,
        /// Tokens that this event accounts for (against the credits).
        tokens: u32,
    },
    /// The last event of a request that succeeded.
    Done {
        /// The request.
        id: u32,
        /// What came of it.
        outcome: Outcome,
    },
    /// The last event of a request that failed.
    Error {
        /// The request; `None`: the worker as a whole.
        id: Option<u32>,
        /// Why.
        error: ErrorInfo,
    },
}

/// What came of a request.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "typescript", derive(TS))]
#[serde(tag = "kind", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Outcome {
    /// Of [`Request::Load`].
    Loaded {
        /// The model.
        model: Box<ModelInfo>,
    },
    /// Of [`Request::Generate`].
    Generated {
        /// The whole answer.
        result: Generated,
    },
    /// Of [`Request::Run`] and [`Request::Embed`].
    Ran {
        /// The outputs, in the model's order or that of the request.
        outputs: Vec<NamedValue>,
        /// Times taken.
        timings: RunTimings,
    },
    /// Of [`Request::Tokenize`].
    Tokens {
        /// Token ids.
        tokens: Vec<u32>,
    },
    /// Of [`Request::Detokenize`] and [`Request::ApplyChatTemplate`].
    Text {
        /// The text.
        text: String,
    },
    /// Of [`Request::Metrics`].
    Metrics {
        /// The figures.
        metrics: Metrics,
    },
    /// Of [`Request::Explain`].
    Explained {
        /// What it does.
        explanation: Explanation,
    },
    /// Of [`Request::Dispose`].
    Disposed,
}

/// What to continue.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "typescript", derive(TS))]
#[serde(tag = "kind", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Prompt {
    /// A conversation, rendered by the model's chat template.
    Messages {
        /// The messages, as the template sees them.
        #[cfg_attr(feature = "typescript", ts(type = "Message[]"))]
        messages: serde_json::Value,
    },
    /// Segments in a row. If there is only text, the model has a chat template and `raw` is false,
    /// the text is one user message.
    Segments {
        /// The segments.
        segments: Vec<Segment>,
        /// Take text as it is.
        raw: bool,
    },
}

/// A part of a prompt.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "typescript", derive(TS))]
#[serde(tag = "kind", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Segment {
    /// Text to be tokenized.
    Text {
        /// The text.
        text: String,
    },
    /// Token ids, exactly as given.
    Ids {
        /// The ids.
        ids: Vec<u32>,
    },
}

/// How to generate. `None` is the default named with each field.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "typescript", derive(TS))]
#[serde(rename_all = "camelCase", default)]
pub struct GenerateOptions {
    /// Most tokens to generate; default: up to the context's end. 0 evaluates the prompt only.
    pub max_tokens: Option<u32>,
    /// Default 0.8 (as in llama.cpp); 0 is greedy.
    pub temperature: Option<f32>,
    /// Keep the K most likely tokens; 0 (default 40): all.
    pub top_k: Option<u32>,
    /// Keep the likeliest tokens that together reach this probability (0, 1]; default 0.95.
    pub top_p: Option<f32>,
    /// Drop tokens less likely than this share [0, 1] of the likeliest; default 0.
    pub min_p: Option<f32>,
    /// Divides (or multiplies) logits of tokens of prompt and answer; default 1 (off), > 0.
    pub repetition_penalty: Option<f32>,
    /// Subtracted per earlier use in the answer; default 0.
    pub frequency_penalty: Option<f32>,
    /// Subtracted once if used in the answer; default 0.
    pub presence_penalty: Option<f32>,
    /// Added to logits, by token id.
    pub logit_bias: Vec<(u32, f32)>,
    /// Seed of the sampler; default: from the clock. Up to 2^53 - 1.
    #[cfg_attr(feature = "typescript", ts(type = "number | null"))]
    pub seed: Option<u64>,
    /// Strings that end the answer; not part of it.
    pub stop_sequences: Vec<String>,
    /// Token ids that end the answer, besides the model's own.
    pub stop_tokens: Vec<u32>,
    /// Do not end at the model's end tokens.
    pub ignore_eos: bool,
    /// Reuse the evaluated prefix of the last conversation; default true.
    pub cache_prompt: Option<bool>,
    /// Send [`Event::Delta`]; without it only the result is sent.
    pub stream: bool,
    /// Tools that the chat template offers to the model; default: none.
    #[cfg_attr(feature = "typescript", ts(type = "unknown[] | null"))]
    pub tools: Option<serde_json::Value>,
    /// More variables of the chat template (Hugging Face's `chat_template_kwargs`), by name.
    #[cfg_attr(feature = "typescript", ts(type = "Record<string, unknown> | null"))]
    pub chat_template_options: Option<serde_json::Value>,
}

/// A whole answer.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "typescript", derive(TS))]
#[serde(rename_all = "camelCase")]
pub struct Generated {
    /// The answer.
    pub text: String,
    /// The model's reasoning, if it wrote any.
    pub reasoning: Option<String>,
    /// The answer's token ids, the end token left out.
    pub tokens: Vec<u32>,
    /// Why it ended.
    pub finish_reason: FinishReason,
    /// Tokens counted.
    pub usage: Usage,
    /// Times taken.
    pub timings: Timings,
}

/// Why an answer ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "typescript", derive(TS))]
#[serde(rename_all = "camelCase")]
pub enum FinishReason {
    /// An end token or a stop string.
    #[default]
    Stop,
    /// `maxTokens` or the end of the context.
    Length,
    /// Aborted.
    Abort,
}

/// Tokens counted.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "typescript", derive(TS))]
#[serde(rename_all = "camelCase")]
pub struct Usage {
    /// Tokens of the prompt.
    pub prompt_tokens: u32,
    /// Tokens generated, an end token included.
    pub completion_tokens: u32,
    /// Their sum.
    pub total_tokens: u32,
    /// Tokens of the prompt that were evaluated before and reused.
    pub cached_tokens: u32,
}

/// Times taken, in milliseconds and tokens a second.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "typescript", derive(TS))]
#[serde(rename_all = "camelCase")]
pub struct Timings {
    /// Loading the model.
    pub load_ms: f64,
    /// Waiting for other requests.
    pub queue_ms: f64,
    /// From the request to its first token.
    pub time_to_first_token_ms: f64,
    /// Prompt tokens evaluated a second; `None` if none were.
    pub prefill_tokens_per_second: Option<f64>,
    /// Tokens generated a second after the first; `None` if there were none.
    pub decode_tokens_per_second: Option<f64>,
}

/// Where an open request is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "typescript", derive(TS))]
#[serde(rename_all = "camelCase")]
pub enum Stage {
    /// Waiting for other requests.
    Queued,
    /// Evaluating the prompt.
    Prompt,
    /// Generating.
    Decode,
    /// Running a graph model.
    Run,
    /// Waiting for the page to grant credits.
    Paused,
}

/// Figures of a model since it was loaded.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "typescript", derive(TS))]
#[serde(rename_all = "camelCase")]
pub struct Metrics {
    /// Milliseconds the load took.
    pub load_ms: f64,
    /// Threads used.
    pub threads: u32,
    /// Milliseconds of the load in which was measured how many threads are the fastest; 0: that was
    /// known, or not asked for.
    pub measure_ms: f64,
    /// Bytes read from the source.
    #[cfg_attr(feature = "typescript", ts(type = "number"))]
    pub bytes_read: u64,
    /// Memory the model takes now.
    pub memory: MemoryPlan,
    /// Bytes of the wasm memory; filled in by the worker.
    #[cfg_attr(feature = "typescript", ts(type = "number"))]
    pub wasm_bytes: u64,
    /// Requests to generate or run that ended.
    pub requests: u32,
    /// Requests open, queued ones included.
    pub open_requests: u32,
    /// Prompt tokens evaluated.
    #[cfg_attr(feature = "typescript", ts(type = "number"))]
    pub prompt_tokens: u64,
    /// Prompt tokens reused.
    #[cfg_attr(feature = "typescript", ts(type = "number"))]
    pub cached_tokens: u64,
    /// Tokens generated.
    #[cfg_attr(feature = "typescript", ts(type = "number"))]
    pub completion_tokens: u64,
    /// Milliseconds spent on prompts.
    pub prefill_ms: f64,
    /// Milliseconds spent on generating.
    pub decode_ms: f64,
    /// Milliseconds spent on runs of a graph model.
    pub run_ms: f64,
    /// What was recorded since it was last asked for with `profile`; `None`: nothing is recorded.
    pub profile: Option<Profile>,
}

/// Where the time goes.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "typescript", derive(TS))]
#[serde(rename_all = "camelCase")]
pub struct Profile {
    /// Steps that evaluate prompts.
    pub prompt: PhaseProfile,
    /// Steps that make one token each.
    pub decode: PhaseProfile,
    /// Runs of a graph model.
    pub run: PhaseProfile,
}

/// Where the time of some steps goes.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "typescript", derive(TS))]
#[serde(rename_all = "camelCase")]
pub struct PhaseProfile {
    /// Steps or runs that ended.
    pub steps: u32,
    /// Milliseconds of all operators.
    pub ms: f64,
    /// The operators, the longest first.
    pub ops: Vec<OpProfile>,
}

/// The time of one operator, over all layers.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "typescript", derive(TS))]
#[serde(rename_all = "camelCase")]
pub struct OpProfile {
    /// Its name, and what it makes.
    pub name: String,
    /// How often it ran.
    #[cfg_attr(feature = "typescript", ts(type = "number"))]
    pub calls: u64,
    /// Milliseconds.
    pub ms: f64,
    /// Of all operators of these steps, 0 to 1.
    pub share: f64,
}

/// What a worker (or a page without one) can do, found by trying.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "typescript", derive(TS))]
#[serde(rename_all = "camelCase", default)]
pub struct Capabilities {
    /// 128-bit SIMD.
    pub simd: bool,
    /// Relaxed SIMD.
    pub relaxed_simd: bool,
    /// Whether the engine may use several threads.
    pub threads: bool,
    /// Why not, if not. Of a model whose threads were measured, what that gave.
    pub threads_reason: Option<String>,
    /// `crossOriginIsolated` inside the worker.
    pub cross_origin_isolated: bool,
    /// `navigator.hardwareConcurrency`.
    pub cores: u32,
    /// Whether a WebGPU adapter is there (not used yet).
    pub webgpu: bool,
    /// Whether pixels can be read there; if not, they are read on the page.
    pub canvas: bool,
    /// The wasm file chosen.
    pub variant: String,
    /// Where files are kept: `opfs`, `cache-api` or `memory`.
    pub cache: String,
    /// Why not in a better place.
    pub cache_reason: Option<String>,
    /// Where the engine runs: `worker` or `page`.
    pub place: String,
    /// Why it runs on the page, or in a copy of the worker's script, if it was not asked to.
    pub fallback_reason: Option<String>,
}

/// An error as it crosses the port. `code` is stable; see the table in the documentation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "typescript", derive(TS))]
#[serde(rename_all = "camelCase")]
pub struct ErrorInfo {
    /// Stable, UPPER_SNAKE.
    pub code: String,
    /// What happened, in a sentence.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
    /// Figures and names that belong to it.
    #[cfg_attr(feature = "typescript", ts(type = "Record<string, unknown> | null"))]
    pub detail: Option<serde_json::Map<String, serde_json::Value>>,
}
