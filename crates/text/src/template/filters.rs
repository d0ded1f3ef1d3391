//! Filters that differ from Jinja2's in the template engine's own library.

use super::growth::LONGEST;
use super::{growth, python, rewrite};
use minijinja::value::{Kwargs, Rest, Value, ValueKind};
use minijinja::{Environment, Error, ErrorKind, State};

pub(super) fn add_to(environment: &mut Environment<'_>) {
    environment.add_filter(rewrite::BOUNDED, bounded);
    environment.add_filter("tojson", tojson);
    environment.add_filter("indent", indent);
    environment.add_filter("default", default);
    environment.add_filter("d", default);
    environment.add_filter("int", int);
    environment.add_filter("float", float);
    environment.add_filter("sort", sort);
    environment.add_filter("length", length);
    environment.add_filter("count", length);
}

/// Lists in lists: what is deeper overflows the stack when it is released.
const DEEPEST: usize = 100;

/// Values in a value.
const MOST: usize = 1_000_000;

/// Items of a list, or characters of a string, to be sorted: a comparison is not counted as a step.
const MOST_SORTED: usize = 20_000;

/// The value, if it is not too large to be kept.
fn bounded(value: Value) -> Result<Value, Error> {
    let mut left = MOST;
    measure(&value, 0, &mut left)?;
    Ok(value)
}

fn measure(value: &Value, depth: usize, left: &mut usize) -> Result<(), Error> {
    let too_much = |what| Err(Error::new(ErrorKind::InvalidOperation, what));
    if depth > DEEPEST {
        return too_much("a value is nested too deep");
    }
    *left = left.saturating_sub(1);
    if *left == 0 {
        return too_much("a value has too many parts");
    }
    match value.kind() {
        ValueKind::String if value.as_str().is_some_and(|text| text.len() > LONGEST) => {
            too_much("a string is too long")
        }
        ValueKind::Seq => {
            for item in value.try_iter()? {
                measure(&item, depth + 1, left)?;
            }
            Ok(())
        }
        ValueKind::Map => {
            for key in value.try_iter()? {
                measure(&value.get_item(&key)?, depth + 1, left)?;
            }
            Ok(())
        }
        _ => Ok(()),
    }
}

fn tojson(value: Value, options: Kwargs) -> Result<String, Error> {
    let style = python::JsonStyle::from_options(&options)?;
    options.assert_all_used()?;
    python::json(&value, &style)
}

/// The arguments of a filter by name, those without a name in the order of `names`.
pub(super) fn named(names: &[&str], given: Rest<Value>, options: Kwargs) -> Result<Kwargs, Error> {
    if given.len() > names.len() {
        return Err(Error::from(ErrorKind::TooManyArguments));
    }
    let mut all: Vec<(String, Value)> =
        names.iter().map(|&name| name.to_owned()).zip(given.0).collect();
    for name in options.args() {
        all.push((name.to_owned(), options.get(name)?));
    }
    Ok(all.into_iter().collect())
}

fn default(value: Value, given: Rest<Value>, options: Kwargs) -> Result<Value, Error> {
    let options = named(&["default_value", "boolean"], given, options)?;
    let other: Option<Value> = options.get("default_value")?;
    let falsy = options.get::<Option<Value>>("boolean")?.is_some_and(|value| value.is_true());
    options.assert_all_used()?;
    if value.is_undefined() || (falsy && !value.is_true()) {
        return Ok(other.unwrap_or_else(|| Value::from("")));
    }
    Ok(value)
}

/// What is no number is the default.
fn int(value: Value, given: Rest<Value>, options: Kwargs) -> Result<Value, Error> {
    let options = named(&["default", "base"], given, options)?;
    let other: Option<Value> = options.get("default")?;
    let base: u32 = options.get::<Option<u32>>("base")?.unwrap_or(10).clamp(2, 36);
    options.assert_all_used()?;
    let number = match value.as_str() {
        Some(text) => {
            let text = text.trim();
            let whole = i64::from_str_radix(text, base).ok();
            whole.or_else(|| text.parse::<f64>().ok().map(|number| number as i64))
        }
        None if value.is_integer() => return Ok(value),
        None if value.kind() == ValueKind::Bool => Some(i64::from(value.is_true())),
        None => f64::try_from(value).ok().map(|number| number as i64),
    };
    Ok(number.map(Value::from).or(other).unwrap_or_else(|| Value::from(0)))
}

/// What is no number is the default.
fn float(value: Value, given: Rest<Value>, options: Kwargs) -> Result<Value, Error> {
    let options = named(&["default"], given, options)?;
    let other: Option<Value> = options.get("default")?;
    options.assert_all_used()?;
    let number = match value.as_str() {
        Some(text) => text.trim().parse::<f64>().ok(),
        None if value.kind() == ValueKind::Bool => Some(f64::from(u8::from(value.is_true()))),
        None => f64::try_from(value).ok(),
    };
    Ok(number.map(Value::from).or(other).unwrap_or_else(|| Value::from(0.0)))
}

/// Its arguments may come without names.
fn sort(
    state: &State<'_, '_>,
    value: Value,
    given: Rest<Value>,
    options: Kwargs,
) -> Result<Value, Error> {
    let options = named(&["reverse", "case_sensitive", "attribute"], given, options)?;
    if value.len().is_some_and(|items| items > MOST_SORTED) {
        return Err(Error::new(ErrorKind::InvalidOperation, "too many items to sort"));
    }
    minijinja::filters::sort(state, value, options)
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
        growth::check(out.len())?;
    }
    Ok(out)
}
