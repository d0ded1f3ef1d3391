//! Graph models of every format: told apart by their first bytes, read as they come.

use crate::onnx::{self, OnnxError};
use sidestage_ir::Model;
use sidestage_tensor::AlignedBytes;
use std::fmt;
use std::sync::Arc;

/// A format of graph models.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GraphFormat {
    /// ONNX.
    Onnx,
}

impl GraphFormat {
    /// Bytes that are enough for [`GraphFormat::of`].
    pub const ENOUGH: usize = 8;

    /// What a file's first bytes say. `None`: they are those of no graph model.
    pub fn of(head: &[u8]) -> Option<Self> {
        match head {
            // `ir_version`, which writers put first, and the next field's key (`onnx.proto`).
            [0x08, 1..=64, 0x12 | 0x1a | 0x22 | 0x28 | 0x32 | 0x3a | 0x42, ..] => Some(Self::Onnx),
            // A model of which only the graph or the opsets come first.
            [0x3a | 0x42, ..] => Some(Self::Onnx),
            _ => None,
        }
    }

    /// Its name, in lower case.
    pub fn name(self) -> &'static str {
        match self {
            Self::Onnx => "onnx",
        }
    }
}

/// Reads the file that a model begins with, whose bytes come one after the other.
#[derive(Debug)]
pub enum GraphReader {
    /// ONNX.
    Onnx(Box<onnx::Reader>),
}

impl GraphReader {
    /// For a file of this format; `length`, where it is known.
    pub fn new(format: GraphFormat, length: Option<u64>) -> Self {
        match format {
            GraphFormat::Onnx => Self::Onnx(Box::new(onnx::Reader::new(length))),
        }
    }

    /// The next bytes.
    ///
    /// # Errors
    /// What is wrong with the file.
    pub fn push(&mut self, bytes: &[u8]) -> Result<(), GraphFileError> {
        match self {
            Self::Onnx(reader) => Ok(reader.push(bytes)?),
        }
    }

    /// The file has ended.
    ///
    /// # Errors
    /// What is wrong with the file.
    pub fn finish(self) -> Result<UnplacedGraph, GraphFileError> {
        match self {
            Self::Onnx(reader) => Ok(UnplacedGraph::Onnx(reader.finish()?)),
        }
    }
}

/// A model whose first file was read, and whose weights may lie in others.
#[derive(Debug)]
pub enum UnplacedGraph {
    /// ONNX.
    Onnx(onnx::Unplaced),
}

/// Bytes of a file beside a model's first one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PartPlace<'a> {
    /// The file, relative to the first one.
    pub file: &'a str,
    /// First byte.
    pub offset: u64,
    /// Bytes.
    pub length: u64,
}

impl UnplacedGraph {
    /// What lies in other files, by file and offset.
    pub fn parts(&self) -> impl Iterator<Item = PartPlace<'_>> {
        match self {
            Self::Onnx(model) => model.parts().iter().map(|part| PartPlace {
                file: &part.location,
                offset: part.offset,
                length: part.length,
            }),
        }
    }

    /// The model, with the bytes of [`UnplacedGraph::parts`].
    ///
    /// # Errors
    /// What is wrong with the file.
    pub fn place(self, parts: Vec<Arc<AlignedBytes>>) -> Result<Model, GraphFileError> {
        match self {
            Self::Onnx(model) => Ok(model.place(parts)?),
        }
    }
}

/// Why a file cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum GraphFileError {
    /// Of ONNX.
    Onnx(OnnxError),
}

impl From<OnnxError> for GraphFileError {
    fn from(error: OnnxError) -> Self {
        Self::Onnx(error)
    }
}

impl GraphFileError {
    /// A stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Onnx(error) => error.code(),
        }
    }

    /// What to do about it.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Onnx(error) => error.hint(),
        }
    }
}

impl fmt::Display for GraphFileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Onnx(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for GraphFileError {}
