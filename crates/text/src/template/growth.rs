//! Everything by which a template makes a longer value, with bounds: one string's length, and all
//! that one rendering makes.

use super::python;
use minijinja::formatting::{FormatStyle, format};
use minijinja::value::{Kwargs, Rest, Tuple, Value, ValueKind};
use minijinja::{Environment, Error, ErrorKind, State, filters};
use minijinja_contrib::pycompat::unknown_method_callback;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

pub(super) const CONCAT: &str = "_sidestage_concat";
pub(super) const TIMES: &str = "_sidestage_times";
pub(super) const SUM: &str = "_sidestage_sum";

/// Bytes of one string.
pub(super) const LONGEST: usize = 16 << 20;

/// Items of a repeated list.
const MOST: usize = 1_000_000;

/// Bytes of all strings that one rendering makes. They may all be held at once.
const ALL: usize = 128 << 20;

fn refused(what: &'static str) -> Error {
    Error::new(ErrorKind::InvalidOperation, what)
}

/// Refuses a string of so many bytes if it is too long.
pub(super) fn check(length: usize) -> Result<(), Error> {
    if length > LONGEST { Err(refused("a string is too long")) } else { Ok(()) }
}

/// What one rendering may still make.
#[derive(Clone)]
pub(super) struct Budget(Arc<AtomicUsize>);

impl Budget {
    pub(super) fn new() -> Self {
        Self(Arc::new(AtomicUsize::new(ALL)))
    }

    /// Takes the bytes of one string.
    pub(super) fn spend(&self, length: usize) -> Result<(), Error> {
        check(length)?;
        // One rendering is on one thread.
        let left = self.0.load(Ordering::Relaxed).checked_sub(length);
        self.0.store(left.unwrap_or(0), Ordering::Relaxed);
        left.map(|_| ()).ok_or_else(|| refused("the template makes too much text"))
    }

    fn keep(&self, text: String) -> Result<Value, Error> {
        self.spend(text.len())?;
        Ok(Value::from(text))
    }

    fn keep_value(&self, value: Value) -> Result<Value, Error> {
        self.spend(value.as_str().map_or(0, str::len))?;
        Ok(value)
    }

    /// The filters of operators, and those that make strings from strings.
    pub(super) fn add_to(&self, environment: &mut Environment<'_>) {
        let budget = self.clone();
        environment.add_filter(CONCAT, move |first: Value, others: Rest<Value>| {
            budget.join(std::iter::once(first).chain(others.0), "")
        });
        let budget = self.clone();
        environment.add_filter(TIMES, move |a: Value, b: Value| budget.times(&a, &b));
        let budget = self.clone();
        environment.add_filter(SUM, move |value: Value| budget.keep_value(value));
        let budget = self.clone();
        environment.add_filter("join", move |value: Value, given: Rest<Value>, options: Kwargs| {
            let options = super::filters::named(&["d", "attribute"], given, options)?;
            let between: Option<Value> = options.get("d")?;
            let between = between.map(|value| python::str(&value)).transpose()?.unwrap_or_default();
            let attribute: Option<String> = options.get("attribute")?;
            options.assert_all_used()?;
            if value.is_undefined() {
                return Ok(Value::from(""));
            }
            let Some(attribute) = attribute else {
                return budget.join(value.try_iter()?, &between);
            };
            let mut items = Vec::new();
            for item in value.try_iter()? {
                let mut names = attribute.split('.');
                items.push(names.try_fold(item, |item, name| item.get_attr(name))?);
            }
            budget.join(items.into_iter(), &between)
        });
        let budget = self.clone();
        let replace = move |value: Value, old: Value, new: Value, count: Option<usize>| {
            let [value, old, new] = [&value, &old, &new].map(python::str);
            budget.replace(&value?, &old?, &new?, count)
        };
        environment.add_filter("replace", replace);
        let budget = self.clone();
        environment.add_filter("upper", move |value: Value| {
            budget.keep(python::str(&value)?.to_uppercase())
        });
        let budget = self.clone();
        environment.add_filter("lower", move |value: Value| {
            budget.keep(python::str(&value)?.to_lowercase())
        });
        let budget = self.clone();
        environment.add_filter("title", move |value: Value| {
            budget.keep(filters::title(python::str(&value)?.into()))
        });
        let budget = self.clone();
        environment.add_filter("string", move |value: Value| budget.keep(python::str(&value)?));
        let budget = self.clone();
        environment.add_filter("trim", move |value: Value, chars: Option<String>| {
            let text = python::str(&value)?;
            let trimmed = match chars {
                Some(chars) => text.trim_matches(|c| chars.contains(c)),
                None => text.trim(),
            };
            budget.keep(trimmed.to_owned())
        });
        for name in ["escape", "e"] {
            let budget = self.clone();
            let escape = move |state: &mut State<'_, '_>, value: Value| {
                budget.keep_value(filters::escape(state, &value)?)
            };
            environment.add_filter(name, escape);
        }
        let budget = self.clone();
        environment.add_filter("format", move |value: Value, arguments: Rest<Value>| {
            let text = value.as_str().ok_or_else(|| refused("a format is a string"))?;
            check(formatted(text, &arguments)?)?;
            budget.keep(format(FormatStyle::Printf, text, &arguments)?)
        });
        let budget = self.clone();
        environment.set_unknown_method_callback(move |state, value, method, arguments| {
            budget.method(state, value, method, arguments)
        });
    }

