//! The operators, one file each: shape rule, checks, the call of its kernel, its tests; and the
//! one [table](OPS) of them.
//!
//! Names are ONNX's where ONNX has the operator.

mod add;
mod attention;
mod gather;
mod kv_write;
mod linear;
mod quantize;
mod rms_normalization;
mod rotary_angles;
mod rotary_embedding;
mod rules;
mod swiglu;
mod take_rows;

pub use add::Add;
pub use attention::Attention;
pub use gather::Gather;
pub use kv_write::KvWrite;
pub use linear::Linear;
pub use quantize::Quantize;
pub use rms_normalization::RmsNormalization;
pub use rotary_angles::RotaryAngles;
pub use rotary_embedding::{RopeStyle, RotaryEmbedding};
pub use swiglu::SwiGlu;
pub use take_rows::TakeRows;

/// One row of the table of operators.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OpInfo {
    /// What [`sidestage_ir::Operator::name`] says.
    pub name: &'static str,
    /// What it computes.
    pub summary: &'static str,
}

/// Every operator there is.
pub const OPS: &[OpInfo] = &[
    add::INFO,
    attention::INFO,
    gather::INFO,
    kv_write::INFO,
    linear::INFO,
    quantize::INFO,
    rms_normalization::INFO,
    rotary_angles::INFO,
    rotary_embedding::INFO,
    swiglu::INFO,
    take_rows::INFO,
];
