use super::value::Kind;
use super::{Array, GgufError, Value, layout, limits};
use crate::{TensorInfo, WeightIndex};
use sidestage_tensor::DType;
use std::fmt;
use std::io::{self, Write};

/// Writes a GGUF file: first everything about it, then the tensors' bytes as a stream.
///
/// ```
/// use sidestage_formats::gguf::{Gguf, GgufWriter};
/// use sidestage_tensor::DType;
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let mut file = Vec::new();
/// let mut body = GgufWriter::new()
///     .metadata("general.architecture", "llama")
///     .tensor("output_norm.weight", DType::F32, &[2])
///     .begin(&mut file)?;
/// body.write(&[0; 8])?;
/// body.finish()?;
/// assert_eq!(Gguf::parse(&file)?.tensors.len(), 1);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct GgufWriter {
    version: u32,
    metadata: Vec<(String, Value)>,
    tensors: Vec<(String, DType, Vec<u64>)>,
}

impl Default for GgufWriter {
    fn default() -> Self {
        Self::new()
    }
}

impl GgufWriter {
    /// An empty file of version 3.
    pub fn new() -> Self {
        Self { version: 3, metadata: Vec::new(), tensors: Vec::new() }
    }

    /// Another version: 2 has the same layout, others are refused by [`GgufWriter::begin`].
    pub fn version(mut self, version: u32) -> Self {
        self.version = version;
        self
    }

    /// Adds a pair. `general.alignment` takes effect.
    pub fn metadata(mut self, key: impl Into<String>, value: impl Into<Value>) -> Self {
        self.metadata.push((key.into(), value.into()));
        self
    }

    /// Adds a tensor, its extents outermost first. Tensors lie in the file in this order.
    pub fn tensor(mut self, name: impl Into<String>, dtype: DType, extents: &[u64]) -> Self {
        self.tensors.push((name.into(), dtype, extents.into()));
        self
    }

    /// Writes the header to `out`. The tensors' bytes follow through the value returned.
    ///
    /// # Errors
    /// [`WriteError::Invalid`] for what a reader would refuse, [`WriteError::Io`] from `out`.
    pub fn begin<W: Write>(self, mut out: W) -> Result<GgufBody<W>, WriteError> {
        let metadata = super::Metadata::new(self.metadata)?;
        let alignment = layout::alignment(&metadata)?;
        if !matches!(self.version, 2 | 3) {
            return Err(GgufError::Version { version: self.version }.into());
        }
        let mut head = b"GGUF".to_vec();
        head.extend(self.version.to_le_bytes());
        head.extend((self.tensors.len() as u64).to_le_bytes());
        head.extend((metadata.len() as u64).to_le_bytes());
        for (key, value) in metadata.iter() {
            name("metadata key", key)?;
            string(&mut head, key.as_bytes());
            head.extend(value.kind().id().to_le_bytes());
            put(&mut head, value);
        }
        let mut tensors: Vec<TensorInfo> = Vec::with_capacity(self.tensors.len());
        let mut next = 0_u64;
        for (tensor, dtype, extents) in self.tensors {
            name("tensor name", &tensor)?;
            let rank = extents.len() as u32;
            if rank > limits::MAX_RANK {
                return Err(GgufError::Rank { tensor, rank }.into());
            }
            let bytes = layout::bytes(&tensor, dtype, &extents)?;
            let Some(id) = dtype.ggml_id() else {
                return Err(WriteError::NotStorable { tensor, dtype });
            };
            string(&mut head, tensor.as_bytes());
            head.extend(rank.to_le_bytes());
            extents.iter().rev().for_each(|extent| head.extend(extent.to_le_bytes()));
            head.extend(id.to_le_bytes());
            head.extend(next.to_le_bytes());
            let offset = next;
            let end =
                next.checked_add(bytes).and_then(|end| end.checked_next_multiple_of(alignment));
            next = end.ok_or_else(|| GgufError::OutOfRange { tensor: tensor.clone(), offset })?;
            tensors.push(TensorInfo { name: tensor, dtype, extents, offset, bytes });
        }
        if !tensors.is_empty() {
            head.resize(head.len().next_multiple_of(alignment as usize), 0);
        }
        let data_offset = head.len() as u64;
        layout::place(&mut tensors, data_offset, alignment)?;
        let tensors = WeightIndex::new(tensors)
            .map_err(|twice| GgufError::DuplicateTensor { tensor: twice.name })?;
        out.write_all(&head)?;
        Ok(GgufBody { out, tensors, alignment, at: 0, written: 0 })
    }
}

/// A file whose header is written and whose tensors are being written.
#[derive(Debug)]
pub struct GgufBody<W> {
    out: W,
    tensors: WeightIndex,
    alignment: u64,
    /// The tensor being written, and how much of it there is.
    at: usize,
    written: u64,
}

impl<W: Write> GgufBody<W> {
    /// The tensors, with their offsets in the file.
    pub fn tensors(&self) -> &WeightIndex {
        &self.tensors
    }

    /// Writes the next bytes of the current tensor, or all of them. A full tensor is padded to the
    /// alignment and the next one begins.
    ///
    /// # Errors
    /// [`WriteError::TooManyBytes`] if the bytes go past the tensor's end.
    pub fn write(&mut self, bytes: &[u8]) -> Result<(), WriteError> {
        let tensor = self.tensors.as_slice().get(self.at);
        let room = tensor.map_or(0, |tensor| tensor.bytes - self.written);
        let too_many = || WriteError::TooManyBytes {
            tensor: tensor.map(|tensor| tensor.name.clone()),
            bytes: bytes.len() as u64,
            room,
        };
        let Some(tensor) = tensor.filter(|_| bytes.len() as u64 <= room) else {
            return Err(too_many());
        };
        self.out.write_all(bytes)?;
        self.written += bytes.len() as u64;
        if self.written == tensor.bytes {
            let padding = tensor.bytes.next_multiple_of(self.alignment) - tensor.bytes;
            io::copy(&mut io::Read::take(io::repeat(0), padding), &mut self.out)?;
            self.at += 1;
            self.written = 0;
        }
        Ok(())
    }

