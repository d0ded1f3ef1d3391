use super::{MAX_RANK, SafetensorsError};
use crate::weights::sorted_positions;
use serde::de::{Error as _, IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use sidestage_tensor::DType;
use std::fmt;

/// What the header of a file says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SafetensorsHeader {
    /// The tensors, in the order of their bytes.
    pub tensors: Vec<Tensor>,
    /// The length of file that the header promises, in bytes.
    pub end: u64,
}

/// One tensor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tensor {
    /// Its name, unique in the file.
    pub name: String,
    /// Its element type; `None` for one that only Hugging Face has.
    pub dtype: Option<DType>,
    /// The type's name in the file, as `BF16`.
    pub type_name: String,
    /// Its extents, outermost first; empty for a scalar. Extents of 0 are possible.
    pub extents: Vec<u64>,
    /// First byte, counted from the start of the file.
    pub offset: u64,
    /// Its length in bytes. Of types that are known it is that of the extents.
    pub bytes: u64,
}

#[derive(Deserialize)]
struct Entry {
    dtype: String,
    shape: Vec<u64>,
    data_offsets: (u64, u64),
}

/// The entries in file order, with those whose name occurs twice.
struct Entries(Vec<(String, Entry)>);

impl<'de> Deserialize<'de> for Entries {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Each;
        impl<'de> Visitor<'de> for Each {
            type Value = Entries;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a map from names to tensors")
            }

            fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Entries, M::Error> {
                let mut entries = Vec::new();
                while let Some(name) = map.next_key::<String>()? {
                    if name == "__metadata__" {
                        map.next_value::<IgnoredAny>()?;
                        continue;
                    }
                    let entry = map
                        .next_value()
                        .map_err(|error| M::Error::custom(format!("tensor {name:?}: {error}")))?;
                    entries.push((name, entry));
                }
                Ok(Entries(entries))
            }
        }
        deserializer.deserialize_map(Each)
    }
}

impl SafetensorsHeader {
    /// Reads the JSON of a header; the data section starts at `data_offset`.
    pub(super) fn read(json: &[u8], data_offset: u64) -> Result<Self, SafetensorsError> {
        let Entries(entries) = serde_json::from_slice(json)
            .map_err(|error| SafetensorsError::Header { problem: error.to_string() })?;
        sorted_positions(&entries, |(name, _)| name)
            .map_err(|at| SafetensorsError::DuplicateTensor { tensor: entries[at].0.clone() })?;
        let mut tensors = entries
            .into_iter()
            .map(|(name, entry)| Tensor::new(name, entry, data_offset))
            .collect::<Result<Vec<_>, _>>()?;
        tensors.sort_by_key(|tensor| (tensor.offset, tensor.bytes));
        for pair in tensors.windows(2) {
            if pair[0].end() > pair[1].offset {
                let (first, second) = (pair[0].name.clone(), pair[1].name.clone());
                return Err(SafetensorsError::Overlap { first, second });
            }
        }
        let end = tensors.last().map_or(data_offset, Tensor::end);
        Ok(Self { tensors, end })
    }
}

impl Tensor {
    fn new(name: String, entry: Entry, data_offset: u64) -> Result<Self, SafetensorsError> {
        let Entry { dtype: type_name, shape: extents, data_offsets: (start, end) } = entry;
        let dtype = match type_name.as_str() {
            "F64" => Some(DType::F64),
            "F32" => Some(DType::F32),
            "F16" => Some(DType::F16),
            "BF16" => Some(DType::BF16),
            "I64" => Some(DType::I64),
            "I32" => Some(DType::I32),
            "I16" => Some(DType::I16),
            "I8" => Some(DType::I8),
            _ => None,
        };
        let product = extents.iter().try_fold(1_u64, |all, &extent| all.checked_mul(extent));
        let elements = product.filter(|_| extents.len() <= MAX_RANK);
        let size = dtype.unwrap_or(DType::I8).block_bytes() as u64;
        let Some(expected) = elements.and_then(|elements| elements.checked_mul(size)) else {
            return Err(SafetensorsError::Extents { tensor: name, extents });
        };
        let bytes = end.checked_sub(start);
        let in_range = data_offset.checked_add(end).is_some();
        let Some(found) = bytes.filter(|_| in_range) else {
            return Err(SafetensorsError::OutOfRange { tensor: name });
        };
        if dtype.is_some() && found != expected {
            return Err(SafetensorsError::Size { tensor: name, found, expected });
        }
        Ok(Self { name, dtype, type_name, extents, offset: data_offset + start, bytes: found })
    }

    /// The first byte after it.
    pub fn end(&self) -> u64 {
        self.offset + self.bytes
    }
}
