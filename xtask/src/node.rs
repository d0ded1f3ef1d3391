//! Folders with npm packages.

use crate::command::{program, run};
use crate::failure::Failure;
use crate::project::Project;
use std::fs;
use std::process::Command;
use std::time::SystemTime;

/// Packages with unit tests that need neither a build nor a browser.
pub(crate) const UNIT_TESTED: [&str; 2] = ["packages/sidestage", "apps/chat"];

/// `npm ci` where the lock file is newer than what it installed.
pub(crate) fn install(project: &Project, folder: &str) -> Result<(), Failure> {
    let dir = project.root.join(folder);
    let lock = dir.join("package-lock.json");
    // npm writes this file at the end of an installation.
    let stamp = dir.join("node_modules/.package-lock.json");
    let time =
        |path| fs::metadata(path).and_then(|m| m.modified()).unwrap_or(SystemTime::UNIX_EPOCH);
    if !lock.is_file() || time(&stamp) > time(&lock) {
        return Ok(());
    }
    let mut command = program(npm(), &["ci", "--no-audit", "--no-fund"], &dir);
    run(&mut command, &format!("npm ci in {folder}")).map_err(|failure| {
        Failure::new(
            format!("the npm packages of {folder} could not be installed: {failure}"),
            "Is the npm registry reachable? `npm ping` tells.",
        )
    })
}

/// `npm run <script>` in a folder; `None` if its package file has no such script.
pub(crate) fn script(project: &Project, folder: &str, script: &str) -> Option<Command> {
    let text = fs::read_to_string(project.root.join(folder).join("package.json")).ok()?;
    let package: serde_json::Value = serde_json::from_str(&text).ok()?;
    package.get("scripts")?.get(script)?;
    Some(program(npm(), &["run", "--silent", script], &project.root.join(folder)))
}

fn npm() -> &'static str {
    if cfg!(windows) { "npm.cmd" } else { "npm" }
}