    /// Flushes and gives the writer back.
    ///
    /// # Errors
    /// [`WriteError::Unfinished`] if bytes of tensors are missing.
    pub fn finish(mut self) -> Result<W, WriteError> {
        if let Some(tensor) = self.tensors.as_slice().get(self.at) {
            let missing = tensor.bytes - self.written;
            return Err(WriteError::Unfinished { tensor: tensor.name.clone(), missing });
        }
        self.out.flush()?;
        Ok(self.out)
    }
}

/// Why a GGUF file cannot be written.
#[derive(Debug)]
#[non_exhaustive]
pub enum WriteError {
    /// A reader would refuse it.
    Invalid(GgufError),
    /// A tensor of a type that exists only at run time.
    NotStorable {
        /// The tensor's name.
        tensor: String,
        /// Its type.
        dtype: DType,
    },
    /// More bytes than the current tensor has room for.
    TooManyBytes {
        /// The tensor's name; `None` after the last one.
        tensor: Option<String>,
        /// The bytes given.
        bytes: u64,
        /// The bytes it had room for.
        room: u64,
    },
    /// A tensor is not complete.
    Unfinished {
        /// The tensor's name.
        tensor: String,
        /// Bytes it lacks.
        missing: u64,
    },
    /// The output's error.
    Io(io::Error),
}

impl From<GgufError> for WriteError {
    fn from(error: GgufError) -> Self {
        Self::Invalid(error)
    }
}

impl From<io::Error> for WriteError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl fmt::Display for WriteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Invalid(error) => error.fmt(f),
            Self::NotStorable { tensor, dtype } => {
                write!(f, "tensor {tensor:?} has the type {dtype}, which files do not have")
            }
            Self::TooManyBytes { tensor: Some(tensor), bytes, room } => {
                write!(f, "{bytes} bytes for tensor {tensor:?}, which has room for {room}")
            }
            Self::TooManyBytes { tensor: None, bytes, .. } => {
                write!(f, "{bytes} bytes after the last tensor")
            }
            Self::Unfinished { tensor, missing } => {
                write!(f, "tensor {tensor:?} lacks {missing} bytes")
            }
            Self::Io(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for WriteError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Invalid(error) => Some(error),
            Self::Io(error) => Some(error),
            _ => None,
        }
    }
}

fn name(what: &'static str, text: &str) -> Result<(), GgufError> {
    if text.is_empty() { Err(GgufError::BadName { what, text: String::new() }) } else { Ok(()) }
}

fn string(out: &mut Vec<u8>, bytes: &[u8]) {
    out.extend((bytes.len() as u64).to_le_bytes());
    out.extend(bytes);
}

fn put(out: &mut Vec<u8>, value: &Value) {
    match value {
        Value::U8(v) => out.extend(v.to_le_bytes()),
        Value::I8(v) => out.extend(v.to_le_bytes()),
        Value::U16(v) => out.extend(v.to_le_bytes()),
        Value::I16(v) => out.extend(v.to_le_bytes()),
        Value::U32(v) => out.extend(v.to_le_bytes()),
        Value::I32(v) => out.extend(v.to_le_bytes()),
        Value::F32(v) => out.extend(v.to_le_bytes()),
        Value::Bool(v) => out.push(u8::from(*v)),
        Value::String(v) => string(out, v.as_bytes()),
        Value::Array(v) => put_array(out, v),
        Value::U64(v) => out.extend(v.to_le_bytes()),
        Value::I64(v) => out.extend(v.to_le_bytes()),
        Value::F64(v) => out.extend(v.to_le_bytes()),
    }
}

fn put_array(out: &mut Vec<u8>, array: &Array) {
    let kind: Kind = array.kind();
    out.extend(kind.id().to_le_bytes());
    out.extend((array.len() as u64).to_le_bytes());
    match array {
        Array::U8(v) => out.extend(v),
        Array::I8(v) => v.iter().for_each(|v| out.extend(v.to_le_bytes())),
        Array::U16(v) => v.iter().for_each(|v| out.extend(v.to_le_bytes())),
        Array::I16(v) => v.iter().for_each(|v| out.extend(v.to_le_bytes())),
        Array::U32(v) => v.iter().for_each(|v| out.extend(v.to_le_bytes())),
        Array::I32(v) => v.iter().for_each(|v| out.extend(v.to_le_bytes())),
        Array::F32(v) => v.iter().for_each(|v| out.extend(v.to_le_bytes())),
        Array::Bool(v) => out.extend(v.iter().map(|&v| u8::from(v))),
        Array::String(v) => {
            (0..v.len()).filter_map(|at| v.bytes(at)).for_each(|bytes| string(out, bytes));
        }
        Array::Array(v) => v.iter().for_each(|inner| put_array(out, inner)),
        Array::U64(v) => v.iter().for_each(|v| out.extend(v.to_le_bytes())),
        Array::I64(v) => v.iter().for_each(|v| out.extend(v.to_le_bytes())),
        Array::F64(v) => v.iter().for_each(|v| out.extend(v.to_le_bytes())),
    }
}
