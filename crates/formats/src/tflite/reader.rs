use super::{TfliteError, read};
use sidestage_ir::Model;

/// Takes a file whose bytes come one after the other, and reads it at its end: tables lead anywhere.
#[derive(Debug, Default)]
pub struct Reader {
    bytes: Vec<u8>,
    /// The file's length, where it is known.
    length: Option<u64>,
}

impl Reader {
    /// For a file of this length.
    pub fn new(length: Option<u64>) -> Self {
        Self { bytes: Vec::new(), length }
    }

    /// The next bytes.
    ///
    /// # Errors
    /// [`TfliteError::NoMemory`].
    pub fn push(&mut self, bytes: &[u8]) -> Result<(), TfliteError> {
        let whole = self.length.and_then(|length| usize::try_from(length).ok());
        let refused = |_| TfliteError::NoMemory { bytes: whole.unwrap_or(bytes.len()) };
        match whole.and_then(|whole| whole.checked_sub(self.bytes.len())) {
            Some(rest) if rest >= bytes.len() => self.bytes.try_reserve_exact(rest),
            _ => self.bytes.try_reserve(bytes.len()),
        }
        .map_err(refused)?;
        self.bytes.extend_from_slice(bytes);
        Ok(())
    }

    /// The file has ended.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn finish(self) -> Result<Model, TfliteError> {
        read(&self.bytes)
    }
}
