use super::{Array, GgufError, Strings, Value};
use crate::weights::sorted_positions;
use std::borrow::Cow;

/// The metadata of a file, in file order and by key.
///
/// The typed accessors come in two kinds: `get_…` gives `None` for an absent key, `need_…` an
/// error. Both give an error, not a default, where the value is of another type. Integers of any
/// width that fits are accepted, because converters disagree about widths.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Metadata {
    pairs: Vec<(String, Value)>,
    by_key: Vec<u32>,
}

macro_rules! accessors {
    ($($(#[$doc:meta])* $get:ident, $need:ident: $out:ty, $wanted:literal, $read:expr;)*) => { $(
        $(#[$doc])*
        ///
        /// # Errors
        /// [`GgufError::WrongType`].
        pub fn $get(&self, key: &str) -> Result<Option<$out>, GgufError> {
            let Some(value) = self.get(key) else { return Ok(None) };
            let read: fn(&Value) -> Option<$out> = $read;
            read(value).map(Some).ok_or_else(|| GgufError::WrongType {
                key: key.into(),
                wanted: $wanted,
                found: value.describe(),
            })
        }

        $(#[$doc])*
        ///
        /// # Errors
        /// [`GgufError::MissingKey`], [`GgufError::WrongType`].
        pub fn $need(&self, key: &str) -> Result<$out, GgufError> {
            self.$get(key)?.ok_or_else(|| GgufError::MissingKey { key: key.into() })
        }
    )* };
}

impl Metadata {
    /// Metadata of these pairs, which keep their order.
    ///
    /// # Errors
    /// [`GgufError::DuplicateKey`].
    pub fn new(pairs: Vec<(String, Value)>) -> Result<Self, GgufError> {
        let by_key = sorted_positions(&pairs, |(key, _)| key)
            .map_err(|at| GgufError::DuplicateKey { key: pairs[at].0.clone() })?;
        Ok(Self { pairs, by_key })
    }

    /// The value of a key.
    pub fn get(&self, key: &str) -> Option<&Value> {
        let at = self.by_key.binary_search_by(|&at| self.pairs[at as usize].0.as_str().cmp(key));
        at.ok().map(|at| &self.pairs[self.by_key[at] as usize].1)
    }

    /// Whether the key is there.
    pub fn contains(&self, key: &str) -> bool {
        self.get(key).is_some()
    }

    /// The pairs in file order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &Value)> + Clone {
        self.pairs.iter().map(|(key, value)| (key.as_str(), value))
    }

    /// The number of pairs.
    pub fn len(&self) -> usize {
        self.pairs.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.pairs.is_empty()
    }

    accessors! {
        /// An integer as `u32`.
        get_u32, need_u32: u32, "an integer that fits u32",
            |value| value.as_integer().and_then(|v| v.try_into().ok());
        /// An integer as `u64`.
        get_u64, need_u64: u64, "an integer that fits u64",
            |value| value.as_integer().and_then(|v| v.try_into().ok());
        /// An integer as `i32`.
        get_i32, need_i32: i32, "an integer that fits i32",
            |value| value.as_integer().and_then(|v| v.try_into().ok());
        /// A float; an `f64` is rounded.
        get_f32, need_f32: f32, "a float", Value::as_f32;
        /// A truth value.
        get_bool, need_bool: bool, "a truth value",
            |value| if let Value::Bool(v) = value { Some(*v) } else { None };
        /// Text.
        get_str, need_str: &str, "a string", |value| value.as_str();
        /// An array of strings.
        get_strings, need_strings: &Strings, "an array of strings",
            |value| if let Value::Array(Array::String(v)) = value { Some(v) } else { None };
        /// An array of floats; `f64` elements are rounded.
        get_f32s, need_f32s: Cow<'_, [f32]>, "an array of floats",
            |value| match value.as_array()? {
                Array::F32(v) => Some(Cow::Borrowed(v.as_slice())),
                Array::F64(v) => Some(Cow::Owned(v.iter().map(|&v| v as f32).collect())),
                _ => None,
            };
        /// An array of integers as `i32`.
        get_i32s, need_i32s: Cow<'_, [i32]>, "an array of integers that fit i32",
            |value| match value.as_array()? {
                Array::I32(v) => Some(Cow::Borrowed(v.as_slice())),
                other => other.integers().map(Cow::Owned),
            };
        /// An array of integers as `u32`.
        get_u32s, need_u32s: Cow<'_, [u32]>, "an array of integers that fit u32",
            |value| match value.as_array()? {
                Array::U32(v) => Some(Cow::Borrowed(v.as_slice())),
                other => other.integers().map(Cow::Owned),
            };
        /// An array of truth values.
        get_bools, need_bools: &[bool], "an array of truth values",
            |value| if let Value::Array(Array::Bool(v)) = value { Some(v.as_slice()) } else { None };
    }
}
