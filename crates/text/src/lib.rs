//! Text for language models: tokenizer, chat template, incremental detokeniser, stop strings.
//!
//! It takes a [`TokenizerSpec`] (what a GGUF file says of its vocabulary) and knows neither files
//! nor models. A [`Tokenizer`] turns text into token ids; a [`TextStream`] writes one answer out,
//! token by token; [`render`] makes a prompt of messages. [`wire`] carries all of it over the border
//! of a wasm module.
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
//! | this crate, with `minijinja`, msgpack and JSON | 1,763 KB | 446 KB | none |
//!
//! `tokenizers` is out by its imports. Neither takes a GGUF vocabulary as it is: `tokenizers` wants
//! merges where a SentencePiece file has scores, `kitoken` merges by the order of the tokens where a
//! byte-level file has pairs. Such a conversion is as long as the merge loop itself, so they were
//! not taken as far as the vectors. With `minijinja` either would pass 500 KB.
//!
//! This crate is equal to llama.cpp on its vectors of GPT-2, Phi-3, Qwen2 and Falcon. It opens
//! Qwen2's 151,936 tokens and 151,387 merges in 30 ms natively, in wasm in 180 ms the first time and
//! 45 ms warm; in wasm it encodes English at 15 MB/s, and one megabyte of a single letter or of
//! spaces in 0.6 s (two shared cores, Node 20).

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
