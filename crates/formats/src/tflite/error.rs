use std::fmt;

/// Why a TFLite file cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TfliteError {
    /// It does not begin as a TFLite file does.
    Magic,
    /// It is cut off, or an offset leads out of it.
    Cut,
    /// A text that is not UTF-8.
    Text,
    /// An entry of a list that is not there.
    Index {
        /// Its number.
        index: usize,
    },
    /// It has no subgraph.
    NoGraph,
    /// Subgraphs in subgraphs too deep, too many calls, or more than a file of its size can mean.
    Nesting,
    /// A tensor that nothing computes.
    Undefined {
        /// Its name.
        name: String,
        /// The operator that wants it.
        op: String,
    },
    /// Two operators compute one tensor.
    Twice {
        /// Its name.
        name: String,
    },
    /// A tensor with elements of a type that is not supported.
    Type {
        /// The tensor.
        name: String,
        /// The type's number (`TensorType`).
        id: i8,
    },
    /// A tensor whose bytes are not those of its shape.
    Shape {
        /// The tensor.
        name: String,
        /// Its dimensions.
        dims: Vec<i64>,
        /// The bytes it has.
        bytes: usize,
    },
    /// What a call says of the subgraphs that it runs does not fit them.
    Subgraph {
        /// The operator.
        op: &'static str,
    },
    /// There is no memory for a weight.
    NoMemory {
        /// Bytes.
        bytes: usize,
    },
}

impl TfliteError {
    /// A stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Type { .. } => "TFLITE_TYPE_UNSUPPORTED",
            Self::NoMemory { .. } => "OUT_OF_MEMORY",
            _ => "TFLITE_INVALID",
        }
    }

    /// What to do about it.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Type { .. } => "Strings and complex numbers are not supported.",
            Self::NoMemory { .. } => "Use a smaller model, or one with quantised weights.",
            _ => "The file is broken, or is no TFLite model. Download or convert it again.",
        }
    }
}

impl fmt::Display for TfliteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Magic => write!(f, "the file has no TFL3 at its fifth byte"),
            Self::Cut => write!(f, "the file is cut off, or leads out of itself"),
            Self::Text => write!(f, "a text is not UTF-8"),
            Self::Index { index } => write!(f, "there is no entry {index} in a list"),
            Self::NoGraph => write!(f, "the model has no subgraph"),
            Self::Nesting => write!(f, "subgraphs are nested too deep, or calls are too many"),
            Self::Undefined { name, op } => {
                write!(f, "nothing gives {name:?}, which {op} wants")
            }
            Self::Twice { name } => write!(f, "{name:?} is computed twice"),
            Self::Type { name, id } => write!(f, "{name:?} has elements of type {id}"),
            Self::Shape { name, dims, bytes } => {
                write!(f, "{name:?} has {bytes} bytes, which are not {dims:?} elements")
            }
            Self::Subgraph { op } => write!(f, "{op} does not fit the subgraphs that it runs"),
            Self::NoMemory { bytes } => write!(f, "there is no memory for {bytes} bytes"),
        }
    }
}

impl std::error::Error for TfliteError {}
