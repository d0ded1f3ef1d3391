//! What a model's files say together, once all their headers have been read.

mod error;
mod split;

pub use error::ManifestError;
pub use split::Split;

use crate::gguf::{Gguf, Metadata};
use crate::{TensorInfo, WeightIndex};
use sidestage_tensor::DType;
use std::collections::BTreeMap;

/// Everything a loader knows of a model before its weights arrive, whatever files it lies in.
///
/// A decoder is planned from `metadata` and `weights`; `parts` and `values` say how each weight is
/// filled. A weight that no plan wants is left out by the loader, with its parts.
#[derive(Clone, Debug, PartialEq)]
pub struct Manifest {
    /// Key–value pairs by GGUF's names, whatever the files' format.
    pub metadata: Metadata,
    /// Each weight as it will lie in memory. `offset` is 0: where its bytes come from is told by
    /// the parts.
    pub weights: WeightIndex,
    /// Which bytes of which file become which weight, sorted by file and offset. They share no
    /// bytes, neither of a file nor of a weight.
    pub parts: Vec<Part>,
    /// Weights that no file holds, because their values follow from the configuration.
    pub values: Vec<Values>,
    /// For each file the length that its header promises, in bytes. A file may be longer.
    pub ends: Vec<u64>,
}

/// Bytes of a file that become rows of a weight.
#[derive(Clone, Debug, PartialEq)]
pub struct Part {
    /// The file's number: its position in the list given to the constructor.
    pub file: u32,
    /// First byte in the file.
    pub offset: u64,
    /// Bytes in the file: `rows * width` elements of `source`.
    pub bytes: u64,
    /// Position of the weight in [`Manifest::weights`].
    pub weight: u32,
    /// Element type in the file; the weight's own is in [`Manifest::weights`].
    pub source: DType,
    /// Rows, as they lie in the weight.
    pub rows: u64,
    /// Elements of a row, as it lies in the weight.
    pub width: u64,
    /// Where in the weight its first row goes, in rows: several parts fill one weight where a file
    /// holds each expert for itself.
    pub first: u64,
    /// Where each row goes, counted from `first`.
    pub order: RowOrder,
    /// Added to each value: files of Gemma hold the weights of norms less 1.
    pub add: f32,
    /// The file holds columns one after the other: `[width, rows]`, as GPT-2 does.
    pub transposed: bool,
}

impl Part {
    /// A part whose bytes lie in the weight, whose type is `target`, as they lie in the file.
    pub fn is_verbatim(&self, target: DType) -> bool {
        self.keeps_rows(target) && self.order == RowOrder::Same
    }

    /// Whether a row's bytes are the same in the file and in the weight, whose type is `target`.
    pub fn keeps_rows(&self, target: DType) -> bool {
        self.source == target && self.add == 0.0 && !self.transposed
    }
}

/// Where the rows of a part go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RowOrder {
    /// Where they are.
    Same,
    /// The two halves of each head become pairs, row `i` of the second half behind row `i` of the
    /// first: the order of queries and keys in llama.cpp's files of the Llama family.
    Pairs {
        /// Rows of a head; even.
        head: u64,
    },
    /// Groups of some queries, one key and one value become all queries, all keys, all values.
    Grouped {
        /// Groups: key and value heads.
        groups: u64,
        /// Query heads in a group.
        queries: u64,
        /// Rows of a head.
        head: u64,
    },
}

impl RowOrder {
    /// Where `row` goes.
    pub fn target(self, row: u64) -> u64 {
        match self {
            Self::Same => row,
            Self::Pairs { head } => {
                let (start, row) = (row - row % head, row % head);
                start + row % (head / 2) * 2 + row / (head / 2)
            }
            Self::Grouped { groups, queries, head } => {
                let (group, member) = (row / head / (queries + 2), row / head % (queries + 2));
                let head_to = match member.checked_sub(queries) {
                    None => group * queries + member,
                    Some(0) => groups * queries + group,
                    Some(_) => groups * queries + groups + group,
                };
                head_to * head + row % head
            }
        }
    }
}

