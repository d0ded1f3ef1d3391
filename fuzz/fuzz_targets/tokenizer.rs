//! Any vocabulary and any text.
#![no_main]

#[path = "../check/tokenizer.rs"]
mod tokenizer;
#[path = "../check/peak.rs"]
mod peak;

libfuzzer_sys::fuzz_target!(|input: &[u8]| tokenizer::check(input));
