//! Any bytes as an ONNX file, read in any pieces, and run.
#![no_main]

#[path = "../check/onnx.rs"]
mod onnx;
#[path = "../check/peak.rs"]
mod peak;

libfuzzer_sys::fuzz_target!(|input: &[u8]| onnx::check(input));
