//! `sidestage tokenize`: standard input as token ids.

use crate::args::TokenizeArgs;
use crate::error::CliError;
use crate::model_file::ModelFile;
use serde_json::json;
use sidestage_engine::{error, vocabulary};
use sidestage_text::{Files, Tokenizer};
use std::io::{Read, Write};
use std::path::Path;

pub(crate) fn run(args: &TokenizeArgs) -> Result<(), CliError> {
    let tokenizer = tokenizer(&args.model)?;
    let mut bytes = Vec::new();
    std::io::stdin().read_to_end(&mut bytes).map_err(|error| CliError::Stream { error })?;
    let special = !args.no_special;
    let text = String::from_utf8_lossy(&bytes);
    let tokens = tokenizer.encode(&text, special, special).map_err(CliError::engine)?;
    let line = if args.json {
        json!({ "tokens": tokens }).to_string()
    } else {
        tokens.iter().map(u32::to_string).collect::<Vec<_>>().join(" ")
    };
    writeln!(std::io::stdout(), "{line}").map_err(CliError::output)
}

/// The tokenizer of a model file or a folder.
///
/// # Errors
/// [`CliError::Unreadable`]; [`CliError::Engine`] for a vocabulary that is not there or not known.
pub(crate) fn tokenizer(model: &Path) -> Result<Tokenizer, CliError> {
    if model.is_dir() { folder(model) } else { file(model) }
}

fn file(path: &Path) -> Result<Tokenizer, CliError> {
    let gguf = ModelFile::open(path)?.gguf()?;
    let spec = vocabulary(&gguf.metadata).map_err(CliError::engine)?;
    let spec = spec.ok_or_else(|| {
        CliError::engine(error("TOKENIZER_MISSING", "the model file has no vocabulary"))
    })?;
    Tokenizer::new(spec).map_err(CliError::engine)
}

/// A Hugging Face folder.
fn folder(path: &Path) -> Result<Tokenizer, CliError> {
    let unreadable = |path: &Path, error| CliError::Unreadable { path: path.to_owned(), error };
    let mut files = Files::new();
    for entry in std::fs::read_dir(path).map_err(|error| unreadable(path, error))? {
        let entry = entry.map_err(|error| unreadable(path, error))?;
        let name = entry.file_name();
        let Some(name) = name.to_str().filter(|name| Files::wants(name)) else { continue };
        let bytes =
            std::fs::read(entry.path()).map_err(|error| unreadable(&entry.path(), error))?;
        files.add(name, &bytes).map_err(CliError::engine)?;
    }
    files.tokenizer().map_err(CliError::engine)
}
