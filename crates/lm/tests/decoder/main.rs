//! The decoder against other people's logits, against a naive model, and against itself.

mod bits;
mod families;
mod forks;
mod goldens;
mod huggingface;
mod kv_types;
mod logits;
mod metadata;
mod models;
mod quantized;
mod reference;
mod refusals;
mod scarcity;
mod steps;
mod tiny;
mod traced;
mod types;