    fn join(&self, items: impl Iterator<Item = Value>, between: &str) -> Result<Value, Error> {
        let mut out = String::new();
        for (index, item) in items.enumerate() {
            if index > 0 {
                out.push_str(between);
            }
            match item.as_str() {
                Some(text) => {
                    check(out.len() + text.len())?;
                    out.push_str(text);
                }
                None => out.push_str(&python::str(&item)?),
            }
            check(out.len())?;
        }
        self.keep(out)
    }

    fn replace(
        &self,
        text: &str,
        old: &str,
        new: &str,
        count: Option<usize>,
    ) -> Result<Value, Error> {
        let found = text.matches(old).count().min(count.unwrap_or(usize::MAX));
        check(text.len() + found.saturating_mul(new.len().saturating_sub(old.len())))?;
        self.keep(text.replacen(old, new, found))
    }

    /// Python's `*`.
    fn times(&self, a: &Value, b: &Value) -> Result<Value, Error> {
        let (repeated, count) = match (a.kind(), b.kind()) {
            (ValueKind::String | ValueKind::Seq | ValueKind::Iterable, _) => (a, b),
            (_, ValueKind::String | ValueKind::Seq | ValueKind::Iterable) => (b, a),
            _ => return product(a, b),
        };
        let count = count.as_i64().ok_or_else(|| refused("only a number can repeat a value"))?;
        let count = usize::try_from(count).unwrap_or(0);
        if let Some(text) = repeated.as_str() {
            self.spend(text.len().saturating_mul(count))?;
            return Ok(Value::from(text.repeat(count)));
        }
        let items: Vec<Value> = repeated.try_iter()?.take(MOST + 1).collect();
        let length = items.len().saturating_mul(count);
        if length > MOST {
            return Err(refused("a repeated list is too long"));
        }
        self.spend(length * size_of::<Value>())?;
        let items: Vec<Value> = items.iter().cycle().take(length).cloned().collect();
        Ok(if repeated.is_tuple() { Value::from(Tuple::from(items)) } else { Value::from(items) })
    }

    /// A method of Python's that the template engine does not know itself.
    fn method(
        &self,
        state: &mut State<'_, '_>,
        value: &Value,
        method: &str,
        arguments: &[Value],
    ) -> Result<Value, Error> {
        let strings = (
            value.as_str(),
            arguments.first().and_then(Value::as_str),
            arguments.get(1).and_then(Value::as_str),
        );
        match (method, strings) {
            ("replace", (Some(text), Some(old), Some(new))) => {
                let count = arguments.get(2).and_then(Value::as_i64);
                return self.replace(text, old, new, count.and_then(|n| n.try_into().ok()));
            }
            ("join", (Some(between), ..)) if arguments.len() == 1 => {
                return self.join(arguments[0].try_iter()?, between);
            }
            ("format", (Some(text), ..)) => check(formatted(text, arguments)?)?,
            _ => {}
        }
        self.keep_value(unknown_method_callback(state, value, method, arguments)?)
    }
}

/// The most bytes that a format string may give: each number in it could be a width, each argument
/// printed at each place.
pub(super) fn formatted(text: &str, arguments: &[Value]) -> Result<usize, Error> {
    let numbers = text.split(|c: char| !c.is_ascii_digit()).filter(|digits| !digits.is_empty());
    let widths = numbers.map(|digits| digits.parse().unwrap_or(usize::MAX));
    let widths = widths.fold(0, usize::saturating_add);
    let mut longest = 0;
    for argument in arguments {
        let width = argument.as_usize().filter(|_| text.contains(['*', '{']));
        longest = longest.max(python::str(argument)?.len()).max(width.unwrap_or(0));
    }
    let places = text.matches(['%', '{']).count();
    Ok(text.len().saturating_add(widths).saturating_add(places.saturating_mul(longest)))
}

fn product(a: &Value, b: &Value) -> Result<Value, Error> {
    let wrong = || refused("these values cannot be multiplied");
    let is_number = |value: &Value| matches!(value.kind(), ValueKind::Number | ValueKind::Bool);
    if !is_number(a) || !is_number(b) {
        return Err(wrong());
    }
    let whole = |value: &Value| match value.kind() {
        ValueKind::Bool => Some(i128::from(value.is_true())),
        _ if value.is_integer() => i128::try_from(value.clone()).ok(),
        _ => None,
    };
    let Some((left, right)) = whole(a).zip(whole(b)) else {
        let float = |value: &Value| match whole(value) {
            Some(number) => Ok(number as f64),
            None => f64::try_from(value.clone()),
        };
        return Ok(Value::from(float(a)? * float(b)?));
    };
    let number = left.checked_mul(right).ok_or_else(wrong)?;
    Ok(i64::try_from(number).map_or_else(|_| Value::from(number), Value::from))
}
