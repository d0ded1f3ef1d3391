//! `cargo xtask build`: all parts in order.

use crate::command::{announce, program, run};
use crate::failure::Failure;
use crate::project::Project;
use crate::{node, protocol, setup, wasm};

pub(crate) fn all(project: &Project) -> Result<(), Failure> {
    setup::rust(project)?;
    setup::node_packages(project)?;
    wasm::build(project)?;
    protocol::refresh(project)?;
    package(project)?;
    page(project)?;
    command(project)?;
    announce("Built");
    eprintln!("    {}", project.root.join("packages/sidestage/dist").display());
    eprintln!("    {}", project.binary().display());
    Ok(())
}

/// `packages/sidestage/dist`: client, worker and wasm files.
fn package(project: &Project) -> Result<(), Failure> {
    let script = "packages/sidestage/build.mjs";
    let mut command = program("node", &[script, "--wasm"], &project.root);
    run(command.arg(project.wasm()), "packages/sidestage/dist")
}

/// The chat page.
fn page(project: &Project) -> Result<(), Failure> {
    match node::script(project, "apps/chat", "build") {
        Some(mut command) => run(&mut command, "apps/chat/dist"),
        None => Ok(()),
    }
}

/// The native command, at `target/release/sidestage` wherever cargo's target folder is.
pub(crate) fn command(project: &Project) -> Result<(), Failure> {
    let mut command =
        program("cargo", &["build", "--release", "-p", "sidestage-cli"], &project.root);
    run(command.env("CARGO_TARGET_DIR", &project.native), "the sidestage command")?;
    let built =
        project.native.join("release").join(project.binary().file_name().unwrap_or_default());
    if built == project.binary() { Ok(()) } else { wasm::place(&built, &project.binary()) }
}
