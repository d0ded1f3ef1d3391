use super::Strings;
use std::fmt;

/// The type of a metadata value, as its id in the file (`gguf_metadata_value_type`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    U8,
    I8,
    U16,
    I16,
    U32,
    I32,
    F32,
    Bool,
    String,
    Array,
    U64,
    I64,
    F64,
}

impl Kind {
    const BY_ID: [Self; 13] = [
        Self::U8,
        Self::I8,
        Self::U16,
        Self::I16,
        Self::U32,
        Self::I32,
        Self::F32,
        Self::Bool,
        Self::String,
        Self::Array,
        Self::U64,
        Self::I64,
        Self::F64,
    ];

    pub(super) fn from_id(id: u32) -> Option<Self> {
        Self::BY_ID.get(id as usize).copied()
    }

    pub(super) fn id(self) -> u32 {
        self as u32
    }

    fn name(self) -> &'static str {
        match self {
            Self::U8 => "u8",
            Self::I8 => "i8",
            Self::U16 => "u16",
            Self::I16 => "i16",
            Self::U32 => "u32",
            Self::I32 => "i32",
            Self::F32 => "f32",
            Self::Bool => "bool",
            Self::String => "string",
            Self::Array => "array",
            Self::U64 => "u64",
            Self::I64 => "i64",
            Self::F64 => "f64",
        }
    }
}

/// A metadata value, in the width the file has.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs, reason = "the variants are GGUF's own types")]
pub enum Value {
    U8(u8),
    I8(i8),
    U16(u16),
    I16(i16),
    U32(u32),
    I32(i32),
    F32(f32),
    Bool(bool),
    /// Text; bytes that are not UTF-8 became U+FFFD.
    String(String),
    Array(Array),
    U64(u64),
    I64(i64),
    F64(f64),
}

impl Value {
    pub(super) fn kind(&self) -> Kind {
        match self {
            Self::U8(_) => Kind::U8,
            Self::I8(_) => Kind::I8,
            Self::U16(_) => Kind::U16,
            Self::I16(_) => Kind::I16,
            Self::U32(_) => Kind::U32,
            Self::I32(_) => Kind::I32,
            Self::F32(_) => Kind::F32,
            Self::Bool(_) => Kind::Bool,
            Self::String(_) => Kind::String,
            Self::Array(_) => Kind::Array,
            Self::U64(_) => Kind::U64,
            Self::I64(_) => Kind::I64,
            Self::F64(_) => Kind::F64,
        }
    }

    /// The value as an integer, whatever its width; `None` for other types.
    pub fn as_integer(&self) -> Option<i128> {
        Some(match *self {
            Self::U8(v) => v.into(),
            Self::I8(v) => v.into(),
            Self::U16(v) => v.into(),
            Self::I16(v) => v.into(),
            Self::U32(v) => v.into(),
            Self::I32(v) => v.into(),
            Self::U64(v) => v.into(),
            Self::I64(v) => v.into(),
            _ => return None,
        })
    }

    /// The value as a float (an `f64` is rounded); `None` for other types.
    pub fn as_f32(&self) -> Option<f32> {
        match *self {
            Self::F32(v) => Some(v),
            Self::F64(v) => Some(v as f32),
            _ => None,
        }
    }

    /// The text, if it is one.
    pub fn as_str(&self) -> Option<&str> {
        if let Self::String(text) = self { Some(text) } else { None }
    }

    /// The array, if it is one.
    pub fn as_array(&self) -> Option<&Array> {
        if let Self::Array(array) = self { Some(array) } else { None }
    }

    /// What it is, for messages: its type, with the value where that is short.
    pub(super) fn describe(&self) -> String {
        match self {
            Self::String(_) => "a string".into(),
            Self::Array(array) => format!("an array of {} {}", array.len(), array.kind().name()),
            Self::Bool(v) => format!("bool {v}"),
            Self::F32(v) => format!("f32 {v}"),
            Self::F64(v) => format!("f64 {v}"),
            _ => format!("{} {}", self.kind().name(), self.as_integer().unwrap_or(0)),
        }
    }
}

/// Prints plain values as they are and arrays as their first elements and their length.
impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::String(text) => write!(f, "{text:?}"),
            Self::Bool(v) => write!(f, "{v}"),
            Self::F32(v) => write!(f, "{v}"),
            Self::F64(v) => write!(f, "{v}"),
            Self::Array(array) => write!(f, "{array}"),
            _ => write!(f, "{}", self.as_integer().unwrap_or(0)),
        }
    }
}

/// An array of metadata values of one type.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs, reason = "the variants are GGUF's own types")]
pub enum Array {
    U8(Vec<u8>),
    I8(Vec<i8>),
    U16(Vec<u16>),
    I16(Vec<i16>),
    U32(Vec<u32>),
    I32(Vec<i32>),
    F32(Vec<f32>),
    Bool(Vec<bool>),
    String(Strings),
    Array(Vec<Array>),
    U64(Vec<u64>),
    I64(Vec<i64>),
    F64(Vec<f64>),
}

