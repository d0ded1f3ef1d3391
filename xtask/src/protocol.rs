//! `packages/sidestage/src/protocol.ts`, written from `crates/engine/src/protocol.rs`.

use crate::command::{announce, capture, filter, program};
use crate::failure::Failure;
use crate::project::Project;
use std::fs;
use std::path::PathBuf;

const FILE: &str = "packages/sidestage/src/protocol.ts";

/// Writes the file if it differs.
pub(crate) fn write(project: &Project) -> Result<(), Failure> {
    announce("protocol types");
    let (path, text) = (path(project), generate(project)?);
    if fs::read_to_string(&path).is_ok_and(|old| old == text) {
        return Ok(());
    }
    println!("    {} is out of date: written anew", path.display());
    fs::write(&path, text).map_err(|e| Failure::new(format!("{}: {e}", path.display()), ""))
}

/// Fails if the file that is checked in is not what the protocol says.
pub(crate) fn verify(project: &Project) -> Result<(), Failure> {
    let (path, text) = (path(project), generate(project)?);
    match fs::read_to_string(&path) {
        Ok(old) if old == text => Ok(()),
        _ => Err(Failure::new(
            format!("{} is not what crates/engine/src/protocol.rs says", path.display()),
            "Run `cargo xtask protocol` and commit the file.",
        )),
    }
}

fn path(project: &Project) -> PathBuf {
    project.root.join(FILE)
}

fn generate(project: &Project) -> Result<String, Failure> {
    let args = [
        "run",
        "--quiet",
        "-p",
        "sidestage-engine",
        "--features",
        "typescript",
        "--example",
        "protocol",
    ];
    let mut example = program("cargo", &args, &project.root);
    let text = capture(example.env("CARGO_TARGET_DIR", &project.native))?;
    let script = ["node_modules/prettier/bin/prettier.cjs", "--stdin-filepath", FILE];
    filter(&mut program("node", &script, &project.root), text)
}
