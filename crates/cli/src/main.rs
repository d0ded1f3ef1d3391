//! The `sidestage` command: the chat page's server, and the engine without a browser.
#![allow(
    clippy::disallowed_methods,
    reason = "runs natively only: clocks and threads are fine here"
)]

mod args;
mod error;
mod generate;
mod inspect;
mod logits;
mod model_file;
mod npy;
mod serve;
mod session;
mod tokenize;

use args::{Args, Command};
use clap::Parser;
use error::CliError;
use std::process::ExitCode;

fn main() -> ExitCode {
    let result = match Args::parse().command {
        Command::Serve(args) => serve::run(&args),
        Command::Inspect(args) => inspect::run(&args),
        Command::Generate(args) => generate::run(&args),
        Command::Logits(args) => logits::run(&args),
        Command::Tokenize(args) => tokenize::run(&args),
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
