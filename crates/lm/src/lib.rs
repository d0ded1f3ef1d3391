//! Language models: a table of transformer families, one builder that makes the graph of any of
//! them from a file's metadata, the KV cache, and sampling. Token ids only; it never sees text.
//!
//! A model is run by [`Decoder::begin`] with a list of [`Row`]s. A row is one position of one
//! sequence, so a prompt's chunk, several streams at once, or a speculated continuation are all
//! lists of rows.

mod build;
mod config;
mod decoder;
mod encoder;
mod error;
mod family;
mod kv;
mod loss;
mod pooling;
mod program;
mod sampler;
mod traced;

pub use build::{MAX_OUTPUTS, MAX_ROWS, MAX_SEQUENCES};
pub use config::{Config, Experts, Layer, Rope, RopeScaling, Rotation};
pub use decoder::{Decoder, DecoderOptions, DecoderPlan, Memory, Row, RowInput, Wants};
pub use encoder::Encoder;
pub use error::LmError;
pub use family::{
    Activation, ENCODERS, FAMILIES, Family, Norm, NormPlacement, Positions, Residual, WindowRope,
    Windows,
};
pub use kv::{CacheFull, KvCache, KvType, PAGE, Sequence};
pub use pooling::{Pooling, normalize};
pub use sampler::{InvalidSampling, Sampler, Sampling, likeliest};
pub use sidestage_cpu::{OpTime, OpTimes, Progress, Timer, Weights};
