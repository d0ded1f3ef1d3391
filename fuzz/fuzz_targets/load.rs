//! Any bytes loaded as a model, in any chunks.
#![no_main]

#[path = "../check/load.rs"]
mod load;
#[path = "../check/peak.rs"]
mod peak;

libfuzzer_sys::fuzz_target!(|input: &[u8]| load::check(input));
