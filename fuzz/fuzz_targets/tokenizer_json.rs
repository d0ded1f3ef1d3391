//! Any `tokenizer.json`, the files beside it, and any text.
#![no_main]

#[path = "../check/peak.rs"]
mod peak;
#[path = "../check/tokenizer_json.rs"]
mod tokenizer_json;

libfuzzer_sys::fuzz_target!(|input: &[u8]| tokenizer_json::check(input));
