//! `sidestage logits`: what the model thinks comes next, as numbers.

use crate::args::LogitsArgs;
use crate::decoder;
use crate::error::CliError;
use crate::session::pool;
use sidestage_engine::error;
use sidestage_formats::npy;
use sidestage_lm::{Decoder, DecoderOptions, KvType, MAX_OUTPUTS, MAX_ROWS, Row, RowInput, Wants};
use sidestage_tensor::DType;
use std::fs::File;
use std::io::{BufWriter, Write};

pub(crate) fn run(args: &LogitsArgs) -> Result<(), CliError> {
    // Room for exactly these tokens.
    let count = args.tokens.len();
    let options = DecoderOptions { context_length: Some(count), kv_type: KvType::F32 };
    let mut decoder = decoder::load(&args.model, options)?;
    if count > decoder.context_length() {
        let message =
            format!("{count} tokens do not fit the model's {} positions", decoder.context_length());
        return Err(CliError::engine(error("CONTEXT_LENGTH_EXCEEDED", message)));
    }
    let vocab = decoder.vocab_size();
    let shape: &[usize] = if args.all { &[args.tokens.len(), vocab] } else { &[vocab] };
    // Checked before a file is made: a wrong token leaves nothing behind.
    if let Some(&token) = args.tokens.iter().find(|token| **token as usize >= vocab) {
        let message = format!("the token {token} is not in the vocabulary of {vocab}");
        return Err(CliError::engine(error("PROMPT_INVALID", message)));
    }
    let unwritable = |error| CliError::Unwritable { path: args.out.clone(), error };
    let mut out = BufWriter::new(File::create(&args.out).map_err(unwritable)?);
    let header = npy::header(DType::F32, shape).unwrap_or_default();
    out.write_all(&header).map_err(unwritable)?;
    evaluate(&mut decoder, args, &mut |row| {
        let bytes = row.iter().try_for_each(|value| out.write_all(&value.to_le_bytes()));
        bytes.map_err(unwritable)
    })?;
    out.flush().map_err(unwritable)
}

/// Evaluates the tokens in steps and hands over each row of logits that is wanted, in order.
fn evaluate(
    decoder: &mut Decoder,
    args: &LogitsArgs,
    take: &mut dyn FnMut(&[f32]) -> Result<(), CliError>,
) -> Result<(), CliError> {
    let pool = pool(args.threads);
    let sequence = decoder.cache().create();
    let step = if args.all { MAX_ROWS.min(MAX_OUTPUTS) } else { MAX_ROWS };
    let last = args.tokens.len() - 1;
    for (number, part) in args.tokens.chunks(step).enumerate() {
        let rows: Vec<Row> = (number * step..)
            .zip(part)
            .map(|(position, &token)| Row {
                sequence,
                position: position as u32,
                input: RowInput::Token(token),
                wants: if args.all || position == last { Wants::Output } else { Wants::Nothing },
            })
            .collect();
        decoder.begin(&rows).map_err(CliError::engine)?;
        decoder.resume(&pool, &mut || false);
        let wanted = rows.iter().filter(|row| row.wants == Wants::Output).count();
        (0..wanted).try_for_each(|output| take(decoder.logits(output)))?;
    }
    Ok(())
}
