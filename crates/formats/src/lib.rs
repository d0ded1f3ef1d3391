//! Model files → metadata and a weight index: one module per file format.
//!
//! Parsers take bytes as they arrive, return typed errors and never panic, whatever the bytes are.
//! They know nothing of models: what a key or a tensor means is read elsewhere.
#![forbid(unsafe_code)]

pub mod gguf;
pub mod graph;
pub mod huggingface;
pub mod manifest;
pub mod npy;
pub mod onnx;
pub mod safetensors;
mod summary;
pub mod tfjs;
pub mod tflite;
mod weights;

pub use manifest::{Manifest, Part, RowOrder, Split};
pub use summary::{Summary, TypeCount};
pub use weights::{TensorInfo, WeightIndex};
