//! `cargo xtask bench`: hands over to the scripts in `bench`.

use crate::command::{announce, program};
use crate::failure::Failure;
use crate::project::Project;
use crate::{assemble, browser, node};

pub(crate) fn run(project: &Project, args: &[String]) -> Result<(), Failure> {
    let script = "bench/run.mjs";
    if !project.root.join(script).is_file() {
        return Err(Failure::new(format!("{script} is missing"), "Is this a whole checkout?"));
    }
    assemble::all(project)?;
    node::install(project, "bench")?;
    let chromium = browser::chromium(project)?;
    let mut command = program("node", &[script], &project.root);
    command.args(args).env("CHROMIUM", chromium).env("SIDESTAGE_BINARY", project.binary());
    command.env("SIDESTAGE_CACHE", &project.cache);
    announce("benchmarks");
    let status = command.status();
    match status.map_err(|e| Failure::new(format!("node could not be started: {e}"), ""))? {
        status if status.success() => Ok(()),
        // The script has said why.
        _ => Err(Failure::told()),
    }
}
