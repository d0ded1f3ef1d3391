//! The files of a model on this machine: one, all of a split, or a Hugging Face folder.

use crate::error::CliError;
use sidestage_engine::protocol::HeldFile;
use sidestage_store::SplitName;
use std::fs::{self, File};
use std::io::{self, Seek, SeekFrom};
use std::path::{Path, PathBuf};

/// Files by name; opened when they are read.
pub(crate) struct ModelFiles {
    files: Vec<(PathBuf, HeldFile)>,
}

impl ModelFiles {
    /// Looks at a file or folder.
    ///
    /// # Errors
    /// [`CliError::Unreadable`].
    pub(crate) fn find(path: &Path) -> Result<Self, CliError> {
        let unreadable = |error| CliError::Unreadable { path: path.to_owned(), error };
        let mut paths = Vec::new();
        if fs::metadata(path).map_err(unreadable)?.is_dir() {
            for entry in fs::read_dir(path).map_err(unreadable)? {
                paths.push(entry.map_err(unreadable)?.path());
            }
            paths.sort();
        } else {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            match SplitName::of(&name) {
                // What is missing is the engine's to say.
                Some(split) => {
                    paths.extend(split.all().iter().map(|name| path.with_file_name(name)))
                }
                None => paths.push(path.to_owned()),
            }
        }
        let mut files = Vec::new();
        for path in paths {
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            match fs::metadata(&path) {
                Ok(metadata) if metadata.is_file() => {
                    files.push((path, HeldFile { name, size: metadata.len() }));
                }
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(CliError::Unreadable { path, error }),
            }
        }
        Ok(Self { files })
    }

    /// Where they are.
    pub(crate) fn paths(&self) -> impl Iterator<Item = &Path> {
        self.files.iter().map(|(path, _)| path.as_path())
    }

    /// Names and sizes, as the engine takes them.
    pub(crate) fn held(&self) -> Vec<HeldFile> {
        self.files.iter().map(|(_, held)| held.clone()).collect()
    }

    /// Opens a file at a place, by its number among [`ModelFiles::held`]; also its length.
    ///
    /// # Errors
    /// [`CliError::Unreadable`].
    pub(crate) fn open(&self, index: usize, offset: u64) -> Result<(File, u64), CliError> {
        let Some((path, _)) = self.files.get(index) else {
            let (path, error) = (PathBuf::new(), io::ErrorKind::NotFound.into());
            return Err(CliError::Unreadable { path, error });
        };
        let open = || {
            let mut file = File::open(path)?;
            let length = file.metadata()?.len();
            file.seek(SeekFrom::Start(offset))?;
            Ok((file, length))
        };
        open().map_err(|error| CliError::Unreadable { path: path.clone(), error })
    }

    /// Names the file in an error of reading it.
    pub(crate) fn unreadable(&self, index: usize, error: io::Error) -> CliError {
        let path = self.files.get(index).map(|file| file.0.clone()).unwrap_or_default();
        CliError::Unreadable { path, error }
    }
}
