//! `cargo xtask`: what a newcomer types.
#![allow(
    clippy::disallowed_methods,
    reason = "runs natively only: clocks and threads are fine here"
)]

mod assemble;
mod bench;
mod browser;
mod check;
mod command;
mod demo;
mod failure;
mod fuzz;
mod node;
mod project;
mod protocol;
mod rooms;
mod setup;
mod suites;
mod tally;
mod test;
mod wasm;

use failure::Failure;
use project::Project;
use std::process::ExitCode;

const USAGE: &str = "\
cargo xtask <command>

  build                        everything: wasm, packages/sidestage/dist, the page, the sidestage command
  demo [--model FILE_OR_URL]   builds, serves the chat page and prints its address
  demo --check                 builds, lets a headless browser ask one question, exits
  test                         formatting, lints, all tests, those in the browsers too
  test --quick                 without the wasm build and the browser
       [--corpus]              also replays what the fuzz targets found
  check                        formatting and lints only
  fuzz [SECONDS]               searches each fuzz target that long, by chance, and keeps what is found
  bench [NAME] [--json]        speed, memory and size against other engines; `bench soak`: leaks;
                               `bench kernels`: one operator at a time, beside the machine's limits
  protocol                     writes packages/sidestage/src/protocol.ts

What is missing (wasm target, rust-src, npm packages, a browser) is installed on the way; nothing is
done with root rights except where the environment variable CI is set.
SIDESTAGE_CACHE=DIR keeps build results in DIR. SIDESTAGE_TESTDATA=DIR adds the tests that need data.";

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match dispatch(&args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            if !failure.is_told() {
                eprintln!("\n{failure}");
            }
            ExitCode::FAILURE
        }
    }
}

fn dispatch(args: &[String]) -> Result<(), Failure> {
    let Some((command, rest)) = args.split_first() else {
        println!("{USAGE}");
        return Ok(());
    };
    let project = Project::find()?;
    match command.as_str() {
        "build" => {
            none(rest)?;
            assemble::all(&project)
        }
        "demo" => demo::run(&project, rest),
        "test" => test::run(&project, rest),
        "check" => {
            none(rest)?;
            test::check_only(&project)
        }
        "fuzz" => fuzz::run(&project, rest),
        "bench" => bench::run(&project, rest),
        "protocol" => {
            none(rest)?;
            setup::rust(&project)?;
            setup::node_packages(&project)?;
            protocol::write(&project)
        }
        "help" | "--help" | "-h" => {
            println!("{USAGE}");
            Ok(())
        }
        other => Err(Failure::new(format!("there is no command `{other}`"), USAGE)),
    }
}

fn none(rest: &[String]) -> Result<(), Failure> {
    match rest.first() {
        None => Ok(()),
        Some(extra) => Err(Failure::new(format!("`{extra}` is not known here"), USAGE)),
    }
}