impl Array {
    pub(super) fn empty(kind: Kind) -> Self {
        match kind {
            Kind::U8 => Self::U8(Vec::new()),
            Kind::I8 => Self::I8(Vec::new()),
            Kind::U16 => Self::U16(Vec::new()),
            Kind::I16 => Self::I16(Vec::new()),
            Kind::U32 => Self::U32(Vec::new()),
            Kind::I32 => Self::I32(Vec::new()),
            Kind::F32 => Self::F32(Vec::new()),
            Kind::Bool => Self::Bool(Vec::new()),
            Kind::String => Self::String(Strings::default()),
            Kind::Array => Self::Array(Vec::new()),
            Kind::U64 => Self::U64(Vec::new()),
            Kind::I64 => Self::I64(Vec::new()),
            Kind::F64 => Self::F64(Vec::new()),
        }
    }

    pub(super) fn kind(&self) -> Kind {
        match self {
            Self::U8(_) => Kind::U8,
            Self::I8(_) => Kind::I8,
            Self::U16(_) => Kind::U16,
            Self::I16(_) => Kind::I16,
            Self::U32(_) => Kind::U32,
            Self::I32(_) => Kind::I32,
            Self::F32(_) => Kind::F32,
            Self::Bool(_) => Kind::Bool,
            Self::String(_) => Kind::String,
            Self::Array(_) => Kind::Array,
            Self::U64(_) => Kind::U64,
            Self::I64(_) => Kind::I64,
            Self::F64(_) => Kind::F64,
        }
    }

    /// The number of elements.
    pub fn len(&self) -> usize {
        match self {
            Self::U8(v) => v.len(),
            Self::I8(v) => v.len(),
            Self::U16(v) => v.len(),
            Self::I16(v) => v.len(),
            Self::U32(v) => v.len(),
            Self::I32(v) => v.len(),
            Self::F32(v) => v.len(),
            Self::Bool(v) => v.len(),
            Self::String(v) => v.len(),
            Self::Array(v) => v.len(),
            Self::U64(v) => v.len(),
            Self::I64(v) => v.len(),
            Self::F64(v) => v.len(),
        }
    }

    /// Whether it has no elements.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The elements as another integer type; `None` if they are no integers or one does not fit.
    pub(super) fn integers<T>(&self) -> Option<Vec<T>>
    where
        T: TryFrom<u8>
            + TryFrom<i8>
            + TryFrom<u16>
            + TryFrom<i16>
            + TryFrom<u32>
            + TryFrom<i32>
            + TryFrom<u64>
            + TryFrom<i64>,
    {
        fn all<S: Copy, T: TryFrom<S>>(values: &[S]) -> Option<Vec<T>> {
            values.iter().map(|&v| T::try_from(v).ok()).collect()
        }
        match self {
            Self::U8(v) => all(v),
            Self::I8(v) => all(v),
            Self::U16(v) => all(v),
            Self::I16(v) => all(v),
            Self::U32(v) => all(v),
            Self::I32(v) => all(v),
            Self::U64(v) => all(v),
            Self::I64(v) => all(v),
            _ => None,
        }
    }
}

impl fmt::Display for Array {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SHOWN: usize = 4;
        fn head<T: fmt::Debug>(f: &mut fmt::Formatter<'_>, values: &[T]) -> fmt::Result {
            let shown = values.iter().take(SHOWN);
            shown.enumerate().try_for_each(|(at, v)| {
                f.write_str(if at == 0 { "" } else { ", " })?;
                write!(f, "{v:?}")
            })
        }
        f.write_str("[")?;
        match self {
            Self::U8(v) => head(f, v)?,
            Self::I8(v) => head(f, v)?,
            Self::U16(v) => head(f, v)?,
            Self::I16(v) => head(f, v)?,
            Self::U32(v) => head(f, v)?,
            Self::I32(v) => head(f, v)?,
            Self::F32(v) => head(f, v)?,
            Self::Bool(v) => head(f, v)?,
            Self::String(v) => head(f, &v.iter().take(SHOWN).collect::<Vec<_>>())?,
            Self::Array(v) => v.iter().take(SHOWN).try_for_each(|inner| write!(f, "{inner} "))?,
            Self::U64(v) => head(f, v)?,
            Self::I64(v) => head(f, v)?,
            Self::F64(v) => head(f, v)?,
        }
        f.write_str(if self.len() > SHOWN { ", …]" } else { "]" })?;
        write!(f, " ({} × {})", self.len(), self.kind().name())
    }
}

macro_rules! from_plain {
    ($($plain:ty => $variant:ident),*) => { $(
        impl From<$plain> for Value {
            fn from(value: $plain) -> Self {
                Self::$variant(value)
            }
        }
        impl From<Vec<$plain>> for Value {
            fn from(values: Vec<$plain>) -> Self {
                Self::Array(Array::$variant(values))
            }
        }
    )* };
}

from_plain!(u8 => U8, i8 => I8, u16 => U16, i16 => I16, u32 => U32, i32 => I32, f32 => F32,
    bool => Bool, u64 => U64, i64 => I64, f64 => F64);

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::String(text.into())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::String(text)
    }
}

impl From<Strings> for Value {
    fn from(strings: Strings) -> Self {
        Self::Array(Array::String(strings))
    }
}
