//! How a page asks for vectors.

use serde::{Deserialize, Serialize};
#[cfg(feature = "typescript")]
use ts_rs::TS;

/// How texts become vectors.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "typescript", derive(TS))]
#[serde(rename_all = "camelCase", default)]
pub struct EmbedOptions {
    /// How the vectors of a text's tokens become one: `mean`, `cls` or `last`; default: as the model's
    /// files say, else `mean`.
    pub pooling: Option<String>,
    /// Give vectors the length 1; default: yes.
    pub normalize: Option<bool>,
    /// Keep this many of the first values, for models that are trained for it; default: all.
    pub dimensions: Option<u32>,
    /// Cut a text that is too long, but for its last token; default: it is refused.
    pub truncate: bool,
}
