//! `cargo xtask demo`: the chat page, served.

use crate::command::{announce, counted, program};
use crate::failure::Failure;
use crate::project::Project;
use crate::tally::Tally;
use crate::{assemble, browser};
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

pub(crate) fn run(project: &Project, args: &[String]) -> Result<(), Failure> {
    let mut model = None;
    let mut check = false;
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--check" => check = true,
            "--model" => {
                let value = args.next();
                model = Some(value.ok_or_else(|| Failure::new("--model needs a file or URL", ""))?);
            }
            other => return Err(Failure::new(format!("`{other}` is not known here"), "")),
        }
    }
    assemble::all(project)?;
    let model = model.map(String::as_str);
    if !check {
        let status = server(project, model).status();
        let status =
            status.map_err(|e| Failure::new(format!("the server did not start: {e}"), ""))?;
        // A server that is stopped by a key press ended well.
        return if status.success() || status.code().is_none() {
            Ok(())
        } else {
            Err(Failure::new(format!("the server ended ({status})"), ""))
        };
    }
    let mut tally = Tally::new();
    ask(project, model, &mut tally)?;
    tally.finish()
}

/// Lets a headless browser ask the page one question.
pub(crate) fn ask(
    project: &Project,
    model: Option<&str>,
    tally: &mut Tally,
) -> Result<(), Failure> {
    let chromium = browser::chromium(project)?;
    let server = Server::start(project, model)?;
    let mut command =
        program("node", &["tests/browser/demo-check.mjs", &server.address], &project.root);
    counted(command.env("CHROMIUM", chromium), "the demo answers in Chromium", tally);
    Ok(())
}

fn server(project: &Project, model: Option<&str>) -> Command {
    let mut command = program(&project.binary().to_string_lossy(), &["serve"], &project.root);
    if let Some(model) = model {
        command.args(["--model", model]);
    }
    command
}

/// The running server; stopped when dropped.
struct Server {
    child: Child,
    address: String,
}

impl Server {
    fn start(project: &Project, model: Option<&str>) -> Result<Self, Failure> {
        announce("starting the server");
        let failed = |e: String| Failure::new(format!("the server did not start: {e}"), "");
        let mut child = server(project, model)
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|e| failed(e.to_string()))?;
        // The server says where it listens in its first line, after it has bound the port.
        let mut line = String::new();
        if let Some(stdout) = child.stdout.take() {
            let mut lines = BufReader::new(stdout);
            let _ = lines.read_line(&mut line);
            std::thread::spawn(move || std::io::copy(&mut lines, &mut std::io::sink()));
        }
        let address = line.split_whitespace().find(|word| word.starts_with("http://"));
        match address.map(str::to_owned) {
            Some(address) => Ok(Self { child, address }),
            None => {
                let _ = child.kill();
                let _ = child.wait();
                Err(failed("it printed no address".to_owned()))
            }
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
