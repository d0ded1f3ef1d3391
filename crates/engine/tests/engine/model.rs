//! Models for the tests: a tiny one with random weights and a small vocabulary, and the shared
//! test data's real one.

#[path = "../../../lm/tests/decoder/tiny.rs"]
mod tiny;

use sidestage_engine::protocol::GenerateOptions;
use sidestage_formats::gguf::{Strings, Value};
use std::ops::Range;
use std::path::PathBuf;
use std::sync::OnceLock;
pub(crate) use tiny::{Random, Shape};

pub(crate) const END: u32 = 2;
/// The tokens that are words, each beginning with a space.
pub(crate) const WORDS: Range<u32> = 259..320;

/// The tiny model: 320 tokens, a context of 256.
pub(crate) fn tiny() -> &'static [u8] {
    static FILE: OnceLock<Vec<u8>> = OnceLock::new();
    FILE.get_or_init(|| Shape::new("llama").model().file(vocabulary()))
}

/// The tiny model with a chat template.
pub(crate) fn chat() -> &'static [u8] {
    static FILE: OnceLock<Vec<u8>> = OnceLock::new();
    FILE.get_or_init(|| with("tokenizer.chat_template", "{% for m in messages %}[{{ m.role }}]{{ m.content }}{% endfor %}{% if add_generation_prompt %}[answer]{% endif %}"))
}

/// The tiny model with one more pair of metadata, or another value of one.
pub(crate) fn with(key: &str, value: impl Into<Value>) -> Vec<u8> {
    let mut pairs = vocabulary();
    pairs.retain(|(other, _)| other != key);
    pairs.push((key.into(), value.into()));
    Shape::new("llama").model().file(pairs)
}

/// The tiny model without a vocabulary.
pub(crate) fn mute() -> Vec<u8> {
    Shape::new("llama").model().file(Vec::new())
}

/// A SentencePiece vocabulary: three special tokens, 256 bytes, words.
pub(crate) fn vocabulary() -> Vec<(String, Value)> {
    let special = ["<unk>", "<s>", "</s>"].map(String::from);
    let bytes = (0..=255).map(|byte| format!("<0x{byte:02X}>"));
    let words = WORDS.map(word);
    let tokens: Strings = special.into_iter().chain(bytes).chain(words).collect();
    let types: Vec<i32> = (0..WORDS.end)
        .map(|id| match id {
            0 => 2,
            1 | 2 => 3,
            3..259 => 6,
            _ => 1,
        })
        .collect();
    let scores: Vec<f32> = (0..WORDS.end).map(|id| -(id as f32)).collect();
    let key = |name: &str| format!("tokenizer.ggml.{name}");
    vec![
        (key("model"), "llama".into()),
        (key("tokens"), tokens.into()),
        (key("token_type"), types.into()),
        (key("scores"), scores.into()),
        (key("bos_token_id"), 1_u32.into()),
        (key("eos_token_id"), END.into()),
    ]
}

/// How a word is written in the vocabulary: two to four letters after a space, all different.
pub(crate) fn word(id: u32) -> String {
    let id = id - WORDS.start;
    let letter = |n: u32| char::from(b'a' + (n % 26) as u8);
    let more = if id.is_multiple_of(3) { "r" } else { "" };
    format!("\u{2581}{}{}{more}", letter(id / 8 * 3), letter(id % 8 * 5 + 1))
}

/// A prompt of random tokens.
pub(crate) fn tokens(name: &str, count: usize) -> Vec<u32> {
    let mut random = Random::new(11, name);
    (0..count).map(|_| random.below(WORDS.end as usize) as u32).collect()
}

/// Answers in words only: no bytes, no end.
pub(crate) fn in_words(options: GenerateOptions) -> GenerateOptions {
    let logit_bias = (0..WORDS.start).map(|id| (id, f32::NEG_INFINITY)).collect();
    GenerateOptions { logit_bias, ..options }
}

/// The folder of real models.
pub(crate) fn data() -> Option<PathBuf> {
    let folder = std::env::var_os("SIDESTAGE_TESTDATA");
    if folder.is_none() {
        println!("SIDESTAGE_TESTDATA is not set: the answers of real models are left out");
    }
    folder.map(|folder| PathBuf::from(folder).join("lm"))
}
