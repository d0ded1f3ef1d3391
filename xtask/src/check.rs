//! Formatting, lints and the checks that need no build of the whole.

use crate::command::{announce, checked, program};
use crate::failure::Failure;
use crate::project::Project;
use crate::tally::Tally;
use crate::{node, protocol, rooms};

pub(crate) fn all(project: &Project, tally: &mut Tally) {
    let cargo = |args: &[&str]| {
        let mut command = program("cargo", args, &project.root);
        command.env("CARGO_TARGET_DIR", &project.native);
        command
    };
    checked(&mut cargo(&["fmt", "--all", "--check"]), "rustfmt", tally);
    let clippy = ["clippy", "--workspace", "--all-targets", "--locked", "--", "-D", "warnings"];
    checked(&mut cargo(&clippy), "clippy", tally);
    verified("dependencies between crates", rooms::verify(project), tally);
    verified("protocol.ts", protocol::verify(project), tally);
    // The page takes the package's types from its build; the wasm files do not matter for that.
    let mut package = program("node", &["packages/sidestage/build.mjs"], &project.root);
    checked(&mut package, "packages/sidestage/dist without wasm", tally);
    for script in ["typecheck", "lint"] {
        if let Some(mut command) = node::script(project, ".", script) {
            checked(&mut command, script, tally);
        }
    }
}

fn verified(what: &str, result: Result<(), Failure>, tally: &mut Tally) {
    announce(what);
    if let Err(failure) = &result {
        println!("{failure}");
    }
    tally.step(what, result.is_ok());
}
