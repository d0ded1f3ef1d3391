mod room;

use crate::protocol::ErrorInfo;
pub use room::{TextRoom, vocabulary};
use serde_json::Value;
use sidestage_formats::gguf::Metadata;

/// What the engine needs of the text room. Natively a direct call; in the browser the worker's
/// JavaScript carries it to the text module.
pub trait Text {
    /// Reads the vocabulary of a file. `None`: it has none.
    ///
    /// # Errors
    /// A tokenizer that is unknown or contradicts itself.
    fn open(&mut self, metadata: &Metadata) -> Result<Option<TextInfo>, ErrorInfo>;

    /// Reads the tokenizer of a Hugging Face folder: names in the folder and bytes. Files that it
    /// does not want (see [`wants`](sidestage_text::Files::wants)) are left alone.
    ///
    /// # Errors
    /// No `tokenizer.json`, or files that are unknown, broken or contradict each other.
    fn open_files(&mut self, files: &[(&str, &[u8])]) -> Result<TextInfo, ErrorInfo>;

    /// Text to tokens; `add_special` adds the model's begin and end tokens, `parse_special` reads
    /// special tokens in the text.
    ///
    /// # Errors
    /// Text that cannot be encoded.
    fn encode(
        &mut self,
        text: &str,
        add_special: bool,
        parse_special: bool,
    ) -> Result<Vec<u32>, ErrorInfo>;

    /// Tokens to text, special tokens left out.
    ///
    /// # Errors
    /// A token that is not in the vocabulary.
    fn decode(&mut self, tokens: &[u32]) -> Result<String, ErrorInfo>;

    /// A conversation as the model's chat template writes it.
    ///
    /// # Errors
    /// Messages or tools that are no list, options that are no object; no template, or one that
    /// fails or refuses the messages.
    fn render(
        &mut self,
        conversation: Conversation,
        add_generation_prompt: bool,
    ) -> Result<String, ErrorInfo>;

    /// Starts writing out an answer that ends at any of `stops`; `in_reasoning` if the prompt left
    /// the model's reasoning open.
    ///
    /// # Errors
    /// No vocabulary.
    fn open_stream(&mut self, stops: &[String], in_reasoning: bool) -> Result<u32, ErrorInfo>;

    /// The text that is certain after one more token.
    ///
    /// # Errors
    /// No such stream.
    fn push(&mut self, stream: u32, token: u32) -> Result<Delta, ErrorInfo>;

    /// What was held back; ends the stream.
    ///
    /// # Errors
    /// No such stream.
    fn finish(&mut self, stream: u32) -> Result<Delta, ErrorInfo>;
}

/// What a chat template is given, as the page wrote it.
#[derive(Clone, Debug, Default)]
pub struct Conversation {
    /// A list of messages.
    pub messages: Value,
    /// A list of tools.
    pub tools: Option<Value>,
    /// Other variables of the template by name, for example `enable_thinking` or `documents`.
    pub options: Option<Value>,
}

/// A vocabulary that was opened.
#[derive(Clone, Debug, Default)]
pub struct TextInfo {
    /// Tokens that end an answer.
    pub end_tokens: Vec<u32>,
    /// Whether there is a chat template.
    pub has_chat_template: bool,
}

/// Text that has become certain.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Delta {
    /// Of the answer.
    pub text: String,
    /// Of the reasoning.
    pub reasoning: String,
    /// Whether a stop string was found; nothing comes after it.
    pub stopped: bool,
}
