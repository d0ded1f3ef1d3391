//! Where the browsers are.

use crate::command::{announce, capture, program};
use crate::failure::Failure;
use crate::project::Project;
use crate::setup;
use std::env;
use std::path::{Path, PathBuf};

const NAMES: [&str; 5] =
    ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome"];

const APPS: [&str; 4] = [
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "C:\\Program Files\\Google\\Chrome\\Application\\chrome.exe",
    "C:\\Program Files (x86)\\Google\\Chrome\\Application\\chrome.exe",
];

/// The browsers beside Chromium: the variable that names each program, its names, and its Debian
/// package.
const OTHERS: [(&str, &[&str], &str); 3] = [
    ("FIREFOX", &["firefox-esr", "firefox"], "firefox-esr"),
    ("WEBKIT_DRIVER", &["WebKitWebDriver"], "webkit2gtk-driver"),
    // WebKitGTK draws on a screen, if only on one that nobody sees.
    ("XVFB", &["Xvfb"], "xvfb"),
];

/// Finds the other browsers' programs, by the variables that tell the tests of them. What is missing
/// is installed on a CI machine; on others it is said, and its tests are left out.
pub(crate) fn others(project: &Project) -> Result<Vec<(&'static str, PathBuf)>, Failure> {
    let missing =
        OTHERS.iter().filter(|(variable, names, _)| named_or_on_path(variable, names).is_none());
    let missing: Vec<&str> = missing.map(|(_, _, package)| *package).collect();
    if !missing.is_empty()
        && let Err(failure) = setup::debian(project, &missing)
    {
        if project.ci {
            return Err(failure);
        }
        announce(&format!("some tests in Firefox or WebKitGTK are left out: {failure}"));
    }
    let found = OTHERS
        .iter()
        .filter_map(|(variable, names, _)| Some((*variable, named_or_on_path(variable, names)?)));
    Ok(found.collect())
}

/// Finds a Chromium, or gets one where that needs no root rights or root rights may be used.
pub(crate) fn chromium(project: &Project) -> Result<PathBuf, Failure> {
    if let Some(found) = find() {
        return Ok(found);
    }
    let reason = match setup::debian(project, &["chromium"]) {
        Ok(()) => "the package chromium was installed, but has no program `chromium`".to_owned(),
        Err(failure) => failure.to_string(),
    };
    find().or_else(|| download(project)).ok_or_else(|| {
        Failure::new(
            format!("no Chromium was found for the tests in a browser ({reason})"),
            "Install Chromium or Google Chrome, or set CHROMIUM=/path/to/it.",
        )
    })
}

fn find() -> Option<PathBuf> {
    named_or_on_path("CHROMIUM", &NAMES)
        .or_else(|| APPS.map(PathBuf::from).into_iter().find(|file| file.is_file()))
}

fn named_or_on_path(variable: &str, names: &[&str]) -> Option<PathBuf> {
    if let Some(named) = env::var_os(variable).filter(|v| !v.is_empty()) {
        return Some(named.into());
    }
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path)
        .flat_map(|dir| names.iter().map(move |name| dir.join(name)))
        .find(|file| file.is_file())
}

/// Playwright keeps its own Chromium in the user's cache folder; that needs no root rights.
fn download(project: &Project) -> Option<PathBuf> {
    let script =
        "const { chromium } = require('playwright-core'); console.log(chromium.executablePath())";
    for folder in ["tests/browser", "."] {
        let dir = project.root.join(folder);
        let cli = dir.join("node_modules/playwright-core/cli.js");
        if !cli.is_file() {
            continue;
        }
        let install = [cli.as_os_str(), "install".as_ref(), "chromium".as_ref()];
        crate::command::run(&mut program("node", &install, &dir), "downloading Chromium").ok()?;
        let path = capture(&mut program("node", &["-e", script], &dir)).ok()?;
        return Some(Path::new(path.trim()).to_path_buf());
    }
    None
}
