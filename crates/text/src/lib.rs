//! Text for language models: tokenizer, chat template, incremental detokeniser.
//!
//! It takes a [`TokenizerSpec`] (what a GGUF file says of its vocabulary) and knows neither files
//! nor models.

mod bpe;
mod byte_chars;
mod end;
mod error;
mod merge;
mod pre;
mod reasoning;
mod spec;
mod special;
mod split;
mod spm;
mod stop;
mod stream;
mod strings;
mod template;
mod tokenizer;
mod utf8;
mod vocabulary;
pub mod wire;

pub use error::TextError;
pub use spec::TokenizerSpec;
pub use stream::{Delta, StreamOptions, TextStream};
pub use strings::StringList;
pub use template::{Now, render};
pub use tokenizer::Tokenizer;
