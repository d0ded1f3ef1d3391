//! Graph models of every format: told apart by their first bytes, read as they come.

use crate::onnx::{self, OnnxError};
use crate::tfjs::{self, TfjsError};
use crate::tflite::{self, TfliteError};
use sidestage_ir::Model;
use sidestage_tensor::AlignedBytes;
use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

/// A format of graph models.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GraphFormat {
    /// ONNX.
    Onnx,
    /// TensorFlow.js.
    Tfjs,
    /// TFLite.
    Tflite,
}

impl GraphFormat {
    /// Bytes that are enough for [`GraphFormat::of`].
    pub const ENOUGH: usize = 8;

    /// What a file's first bytes say. `None`: they are those of no graph model.
    pub fn of(head: &[u8]) -> Option<Self> {
        match head {
            [_, _, _, _, b'T', b'F', b'L', b'3', ..] => Some(Self::Tflite),
            // `ir_version`, which writers put first, and the next field's key (`onnx.proto`).
            [0x08, 1..=64, 0x12 | 0x1a | 0x22 | 0x28 | 0x32 | 0x3a | 0x42, ..] => Some(Self::Onnx),
            // A model of which only the graph or the opsets come first.
            [0x3a | 0x42, ..] => Some(Self::Onnx),
            _ => match head.trim_ascii_start() {
                // An object; safetensors has no text after such a byte.
                [b'{', b'"' | b'\n' | b'\r' | b'\t' | b' ', ..] => Some(Self::Tfjs),
                _ => None,
            },
        }
    }

    /// Its name, in lower case.
    pub fn name(self) -> &'static str {
        match self {
            Self::Onnx => "onnx",
            Self::Tfjs => "tfjs",
            Self::Tflite => "tflite",
        }
    }
}

/// Reads the file that a model begins with, whose bytes come one after the other.
#[derive(Debug)]
pub enum GraphReader {
    /// ONNX.
    Onnx(Box<onnx::Reader>),
    /// TensorFlow.js.
    Tfjs(tfjs::Reader),
    /// TFLite.
    Tflite(tflite::Reader),
}

impl GraphReader {
    /// For a file of this format; `length`, where it is known.
    pub fn new(format: GraphFormat, length: Option<u64>) -> Self {
        match format {
            GraphFormat::Onnx => Self::Onnx(Box::new(onnx::Reader::new(length))),
            GraphFormat::Tfjs => Self::Tfjs(tfjs::Reader::default()),
            GraphFormat::Tflite => Self::Tflite(tflite::Reader::new(length)),
        }
    }

    /// The next bytes.
    ///
    /// # Errors
    /// What is wrong with the file.
    pub fn push(&mut self, bytes: &[u8]) -> Result<(), GraphFileError> {
        match self {
            Self::Onnx(reader) => Ok(reader.push(bytes)?),
            Self::Tfjs(reader) => Ok(reader.push(bytes)?),
            Self::Tflite(reader) => Ok(reader.push(bytes)?),
        }
    }

    /// The file has ended.
    ///
    /// # Errors
    /// What is wrong with the file.
    pub fn finish(self) -> Result<UnplacedGraph, GraphFileError> {
        match self {
            Self::Onnx(reader) => Ok(UnplacedGraph::Onnx(reader.finish()?)),
            Self::Tfjs(reader) => Ok(UnplacedGraph::Tfjs(Box::new(reader.finish()?))),
            Self::Tflite(reader) => Ok(UnplacedGraph::Tflite(Box::new(reader.finish()?))),
        }
    }
}

/// A model whose first file was read, and whose weights may lie in others.
#[derive(Debug)]
pub enum UnplacedGraph {
    /// ONNX.
    Onnx(onnx::Unplaced),
    /// TensorFlow.js.
    Tfjs(Box<tfjs::Unplaced>),
    /// TFLite, all of which lies in one file.
    Tflite(Box<Model>),
}

/// Bytes of a file beside a model's first one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PartPlace<'a> {
    /// The file, relative to the first one.
    pub file: &'a str,
    /// First byte.
    pub offset: u64,
    /// Bytes; [`PartPlace::ALL`]: as many as the file has.
    pub length: u64,
}

impl PartPlace<'_> {
    /// The length of a part that is a whole file, where it is not known how long that is.
    pub const ALL: u64 = u64::MAX;
}

impl UnplacedGraph {
    /// What lies in other files, by file and offset.
    pub fn parts(&self) -> impl Iterator<Item = PartPlace<'_>> {
        let (onnx, tfjs) = match self {
            Self::Onnx(model) => (Some(model), None),
            Self::Tfjs(model) => (None, Some(model)),
            Self::Tflite(_) => (None, None),
        };
        let onnx = onnx.into_iter().flat_map(|model| model.parts());
        let onnx = onnx.map(|part| (part.location.as_str(), part.offset, part.length));
        let tfjs = tfjs.into_iter().flat_map(|model| model.parts());
        onnx.chain(tfjs).map(|(file, offset, length)| PartPlace { file, offset, length })
    }

    /// The operators that are called, each once.
    pub fn ops(&self) -> BTreeSet<String> {
        match self {
            Self::Onnx(model) => model.ops(),
            Self::Tfjs(model) => model.ops(),
            Self::Tflite(model) => {
                let calls = model.bodies.iter().flat_map(|body| &body.calls);
                calls.map(|call| call.op.clone()).collect()
            }
        }
    }

    /// Whether it takes tokens, as Hugging Face's exporters call them.
    pub fn takes_tokens(&self) -> bool {
        matches!(self, Self::Onnx(model) if model.takes("input_ids"))
    }

    /// The model, with the bytes of [`UnplacedGraph::parts`].
    ///
    /// # Errors
    /// What is wrong with the file.
    pub fn place(self, parts: Vec<Arc<AlignedBytes>>) -> Result<Model, GraphFileError> {
        match self {
            Self::Onnx(model) => Ok(model.place(parts)?),
            Self::Tfjs(model) => Ok(model.place(&parts)?),
            Self::Tflite(model) => Ok(*model),
        }
    }
}

/// Why a file cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum GraphFileError {
    /// Of ONNX.
    Onnx(OnnxError),
    /// Of TensorFlow.js.
    Tfjs(TfjsError),
    /// Of TFLite.
    Tflite(TfliteError),
}

impl From<OnnxError> for GraphFileError {
    fn from(error: OnnxError) -> Self {
        Self::Onnx(error)
    }
}

impl From<TfjsError> for GraphFileError {
    fn from(error: TfjsError) -> Self {
        Self::Tfjs(error)
    }
}

impl From<TfliteError> for GraphFileError {
    fn from(error: TfliteError) -> Self {
        Self::Tflite(error)
    }
}

impl GraphFileError {
    /// A stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Onnx(error) => error.code(),
            Self::Tfjs(error) => error.code(),
            Self::Tflite(error) => error.code(),
        }
    }

    /// What to do about it.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Onnx(error) => error.hint(),
            Self::Tfjs(error) => error.hint(),
            Self::Tflite(error) => error.hint(),
        }
    }
}

impl fmt::Display for GraphFileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Onnx(error) => error.fmt(f),
            Self::Tfjs(error) => error.fmt(f),
            Self::Tflite(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for GraphFileError {}
