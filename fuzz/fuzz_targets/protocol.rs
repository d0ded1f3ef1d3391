//! Any messages to the engine, in any order.
#![no_main]

#[path = "../check/host.rs"]
mod host;
#[path = "../check/peak.rs"]
mod peak;
#[path = "../check/protocol.rs"]
mod protocol;

libfuzzer_sys::fuzz_target!(|input: &[u8]| protocol::check(input));
