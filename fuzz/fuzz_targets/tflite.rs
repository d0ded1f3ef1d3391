//! Any bytes as a TFLite file.
#![no_main]

#[path = "../check/peak.rs"]
mod peak;
#[path = "../check/tflite.rs"]
mod tflite;

libfuzzer_sys::fuzz_target!(|input: &[u8]| tflite::check(input));
