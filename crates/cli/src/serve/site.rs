//! Which files are served under which paths.

use super::headers::Headers;
use super::path::decode;
use crate::error::CliError;
use std::fs;
use std::path::{Path, PathBuf};

/// All that is served.
pub(super) struct Site {
    mounts: Vec<Mount>,
    pub(super) headers: Headers,
    /// Whether only this machine is answered.
    pub(super) local: bool,
}

/// A file or folder under a path of the site.
#[derive(Debug)]
pub(super) struct Mount {
    /// `/`, `/folder/`, or `/file`.
    prefix: String,
    /// Canonical.
    target: PathBuf,
}

/// What a path leads to.
#[derive(Debug, PartialEq)]
pub(super) enum Found {
    /// This file.
    File(PathBuf),
    /// A folder with a page in it, asked for without its last slash.
    Folder,
    /// Nothing.
    Nothing,
}

impl Mount {
    /// A folder; `prefix` ends in a slash.
    pub(super) fn folder(prefix: &str, dir: &Path) -> Result<Self, CliError> {
        debug_assert!(prefix.starts_with('/') && prefix.ends_with('/'), "{prefix}");
        let unreadable = |error| CliError::Unreadable { path: dir.to_owned(), error };
        let target = dir.canonicalize().map_err(unreadable)?;
        // Read once now, so that a folder that is none is told at the start.
        fs::read_dir(&target).map_err(unreadable)?;
        Ok(Self { prefix: prefix.to_owned(), target })
    }

    /// A file under a path of its own.
    pub(super) fn named(path: &str, file: &Path) -> Result<Self, CliError> {
        let unreadable = |error| CliError::Unreadable { path: file.to_owned(), error };
        fs::File::open(file).map_err(unreadable)?;
        let target = file.canonicalize().map_err(unreadable)?;
        Ok(Self { prefix: path.to_owned(), target })
    }

    /// A model file, under its own name in `/models/`.
    pub(super) fn file(file: &Path) -> Result<Self, CliError> {
        let name = file.file_name().map(|name| name.to_string_lossy()).unwrap_or_default();
        // A character that `decode` refuses would make a file that cannot be asked for.
        let safe: String = name
            .chars()
            .map(|c| if c.is_alphanumeric() || "-_. ".contains(c) { c } else { '_' })
            .collect();
        Self::named(&format!("/models/{}", safe.trim_start_matches('.')), file)
    }

    /// `/path=FILE_OR_DIR`.
    pub(super) fn parse(text: &str) -> Result<Self, CliError> {
        let wrong = |problem: String| CliError::Argument { name: "--mount", problem };
        let Some((path, target)) = text.split_once('=') else {
            return Err(wrong(format!("{text:?} does not read /PATH=FILE_OR_DIR")));
        };
        if !path.starts_with('/') {
            return Err(wrong(format!("{path:?} does not start with a slash")));
        }
        let target = Path::new(target);
        if target.is_dir() {
            Self::folder(&format!("{}/", path.trim_end_matches('/')), target)
        } else {
            Self::named(path, target)
        }
    }

    /// Its address relative to the site's root.
    pub(super) fn url(&self) -> String {
        self.prefix.trim_start_matches('/').to_owned()
    }

    /// The file for a path of the site. Links are followed inside a folder, never out of it.
    fn find(&self, path: &Path) -> Found {
        let Ok(rest) = path.strip_prefix(self.prefix.trim_start_matches('/')) else {
            return Found::Nothing;
        };
        if !self.prefix.ends_with('/') {
            let exact = rest.as_os_str().is_empty();
            return if exact { Found::File(self.target.clone()) } else { Found::Nothing };
        }
        let inside = |file: PathBuf| {
            let file = file.canonicalize().ok()?;
            (file.starts_with(&self.target) && file.is_file()).then_some(file)
        };
        let asked = self.target.join(rest);
        if let Some(file) = inside(asked.clone()) {
            return Found::File(file);
        }
        match inside(asked.join("index.html")) {
            Some(file) => Found::File(file),
            None => Found::Nothing,
        }
    }
}

impl Site {
    pub(super) fn new(mounts: Vec<Mount>, headers: Headers, local: bool) -> Self {
        Self { mounts, headers, local }
    }

    /// What a request's path leads to.
    pub(super) fn find(&self, path: &str) -> Found {
        // One trailing slash asks for the folder's page; relative links need it to be there.
        let (bare, slash) = match path.strip_suffix('/') {
            Some(bare) => (bare, true),
            None => (path, false),
        };
        let Some(file) = decode(if bare.is_empty() { "/" } else { bare }) else {
            return Found::Nothing;
        };
        let found =
            self.mounts.iter().map(|mount| mount.find(&file)).find(|f| *f != Found::Nothing);
        match found {
            Some(Found::File(found)) => {
                let page_of_folder = found.ends_with("index.html") && !file.ends_with("index.html");
                match (page_of_folder, slash || bare.is_empty()) {
                    (true, false) => Found::Folder,
                    (false, true) => Found::Nothing,
                    _ => Found::File(found),
                }
            }
            _ => Found::Nothing,
        }
    }
}
