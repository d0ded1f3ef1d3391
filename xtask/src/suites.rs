//! The test programs of `crates/suite`, built for WASI: a browser runs them with its own kernels.

use crate::command::{announce, capture, program};
use crate::failure::Failure;
use crate::project::Project;
use crate::setup;
use crate::wasm::{RELAXED, place};
use std::fs;
use std::path::{Path, PathBuf};

/// What a browser has nothing to add to: broken files, and the page of operators.
const LEFT_OUT: [&str; 2] = ["onnx_fuzz", "operators"];

/// Builds them; gives their folder.
pub(crate) fn build(project: &Project) -> Result<PathBuf, Failure> {
    const TARGET: &str = "wasm32-wasip1";
    setup::target(project, TARGET)?;
    let folder = project.cache.join("wasm-target/suites");
    let mut args = vec!["test", "-p", "sidestage-suite", "--tests", "--no-run", "--locked"];
    args.extend(["--target", TARGET, "--message-format", "json"]);
    let mut command = program("cargo", &args, &project.root);
    command.env("CARGO_TARGET_DIR", &folder).env_remove("CARGO_ENCODED_RUSTFLAGS");
    command.env("RUSTFLAGS", format!("-C target-feature={RELAXED} -C strip=debuginfo"));
    announce("the suites for the browser");
    let messages = capture(&mut command)?;
    let out = project.cache.join("suites");
    // What is no longer there is not to be run.
    let _ = fs::remove_dir_all(&out);
    for line in messages.lines() {
        let message: serde_json::Value = serde_json::from_str(line).unwrap_or_default();
        let name = message["target"]["name"].as_str().unwrap_or_default();
        let is_test = message["target"]["kind"][0] == "test";
        if let Some(file) = message["executable"].as_str()
            && is_test
            && !LEFT_OUT.contains(&name)
        {
            place(Path::new(file), &out.join(format!("{name}.wasm")))?;
        }
    }
    Ok(out)
}
