//! What must be there before anything can be built, and how it gets there.

use crate::command::{announce, capture, program, run};
use crate::failure::Failure;
use crate::node;
use crate::project::Project;
use std::process::Command;

/// Oldest Rust that builds the workspace (`rust-version` in Cargo.toml).
const RUST: (u32, u32) = (1, 95);
/// Oldest Node that the npm packages take (`engines` in package.json).
const NODE: (u32, u32) = (20, 19);

/// Rust's version, the wasm target and the components.
pub(crate) fn rust(project: &Project) -> Result<(), Failure> {
    let version = capture(&mut program("rustc", &["--version"], &project.root))?;
    if rust_version(&version).is_none_or(|found| found < RUST) {
        return Err(Failure::new(
            format!("Rust {}.{} or newer is needed; this is {}", RUST.0, RUST.1, version.trim()),
            "rustup update stable",
        ));
    }
    target(project, "wasm32-unknown-unknown")?;
    let components = rustup(project, &["component", "list", "--installed"])?;
    for name in ["rust-src", "rustfmt", "clippy"] {
        // Lines read `clippy-x86_64-unknown-linux-gnu`; rust-src has no suffix.
        if !components
            .lines()
            .any(|c| c == name || c.strip_prefix(name).is_some_and(|r| r.starts_with('-')))
        {
            install(project, &["component", "add", name])?;
        }
    }
    Ok(())
}

/// A target of Rust.
pub(crate) fn target(project: &Project, name: &str) -> Result<(), Failure> {
    let targets = rustup(project, &["target", "list", "--installed"])?;
    if targets.lines().any(|target| target == name) {
        return Ok(());
    }
    install(project, &["target", "add", name])
}

/// Node and npm.
pub(crate) fn node(project: &Project) -> Result<(), Failure> {
    let (major, minor) = NODE;
    let remedy = format!("Install Node {major}.{minor} or newer: https://nodejs.org/en/download");
    let version = capture(&mut program("node", &["--version"], &project.root))
        .map_err(|_| Failure::new("Node is not installed", &remedy))?;
    match first_two(version.trim().trim_start_matches('v')) {
        Some(found) if found >= NODE => Ok(()),
        _ => Err(Failure::new(format!("this Node is too old: {}", version.trim()), remedy)),
    }
}

/// Node and the npm packages of the build and the tests.
pub(crate) fn node_packages(project: &Project) -> Result<(), Failure> {
    node(project)?;
    node::install(project, ".")
}

fn rustup(project: &Project, args: &[&str]) -> Result<String, Failure> {
    capture(&mut program("rustup", args, &project.root)).map_err(|failure| {
        Failure::new(
            format!("rustup is needed to add the wasm target: {failure}"),
            "https://rustup.rs",
        )
    })
}

fn install(project: &Project, args: &[&str]) -> Result<(), Failure> {
    run(&mut program("rustup", args, &project.root), &format!("rustup {}", args.join(" "))).map_err(
        |failure| {
            Failure::new(failure.to_string(), format!("Try it by hand: rustup {}", args.join(" ")))
        },
    )
}

fn rust_version(line: &str) -> Option<(u32, u32)> {
    first_two(line.split_whitespace().nth(1)?)
}

fn first_two(version: &str) -> Option<(u32, u32)> {
    let mut numbers = version.split('.');
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

/// Installs Debian packages where that may be done unasked: as root on a CI machine.
pub(crate) fn debian(project: &Project, packages: &[&str]) -> Result<(), Failure> {
    let by_hand = format!("sudo apt-get install {}", packages.join(" "));
    let root = capture(Command::new("id").arg("-u")).is_ok_and(|id| id.trim() == "0");
    if !(project.ci && root) {
        return Err(Failure::new(format!("not installed: {}", packages.join(", ")), by_hand));
    }
    announce(&by_hand);
    let apt = |args: &[&str]| {
        let mut command = program("apt-get", args, &project.root);
        command.env("DEBIAN_FRONTEND", "noninteractive");
        run(&mut command, &format!("apt-get {}", args.join(" ")))
    };
    apt(&["update", "-q"])?;
    let mut args = vec!["install", "-q", "-y", "--no-install-recommends"];
    args.extend(packages);
    apt(&args)
}

#[cfg(test)]
mod tests {
    use super::rust_version;

    #[test]
    fn reads_rustc_versions() {
        assert_eq!(rust_version("rustc 1.95.0 (59807616e 2026-04-14)"), Some((1, 95)));
        assert_eq!(rust_version("rustc 1.97.0-nightly (abc 2026-05-01)"), Some((1, 97)));
        assert_eq!(rust_version("gcc"), None);
    }
}
