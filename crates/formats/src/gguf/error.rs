use super::limits::MAX_RANK;
use std::fmt;

/// Why a GGUF file cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum GgufError {
    /// The file does not start with `GGUF`.
    NotGguf {
        /// What it starts with instead.
        found: [u8; 4],
    },
    /// A version that this reader does not know (it knows 2 and 3).
    Version {
        /// The file's version.
        version: u32,
    },
    /// The file was written for a big-endian machine.
    BigEndian,
    /// The bytes end before the file does.
    Truncated {
        /// Bytes that arrived.
        received: u64,
        /// Bytes that are needed at least.
        expected: u64,
        /// The tensor that is cut off, if the header is whole.
        tensor: Option<String>,
    },
    /// A count or length over this reader's limit.
    TooLarge {
        /// What is counted.
        what: &'static str,
        /// The file's figure.
        found: u64,
        /// The limit.
        limit: u64,
    },
    /// The header is longer than [`super::limits::MAX_HEADER_BYTES`].
    HeaderTooLarge {
        /// The limit, in bytes.
        limit: u64,
    },
    /// A key or a tensor's name is empty or not UTF-8.
    BadName {
        /// `"metadata key"` or `"tensor name"`.
        what: &'static str,
        /// What can be read of it.
        text: String,
    },
    /// A metadata value of a type that GGUF does not have.
    UnknownValueType {
        /// The value's key.
        key: String,
        /// The type's id.
        id: u32,
    },
    /// A truth value that is neither 0 nor 1.
    BadBool {
        /// The value's key.
        key: String,
        /// The byte found.
        found: u8,
    },
    /// Arrays in arrays, too deep or too many.
    Nesting {
        /// The value's key.
        key: String,
    },
    /// A metadata key that occurs twice.
    DuplicateKey {
        /// That key.
        key: String,
    },
    /// A metadata key that is needed and absent.
    MissingKey {
        /// That key.
        key: String,
    },
    /// A metadata value of an unexpected type, or out of its range.
    WrongType {
        /// The value's key.
        key: String,
        /// What is needed.
        wanted: &'static str,
        /// What the file has.
        found: String,
    },
    /// `general.alignment` is neither a power of two nor a multiple of 8.
    BadAlignment {
        /// The file's figure.
        alignment: u64,
    },
    /// Two tensors have one name.
    DuplicateTensor {
        /// That name.
        tensor: String,
    },
    /// A tensor of a type that this reader does not know.
    UnknownTensorType {
        /// The tensor's name.
        tensor: String,
        /// The type's id (`ggml_type`).
        id: u32,
    },
    /// A tensor with too many dimensions.
    Rank {
        /// The tensor's name.
        tensor: String,
        /// Its number of dimensions.
        rank: u32,
    },
    /// A tensor with a dimension of zero, or more elements or bytes than can be counted.
    Extents {
        /// The tensor's name.
        tensor: String,
        /// Its extents, outermost first.
        extents: Vec<u64>,
    },
    /// A tensor whose rows are not whole blocks of its type.
    PartialBlock {
        /// The tensor's name.
        tensor: String,
        /// Its innermost extent.
        inner: u64,
        /// Elements in a block of its type.
        block: usize,
    },
    /// A tensor that does not start on a multiple of the alignment.
    Unaligned {
        /// The tensor's name.
        tensor: String,
        /// Its offset in the data section.
        offset: u64,
        /// The file's alignment.
        alignment: u64,
    },
    /// A tensor whose end is past the largest offset.
    OutOfRange {
        /// The tensor's name.
        tensor: String,
        /// Its offset in the data section.
        offset: u64,
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
    /// Bytes were pushed after the header's end.
    Ended,
}

