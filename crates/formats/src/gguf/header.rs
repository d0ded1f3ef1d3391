//! The header as a state machine: what is read next, and what has been read.

use super::cursor::{Cursor, LittleEndian, Stop};
use super::limits::*;
use super::value::Kind;
use super::{Array, GgufError, Strings, Value, layout};
use crate::TensorInfo;

/// What a header has said so far.
#[derive(Default)]
pub(super) struct Header {
    pub(super) version: u32,
    metadata_left: u64,
    tensors_left: u64,
    nested: u64,
    pub(super) metadata: Vec<(String, Value)>,
    /// With offsets in the data section, as in the file.
    pub(super) tensors: Vec<TensorInfo>,
}

/// What comes next.
pub(super) enum Stage {
    Magic,
    Version,
    Counts,
    /// A metadata key and its value's type, or the first tensor, or the end.
    Next,
    Scalar {
        key: String,
        kind: Kind,
    },
    /// The type and length of an array; `open` are the arrays that it lies in.
    ArrayHead {
        key: String,
        open: Vec<Open>,
    },
    Elements {
        key: String,
        open: Vec<Open>,
        array: Array,
        left: u64,
    },
    End,
}

/// An array of arrays that is being read.
pub(super) struct Open {
    items: Vec<Array>,
    left: u64,
}

impl Header {
    /// Reads as many whole items as there are. `Ok` means the header has ended; on
    /// [`Stop::Short`] the stage says where to go on.
    pub(super) fn read(&mut self, stage: &mut Stage, cursor: &mut Cursor<'_>) -> Result<(), Stop> {
        loop {
            if let Stage::End = stage {
                return Ok(());
            }
            self.item(stage, cursor)?;
            cursor.commit();
        }
    }

    /// Reads one item. `stage` changes only when the item was whole.
    fn item(&mut self, stage: &mut Stage, cursor: &mut Cursor<'_>) -> Result<(), Stop> {
        match stage {
            Stage::Magic => {
                let found: [u8; 4] = cursor.u32()?.to_le_bytes();
                if found != *b"GGUF" {
                    return Err(GgufError::NotGguf { found }.into());
                }
                *stage = Stage::Version;
            }
            Stage::Version => {
                self.version = version(cursor.u32()?)?;
                *stage = Stage::Counts;
            }
            Stage::Counts => {
                let (tensors, metadata) = (cursor.u64()?, cursor.u64()?);
                self.tensors_left = within("number of tensors", tensors, MAX_TENSORS)?;
                self.metadata_left = within("number of metadata pairs", metadata, MAX_METADATA)?;
                *stage = Stage::Next;
            }
            Stage::Next if self.metadata_left > 0 => *stage = self.key(cursor)?,
            Stage::Next if self.tensors_left > 0 => {
                let tensor = layout::read(cursor)?;
                self.tensors.try_reserve(1).map_err(|_| no_memory::<TensorInfo>(1))?;
                self.tensors.push(tensor);
                self.tensors_left -= 1;
            }
            Stage::Next => *stage = Stage::End,
            Stage::Scalar { key, kind } => {
                let value = scalar(key, *kind, cursor)?;
                let key = std::mem::take(key);
                *stage = self.pair(key, value);
            }
            Stage::ArrayHead { key, open } => {
                let (kind, len) = (cursor.u32()?, cursor.u64()?);
                let kind = value_kind(key, kind)?;
                let left = within("length of an array", len, MAX_ARRAY_LEN)?;
                if !open.is_empty() {
                    self.nested += 1;
                }
                if open.len() >= MAX_ARRAY_DEPTH || self.nested > MAX_NESTED_ARRAYS {
                    return Err(GgufError::Nesting { key: key.clone() }.into());
                }
                let (key, mut open) = (std::mem::take(key), std::mem::take(open));
                *stage = if kind == Kind::Array && left > 0 {
                    open.push(Open { items: Vec::new(), left });
                    Stage::ArrayHead { key, open }
                } else {
                    Stage::Elements { key, open, array: Array::empty(kind), left }
                };
            }
            Stage::Elements { key, open, array, left } => {
                if *left > 0 {
                    *left -= elements(key, array, *left, cursor)?;
                }
                if *left == 0 {
                    shrink(array);
                    let array = std::mem::replace(array, Array::U8(Vec::new()));
                    let (key, open) = (std::mem::take(key), std::mem::take(open));
                    *stage = self.close(key, open, array);
                }
            }
            Stage::End => {}
        }
        Ok(())
    }

