//! Filters that differ from Jinja2's in the template engine's own library.

use super::python;
use minijinja::value::{Kwargs, Rest, Value};
use minijinja::{Environment, Error, ErrorKind};

pub(super) fn add_to(environment: &mut Environment<'_>) {
    environment.add_filter("tojson", tojson);
    environment.add_filter("string", |value: Value| python::str(&value));
    environment.add_filter("indent", indent);
    environment.add_filter("length", length);
    environment.add_filter("count", length);
}

fn tojson(value: Value, options: Kwargs) -> Result<String, Error> {
    let style = python::JsonStyle::from_options(&options)?;
    options.assert_all_used()?;
    python::json(&value, &style)
}

/// An undefined value has no items.
fn length(value: Value) -> Result<usize, Error> {
    if value.is_undefined() {
        return Ok(0);
    }
    value.len().ok_or_else(|| {
        let detail = format!("a value of type {} has no length", value.kind());
        Error::new(ErrorKind::InvalidOperation, detail)
    })
}

/// Jinja2 keeps the line break at the end of the text.
fn indent(text: String, arguments: Rest<Value>, options: Kwargs) -> Result<String, Error> {
    let option = |position: usize, name: &str| -> Result<Option<Value>, Error> {
        match arguments.get(position) {
            Some(value) => Ok(Some(value.clone())),
            None => options.get(name),
        }
    };
    let margin = match option(0, "width")? {
        None => " ".repeat(4),
        Some(width) => python::margin(&width)?,
    };
    let flag = |value: Option<Value>| value.is_some_and(|value| value.is_true());
    let (first, blank) = (flag(option(1, "first")?), flag(option(2, "blank")?));
    options.assert_all_used()?;

    let mut out = String::new();
    for (index, line) in text.split('\n').enumerate() {
        if index > 0 {
            out.push('\n');
        }
        let wanted = if index == 0 { first } else { blank || !line.is_empty() };
        if wanted {
            out.push_str(&margin);
        }
        out.push_str(line);
    }
    Ok(out)
}
