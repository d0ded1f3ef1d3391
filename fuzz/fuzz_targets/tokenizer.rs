//! Any vocabulary and any text.
#![no_main]

#[path = "../check/peak.rs"]
mod peak;
#[path = "../check/tokenizer.rs"]
mod tokenizer;

libfuzzer_sys::fuzz_target!(|input: &[u8]| tokenizer::check(input));