    fn key(&mut self, cursor: &mut Cursor<'_>) -> Result<Stage, Stop> {
        let key = cursor.string("length of a metadata key", MAX_KEY_BYTES)?;
        let kind = cursor.u32()?;
        let key = name("metadata key", key)?;
        Ok(match value_kind(&key, kind)? {
            Kind::Array => Stage::ArrayHead { key, open: Vec::new() },
            kind => Stage::Scalar { key, kind },
        })
    }

    fn pair(&mut self, key: String, value: Value) -> Stage {
        self.metadata.push((key, value));
        self.metadata_left -= 1;
        Stage::Next
    }

    /// Puts a finished array where it belongs: in the array around it, or in the metadata.
    fn close(&mut self, key: String, mut open: Vec<Open>, mut array: Array) -> Stage {
        while let Some(outer) = open.last_mut() {
            outer.items.push(array);
            outer.left -= 1;
            if outer.left > 0 {
                return Stage::ArrayHead { key, open };
            }
            array = Array::Array(std::mem::take(&mut outer.items));
            open.pop();
        }
        self.pair(key, Value::Array(array))
    }
}

fn version(version: u32) -> Result<u32, GgufError> {
    match version {
        2 | 3 => Ok(version),
        // A small number with its bytes the wrong way round.
        _ if version != 0 && version & 0xffff == 0 => Err(GgufError::BigEndian),
        _ => Err(GgufError::Version { version }),
    }
}

fn within(what: &'static str, found: u64, limit: u64) -> Result<u64, GgufError> {
    if found > limit { Err(GgufError::TooLarge { what, found, limit }) } else { Ok(found) }
}

fn value_kind(key: &str, id: u32) -> Result<Kind, GgufError> {
    Kind::from_id(id).ok_or_else(|| GgufError::UnknownValueType { key: key.into(), id })
}

/// A key or name: UTF-8 and not empty.
pub(super) fn name(what: &'static str, bytes: &[u8]) -> Result<String, GgufError> {
    match std::str::from_utf8(bytes) {
        Ok(text) if !text.is_empty() => Ok(text.into()),
        _ => Err(GgufError::BadName { what, text: String::from_utf8_lossy(bytes).into() }),
    }
}

fn no_memory<T>(elements: usize) -> GgufError {
    GgufError::OutOfMemory { bytes: (elements as u64).saturating_mul(size_of::<T>() as u64) }
}

fn truth(key: &str, found: u8) -> Result<bool, GgufError> {
    match found {
        0 | 1 => Ok(found == 1),
        _ => Err(GgufError::BadBool { key: key.into(), found }),
    }
}

fn scalar(key: &str, kind: Kind, cursor: &mut Cursor<'_>) -> Result<Value, Stop> {
    Ok(match kind {
        Kind::U8 => Value::U8(cursor.le()?),
        Kind::I8 => Value::I8(cursor.le()?),
        Kind::U16 => Value::U16(cursor.le()?),
        Kind::I16 => Value::I16(cursor.le()?),
        Kind::U32 => Value::U32(cursor.le()?),
        Kind::I32 => Value::I32(cursor.le()?),
        Kind::F32 => Value::F32(cursor.le()?),
        Kind::Bool => Value::Bool(truth(key, cursor.le()?)?),
        Kind::U64 => Value::U64(cursor.le()?),
        Kind::I64 => Value::I64(cursor.le()?),
        Kind::F64 => Value::F64(cursor.le()?),
        Kind::String => {
            let bytes = cursor.string("length of a string", MAX_STRING_BYTES)?;
            Value::String(String::from_utf8_lossy(bytes).into())
        }
        // `Header::key` sends arrays to `Stage::ArrayHead`.
        Kind::Array => Value::Array(Array::Array(Vec::new())),
    })
}

