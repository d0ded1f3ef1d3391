//! Any bytes as a Hugging Face folder: its JSON and the header of its weights, in any chunks.
#![no_main]

#[path = "../check/peak.rs"]
mod peak;
#[path = "../check/safetensors.rs"]
mod safetensors;

libfuzzer_sys::fuzz_target!(|input: &[u8]| safetensors::check(input));
