//! The fuzz targets: the corpus replayed, and a search.

use crate::command::{capture, checked, program, run as run_shown};
use crate::failure::Failure;
use crate::project::Project;
use crate::setup;
use crate::tally::Tally;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

pub(crate) fn run(project: &Project, args: &[String]) -> Result<(), Failure> {
    let seconds = match args.first() {
        None => 60,
        Some(text) => {
            text.parse().map_err(|_| Failure::new("fuzzing needs a number of seconds", ""))?
        }
    };
    setup::rust(project)?;
    let mut tally = Tally::new();
    all(project, Some(seconds), &mut tally)?;
    tally.finish()
}

/// Replays each target's corpus, then searches for `seconds`, if given. A search goes by chance:
/// CI only replays, so that it judges the change and not the dice.
pub(crate) fn all(
    project: &Project,
    seconds: Option<u32>,
    tally: &mut Tally,
) -> Result<(), Failure> {
    if !project.root.join("fuzz/Cargo.toml").is_file() {
        return Ok(());
    }
    let tool = tool(project)?;
    let cargo_fuzz = |args: &[&str]| -> Command {
        let mut command = Command::new(&tool);
        command.arg("fuzz").args(args).current_dir(&project.root);
        // libFuzzer's instrumentation is unstable; this lets the stable compiler do it.
        command.env("RUSTC_BOOTSTRAP", "1").env("CARGO_TARGET_DIR", project.cache.join("fuzz"));
        command
    };
    let targets = capture(&mut cargo_fuzz(&["list"]))?;
    for target in targets.split_whitespace() {
        // The parsers forbid unsafe code, so there is nothing for the address sanitizer to find.
        let common = ["run", "--sanitizer", "none", target];
        let corpus = project.root.join("fuzz/corpus").join(target);
        let mut replay = cargo_fuzz(&common);
        replay.arg(&corpus).args(["--", "-runs=0", "-verbosity=0"]);
        checked(&mut replay, &format!("fuzz corpus of {target}"), tally);
        let Some(seconds) = seconds else { continue };
        // What is found goes into the first folder: the one that is checked in stays as it is.
        let found = project.cache.join("fuzz-found").join(target);
        fs::create_dir_all(&found)
            .map_err(|e| Failure::new(format!("{} cannot be made: {e}", found.display()), ""))?;
        let mut search = cargo_fuzz(&common);
        search.args([&found, &corpus]).arg("--").arg(format!("-max_total_time={seconds}"));
        search.args(["-timeout=10", "-rss_limit_mb=2048", "-verbosity=0", "-print_final_stats=1"]);
        checked(&mut search, &format!("fuzzing {target} for {seconds} s"), tally);
    }
    Ok(())
}

/// The cargo-fuzz program, installed into the cache if there is none.
fn tool(project: &Project) -> Result<PathBuf, Failure> {
    let root = project.cache.join("tools");
    let kept = root.join("bin/cargo-fuzz");
    if kept.is_file() {
        return Ok(kept);
    }
    if capture(Command::new("cargo-fuzz").arg("--version")).is_ok() {
        return Ok("cargo-fuzz".into());
    }
    let mut install =
        program("cargo", &["install", "cargo-fuzz", "--locked", "--root"], &project.root);
    run_shown(
        install.arg(&root).env("CARGO_TARGET_DIR", root.join("target")),
        "installing cargo-fuzz",
    )?;
    Ok(kept)
}
