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
mod quantization;
mod reader;
mod tensor;

pub use error::OnnxError;
pub use reader::{Reader, Unplaced};

use protobuf::Fields;
use sidestage_ir::{Model, PortKind};
use sidestage_tensor::Tensor;

/// Bytes that lie in a file beside the model ("External data" in IR.md).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct External {
    /// The file, relative to the model's.
    pub location: String,
    /// First byte.
    pub offset: u64,
    /// Bytes.
    pub length: u64,
}

/// Reads a whole file, whose weights all lie in it.
///
/// # Errors
/// What is wrong with the file.
pub fn read(bytes: &[u8]) -> Result<Model, OnnxError> {
    let mut reader = Reader::new(Some(bytes.len() as u64));
    reader.push(bytes)?;
    reader.finish()?.place(Vec::new())
}

/// A value outside a model.
#[derive(Clone, Debug)]
pub enum Data {
    /// A tensor.
    Tensor(Tensor),
    /// Several values.
    Sequence(Vec<Data>),
    /// An optional value that is not there.
    Nothing,
}

/// Reads a value of this kind, as test data have it: a `TensorProto`, `SequenceProto` or
/// `OptionalProto` (`onnx-data.proto`).
///
/// # Errors
/// What is wrong with it.
pub fn read_value(bytes: &[u8], kind: &PortKind) -> Result<Data, OnnxError> {
    let (inner, optional) = match kind {
        PortKind::Tensor => return read_tensor(bytes).map(Data::Tensor),
        PortKind::Sequence(inner) => (inner, false),
        PortKind::Optional(inner) => (inner, true),
    };
    // Tensors have one number in both messages, and all that is no tensor another.
    let wanted = if **inner == PortKind::Tensor { 3 } else { 5 };
    let mut fields = Fields::new("SequenceProto", bytes);
    let mut all = Vec::new();
    while let Some((number, wire)) = fields.next()? {
        if number == wanted {
            all.push(read_value(wire.bytes(&fields)?, inner)?);
        }
    }
    Ok(match optional {
        true => all.pop().unwrap_or(Data::Nothing),
        false => Data::Sequence(all),
    })
}

/// Reads a single tensor, as test data have it: a `TensorProto`.
///
/// # Errors
/// What is wrong with it.
pub fn read_tensor(bytes: &[u8]) -> Result<Tensor, OnnxError> {
    tensor::tensor(&proto::Tensor::read(bytes)?, &mut |_| None)
}
