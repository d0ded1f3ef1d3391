//! Text for language models: tokenizer, chat template, incremental detokeniser, stop strings.
//!
//! It takes a [`TokenizerSpec`] (what a GGUF file says of its vocabulary) or the [`Files`] of a
//! Hugging Face folder, and knows no models. A [`Tokenizer`] turns text into token ids; a
//! [`TextStream`] writes one answer out, token by token; [`render`] makes a prompt of messages.
//! [`wire`] carries all of it over the border of a wasm module.
//!
//! A text goes through the same steps wherever its tokenizer comes from: added tokens are found
//! (`added`), the rest is normalised (`normalize`), cut into words (`cut`) and turned into tokens by
//! the model (`model`); `decode` goes back.
//!
//! # Why the tokenizer is our own
//!
//! The libraries were measured first, as wasm modules that only build a BPE vocabulary, encode and
//! decode (`opt-level = "s"`, fat LTO, brotli 11):
//!
//! | | wasm | brotli | imports |
//! |---|---|---|---|
//! | `tokenizers` 0.23 (`unstable_wasm`) | 1,651 KB | 404 KB | 6, of wasm-bindgen |
//! | `kitoken` 0.11 (minimal) | 1,269 KB | 313 KB | none |
//! | this crate, with `minijinja`, msgpack and JSON | 2,089 KB | 549 KB | none |
//!
//! `tokenizers` is out by its imports. Neither takes a GGUF vocabulary as it is: `tokenizers` wants
//! merges where a SentencePiece file has scores, `kitoken` merges by the order of the tokens where a
//! byte-level file has pairs. Such a conversion is as long as the merge loop itself, so they were
//! not taken as far as the vectors. With `minijinja` either would pass 500 KB.
//!
//! This crate is equal to llama.cpp on its vectors of GPT-2, Phi-3, Qwen2, Falcon and BGE, and to
//! Hugging Face's library on those of kitoken and transformers.js and on a golden of each part of a
//! `tokenizer.json`. `cargo xtask bench tokenizer` compares its speed with `@huggingface/tokenizers`.

mod added;
mod byte_chars;
mod charsmap;
mod class;
mod cut;
mod decode;
mod end;
mod error;
mod gguf;
mod hugging_face;
mod merge;
mod model;
mod normalize;
mod pre;
mod reasoning;
mod sentence_piece;
mod spec;
mod split;
mod stop;
mod stream;
mod strings;
mod template;
mod tokenizer;
mod utf8;
mod vocabulary;
pub mod wire;

pub use error::TextError;
pub use hugging_face::Files;
pub use spec::TokenizerSpec;
pub use stream::{Delta, StreamOptions, TextStream};
pub use strings::StringList;
pub use template::{Now, render};
pub use tokenizer::Tokenizer;
