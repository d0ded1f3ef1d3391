//! Any bytes as a GGUF file, in any chunks.
#![no_main]

#[path = "../check/gguf.rs"]
mod gguf;
#[path = "../check/peak.rs"]
mod peak;

libfuzzer_sys::fuzz_target!(|input: &[u8]| gguf::check(input));
