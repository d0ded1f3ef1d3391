//! What a model file says of its vocabulary.

use crate::StringList;
use serde::{Deserialize, Serialize};

/// The `tokenizer.*` metadata of a GGUF file, key by key
/// ([GGUF, tokenizer](https://github.com/ggml-org/ggml/blob/master/docs/gguf.md#tokenizer)).
///
/// Nothing in it is trusted: [`Tokenizer::new`](crate::Tokenizer::new) checks all of it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct TokenizerSpec {
    /// `tokenizer.ggml.model`: `llama` (SentencePiece with scores), `gpt2` (byte-level BPE), `gemma4`
    /// and `whitespace` (BPE), `bert` (WordPiece), `t5` (Unigram), `rwkv`, `plamo2`.
    pub model: String,
    /// `tokenizer.ggml.pre`: how text is cut before byte-level BPE.
    pub pre: Option<String>,
    /// `general.name`. Phi-3 files do not say otherwise that white space after a special token is
    /// dropped.
    pub name: Option<String>,
    /// `tokenizer.ggml.tokens`, by id.
    pub tokens: StringList,
    /// `tokenizer.ggml.scores`, by id; empty where the file has none.
    pub scores: Vec<f32>,
    /// `tokenizer.ggml.token_type`, by id: 1 normal, 2 unknown, 3 control, 4 user-defined,
    /// 5 unused, 6 byte; empty where the file has none.
    pub token_types: Vec<i32>,
    /// `tokenizer.ggml.merges`: `"left right"`, best first.
    pub merges: StringList,
    /// `tokenizer.ggml.bos_token_id`.
    pub bos: Option<u32>,
    /// `tokenizer.ggml.eos_token_id`.
    pub eos: Option<u32>,
    /// `tokenizer.ggml.unknown_token_id`.
    pub unk: Option<u32>,
    /// `tokenizer.ggml.eot_token_id`.
    pub eot: Option<u32>,
    /// `tokenizer.ggml.eom_token_id`.
    pub eom: Option<u32>,
    /// `tokenizer.ggml.seperator_token_id` (so written).
    pub sep: Option<u32>,
    /// `tokenizer.ggml.add_bos_token`.
    pub add_bos: Option<bool>,
    /// `tokenizer.ggml.add_eos_token`.
    pub add_eos: Option<bool>,
    /// `tokenizer.ggml.add_space_prefix`.
    pub add_space_prefix: Option<bool>,
    /// `tokenizer.ggml.remove_extra_whitespaces`.
    pub remove_extra_whitespaces: Option<bool>,
    /// `tokenizer.ggml.precompiled_charsmap`: SentencePiece's map of characters.
    #[serde(with = "serde_bytes")]
    pub charsmap: Vec<u8>,
    /// `tokenizer.ggml.normalizer.lowercase`.
    pub lowercase: Option<bool>,
    /// `tokenizer.ggml.normalizer.strip_accents`.
    pub strip_accents: Option<bool>,
    /// Chat templates (Jinja) by name: `tokenizer.chat_template` is `default`,
    /// `tokenizer.chat_template.NAME` is `NAME`.
    pub chat_templates: Vec<(String, String)>,
}
