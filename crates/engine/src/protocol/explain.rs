//! What a page is told of what a graph model does.

use serde::{Deserialize, Serialize};
#[cfg(feature = "typescript")]
use ts_rs::TS;

/// What a graph model does, as far as it is planned: for the shapes that its runs had, or, before the
/// first run, for those that the model declares.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "typescript", derive(TS))]
#[serde(rename_all = "camelCase")]
pub struct Explanation {
    /// Parts that run in one go, in the order in which they were planned. A model has several where it
    /// goes on as values say, or where its runs had different shapes.
    pub segments: Vec<SegmentInfo>,
    /// Why there are none.
    pub reason: Option<String>,
}

/// A part of a model that runs in one go.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "typescript", derive(TS))]
#[serde(rename_all = "camelCase")]
pub struct SegmentInfo {
    /// Bytes of the values between its operators, which share their places.
    #[cfg_attr(feature = "typescript", ts(type = "number"))]
    pub scratch_bytes: u64,
    /// Bytes of the constants that it reads: weights, and what was computed of them.
    #[cfg_attr(feature = "typescript", ts(type = "number"))]
    pub constant_bytes: u64,
    /// What runs, in order.
    pub operators: Vec<OperatorInfo>,
    /// Values that it ends with because the model goes on as they say; 0: it ends with the outputs.
    pub needs: u32,
}

/// An operator that runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "typescript", derive(TS))]
#[serde(rename_all = "camelCase")]
pub struct OperatorInfo {
    /// Its name.
    pub op: String,
    /// What the file calls the node that it does, or the last of several; may be empty.
    pub call: String,
    /// Its operands, weights included.
    pub inputs: Vec<ValueInfo>,
    /// Its results.
    pub outputs: Vec<ValueInfo>,
    /// The passes that made it of several operators, in order.
    pub passes: Vec<String>,
    /// Where it runs: `cpu`.
    pub device: String,
    /// Why there.
    pub reason: String,
}

/// Type and shape of a value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "typescript", derive(TS))]
#[serde(rename_all = "camelCase")]
pub struct ValueInfo {
    /// Element type, as NumPy names it.
    pub dtype: String,
    /// Dimensions, outermost first.
    #[cfg_attr(feature = "typescript", ts(type = "number[]"))]
    pub shape: Vec<u64>,
}
