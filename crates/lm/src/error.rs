use crate::{CacheFull, KvType};
use sidestage_formats::gguf::GgufError;
use sidestage_ir::GraphError;
use sidestage_tensor::DType;
use std::collections::TryReserveError;
use std::fmt;

/// Why a model cannot be built or run.
#[derive(Clone, Debug, PartialEq)]
pub enum LmError {
    /// `general.architecture` is missing.
    NoArchitecture,
    /// No row of [`crate::FAMILIES`] has this name.
    Architecture {
        /// `general.architecture`.
        name: String,
    },
    /// A metadata key has a value that cannot be.
    Metadata {
        /// The key.
        key: String,
        /// What is wrong.
        problem: String,
    },
    /// A metadata key is missing or has a value of another type.
    File(GgufError),
    /// A feature of the model that this engine does not have.
    Feature {
        /// The metadata key or tensor that asks for it.
        key: String,
        /// Its value.
        value: String,
    },
    /// A tensor is missing.
    MissingTensor {
        /// Its name.
        name: String,
    },
    /// A tensor has another shape than the metadata say.
    Shape {
        /// The tensor.
        name: String,
        /// Its shape.
        found: Vec<u64>,
        /// The shape it must have.
        expected: Vec<u64>,
    },
    /// A tensor has a type without a kernel.
    Type {
        /// The tensor.
        name: String,
        /// Its type.
        dtype: DType,
    },
    /// A model of calls is not a decoder that can be run.
    Traced {
        /// Why.
        problem: String,
    },
    /// The graph could not be built or planned.
    Graph(GraphError),
    /// The plan needs more than it may.
    Memory {
        /// Bytes needed.
        needed: u64,
        /// Bytes allowed.
        limit: u64,
    },
    /// The allocator refused.
    Refused {
        /// What for.
        what: &'static str,
        /// Bytes asked for.
        bytes: u64,
    },
    /// A KV cache of this type cannot hold the model's heads.
    KvType {
        /// The type.
        kv_type: KvType,
        /// Values in a head.
        head_dim: usize,
    },
    /// The KV cache is full.
    Cache(CacheFull),
    /// A token id is not in the vocabulary.
    Token {
        /// The id.
        id: u32,
        /// Tokens in the vocabulary.
        vocab_size: u32,
    },
    /// A position is past the context.
    Position {
        /// The position.
        position: u32,
        /// Positions there are.
        context_length: u32,
    },
}

impl LmError {
    /// The stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::File(error) => error.code(),
            Self::NoArchitecture
            | Self::Metadata { .. }
            | Self::MissingTensor { .. }
            | Self::Shape { .. } => "MODEL_INVALID",
            Self::Architecture { .. }
            | Self::Feature { .. }
            | Self::Type { .. }
            | Self::Traced { .. }
            | Self::Graph(_) => "MODEL_UNSUPPORTED",
            Self::KvType { .. } => "INVALID_OPTION",
            Self::Memory { .. } => "MEMORY_LIMIT",
            Self::Refused { .. } | Self::Cache(_) => "OUT_OF_MEMORY",
            Self::Token { .. } => "PROMPT_INVALID",
            Self::Position { .. } => "CONTEXT_LENGTH_EXCEEDED",
        }
    }

    /// An allocation of `bytes` for `what` that was refused.
    pub(crate) fn refused(
        what: &'static str,
        bytes: usize,
    ) -> impl FnOnce(TryReserveError) -> Self {
        move |_| Self::Refused { what, bytes: bytes as u64 }
    }
}

impl fmt::Display for LmError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoArchitecture => write!(f, "the file does not say its general.architecture"),
            Self::Architecture { name } => write!(f, "the architecture {name:?} is not supported"),
            Self::Metadata { key, problem } => write!(f, "the metadata key {key}: {problem}"),
            Self::Feature { key, value } => write!(f, "{key} = {value} is not supported"),
            Self::MissingTensor { name } => write!(f, "the tensor {name} is missing"),
            Self::Shape { name, found, expected } => {
                write!(f, "the tensor {name} has the shape {found:?}, expected {expected:?}")
            }
            Self::Type { name, dtype } => {
                write!(f, "the tensor {name} has the type {dtype}, which is not supported")
            }
            Self::Traced { problem } => write!(f, "this is not a decoder: {problem}"),
            Self::File(error) => error.fmt(f),
            Self::Graph(error) => error.fmt(f),
            Self::Memory { needed, limit } => {
                write!(f, "the model needs {needed} bytes of memory, allowed are {limit}")
            }
            Self::Refused { what, bytes } => {
                write!(f, "no memory for the {what}: {bytes} bytes were refused")
            }
            Self::KvType { kv_type, head_dim } => {
                let name = kv_type.name();
                write!(f, "kvType {name:?} needs heads of 32, 64, ... values, not of {head_dim}")
            }
            Self::Cache(error) => error.fmt(f),
            Self::Token { id, vocab_size } => {
                write!(f, "the token {id} is not in the vocabulary of {vocab_size}")
            }
            Self::Position { position, context_length } => {
                write!(f, "position {position} is past the context of {context_length}")
            }
        }
    }
}

impl std::error::Error for LmError {}

impl From<GraphError> for LmError {
    fn from(error: GraphError) -> Self {
        Self::Graph(error)
    }
}

impl From<GgufError> for LmError {
    fn from(error: GgufError) -> Self {
        Self::File(error)
    }
}

impl From<CacheFull> for LmError {
    fn from(error: CacheFull) -> Self {
        Self::Cache(error)
    }
}
