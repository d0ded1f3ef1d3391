use crate::gguf::GgufError;
use sidestage_tensor::DType;
use std::fmt;

/// Why a folder cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FolderError {
    /// A file is not the JSON that it should be.
    Json {
        /// The file's name.
        file: &'static str,
        /// What is wrong.
        problem: String,
    },
    /// `config.json` names no architecture.
    NoArchitecture,
    /// An architecture without a row.
    Architecture {
        /// `architectures[0]`.
        name: String,
    },
    /// A value of `config.json` is missing or cannot be.
    Config {
        /// Its key.
        key: String,
        /// What is wrong.
        problem: String,
    },
    /// A feature of the model that this engine does not have.
    Feature {
        /// The key of `config.json` that asks for it.
        key: String,
        /// Its value.
        value: String,
    },
    /// A name in `model.safetensors.index.json` that is no file of the folder.
    FileName {
        /// That name.
        name: String,
    },
    /// The number of headers is not that of the files.
    Headers {
        /// Headers given.
        found: usize,
        /// Files there are.
        expected: usize,
    },
    /// A tensor that models of the architecture do not have.
    UnknownTensor {
        /// Its name.
        tensor: String,
        /// `general.architecture`.
        architecture: &'static str,
    },
    /// A tensor that is in two files.
    DuplicateTensor {
        /// Its name.
        tensor: String,
    },
    /// A tensor is missing.
    MissingTensor {
        /// Its name, or that of the weight of which it is a part.
        tensor: String,
    },
    /// A tensor of another type than `F32`, `F16` and `BF16`.
    Type {
        /// Its name.
        tensor: String,
        /// Its type's name in the file.
        dtype: String,
    },
    /// Rows cannot be converted to this type.
    Target {
        /// That type.
        dtype: DType,
    },
    /// A tensor has another shape than the configuration says.
    Shape {
        /// Its name.
        tensor: String,
        /// Its extents, outermost first.
        extents: Vec<u64>,
    },
    /// Metadata that contradict themselves.
    Metadata(GgufError),
}

impl FolderError {
    /// The stable code: `MODEL_INVALID`, `MODEL_UNSUPPORTED`, `MODEL_INCOMPLETE` or `INVALID_OPTION`.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Architecture { .. }
            | Self::Feature { .. }
            | Self::UnknownTensor { .. }
            | Self::Type { .. } => "MODEL_UNSUPPORTED",
            Self::Target { .. } => "INVALID_OPTION",
            Self::MissingTensor { .. } | Self::Headers { .. } => "MODEL_INCOMPLETE",
            _ => "MODEL_INVALID",
        }
    }
}

impl From<GgufError> for FolderError {
    fn from(error: GgufError) -> Self {
        Self::Metadata(error)
    }
}

impl fmt::Display for FolderError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Json { file, problem } => write!(f, "{file} cannot be read: {problem}"),
            Self::NoArchitecture => f.write_str("config.json does not name its architectures"),
            Self::Architecture { name } => write!(f, "the architecture {name:?} is not supported"),
            Self::Config { key, problem } => write!(f, "{key} in config.json {problem}"),
            Self::Feature { key, value } => {
                write!(f, "{key} = {value} in config.json is not supported")
            }
            Self::FileName { name } => {
                write!(f, "model.safetensors.index.json names {name:?}, which is no file of it")
            }
            Self::Headers { found, expected } => {
                write!(f, "{found} headers for {expected} files of weights")
            }
            Self::UnknownTensor { tensor, architecture } => {
                write!(f, "models of architecture {architecture} have no tensor {tensor:?}")
            }
            Self::DuplicateTensor { tensor } => write!(f, "tensor {tensor:?} is there twice"),
            Self::MissingTensor { tensor } => write!(f, "tensor {tensor:?} is missing"),
            Self::Type { tensor, dtype } => {
                write!(f, "tensor {tensor:?} has the type {dtype}; F32, F16 and BF16 are supported")
            }
            Self::Target { dtype } => write!(f, "weights cannot be converted to {dtype}"),
            Self::Shape { tensor, extents } => {
                write!(f, "tensor {tensor:?} has the shape {extents:?}, against config.json")
            }
            Self::Metadata(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for FolderError {}
