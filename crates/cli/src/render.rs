//! `sidestage render`: what a chat template makes of a context.

use crate::args::RenderArgs;
use crate::error::CliError;
use crate::session::now;
use serde_json::Value;
use std::io::Write;
use std::path::Path;

pub(crate) fn run(args: &RenderArgs) -> Result<(), CliError> {
    let template = read(&args.template)?;
    let context: Value = serde_json::from_str(&read(&args.context)?).map_err(|error| {
        let problem = format!("{} is no JSON: {error}", args.context.display());
        CliError::Argument { name: "--context", problem }
    })?;
    let wanted = context.get("add_generation_prompt").and_then(Value::as_bool).unwrap_or(true);
    let generate = wanted && !args.no_generation_prompt;
    let time = args.now.or_else(now);
    let text = sidestage_text::render(&template, &[], &context, generate, time)
        .map_err(CliError::engine)?;
    std::io::stdout().write_all(text.as_bytes()).map_err(CliError::output)
}

fn read(path: &Path) -> Result<String, CliError> {
    std::fs::read_to_string(path)
        .map_err(|error| CliError::Unreadable { path: path.to_owned(), error })
}
