//! `sidestage tokenize`: standard input as token ids.

use crate::args::TokenizeArgs;
use crate::error::CliError;
use crate::model_file::ModelFile;
use serde_json::json;
use sidestage_engine::{error, vocabulary};
use sidestage_text::Tokenizer;
use std::io::{Read, Write};

pub(crate) fn run(args: &TokenizeArgs) -> Result<(), CliError> {
    let gguf = ModelFile::open(&args.model)?.header()?;
    let spec = vocabulary(&gguf.metadata).map_err(CliError::engine)?;
    let spec = spec.ok_or_else(|| {
        CliError::engine(error("TOKENIZER_MISSING", "the model file has no vocabulary"))
    })?;
    let tokenizer = Tokenizer::new(spec).map_err(CliError::engine)?;
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
