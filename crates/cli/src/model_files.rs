//! The files of a model on this machine: one, all of a split, a Hugging Face folder, or a graph model
//! with what lies beside it.

use crate::error::CliError;
use sidestage_engine::protocol::HeldFile;
use sidestage_formats::graph::GraphFormat;
use sidestage_store::{Kind, SplitName};
use sidestage_text::Files;
use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom};
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
        if is_graph(path) {
            return Self::graph(path);
        }
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
        Self::of(paths.into_iter().map(|path| (name_of(&path), path)).collect())
    }

    /// A graph model, what lies beside it and is no other model, and the tokenizer of the folder above,
    /// where exporters leave it that write to a folder `onnx`.
    fn graph(model: &Path) -> Result<Self, CliError> {
        let folder = parent(model);
        let whole = folder.canonicalize().unwrap_or_default();
        let above = whole.parent().filter(|_| whole.ends_with("onnx"));
        let within = if above.is_some() { "onnx/" } else { "" };
        let own = name_of(model);
        let mut paths = vec![(format!("{within}{own}"), model.to_owned())];
        if Kind::of(&own) != Kind::Graph {
            // Among others it would not be known by its name.
            return Self::of(paths);
        }
        for path in list(folder) {
            let name = name_of(&path);
            if name != own && (Files::wants(&name) || Kind::of(&name) == Kind::Other) {
                paths.push((format!("{within}{name}"), path));
            }
        }
        let words = above.into_iter().flat_map(list).map(|path| (name_of(&path), path));
        paths.extend(words.filter(|(name, _)| Files::wants(name)));
        Self::of(paths)
    }

    /// Those of these files that are there.
    fn of(paths: Vec<(String, PathBuf)>) -> Result<Self, CliError> {
        let mut files = Vec::new();
        for (name, path) in paths {
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

/// The model that a path names: a file that stands for its Hugging Face folder is that folder, and a folder
/// of TensorFlow.js its `model.json`.
pub(crate) fn meant(path: PathBuf) -> PathBuf {
    if !path.is_dir() {
        let folder = Kind::of(&name_of(&path)) == Kind::Folder && path.is_file();
        return if folder { parent(&path).to_owned() } else { path };
    }
    let graph = path.join("model.json");
    if graph.is_file() && !path.join("config.json").is_file() { graph } else { path }
}

fn parent(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

fn name_of(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// The files of a folder, in the order of their names.
fn list(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
    paths.sort();
    paths
}

/// Whether a file's first bytes are those of a graph model.
fn is_graph(path: &Path) -> bool {
    let mut head = [0; GraphFormat::ENOUGH];
    let read = File::open(path).and_then(|mut file| file.read_exact(&mut head));
    read.is_ok() && GraphFormat::of(&head).is_some()
}
