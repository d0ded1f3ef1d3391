//! What a page gives to a run of a graph model, and gets from it.

use serde::{Deserialize, Serialize};
#[cfg(feature = "typescript")]
use ts_rs::TS;

/// An input or output of a graph model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "typescript", derive(TS))]
#[serde(rename_all = "camelCase")]
pub struct PortInfo {
    /// Its name.
    pub name: String,
    /// `tensor`, `sequence` or `optional`.
    pub kind: String,
    /// Element type, as NumPy names it; `None`: any.
    pub dtype: Option<String>,
    /// Dimensions, outermost first; `None`: any.
    pub shape: Option<Vec<DimInfo>>,
    /// What its integers stand for, where the file says it with one scale.
    pub quantization: Option<Quantization>,
}

/// How integers stand for numbers: `(integer - zeroPoint) * scale`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "typescript", derive(TS))]
#[serde(rename_all = "camelCase")]
pub struct Quantization {
    /// The number that 1 stands for: above 0.
    pub scale: f64,
    /// The integer that stands for 0.
    pub zero_point: i32,
}

/// A dimension of an input or output.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "typescript", derive(TS))]
#[serde(untagged)]
pub enum DimInfo {
    /// Always this.
    Fixed(#[cfg_attr(feature = "typescript", ts(type = "number"))] u64),
    /// Any; equal names mean equal dimensions, and an empty one says nothing.
    Free(String),
}

/// A value and its name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "typescript", derive(TS))]
#[serde(rename_all = "camelCase")]
pub struct NamedValue {
    /// The input's or output's name.
    pub name: String,
    /// The value.
    pub value: RunValue,
}

/// An input or output of a run. Bytes lie in buffers that the host makes and takes beside the messages.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "typescript", derive(TS))]
#[serde(tag = "kind", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum RunValue {
    /// A tensor.
    Tensor {
        /// Element type, as NumPy names it.
        dtype: String,
        /// Dimensions, outermost first.
        #[cfg_attr(feature = "typescript", ts(type = "number[]"))]
        shape: Vec<u64>,
        /// The buffer of its elements: little-endian, row-major, nothing else.
        buffer: u32,
    },
    /// Several values.
    Sequence {
        /// The values.
        values: Vec<RunValue>,
    },
    /// An optional value that is not there.
    Nothing,
}

impl RunValue {
    /// The buffers it names.
    pub fn buffers(&self) -> Vec<u32> {
        match self {
            Self::Tensor { buffer, .. } => vec![*buffer],
            Self::Sequence { values } => values.iter().flat_map(Self::buffers).collect(),
            Self::Nothing => Vec::new(),
        }
    }
}

/// Times of a run, in milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "typescript", derive(TS))]
#[serde(rename_all = "camelCase")]
pub struct RunTimings {
    /// Waiting for other runs.
    pub queue_ms: f64,
    /// Planning, the first time with inputs of these shapes, and running.
    pub run_ms: f64,
}
