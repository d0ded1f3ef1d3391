use std::fmt;

/// Why a TensorFlow.js model cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TfjsError {
    /// It is no JSON.
    Json {
        /// What is wrong with it.
        problem: String,
    },
    /// It is JSON, but no model.
    Malformed {
        /// Where.
        at: String,
        /// What is wrong.
        problem: &'static str,
    },
    /// A value that nothing computes.
    Undefined {
        /// Its name.
        name: String,
        /// The node that wants it.
        node: String,
    },
    /// A value that depends on itself.
    Cycle {
        /// The node that computes it.
        node: String,
    },
    /// Functions in functions, or loops in loops, too deep or too many.
    Nesting,
    /// Layers that are not known, or not as they are configured here.
    Layers {
        /// Each with what is not known of it.
        layers: Vec<String>,
    },
    /// A value with elements of a type that is not supported.
    Type {
        /// The weight, or the input.
        name: String,
        /// The type.
        dtype: String,
    },
    /// A weight that does not lie in the files as the manifest says.
    Shape {
        /// The weight.
        name: String,
    },
    /// A file with weights that is not there.
    Weights {
        /// The file.
        path: String,
    },
    /// There is no memory for a weight.
    NoMemory {
        /// Bytes.
        bytes: usize,
    },
}

impl TfjsError {
    pub(super) fn malformed(at: impl Into<String>, problem: &'static str) -> Self {
        Self::Malformed { at: at.into(), problem }
    }

    /// A stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Type { .. } => "TFJS_TYPE_UNSUPPORTED",
            Self::Layers { .. } => "LAYER_UNSUPPORTED",
            Self::Weights { .. } => "TFJS_DATA_MISSING",
            Self::NoMemory { .. } => "OUT_OF_MEMORY",
            _ => "TFJS_INVALID",
        }
    }

    /// What to do about it.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Type { .. } => "Strings and complex numbers are not supported.",
            Self::Layers { .. } => {
                "Save the model as a SavedModel and convert that with tensorflowjs_converter to a graph model."
            }
            Self::Weights { .. } => "Put the files with the weights beside model.json.",
            Self::NoMemory { .. } => "Use a smaller model.",
            _ => "The file is broken, or is no TensorFlow.js model. Download or convert it again.",
        }
    }
}

impl fmt::Display for TfjsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Json { problem } => write!(f, "the model is no JSON: {problem}"),
            Self::Malformed { at, problem } => write!(f, "{at}: {problem}"),
            Self::Undefined { name, node } => {
                write!(f, "nothing gives {name:?}, which {node:?} wants")
            }
            Self::Cycle { node } => write!(f, "{node:?} needs what it computes itself"),
            Self::Nesting => write!(f, "functions or loops are nested too deep, or too many"),
            Self::Layers { layers } => {
                write!(f, "these layers are not supported: {}", layers.join(", "))
            }
            Self::Type { name, dtype } => write!(f, "{name:?} has elements of type {dtype}"),
            Self::Shape { name } => {
                write!(f, "the weight {name:?} does not lie in its files as the manifest says")
            }
            Self::Weights { path } => write!(f, "the file {path:?} with weights is not there"),
            Self::NoMemory { bytes } => write!(f, "there is no memory for {bytes} bytes"),
        }
    }
}

impl std::error::Error for TfjsError {}
