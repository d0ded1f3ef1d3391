//! `packages/sidestage/src/protocol.ts`, written from `crates/engine/src/protocol.rs` and the
//! modules in it.

use crate::command::{announce, capture, filter, program};
use crate::failure::Failure;
use crate::project::Project;
use std::fs;

const FILE: &str = "packages/sidestage/src/protocol.ts";
/// What the file is made from.
const SOURCES: [&str; 7] = [
    "crates/engine/src/protocol.rs",
    "crates/engine/src/protocol/embed.rs",
    "crates/engine/src/protocol/explain.rs",
    "crates/engine/src/protocol/host.rs",
    "crates/engine/src/protocol/load.rs",
    "crates/engine/src/protocol/run.rs",
    "crates/engine/examples/protocol.rs",
];

/// Writes the file if its sources have changed. Their mark is in the file, because making it means
/// compiling the engine once more.
pub(crate) fn refresh(project: &Project) -> Result<(), Failure> {
    let mark = mark(project)?;
    match fs::read_to_string(project.root.join(FILE)) {
        Ok(old) if old.lines().next().is_some_and(|line| line.contains(&mark)) => Ok(()),
        _ => write(project),
    }
}

/// Writes the file.
pub(crate) fn write(project: &Project) -> Result<(), Failure> {
    announce(FILE);
    let path = project.root.join(FILE);
    fs::write(&path, generate(project)?)
        .map_err(|e| Failure::new(format!("{} cannot be written: {e}", path.display()), ""))
}

/// Fails if the file that is checked in is not what the protocol says.
pub(crate) fn verify(project: &Project) -> Result<(), Failure> {
    let text = generate(project)?;
    match fs::read_to_string(project.root.join(FILE)) {
        Ok(old) if old == text => Ok(()),
        _ => Err(Failure::new(
            format!("{FILE} is not what {} says", SOURCES[0]),
            "Run `cargo xtask protocol` and commit the file.",
        )),
    }
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
    let text = format!(
        "// From {} ({}) by `cargo xtask protocol`. Do not edit.\n{text}",
        SOURCES[0],
        mark(project)?
    );
    let script = ["node_modules/prettier/bin/prettier.cjs", "--stdin-filepath", FILE];
    filter(&mut program("node", &script, &project.root), text)
}

/// A short mark of the sources' text (FNV-1a), the same on every system.
fn mark(project: &Project) -> Result<String, Failure> {
    let mut mark = 0xcbf2_9ce4_8422_2325_u64;
    for source in SOURCES {
        let path = project.root.join(source);
        let text = fs::read(&path)
            .map_err(|e| Failure::new(format!("{} cannot be read: {e}", path.display()), ""))?;
        // A checkout on Windows may have other line ends.
        for byte in text.into_iter().filter(|byte| *byte != b'\r') {
            mark = (mark ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3);
        }
    }
    Ok(format!("{mark:016x}"))
}
