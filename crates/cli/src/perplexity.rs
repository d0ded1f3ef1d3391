//! `sidestage perplexity`: how unlikely the model finds a text, by the windows and the count of
//! llama.cpp's `llama-perplexity`.

use crate::args::PerplexityArgs;
use crate::decoder;
use crate::error::CliError;
use crate::session::pool;
use crate::tokenize;
use serde_json::json;
use sidestage_engine::error;
use sidestage_lm::{DecoderOptions, KvType};
use std::io::Write;

pub(crate) fn run(args: &PerplexityArgs) -> Result<(), CliError> {
    let text = std::fs::read_to_string(&args.file)
        .map_err(|error| CliError::Unreadable { path: args.file.clone(), error })?;
    let tokenizer = tokenize::tokenizer(&args.model)?;
    let tokens = tokenizer.encode(&text, true, !args.no_special).map_err(CliError::engine)?;
    let options = DecoderOptions {
        context_length: Some(args.context_length as usize),
        kv_type: kv_type(args.kv_type.as_deref())?,
    };
    let mut decoder = decoder::load(&args.model, options)?;
    let length = decoder.context_length();
    let mut windows: Vec<Vec<u32>> = tokens.chunks_exact(length).map(<[u32]>::to_vec).collect();
    windows.truncate(args.chunks.map_or(usize::MAX, |chunks| chunks as usize));
    if windows.is_empty() {
        let message = format!("{} tokens do not fill a window of {length}", tokens.len());
        return Err(CliError::engine(error("PROMPT_INVALID", message)));
    }
    // As llama-perplexity: of each window the second half counts, after the first.
    let from = length / 2 + 1;
    let pool = pool(args.threads);
    let mut sum = 0.0;
    for window in &mut windows {
        if let Some(begin) = tokenizer.bos().filter(|_| tokenizer.adds_bos()) {
            window[0] = begin;
        }
        sum += decoder.loss(&pool, window, from).map_err(CliError::engine)?;
    }
    let counted = windows.len() * (length - from);
    let loss = sum / counted as f64;
    let line = if args.json {
        let (windows, perplexity) = (windows.len(), loss.exp());
        json!({ "perplexity": perplexity, "loss": loss, "tokens": counted, "windows": windows })
            .to_string()
    } else {
        format!("{:.4}", loss.exp())
    };
    writeln!(std::io::stdout(), "{line}").map_err(CliError::output)
}

fn kv_type(name: Option<&str>) -> Result<KvType, CliError> {
    let Some(name) = name else { return Ok(KvType::default()) };
    KvType::parse(name).ok_or_else(|| {
        let problem = format!("{name:?} is not one of f32, f16 and q8_0");
        CliError::Argument { name: "--kv-type", problem }
    })
}
