//! A model file on this machine.

use crate::error::CliError;
use sidestage_engine::protocol::ErrorInfo;
use sidestage_formats::gguf::{self, Gguf, GgufReader};
use sidestage_formats::safetensors::{self, SafetensorsHeader, SafetensorsReader};
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// An open model file.
pub(crate) struct ModelFile {
    pub(crate) file: File,
    /// Its length in bytes.
    pub(crate) length: u64,
    path: PathBuf,
}

impl ModelFile {
    /// Opens a file.
    ///
    /// # Errors
    /// [`CliError::Unreadable`].
    pub(crate) fn open(path: &Path) -> Result<Self, CliError> {
        let unreadable = |error| CliError::Unreadable { path: path.to_owned(), error };
        let file = File::open(path).map_err(unreadable)?;
        let metadata = file.metadata().map_err(unreadable)?;
        if metadata.is_dir() {
            return Err(unreadable(io::ErrorKind::IsADirectory.into()));
        }
        Ok(Self { file, length: metadata.len(), path: path.to_owned() })
    }

    /// Names the file in an error of reading it.
    pub(crate) fn unreadable(&self, error: io::Error) -> CliError {
        CliError::Unreadable { path: self.path.clone(), error }
    }

    /// Reads the header of a GGUF file, and little more than that.
    ///
    /// # Errors
    /// [`CliError::Unreadable`]; [`CliError::Engine`] for a file that is no model.
    pub(crate) fn gguf(&mut self) -> Result<Gguf, CliError> {
        let mut reader = GgufReader::new();
        self.header(|bytes| match bytes {
            [] => Err(reader.truncated()),
            _ => Ok(match reader.push(bytes)? {
                gguf::Progress::Done { gguf, .. } => Some(gguf),
                gguf::Progress::NeedMore { .. } => None,
            }),
        })
    }

    /// Reads the header of a safetensors file, and little more than that.
    ///
    /// # Errors
    /// As [`ModelFile::gguf`].
    pub(crate) fn safetensors(&mut self) -> Result<SafetensorsHeader, CliError> {
        let mut reader = SafetensorsReader::new();
        self.header(|bytes| match bytes {
            [] => Err(reader.truncated()),
            _ => Ok(match reader.push(bytes)? {
                safetensors::Progress::Done { header, .. } => Some(header),
                safetensors::Progress::NeedMore { .. } => None,
            }),
        })
    }

    /// Reads until `push` has a header; at the file's end it gets no bytes.
    fn header<T, E: Into<ErrorInfo>>(
        &mut self,
        mut push: impl FnMut(&[u8]) -> Result<Option<T>, E>,
    ) -> Result<T, CliError> {
        let mut chunk = vec![0; 256 << 10];
        loop {
            let count = self.file.read(&mut chunk).map_err(|error| self.unreadable(error))?;
            if let Some(header) = push(&chunk[..count]).map_err(CliError::engine)? {
                return Ok(header);
            }
        }
    }
}
