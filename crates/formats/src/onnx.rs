//! ONNX, the graphs that PyTorch, Keras and many others export.
//!
//! Specification: <https://github.com/onnx/onnx/blob/main/docs/IR.md> and `onnx.proto`. The file is one
//! message of Protocol Buffers (<https://protobuf.dev/programming-guides/encoding/>). It becomes a
//! [`Model`]: names are resolved, so that an inner graph names the values around it as the outer one
//! does, and the model's own functions are put where they are called.

mod build;
mod error;
mod proto;
mod protobuf;
mod tensor;

pub use error::OnnxError;

use sidestage_ir::Model;
use sidestage_tensor::Tensor;

/// Bytes that lie in a file beside the model ("External data" in IR.md).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct External {
    /// The file, relative to the model's.
    pub location: String,
    /// First byte.
    pub offset: u64,
    /// Bytes.
    pub length: u64,
}

/// Reads a whole file. `external` gives the bytes of weights that lie elsewhere.
///
/// # Errors
/// What is wrong with the file, or the refusal of `external`.
pub fn read(
    bytes: &[u8],
    external: &mut dyn FnMut(&External) -> Option<Vec<u8>>,
) -> Result<Model, OnnxError> {
    let model = proto::Model::read(bytes)?;
    build::model(&model, external)
}

/// Reads a single tensor, as test data have it: a `TensorProto`.
///
/// # Errors
/// What is wrong with it.
pub fn read_tensor(bytes: &[u8]) -> Result<Tensor, OnnxError> {
    tensor::tensor(&proto::Tensor::read(bytes)?, &mut |_| None)
}
