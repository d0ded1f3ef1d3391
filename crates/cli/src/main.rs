//! The `sidestage` command: the chat page's server, and the engine without a browser.
#![allow(
    clippy::disallowed_methods,
    reason = "runs natively only: clocks and threads are fine here"
)]

mod args;
mod decoder;
mod embed;
mod error;
mod figure;
mod generate;
mod inspect;
mod logits;
mod model_file;
mod model_files;
mod perplexity;
mod quantize;
mod render;
mod run;
mod serve;
mod session;
mod tokenize;

use args::{Args, Command};
use clap::Parser;
use error::CliError;
use std::process::ExitCode;

fn main() -> ExitCode {
    let args = match Args::try_parse() {
        Ok(args) => args,
        Err(error) => return refused(&error),
    };
    let result = match args.command {
        Command::Serve(args) => serve::run(&args),
        Command::Inspect(args) => inspect::run(&args),
        Command::Generate(args) => generate::run(&args),
        Command::Embed(args) => embed::run(&args),
        Command::Logits(args) => logits::run(&args),
        Command::Perplexity(args) => perplexity::run(&args),
        Command::Quantize(args) => quantize::run(&args),
        Command::Tokenize(args) => tokenize::run(&args),
        Command::Render(args) => render::run(&args),
        Command::Run(args) => run::run(&args),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        // The reader of a pipe left; there is nobody to tell.
        Err(CliError::OutputClosed) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// Arguments that cannot be, in the form of every other error; help and version are none.
fn refused(error: &clap::Error) -> ExitCode {
    if error.exit_code() == 0 {
        // Whoever asked for help and closed the pipe has what they wanted.
        let _ = error.print();
        return ExitCode::SUCCESS;
    }
    let text = error.to_string();
    eprintln!("INVALID_OPTION: {}", text.strip_prefix("error: ").unwrap_or(&text).trim_end());
    ExitCode::FAILURE
}
