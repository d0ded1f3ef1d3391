//! Values as Python writes them: `str`, `repr` and `json.dumps`.

use super::growth;
use minijinja::value::{Kwargs, Value, ValueKind};
use minijinja::{Error, ErrorKind};
use std::fmt::Write;

/// Lists in lists: a template can build what is deeper than the stack.
const DEEPEST: usize = 200;

/// A JSON value for the template, keys in their order.
pub(super) fn from_json(value: &serde_json::Value) -> Value {
    use serde_json::Value as Json;
    match value {
        Json::Null => Value::from(()),
        Json::Bool(value) => Value::from(*value),
        Json::Number(number) => match (number.as_i64(), number.as_u64()) {
            (Some(value), _) => Value::from(value),
            (None, Some(value)) => Value::from(value),
            (None, None) => Value::from(number.as_f64().unwrap_or(f64::NAN)),
        },
        Json::String(value) => Value::from(value.as_str()),
        Json::Array(items) => items.iter().map(from_json).collect(),
        Json::Object(pairs) => {
            Value::from_pairs(pairs.iter().map(|(key, value)| (key.as_str(), from_json(value))))
        }
    }
}

/// Python's `str(value)`.
pub(super) fn str(value: &Value) -> Result<String, Error> {
    match value.as_str() {
        Some(text) => Ok(text.to_owned()),
        None if value.is_undefined() => Ok(String::new()),
        None => {
            let mut out = String::new();
            write_repr(value, 0, &mut out)?;
            Ok(out)
        }
    }
}

fn check(depth: usize, out: &str) -> Result<(), Error> {
    growth::check(out.len())?;
    if depth > DEEPEST { Err(invalid("a value is nested too deeply")) } else { Ok(()) }
}

fn write_repr(value: &Value, depth: usize, out: &mut String) -> Result<(), Error> {
    check(depth, out)?;
    match value.kind() {
        ValueKind::None => out.push_str("None"),
        ValueKind::Bool => out.push_str(if value.is_true() { "True" } else { "False" }),
        ValueKind::Number => write_number(value, out, ["nan", "inf", "-inf"]),
        ValueKind::String => write_quoted(value.as_str().unwrap_or_default(), out),
        ValueKind::Seq => {
            let (open, close) = if value.is_tuple() { ('(', ')') } else { ('[', ']') };
            out.push(open);
            for (index, item) in value.try_iter()?.enumerate() {
                if index > 0 {
                    out.push_str(", ");
                }
                write_repr(&item, depth + 1, out)?;
            }
            if value.is_tuple() && value.len() == Some(1) {
                out.push(',');
            }
            out.push(close);
        }
        ValueKind::Map => {
            out.push('{');
            for (index, key) in value.try_iter()?.enumerate() {
                if index > 0 {
                    out.push_str(", ");
                }
                write_repr(&key, depth + 1, out)?;
                out.push_str(": ");
                write_repr(&value.get_item(&key)?, depth + 1, out)?;
            }
            out.push('}');
        }
        _ => {
            let _ = write!(out, "{value}");
        }
    }
    Ok(())
}

fn write_quoted(text: &str, out: &mut String) {
    let quote = if text.contains('\'') && !text.contains('"') { '"' } else { '\'' };
    out.push(quote);
    for c in text.chars() {
        match c {
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\\' => out.push_str("\\\\"),
            c if c == quote => out.extend(['\\', c]),
            c if (c as u32) < 0x20 || (0x7F..0xA1).contains(&(c as u32)) || c == '\u{AD}' => {
                let _ = write!(out, "\\x{:02x}", c as u32);
            }
            c => out.push(c),
        }
    }
    out.push(quote);
}

fn write_number(value: &Value, out: &mut String, special: [&str; 3]) {
    if value.is_integer() {
        let _ = write!(out, "{value}");
        return;
    }
    let number = f64::try_from(value.clone()).unwrap_or(f64::NAN);
    if number.is_nan() {
        out.push_str(special[0]);
    } else if number.is_infinite() {
        out.push_str(special[if number > 0.0 { 1 } else { 2 }]);
    } else {
        write_float(number, out);
    }
}