impl GgufError {
    /// The stable code: `MODEL_INVALID`, `MODEL_UNSUPPORTED`, `MODEL_TRUNCATED` or
    /// `OUT_OF_MEMORY`.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Version { .. }
            | Self::BigEndian
            | Self::UnknownTensorType { .. }
            | Self::Rank { .. }
            | Self::Nesting { .. } => "MODEL_UNSUPPORTED",
            Self::Truncated { .. } => "MODEL_TRUNCATED",
            Self::OutOfMemory { .. } => "OUT_OF_MEMORY",
            _ => "MODEL_INVALID",
        }
    }
}

impl GgufError {
    /// What to do about it, where there is something.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::BigEndian => Some(
                "Make it little-endian: `gguf-convert-endian MODEL little`, of the Python package \
                 gguf.",
            ),
            _ => match self.code() {
                "MODEL_TRUNCATED" => Some("The file is not whole. Download it again."),
                "MODEL_UNSUPPORTED" => Some("Convert the file with a current llama.cpp."),
                _ => None,
            },
        }
    }
}

impl fmt::Display for GgufError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotGguf { found } => {
                write!(f, "not a GGUF file: it starts with \"{}\"", found.escape_ascii())
            }
            Self::Version { version } => {
                write!(f, "GGUF version {version} is not supported (2 and 3 are)")
            }
            Self::BigEndian => f.write_str("big-endian GGUF files are not supported"),
            Self::Truncated { received, expected, tensor } => {
                write!(f, "the file ends after {received} bytes; it needs at least {expected}")?;
                tensor.iter().try_for_each(|name| write!(f, " (tensor {name:?} is cut off)"))
            }
            Self::TooLarge { what, found, limit } => {
                write!(f, "the {what} is {found}; the limit is {limit}")
            }
            Self::HeaderTooLarge { limit } => write!(f, "the header is longer than {limit} bytes"),
            Self::BadName { what, text } => {
                write!(f, "a {what} is empty or not UTF-8: {text:?}")
            }
            Self::UnknownValueType { key, id } => {
                write!(f, "metadata {key:?} has the unknown value type {id}")
            }
            Self::BadBool { key, found } => {
                write!(f, "metadata {key:?} holds {found} where a truth value is 0 or 1")
            }
            Self::Nesting { key } => {
                write!(f, "metadata {key:?} nests arrays too deep or too often")
            }
            Self::DuplicateKey { key } => write!(f, "metadata {key:?} occurs twice"),
            Self::MissingKey { key } => write!(f, "metadata {key:?} is missing"),
            Self::WrongType { key, wanted, found } => {
                write!(f, "metadata {key:?} should be {wanted} but is {found}")
            }
            Self::BadAlignment { alignment } => {
                write!(f, "general.alignment is {alignment}, not a multiple of 8")
            }
            Self::DuplicateTensor { tensor } => write!(f, "two tensors are called {tensor:?}"),
            Self::UnknownTensorType { tensor, id } => {
                write!(f, "tensor {tensor:?} has the unknown type {id}")
            }
            Self::Rank { tensor, rank } => {
                write!(
                    f,
                    "tensor {tensor:?} has {rank} dimensions; at most {MAX_RANK} are possible"
                )
            }
            Self::Extents { tensor, extents } => {
                write!(f, "tensor {tensor:?} has the impossible extents {extents:?}")
            }
            Self::PartialBlock { tensor, inner, block } => {
                write!(f, "tensor {tensor:?} has rows of {inner}, not a multiple of {block}")
            }
            Self::Unaligned { tensor, offset, alignment } => {
                write!(f, "tensor {tensor:?} at offset {offset} is not aligned to {alignment}")
            }
            Self::OutOfRange { tensor, offset } => {
                write!(f, "tensor {tensor:?} at offset {offset} ends past the largest offset")
            }
            Self::Overlap { first, second } => {
                write!(f, "tensors {first:?} and {second:?} share bytes")
            }
            Self::OutOfMemory { bytes } => {
                write!(f, "no memory for {bytes} bytes of the model's header")
            }
            Self::Ended => f.write_str("bytes were pushed after the header's end"),
        }
    }
}

impl std::error::Error for GgufError {}
