//! Safetensors, the file format of Hugging Face's weights.
//!
//! Specification: <https://github.com/huggingface/safetensors#format>: eight bytes with the length
//! of the header, the header in JSON, the tensors' bytes. [`SafetensorsReader`] parses the header as
//! it arrives.
//!
//! ```
//! use sidestage_formats::safetensors::{Progress, SafetensorsReader};
//! # fn main() -> Result<(), sidestage_formats::safetensors::SafetensorsError> {
//! let json = br#"{"x":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}"#;
//! let mut reader = SafetensorsReader::new();
//! reader.push(&(json.len() as u64).to_le_bytes())?;
//! let Progress::Done { header, .. } = reader.push(json)? else { panic!() };
//! assert_eq!((header.tensors[0].extents.as_slice(), header.end), (&[2][..], 8 + 54 + 8));
//! # Ok(())
//! # }
//! ```

mod error;
mod header;

pub use error::SafetensorsError;
pub use header::{SafetensorsHeader, Tensor};

/// Longest header in bytes. That of a model of 400 billion parameters has some 10 MB.
pub const MAX_HEADER_BYTES: u64 = 64 << 20;

/// Most dimensions of a tensor.
pub const MAX_RANK: usize = 8;

/// Parses a header from chunks of any size.
#[derive(Debug, Default)]
pub struct SafetensorsReader {
    /// What has come of the length and the header.
    bytes: Vec<u8>,
    received: u64,
    ended: bool,
}

/// How far a header is.
#[derive(Clone, Debug, PartialEq)]
pub enum Progress {
    /// More bytes are needed.
    NeedMore {
        /// At least this many.
        at_least: u64,
    },
    /// The header is whole.
    Done {
        /// What it says.
        header: SafetensorsHeader,
        /// Its length; bytes pushed after it were not read.
        header_bytes: u64,
    },
}

impl SafetensorsReader {
    /// A reader at the start of a file.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the next bytes of the file.
    ///
    /// # Errors
    /// Anything that no reader could make sense of, and bytes after the end or an error.
    pub fn push(&mut self, bytes: &[u8]) -> Result<Progress, SafetensorsError> {
        if std::mem::replace(&mut self.ended, true) {
            return Err(SafetensorsError::Ended);
        }
        self.received = self.received.saturating_add(bytes.len() as u64);
        // The length is a stranger's figure: memory is taken as bytes come.
        let wanted = self.wanted()?;
        let taken = bytes.len().min(wanted - self.bytes.len());
        self.keep(&bytes[..taken])?;
        let wanted = self.wanted()?;
        let more = (bytes.len() - taken).min(wanted - self.bytes.len());
        self.keep(&bytes[taken..taken + more])?;
        if self.bytes.len() == wanted && wanted >= 8 + 2 {
            let header = SafetensorsHeader::read(&self.bytes[8..], wanted as u64)?;
            return Ok(Progress::Done { header, header_bytes: wanted as u64 });
        }
        self.ended = false;
        Ok(Progress::NeedMore { at_least: (wanted - self.bytes.len()) as u64 })
    }

    /// The error of a file that ends here.
    pub fn truncated(&self) -> SafetensorsError {
        let expected = self.wanted().unwrap_or(8) as u64;
        SafetensorsError::Truncated { received: self.received, expected }
    }

    /// Bytes of length and header, as far as they are known.
    fn wanted(&self) -> Result<usize, SafetensorsError> {
        let Some(length) = self.bytes.first_chunk::<8>() else { return Ok(8) };
        let length = u64::from_le_bytes(*length);
        if length < 2 {
            let problem = "its length is less than 2".into();
            return Err(SafetensorsError::Header { problem });
        }
        if length > MAX_HEADER_BYTES {
            return Err(SafetensorsError::HeaderTooLarge {
                found: length,
                limit: MAX_HEADER_BYTES,
            });
        }
        Ok(8 + length as usize)
    }

    fn keep(&mut self, bytes: &[u8]) -> Result<(), SafetensorsError> {
        let refused = |_| SafetensorsError::OutOfMemory { bytes: bytes.len() as u64 };
        self.bytes.try_reserve(bytes.len()).map_err(refused)?;
        self.bytes.extend(bytes);
        Ok(())
    }
}
