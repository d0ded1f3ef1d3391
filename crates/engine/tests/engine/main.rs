//! The engine, driven by a native host that keeps the laws of the protocol under watch.

mod caching;
mod determinism;
mod embedding;
mod faults;
mod folders;
mod goldens;
mod graphs;
mod host;
mod interleaving;
mod loading;
mod mischief;
mod model;
mod options;
mod profile;
mod refusals;
mod reuse;
#[path = "../../../lm/tests/decoder/scarcity.rs"]
mod scarcity;
mod sharing;
mod threads;
mod traced;
mod watch;
