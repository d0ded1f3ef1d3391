use std::fmt;

/// Why a safetensors file cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SafetensorsError {
    /// The bytes end before the header does.
    Truncated {
        /// Bytes that arrived.
        received: u64,
        /// Bytes that are needed at least.
        expected: u64,
    },
    /// The header is longer than [`super::MAX_HEADER_BYTES`], or the file is of another format.
    HeaderTooLarge {
        /// The file's figure, in bytes.
        found: u64,
        /// The limit.
        limit: u64,
    },
    /// The header is not the JSON that it should be.
    Header {
        /// What is wrong.
        problem: String,
    },
    /// Two tensors have one name.
    DuplicateTensor {
        /// That name.
        tensor: String,
    },
    /// A tensor with more dimensions, elements or bytes than can be.
    Extents {
        /// The tensor's name.
        tensor: String,
        /// Its extents, outermost first.
        extents: Vec<u64>,
    },
    /// A tensor whose bytes are not those of its shape.
    Size {
        /// The tensor's name.
        tensor: String,
        /// Its bytes in the file.
        found: u64,
        /// The bytes of its shape.
        expected: u64,
    },
    /// A tensor that ends before it starts, or past the largest offset.
    OutOfRange {
        /// The tensor's name.
        tensor: String,
    },
    /// Two tensors share bytes.
    Overlap {
        /// The tensor that starts first.
        first: String,
        /// The one that starts inside it.
        second: String,
    },
    /// The machine has no memory for the header.
    OutOfMemory {
        /// The bytes that were refused.
        bytes: u64,
    },
    /// Bytes were pushed after the header's end, or after an error.
    Ended,
}

impl SafetensorsError {
    /// The stable code: `MODEL_INVALID`, `MODEL_TRUNCATED` or `OUT_OF_MEMORY`.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Truncated { .. } => "MODEL_TRUNCATED",
            Self::OutOfMemory { .. } => "OUT_OF_MEMORY",
            _ => "MODEL_INVALID",
        }
    }
}

impl fmt::Display for SafetensorsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Truncated { received, expected } => {
                write!(f, "the file ends after {received} bytes; it needs at least {expected}")
            }
            Self::HeaderTooLarge { found, limit } => write!(
                f,
                "not a safetensors file: its header would have {found} bytes, the limit is {limit}"
            ),
            Self::Header { problem } => write!(f, "the header cannot be read: {problem}"),
            Self::DuplicateTensor { tensor } => write!(f, "two tensors are called {tensor:?}"),
            Self::Extents { tensor, extents } => {
                write!(f, "tensor {tensor:?} has the impossible extents {extents:?}")
            }
            Self::Size { tensor, found, expected } => {
                write!(f, "tensor {tensor:?} has {found} bytes, its shape needs {expected}")
            }
            Self::OutOfRange { tensor } => {
                write!(f, "tensor {tensor:?} ends before it starts, or past the largest offset")
            }
            Self::Overlap { first, second } => {
                write!(f, "the tensors {first:?} and {second:?} share bytes")
            }
            Self::OutOfMemory { bytes } => write!(f, "no memory: {bytes} bytes were refused"),
            Self::Ended => f.write_str("bytes after the header's end"),
        }
    }
}

impl std::error::Error for SafetensorsError {}
