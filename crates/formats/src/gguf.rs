//! GGUF, the file format of llama.cpp: versions 2 and 3, little-endian.
//!
//! Specification: <https://github.com/ggml-org/ggml/blob/master/docs/gguf.md>. [`GgufReader`] parses
//! the header as it arrives; the tensors' bytes never pass through it.
//!
//! ```
//! use sidestage_formats::gguf::{GgufReader, Progress};
//! # fn main() -> Result<(), sidestage_formats::gguf::GgufError> {
//! let file = b"GGUF\x03\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0";
//! let mut reader = GgufReader::new();
//! assert!(matches!(reader.push(&file[..6])?, Progress::NeedMore { at_least: 2 }));
//! let Progress::Done { gguf, header_bytes } = reader.push(&file[6..])? else { panic!() };
//! assert_eq!((gguf.version, gguf.tensors.len(), header_bytes), (3, 0, 24));
//! # Ok(())
//! # }
//! ```

mod cursor;
mod error;
mod header;
mod layout;
pub mod limits;
mod metadata;
mod reader;
mod strings;
mod value;
mod write;

pub use error::GgufError;
pub use metadata::Metadata;
pub use reader::{GgufReader, Progress};
pub use strings::Strings;
pub use value::{Array, Value};
pub use write::{GgufBody, GgufWriter, WriteError};

use crate::{Summary, WeightIndex};

/// What the header of a file says.
#[derive(Clone, Debug, PartialEq)]
pub struct Gguf {
    /// The format's version, 2 or 3.
    pub version: u32,
    /// Tensors start on multiples of this, in bytes.
    pub alignment: u64,
    /// Key–value pairs.
    pub metadata: Metadata,
    /// The tensors, with offsets in the file.
    pub tensors: WeightIndex,
    /// First byte of the data section, counted from the start of the file.
    pub data_offset: u64,
    /// The length of file that the header promises, in bytes: to the end of the last tensor, or of
    /// the header if there are no tensors. Real files may be longer (padding).
    pub end: u64,
}

impl Gguf {
    /// Parses the header of a file of which at least the header is in memory.
    ///
    /// # Errors
    /// As [`GgufReader::push`]; [`GgufError::Truncated`] if the header is not whole.
    pub fn parse(bytes: &[u8]) -> Result<Self, GgufError> {
        let mut reader = GgufReader::new();
        match reader.push(bytes)? {
            Progress::Done { gguf, .. } => Ok(gguf),
            Progress::NeedMore { .. } => Err(reader.truncated()),
        }
    }

    /// What a person wants to know of the file.
    pub fn summary(&self) -> Summary {
        Summary::new(&self.metadata, self.tensors.as_slice())
    }

    /// Checks the length of the whole file.
    ///
    /// # Errors
    /// [`GgufError::Truncated`], with the first tensor that is cut off.
    pub fn check_length(&self, file_bytes: u64) -> Result<(), GgufError> {
        if file_bytes >= self.end {
            return Ok(());
        }
        let cut = self.tensors.iter().filter(|tensor| tensor.end() > file_bytes);
        Err(GgufError::Truncated {
            received: file_bytes,
            expected: self.end,
            tensor: cut.min_by_key(|tensor| tensor.offset).map(|tensor| tensor.name.clone()),
        })
    }
}
