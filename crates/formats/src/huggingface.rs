//! Folders as Hugging Face's `transformers` writes them: `config.json` and safetensors.
//!
//! A [`Folder`] is read from its small files; together with the headers of its weights it becomes
//! a [`Manifest`](crate::Manifest) with the metadata and tensors that llama.cpp's
//! `convert_hf_to_gguf.py` would write, so that nothing behind it knows of two formats. Where the
//! converter loses what Hugging Face's model does (windows of Mistral, scales of Gemma), the
//! metadata say it.

mod architecture;
mod config;
mod error;
mod generation;
mod index;
mod metadata;
mod names;
mod rope;
mod weights;

pub use error::FolderError;
pub use generation::GenerationDefaults;
pub use weights::TARGETS;

use crate::Manifest;
use crate::safetensors::SafetensorsHeader;
use architecture::Architecture;
use config::Config;
use sidestage_tensor::DType;

/// The family that a `config.json` names.
pub fn model_type(config: &[u8]) -> Option<String> {
    Config::read(config).ok()?.get("model_type")?.as_str().map(str::to_owned)
}

/// Whether a `config.json` is that of an encoder.
pub fn is_encoder(config: &[u8]) -> bool {
    let of = |config| Architecture::of(&config).ok();
    Config::read(config).ok().and_then(of).is_some_and(Architecture::is_encoder)
}

/// The tokens that a text may have by a `config.json`.
pub fn context_length(config: &[u8]) -> Option<u64> {
    let config = Config::read(config).ok()?;
    let positions = config.count(&["max_position_embeddings"]).ok()??;
    let unused = config.unused_positions().ok()?;
    positions.checked_sub(unused).filter(|positions| *positions > 0)
}

/// The small files of a folder, read.
#[derive(Clone, Debug)]
pub struct Folder {
    config: Config,
    architecture: &'static Architecture,
    defaults: GenerationDefaults,
    files: Vec<String>,
}

impl Folder {
    /// Reads `config.json`, and where they are there `generation_config.json` and
    /// `model.safetensors.index.json`.
    ///
    /// # Errors
    /// JSON that is none, or an architecture or feature that is not known, by name.
    pub fn read(
        config: &[u8],
        generation: Option<&[u8]>,
        index: Option<&[u8]>,
    ) -> Result<Self, FolderError> {
        let mut config = Config::read(config)?;
        let architecture = Architecture::of(&config)?;
        config.complete(architecture.defaults);
        let defaults = GenerationDefaults::read(&config, generation)?;
        let files = match index {
            Some(index) => index::files(index)?,
            None => vec!["model.safetensors".into()],
        };
        Ok(Self { config, architecture, defaults, files })
    }

    /// The names of the files with weights, relative to the folder, each once: the order in which
    /// [`Manifest::huggingface`] takes their headers.
    pub fn files(&self) -> &[String] {
        &self.files
    }

    /// `general.architecture` of its metadata.
    pub fn architecture(&self) -> &'static str {
        self.architecture.gguf
    }

    /// What the model's makers recommend for sampling, and its special tokens.
    pub fn defaults(&self) -> &GenerationDefaults {
        &self.defaults
    }
}

impl Manifest {
    /// The manifest of a folder, from the headers of [`Folder::files`] in that order.
    ///
    /// Matrices keep their type (`BF16`, `F16` or `F32`) without a `dtype`. With one, of
    /// [`TARGETS`], they are converted to it. Where rows are not whole blocks of a K type, a type
    /// with blocks of 32 is taken, as llama.cpp does; where they are not even that, `F32` becomes
    /// `F16` and others stay. Vectors and routers of experts are `F32`.
    ///
    /// # Errors
    /// A tensor that the architecture does not have, that is incomplete, or whose type or shape
    /// cannot be; a value of the configuration that is missing or impossible.
    pub fn huggingface(
        folder: &Folder,
        headers: Vec<SafetensorsHeader>,
        dtype: Option<DType>,
    ) -> Result<Self, FolderError> {
        let Folder { config, architecture, defaults, .. } = folder;
        if headers.len() != folder.files.len() {
            let (found, expected) = (headers.len(), folder.files.len());
            return Err(FolderError::Headers { found, expected });
        }
        let metadata = metadata::of(config, architecture, defaults)?;
        weights::manifest(config, architecture, metadata, headers, dtype)
    }
}