/// Appends the elements that are there, at least one and at most `left`; their number.
fn elements(key: &str, array: &mut Array, left: u64, cursor: &mut Cursor<'_>) -> Result<u64, Stop> {
    match array {
        Array::U8(out) => plain(out, left, cursor),
        Array::I8(out) => plain(out, left, cursor),
        Array::U16(out) => plain(out, left, cursor),
        Array::I16(out) => plain(out, left, cursor),
        Array::U32(out) => plain(out, left, cursor),
        Array::I32(out) => plain(out, left, cursor),
        Array::F32(out) => plain(out, left, cursor),
        Array::U64(out) => plain(out, left, cursor),
        Array::I64(out) => plain(out, left, cursor),
        Array::F64(out) => plain(out, left, cursor),
        Array::Bool(out) => {
            let mut bytes: Vec<u8> = Vec::new();
            let count = plain(&mut bytes, left, cursor)?;
            out.try_reserve(bytes.len()).map_err(|_| no_memory::<bool>(bytes.len()))?;
            for byte in bytes {
                out.push(truth(key, byte)?);
            }
            Ok(count)
        }
        Array::String(out) => strings(out, left, cursor),
        // Arrays of arrays are read by `Stage::ArrayHead`.
        Array::Array(_) => Ok(left),
    }
}

fn plain<T: LittleEndian>(
    out: &mut Vec<T>,
    left: u64,
    cursor: &mut Cursor<'_>,
) -> Result<u64, Stop> {
    let count = left.min((cursor.rest() / T::SIZE) as u64).max(1);
    let bytes = cursor.take(count * T::SIZE as u64)?;
    out.try_reserve(count as usize).map_err(|_| no_memory::<T>(count as usize))?;
    out.extend(bytes.chunks_exact(T::SIZE).map(T::read));
    Ok(count)
}

fn strings(out: &mut Strings, left: u64, cursor: &mut Cursor<'_>) -> Result<u64, Stop> {
    let mut count = 0;
    while count < left {
        let bytes = match cursor.string("length of a string", MAX_STRING_BYTES) {
            Ok(bytes) => bytes,
            Err(Stop::Short(_)) if count > 0 => {
                cursor.rewind();
                break;
            }
            Err(stop) => return Err(stop),
        };
        out.push(bytes).map_err(|bytes| GgufError::OutOfMemory { bytes })?;
        // At each one: the next may be cut off.
        cursor.commit();
        count += 1;
    }
    Ok(count)
}

/// Gives back what doubling reserved too much; matters for arrays of a vocabulary's size.
fn shrink(array: &mut Array) {
    match array {
        Array::U8(v) => v.shrink_to_fit(),
        Array::I8(v) => v.shrink_to_fit(),
        Array::U16(v) => v.shrink_to_fit(),
        Array::I16(v) => v.shrink_to_fit(),
        Array::U32(v) => v.shrink_to_fit(),
        Array::I32(v) => v.shrink_to_fit(),
        Array::F32(v) => v.shrink_to_fit(),
        Array::Bool(v) => v.shrink_to_fit(),
        Array::String(v) => v.shrink(),
        Array::Array(v) => v.shrink_to_fit(),
        Array::U64(v) => v.shrink_to_fit(),
        Array::I64(v) => v.shrink_to_fit(),
        Array::F64(v) => v.shrink_to_fit(),
    }
}
