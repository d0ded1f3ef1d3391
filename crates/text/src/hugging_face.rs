//! The tokenizer of a Hugging Face folder.
//!
//! `tokenizer.json` is that of the library
//! [tokenizers](https://github.com/huggingface/tokenizers); `tokenizer_config.json`,
//! `special_tokens_map.json`, `generation_config.json` and `chat_template.jinja` are those of
//! [transformers](https://huggingface.co/docs/transformers/main_classes/tokenizer).

mod build;
mod config;
mod json;
mod parts;

use crate::{TextError, Tokenizer, TokenizerSpec, gguf, sentence_piece};
use config::Config;
use json::TokenizerJson;

/// The files of a folder, read one by one as they come.
#[derive(Debug, Default)]
pub struct Files {
    tokenizer: Option<Box<TokenizerJson>>,
    sentence_piece: Option<Box<TokenizerSpec>>,
    config: Config,
}

impl Files {
    /// No files yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether this crate reads a file of this name: `tokenizer.json`, `tokenizer.model`,
    /// `tokenizer_config.json`, `special_tokens_map.json`, `generation_config.json`, `config.json`, `chat_template.jinja`,
    /// `chat_template.json`, `additional_chat_templates/*.jinja`.
    pub fn wants(name: &str) -> bool {
        matches!(
            name,
            "tokenizer.json"
                | "tokenizer.model"
                | "tokenizer_config.json"
                | "special_tokens_map.json"
                | "generation_config.json"
                | "config.json"
                | "chat_template.jinja"
                | "chat_template.json"
        ) || config::named_template(name).is_some()
    }

    /// Reads a file; `name` is its path in the folder. Other files than those that
    /// [`wants`](Self::wants) names are left alone.
    ///
    /// # Errors
    ///
    /// `TOKENIZER_INVALID` when it is not what its name says.
    pub fn add(&mut self, name: &str, bytes: &[u8]) -> Result<(), TextError> {
        if name == "tokenizer.json" {
            self.tokenizer = Some(Box::new(json::read(name, bytes)?));
            return Ok(());
        }
        if name == "tokenizer.model" {
            self.sentence_piece = Some(Box::new(sentence_piece::read(bytes)?));
            return Ok(());
        }
        self.config.add(name, bytes)
    }

    /// The tokenizer that the files describe; `tokenizer.model` only where there is no
    /// `tokenizer.json`.
    ///
    /// # Errors
    ///
    /// `TOKENIZER_INVALID` when there is neither, or the files contradict themselves or
    /// each other, `TOKENIZER_UNSUPPORTED` names a part that is not known.
    pub fn tokenizer(self) -> Result<Tokenizer, TextError> {
        match (self.tokenizer, self.sentence_piece) {
            (Some(tokenizer), _) => build::tokenizer(*tokenizer, &self.config),
            (None, Some(spec)) => gguf::tokenizer(self.config.fill(*spec)),
            (None, None) => Err(TextError::tokenizer("the folder has no tokenizer.json")),
        }
    }
}
