//! `cargo xtask bench`: hands over to the scripts in `bench`.

use crate::command::{announce, program, run as command};
use crate::failure::Failure;
use crate::project::Project;
use crate::{assemble, browser, node, setup, wasm};
use std::process::Command;

pub(crate) fn run(project: &Project, args: &[String]) -> Result<(), Failure> {
    if !project.root.join("bench/run.mjs").is_file() {
        return Err(Failure::new("bench/run.mjs is missing", "Is this a whole checkout?"));
    }
    match args.split_first() {
        Some((name, rest)) if name == "kernels" => kernels(project, rest),
        _ => whole(project, args),
    }
}

/// What needs everything built.
fn whole(project: &Project, args: &[String]) -> Result<(), Failure> {
    assemble::all(project)?;
    let mut command = script(project, "bench/run.mjs")?;
    command.args(args).env("SIDESTAGE_BINARY", project.binary());
    if args.first().is_some_and(|name| ["graph", "llm", "long"].contains(&name.as_str())) {
        command.env("SIDESTAGE_BENCH_WASM", wasm::bench(project)?);
    }
    finish(command)
}

/// One operator at a time: a module of its own, so that a change of a kernel is measured soon.
fn kernels(project: &Project, args: &[String]) -> Result<(), Failure> {
    if let Some((first, rest)) = args.split_first()
        && first == "--native"
    {
        let cargo = ["run", "--release", "-p", "bench-kernels", "--example", "native", "--"];
        let mut native = program("cargo", &cargo, &project.root);
        native.args(rest).env("CARGO_TARGET_DIR", &project.native);
        return command(&mut native, "native kernels");
    }
    setup::rust(project)?;
    let modules = wasm::bench(project)?;
    let mut command = script(project, "bench/kernels.mjs")?;
    command.args(args).env("SIDESTAGE_BENCH_WASM", modules);
    finish(command)
}

/// A script, with what all of them need.
fn script(project: &Project, file: &str) -> Result<Command, Failure> {
    node::install(project, "bench")?;
    let mut command = program("node", &[file], &project.root);
    command.env("CHROMIUM", browser::chromium(project)?).env("SIDESTAGE_CACHE", &project.cache);
    Ok(command)
}

fn finish(mut command: Command) -> Result<(), Failure> {
    announce("benchmarks");
    let status = command.status();
    match status.map_err(|e| Failure::new(format!("node could not be started: {e}"), ""))? {
        status if status.success() => Ok(()),
        // The script has said why.
        _ => Err(Failure::told()),
    }
}
