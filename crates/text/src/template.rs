//! A model's own chat template (Jinja), rendered as Hugging Face transformers does.
//!
//! The environment is that of
//! [`apply_chat_template`](https://github.com/huggingface/transformers/blob/main/src/transformers/utils/chat_template_utils.py):
//! `trim_blocks`, `lstrip_blocks`, loop controls, `raise_exception`, `strftime_now`, a `tojson` that
//! is `json.dumps`, `{% generation %}`. Values print as in Python.
//!
//! A template comes with a model file from anywhere, so its shape, its steps, its output, its
//! recursion, the depth and size of the values that it keeps and the strings that it makes are
//! bounded. What is not: slices of long strings and the template's own text in a captured block.
//! Where those take more memory than there is, it is a trap of the text module in a browser, which
//! the host replaces.

mod bounds;
mod filters;
mod growth;
mod operators;
mod python;
mod rewrite;
mod time;

pub use time::Now;

use crate::TextError;
use minijinja::syntax::SyntaxConfig;
use minijinja::value::{Value, ValueKind};
use minijinja::{AutoEscape, Environment, Error, ErrorKind, escape_formatter};
use std::fmt;
use std::io;

/// Steps of the template engine for one rendering; a long conversation needs some 100,000.
const FUEL: u64 = 20_000_000;

/// Bytes that one rendering may write.
const LONGEST_OUTPUT: usize = 16 << 20;

/// A macro that calls itself costs several of these a level; wasm has one megabyte of stack.
const RECURSION: usize = 150;

/// Renders a chat template.
///
/// `context` is an object with `messages` and, where wanted, `tools` and whatever else the template
/// reads. `variables` are the model's own (`bos_token`, `eos_token`); those of `context` hide them.
/// Without `now`, a template that asks for the date fails.
///
/// # Errors
///
/// `PROMPT_INVALID` when `context` is no object, `TEMPLATE_INVALID` when the template does not
/// parse, `TEMPLATE_FAILED` when it fails, refuses the messages (`raise_exception`) or passes a
/// limit.
pub fn render(
    template: &str,
    variables: &[(String, String)],
    context: &serde_json::Value,
    add_generation_prompt: bool,
    now: Option<Now>,
) -> Result<String, TextError> {
    let serde_json::Value::Object(context) = context else {
        return Err(TextError::PromptInvalid { what: "the context is not an object".into() });
    };
    bounds::check(template)?;
    let source = rewrite::without_generation_tags(template);
    let source = rewrite::with_bounded_values(&source);
    let source = operators::bounded(&source);
    let environment = environment(now)?;
    let template = environment
        .template_from_named_str("chat", &source)
        .map_err(|error| TextError::TemplateInvalid { message: describe(&error) })?;

    let fixed = variables.iter().map(|(name, text)| (name.as_str(), Value::from(text.as_str())));
    let given = context.iter().map(|(key, value)| (key.as_str(), python::from_json(value)));
    let last = [("add_generation_prompt", Value::from(add_generation_prompt))];
    let context = Value::from_pairs(fixed.chain(given).chain(last));

    let mut output = Bounded(Vec::new());
    template.render_captured_to(context, &mut output).map_err(|error| failed(&error))?;
    String::from_utf8(output.0).map_err(|_| TextError::TemplateFailed {
        message: "the output is not UTF-8".into(),
        raised: false,
    })
}

fn environment(now: Option<Now>) -> Result<Environment<'static>, TextError> {
    let mut environment = Environment::new();
    let syntax = SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build();
    environment.set_syntax(syntax.map_err(|error| failed(&error))?);
    environment.set_fuel(Some(FUEL));
    environment.set_recursion_limit(RECURSION);
    environment.set_auto_escape_callback(|_| AutoEscape::None);
    let budget = growth::Budget::new();
    budget.add_to(&mut environment);
    // What a macro or block prints is a value, too.
    environment.set_formatter(move |out, state, value| match value.kind() {
        ValueKind::Bool | ValueKind::None | ValueKind::Number | ValueKind::Seq | ValueKind::Map => {
            let text = python::str(value)?;
            budget.spend(text.len())?;
            out.write_str(&text).map_err(Error::from)
        }
        _ => {
            budget.spend(value.as_str().map_or(0, str::len))?;
            escape_formatter(out, state, value)
        }
    });
    filters::add_to(&mut environment);
    environment.add_function("raise_exception", |message: String| -> Result<Value, Error> {
        let error = Error::new(ErrorKind::InvalidOperation, message.clone());
        Err(error.with_source(Raised(message)))
    });
    environment.add_function("strftime_now", move |format: &str| match now {
        Some(now) => Ok(now.format(format)),
        None => Err(Error::new(ErrorKind::InvalidOperation, "the time is not known here")),
    });
    Ok(environment)
}

/// What a template said through `raise_exception`.
#[derive(Debug)]
struct Raised(String);

impl fmt::Display for Raised {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Raised {}

fn failed(error: &Error) -> TextError {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(error) = cause {
        if let Some(Raised(message)) = error.downcast_ref() {
            return TextError::TemplateFailed { message: message.clone(), raised: true };
        }
        cause = error.source();
    }
    TextError::TemplateFailed { message: describe(error), raised: false }
}

fn describe(error: &Error) -> String {
    let mut message = error.kind().to_string();
    if let Some(detail) = error.detail() {
        message.push_str(": ");
        message.push_str(detail);
    }
    if let Some(line) = error.line() {
        message.push_str(&format!(" (line {line})"));
    }
    message
}

struct Bounded(Vec<u8>);

impl io::Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.0.len() + bytes.len() > LONGEST_OUTPUT {
            return Err(io::Error::other("the output is too long"));
        }
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