/// A weight of type `F32` whose values are known already.
#[derive(Clone, Debug, PartialEq)]
pub struct Values {
    /// Position of the weight in [`Manifest::weights`].
    pub weight: u32,
    /// All its values.
    pub values: Vec<f32>,
}

impl Manifest {
    /// The manifest of one GGUF file, or of all files of a split one in any order. Metadata are
    /// those of the first file of the split.
    ///
    /// # Errors
    /// No file at all, a split that is not whole, or a tensor that is in two files.
    pub fn gguf(files: Vec<Gguf>) -> Result<Self, ManifestError> {
        let first = split::check(&files)?;
        let ends = files.iter().map(|file| file.end).collect();
        let mut metadata = Metadata::default();
        let (mut weights, mut parts) = (Vec::new(), Vec::new());
        for (file, gguf) in (0..).zip(files) {
            for tensor in &gguf.tensors {
                let (offset, bytes, source) = (tensor.offset, tensor.bytes, tensor.dtype);
                let width = tensor.extents.last().copied().unwrap_or(1);
                parts.push(Part {
                    file,
                    offset,
                    bytes,
                    weight: weights.len() as u32,
                    source,
                    rows: tensor.elements() / width,
                    width,
                    first: 0,
                    order: RowOrder::Same,
                    add: 0.0,
                    transposed: false,
                });
                weights.push(TensorInfo { offset: 0, ..tensor.clone() });
            }
            if file as usize == first {
                metadata = gguf.metadata;
            }
        }
        parts.sort_unstable_by_key(|part| (part.file, part.offset));
        let weights = WeightIndex::new(weights)
            .map_err(|twice| ManifestError::DuplicateTensor { tensor: twice.name })?;
        Ok(Self { metadata, weights, parts, values: Vec::new(), ends })
    }

    /// Elements of all weights.
    pub fn parameters(&self) -> u64 {
        self.weights.iter().map(TensorInfo::elements).fold(0, u64::saturating_add)
    }

    /// The type that has most of the weights' bytes; `None` if there are no weights.
    pub fn main_type(&self) -> Option<DType> {
        let mut bytes: BTreeMap<DType, u64> = BTreeMap::new();
        for weight in &self.weights {
            let sum = bytes.entry(weight.dtype).or_default();
            *sum = sum.saturating_add(weight.bytes);
        }
        bytes.into_iter().max_by_key(|&(_, bytes)| bytes).map(|(dtype, _)| dtype)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn targets(order: RowOrder, rows: u64) -> Vec<u64> {
        (0..rows).map(|row| order.target(row)).collect()
    }

    /// `w.reshape(heads, 2, head / 2).swapaxes(1, 2)` of `arange(8)`, by numpy:
    /// `[0, 2, 1, 3, 4, 6, 5, 7]`.
    #[test]
    fn halves_become_pairs() {
        assert_eq!(targets(RowOrder::Pairs { head: 4 }, 8), [0, 2, 1, 3, 4, 6, 5, 7]);
        // Of a head of six rows numpy gives 0 3 1 4 2 5: row 3 becomes the second.
        assert_eq!(targets(RowOrder::Pairs { head: 6 }, 6), [0, 2, 4, 1, 3, 5]);
    }

    /// Two groups of two queries, a key and a value, heads of one row.
    #[test]
    fn groups_come_apart() {
        let order = RowOrder::Grouped { groups: 2, queries: 2, head: 1 };
        assert_eq!(targets(order, 8), [0, 1, 4, 6, 2, 3, 5, 7]);
        let order = RowOrder::Grouped { groups: 2, queries: 1, head: 2 };
        assert_eq!(targets(order, 12), [0, 1, 4, 5, 8, 9, 2, 3, 6, 7, 10, 11]);
    }
}
