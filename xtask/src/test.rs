//! `cargo xtask test`: every check and every test, with one count at the end.

use crate::command::{announce, counted, program};
use crate::failure::Failure;
use crate::project::Project;
use crate::tally::Tally;
use crate::{assemble, browser, check, demo, fuzz, node, setup, suites};

pub(crate) fn run(project: &Project, args: &[String]) -> Result<(), Failure> {
    let mut quick = false;
    let mut corpus = false;
    for arg in args {
        match arg.as_str() {
            "--quick" => quick = true,
            "--corpus" => corpus = true,
            other => return Err(Failure::new(format!("`{other}` is not known here"), "")),
        }
    }
    setup::rust(project)?;
    setup::node_packages(project)?;
    let mut tally = Tally::new();
    check::all(project, &mut tally);
    rust(project, &mut tally)?;
    for folder in node::UNIT_TESTED {
        if let Some(mut command) = node::script(project, folder, "test") {
            counted(&mut command, &format!("unit tests of {folder}"), &mut tally);
        }
    }
    if corpus {
        fuzz::all(project, None, &mut tally)?;
    }
    if !quick {
        whole(project, &mut tally);
    }
    tally.finish()
}

/// `cargo xtask check`.
pub(crate) fn check_only(project: &Project) -> Result<(), Failure> {
    setup::rust(project)?;
    setup::node_packages(project)?;
    let mut tally = Tally::new();
    check::all(project, &mut tally);
    tally.finish()
}

fn rust(project: &Project, tally: &mut Tally) -> Result<(), Failure> {
    let mut command =
        program("cargo", &["test", "--workspace", "--no-fail-fast", "--locked"], &project.root);
    command.env("CARGO_TARGET_DIR", &project.native);
    match project.test_data()? {
        Some(data) => {
            command.env("SIDESTAGE_TESTDATA", data);
        }
        None => {
            announce(
                "SIDESTAGE_TESTDATA is not set: tests against real models and vectors are left out",
            );
            command.env_remove("SIDESTAGE_TESTDATA");
        }
    }
    counted(&mut command, "Rust tests", tally);
    Ok(())
}

/// What needs the whole thing built, and a browser.
fn whole(project: &Project, tally: &mut Tally) {
    if let Err(failure) = assemble::all(project) {
        println!("{failure}");
        tally.step("build", false);
        return;
    }
    tally.step("build", true);
    let browser_tests = |tally: &mut Tally| -> Result<(), Failure> {
        let chromium = browser::chromium(project)?;
        if let Some(mut command) = node::script(project, "tests/browser", "test") {
            command.env("CHROMIUM", chromium).env("SIDESTAGE_BINARY", project.binary());
            command.envs(browser::others(project)?);
            command.env("SIDESTAGE_SUITES", suites::build(project)?);
            if let Some(data) = project.test_data()? {
                command.env("SIDESTAGE_TESTDATA", data);
            }
            counted(&mut command, "tests in the browsers", tally);
        }
        demo::ask(project, None, tally)
    };
    if let Err(failure) = browser_tests(tally) {
        println!("{failure}");
        tally.step("tests in the browsers", false);
    }
}
