use crate::failure::Failure;
use crate::tally::Tally;
use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

/// Says what happens next. On standard error: standard output is for results.
pub(crate) fn announce(what: &str) {
    eprintln!("==> {what}");
}

/// A program with its arguments, run in `dir`.
pub(crate) fn program<S: AsRef<OsStr>>(name: &str, args: &[S], dir: &Path) -> Command {
    let mut command = Command::new(name);
    command.args(args).current_dir(dir);
    command
}

/// Runs to the end, output shown on standard error. `what` names it in messages.
pub(crate) fn run(command: &mut Command, what: &str) -> Result<(), Failure> {
    announce(what);
    command.stdout(std::io::stderr());
    let start = Instant::now();
    let status = command.status().map_err(|e| not_started(command, &e))?;
    if !status.success() {
        return Err(Failure::new(format!("{what}: failed ({status})"), line(command)));
    }
    let seconds = start.elapsed().as_secs_f64();
    if seconds > 2.0 {
        eprintln!("    {seconds:.0} s");
    }
    Ok(())
}

/// Runs to the end and returns what it printed on standard output.
pub(crate) fn capture(command: &mut Command) -> Result<String, Failure> {
    filter(command, String::new())
}

/// Runs to the end on `input` and returns what it printed on standard output.
pub(crate) fn filter(command: &mut Command, input: String) -> Result<String, Failure> {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().map_err(|e| not_started(command, &e))?;
    let stdin = child.stdin.take();
    // On a thread of its own: a program may print before it has read all.
    let writer = std::thread::spawn(move || stdin.map(|mut pipe| pipe.write_all(input.as_bytes())));
    let output = child.wait_with_output().map_err(|e| not_started(command, &e))?;
    let _ = writer.join();
    if !output.status.success() {
        let detail = String::from_utf8_lossy(&output.stderr);
        return Err(Failure::new(
            format!("{} failed ({})", line(command), output.status),
            detail.trim(),
        ));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Runs tests, output shown, and counts their results. Never stops the run: a failure is counted.
pub(crate) fn counted(command: &mut Command, what: &str, tally: &mut Tally) {
    announce(what);
    let before = tally.total();
    let mut child = match command.stdout(Stdio::piped()).spawn() {
        Ok(child) => child,
        Err(e) => {
            println!("{}", not_started(command, &e));
            tally.step(what, false);
            return;
        }
    };
    if let Some(stdout) = child.stdout.take() {
        for bytes in BufReader::new(stdout).split(b'\n').map_while(Result::ok) {
            let text = String::from_utf8_lossy(&bytes);
            println!("{text}");
            tally.read(&text);
        }
    }
    let good = child.wait().is_ok_and(|status| status.success());
    let silent = tally.total() == before;
    if silent {
        println!("{what}: no test was run");
    }
    // A runner that tells of no failure but fails, or dies, counts as one.
    if silent || !good && tally.failed_since(before) == 0 {
        tally.step(what, false);
    } else {
        tally.group(what, before);
    }
}

/// Runs one check, output shown, and counts it.
pub(crate) fn checked(command: &mut Command, what: &str, tally: &mut Tally) {
    let result = run(command, what);
    if let Err(failure) = &result {
        println!("{failure}");
    }
    tally.step(what, result.is_ok());
}

fn not_started(command: &Command, error: &std::io::Error) -> Failure {
    let name = command.get_program().to_string_lossy().into_owned();
    Failure::new(format!("`{name}` could not be started: {error}"), line(command))
}

fn line(command: &Command) -> String {
    let mut text = command.get_program().to_string_lossy().into_owned();
    for arg in command.get_args() {
        text.push(' ');
        text.push_str(&arg.to_string_lossy());
    }
    text
}
