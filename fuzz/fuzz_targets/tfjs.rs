//! Any bytes as a TensorFlow.js model.
#![no_main]

#[path = "../check/tfjs.rs"]
mod tfjs;

libfuzzer_sys::fuzz_target!(|input: &[u8]| tfjs::check(input));