/// Python's `repr` of a finite float: the shortest digits that give it back, with an exponent below
/// 1e-4 and from 1e16.
fn write_float(number: f64, out: &mut String) {
    let scientific = format!("{number:e}");
    let (digits, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let _ = if (-4..16).contains(&exponent) {
        write!(out, "{number:?}")
    } else {
        let sign = if exponent < 0 { '-' } else { '+' };
        write!(out, "{digits}e{sign}{:02}", exponent.abs())
    };
}

/// The arguments of `json.dumps` that transformers' `tojson` takes.
pub(super) struct JsonStyle {
    ascii: bool,
    indent: Option<String>,
    item_separator: String,
    key_separator: String,
    sort_keys: bool,
}

impl JsonStyle {
    pub(super) fn from_options(options: &Kwargs) -> Result<Self, Error> {
        let indent = match options.get::<Option<Value>>("indent")? {
            None => None,
            Some(value) if value.is_none() => None,
            Some(value) => Some(margin(&value)?),
        };
        let separators = options.get::<Option<Value>>("separators")?.filter(|v| !v.is_none());
        let (item_separator, key_separator) = match separators {
            None if indent.is_some() => (",".to_owned(), ": ".to_owned()),
            None => (", ".to_owned(), ": ".to_owned()),
            Some(pair) => (str(&pair.get_item_by_index(0)?)?, str(&pair.get_item_by_index(1)?)?),
        };
        Ok(Self {
            ascii: options.get::<Option<bool>>("ensure_ascii")?.unwrap_or(false),
            indent,
            item_separator,
            key_separator,
            sort_keys: options.get::<Option<bool>>("sort_keys")?.unwrap_or(false),
        })
    }
}

/// The white space before an indented line: a string, or a number of spaces.
pub(super) fn margin(width: &Value) -> Result<String, Error> {
    match (width.as_str(), width.as_i64()) {
        (Some(text), _) => Ok(text.to_owned()),
        // A template must not ask for a gigabyte of spaces.
        (None, Some(width)) => Ok(" ".repeat(width.clamp(0, 64) as usize)),
        (None, None) => Err(invalid("an indentation is a number or a string")),
    }
}

fn invalid(detail: &'static str) -> Error {
    Error::new(ErrorKind::InvalidOperation, detail)
}

/// Python's `json.dumps`.
pub(super) fn json(value: &Value, style: &JsonStyle) -> Result<String, Error> {
    let mut out = String::new();
    write_json(value, style, 0, &mut out)?;
    Ok(out)
}

fn write_json(
    value: &Value,
    style: &JsonStyle,
    depth: usize,
    out: &mut String,
) -> Result<(), Error> {
    check(depth, out)?;
    match value.kind() {
        ValueKind::None => out.push_str("null"),
        ValueKind::Bool => out.push_str(if value.is_true() { "true" } else { "false" }),
        ValueKind::Number => write_number(value, out, ["NaN", "Infinity", "-Infinity"]),
        ValueKind::String => {
            write_json_string(value.as_str().unwrap_or_default(), style.ascii, out)
        }
        ValueKind::Seq | ValueKind::Iterable => {
            let items = value.try_iter()?;
            write_items(items, ['[', ']'], style, depth, out, |item, out| {
                write_json(&item, style, depth + 1, out)
            })?;
        }
        ValueKind::Map => {
            let mut keys: Vec<Value> = value.try_iter()?.collect();
            if style.sort_keys {
                keys.sort();
            }
            write_items(keys.into_iter(), ['{', '}'], style, depth, out, |key, out| {
                match key.as_str() {
                    Some(text) => write_json_string(text, style.ascii, out),
                    None => {
                        out.push('"');
                        write_json(&key, style, depth + 1, out)?;
                        out.push('"');
                    }
                }
                out.push_str(&style.key_separator);
                write_json(&value.get_item(&key)?, style, depth + 1, out)
            })?;
        }
        _ => return Err(invalid("this value is not JSON serializable")),
    }
    Ok(())
}

fn write_items(
    items: impl Iterator<Item = Value>,
    [open, close]: [char; 2],
    style: &JsonStyle,
    depth: usize,
    out: &mut String,
    mut write: impl FnMut(Value, &mut String) -> Result<(), Error>,
) -> Result<(), Error> {
    let line = |depth: usize, out: &mut String| {
        if let Some(indent) = &style.indent {
            out.push('\n');
            out.extend(std::iter::repeat_n(indent.as_str(), depth));
        }
    };
    out.push(open);
    let mut empty = true;
    for item in items {
        if !empty {
            out.push_str(&style.item_separator);
        }
        empty = false;
        line(depth + 1, out);
        write(item, out)?;
    }
    if !empty {
        line(depth, out);
    }
    out.push(close);
    Ok(())
}

fn write_json_string(text: &str, ascii: bool, out: &mut String) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{8}' => out.push_str("\\b"),
            '\u{C}' => out.push_str("\\f"),
            c if (c as u32) < 0x20 || (ascii && !c.is_ascii()) || (ascii && c == '\u{7F}') => {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    let _ = write!(out, "\\u{unit:04x}");
                }
            }
            c => out.push(c),
        }
    }
    out.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn repr(value: serde_json::Value) -> String {
        str(&from_json(&value)).unwrap()
    }

    /// The right side is what CPython prints.
    #[test]
    fn as_python_prints() {
        assert_eq!(
            repr(json!({"b": [1, 2.0, true, null], "a": "it's"})),
            r#"{'b': [1, 2.0, True, None], 'a': "it's"}"#
        );
        assert_eq!(repr(json!(["a\"'\n\u{7}"])), r#"['a"\'\n\x07']"#);
        for (number, text) in [
            (1e16, "1e+16"),
            (1e15, "1000000000000000.0"),
            (1e-5, "1e-05"),
            (0.0001, "0.0001"),
            (1.5e300, "1.5e+300"),
            (-0.0, "-0.0"),
            (0.1, "0.1"),
        ] {
            assert_eq!(repr(json!(number)), text);
        }
    }
}
