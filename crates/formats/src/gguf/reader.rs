use super::cursor::{Cursor, Stop};
use super::header::{Header, Stage};
use super::limits::MAX_HEADER_BYTES;
use super::{Gguf, GgufError, Metadata, layout};
use crate::WeightIndex;

/// Parses a header as its bytes arrive.
///
/// Each byte is looked at once: what is whole is parsed at once, and of the rest only the item
/// that the chunk cut off is kept. Memory grows with the bytes that have really arrived, never
/// with a count that the file claims.
pub struct GgufReader {
    header: Header,
    stage: Stage,
    /// The item that is not whole yet.
    tail: Vec<u8>,
    /// Bytes of whole items.
    consumed: u64,
    /// Bytes that the item after `consumed` needs at least.
    need: u64,
    failed: Option<GgufError>,
}

/// How far a [`GgufReader`] is.
#[derive(Debug)]
pub enum Progress {
    /// The header goes on.
    NeedMore {
        /// So many more bytes bring the reader on; the header may need more.
        at_least: usize,
    },
    /// The header is whole.
    Done {
        /// What it says.
        gguf: Gguf,
        /// Its length in bytes, without the padding before the tensors.
        header_bytes: u64,
    },
}

impl Default for GgufReader {
    fn default() -> Self {
        Self::new()
    }
}

impl GgufReader {
    /// A reader at the start of a file.
    pub fn new() -> Self {
        Self {
            header: Header::default(),
            stage: Stage::Magic,
            tail: Vec::new(),
            consumed: 0,
            need: 4,
            failed: None,
        }
    }

    /// Takes the next bytes of the file, of any number. Bytes after the header's end are ignored,
    /// so a first chunk may reach into the weights.
    ///
    /// # Errors
    /// Whatever is wrong with the header. The reader then gives the same error again, and after
    /// [`Progress::Done`] it gives [`GgufError::Ended`].
    pub fn push(&mut self, bytes: &[u8]) -> Result<Progress, GgufError> {
        if let Some(error) = &self.failed {
            return Err(error.clone());
        }
        let result = self.advance(bytes);
        self.failed = match &result {
            Ok(Progress::NeedMore { .. }) => None,
            Ok(Progress::Done { .. }) => Some(GgufError::Ended),
            Err(error) => Some(error.clone()),
        };
        result
    }

    /// The error to report if the file ends here.
    pub fn truncated(&self) -> GgufError {
        let received = self.consumed + self.tail.len() as u64;
        let expected = self.consumed + self.need;
        let truncated = GgufError::Truncated { received, expected, tensor: None };
        self.failed.clone().unwrap_or(truncated)
    }

    fn advance(&mut self, mut bytes: &[u8]) -> Result<Progress, GgufError> {
        loop {
            if self.tail.is_empty() {
                let (parsed, used) = self.parse(bytes)?;
                if parsed {
                    return self.done();
                }
                bytes = &bytes[used..];
                return self.keep(bytes).map(|()| self.more());
            }
            // Only what the item needs is copied to it; the rest is parsed where it lies.
            let missing = usize::try_from(self.need).unwrap_or(usize::MAX) - self.tail.len();
            let (head, rest) = bytes.split_at(missing.min(bytes.len()));
            self.keep(head)?;
            bytes = rest;
            if head.len() < missing {
                return Ok(self.more());
            }
            let tail = std::mem::take(&mut self.tail);
            let (parsed, used) = self.parse(&tail)?;
            if parsed {
                return self.done();
            }
            if used == 0 {
                // The item's length is known only now.
                self.tail = tail;
            } else {
                self.keep(&tail[used..])?;
            }
        }
    }

    /// Parses whole items: whether the header has ended, and how many bytes they took.
    fn parse(&mut self, bytes: &[u8]) -> Result<(bool, usize), GgufError> {
        let mut cursor = Cursor::new(bytes);
        let parsed = match self.header.read(&mut self.stage, &mut cursor) {
            Ok(()) => true,
            Err(Stop::Short(need)) => {
                self.need = need;
                false
            }
            Err(Stop::Bad(error)) => return Err(error),
        };
        self.consumed += cursor.committed() as u64;
        let reach = if parsed { self.consumed } else { self.consumed + self.need };
        if reach > MAX_HEADER_BYTES {
            return Err(GgufError::HeaderTooLarge { limit: MAX_HEADER_BYTES });
        }
        Ok((parsed, cursor.committed()))
    }

    fn keep(&mut self, bytes: &[u8]) -> Result<(), GgufError> {
        let refused = |_| GgufError::OutOfMemory { bytes: bytes.len() as u64 };
        self.tail.try_reserve(bytes.len()).map_err(refused)?;
        self.tail.extend_from_slice(bytes);
        Ok(())
    }

    fn more(&self) -> Progress {
        let missing = self.need - self.tail.len() as u64;
        Progress::NeedMore { at_least: usize::try_from(missing).unwrap_or(usize::MAX) }
    }

    fn done(&mut self) -> Result<Progress, GgufError> {
        let header = std::mem::take(&mut self.header);
        let header_bytes = self.consumed;
        let metadata = Metadata::new(header.metadata)?;
        let alignment = layout::alignment(&metadata)?;
        let data_offset = header_bytes.next_multiple_of(alignment);
        let mut tensors = header.tensors;
        let end = layout::place(&mut tensors, data_offset, alignment)?.unwrap_or(header_bytes);
        let tensors = WeightIndex::new(tensors)
            .map_err(|twice| GgufError::DuplicateTensor { tensor: twice.name })?;
        let version = header.version;
        let gguf = Gguf { version, alignment, metadata, tensors, data_offset, end };
        Ok(Progress::Done { gguf, header_bytes })
    }
}
