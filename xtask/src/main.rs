//! `cargo xtask`: what a newcomer types.
fn main() {}
