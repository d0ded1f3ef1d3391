//! `sidestage embed`: lines of standard input as vectors.

use crate::args::EmbedArgs;
use crate::error::CliError;
use crate::model_files::ModelFiles;
use crate::session::Session;
use serde_json::json;
use sidestage_engine::protocol::{EmbedOptions, LoadOptions, Segment, Threads};
use std::io::{Read, Write};

pub(crate) fn run(args: &EmbedArgs) -> Result<(), CliError> {
    let files = ModelFiles::find(&args.model)?;
    let threads = args.threads.map(Threads::Count);
    let mut session = Session::load(&files, LoadOptions { threads, ..LoadOptions::default() })?;
    let mut bytes = Vec::new();
    std::io::stdin().read_to_end(&mut bytes).map_err(|error| CliError::Stream { error })?;
    let text = String::from_utf8_lossy(&bytes);
    let input = text.lines().map(|line| Segment::Text { text: line.to_owned() }).collect();
    let options = EmbedOptions {
        pooling: args.pooling.clone(),
        normalize: Some(!args.no_normalize),
        dimensions: args.dimensions,
        truncate: args.truncate,
    };
    let (vectors, tokens) = session.embed(input, options)?;
    let mut out = std::io::stdout();
    if args.json {
        let json = json!({ "embeddings": vectors, "tokens": tokens });
        return writeln!(out, "{json}").map_err(CliError::output);
    }
    for vector in vectors {
        let line = vector.iter().map(f32::to_string).collect::<Vec<_>>().join(" ");
        writeln!(out, "{line}").map_err(CliError::output)?;
    }
    Ok(())
}
