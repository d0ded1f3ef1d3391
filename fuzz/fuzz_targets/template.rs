//! Any text as a chat template.
#![no_main]

#[path = "../check/template.rs"]
mod template;

libfuzzer_sys::fuzz_target!(|input: &[u8]| template::check(input));
