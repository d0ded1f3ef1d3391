use std::fmt;

/// Why an ONNX file cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum OnnxError {
    /// The bytes are no message of Protocol Buffers.
    Malformed {
        /// The message.
        message: &'static str,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// The file ends before its end.
    Truncated,
    /// There is no graph in it.
    NoGraph,
    /// Graphs in graphs, or functions in functions, too deep or too many.
    Nesting,
    /// A value that nothing computes.
    Undefined {
        /// Its name.
        name: String,
        /// The node that wants it.
        node: String,
    },
    /// Two nodes compute one value.
    Twice {
        /// Its name.
        name: String,
    },
    /// A tensor with elements of a type that is not supported.
    Type {
        /// The tensor, or the value.
        name: String,
        /// The type's number (`TensorProto.DataType`).
        id: i32,
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
    /// A weight in a file beside the model that is not there, or too short.
    External {
        /// The tensor.
        name: String,
        /// The file.
        location: String,
    },
    /// There is no memory for a weight.
    NoMemory {
        /// Bytes.
        bytes: usize,
    },
}

impl OnnxError {
    /// A stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Type { .. } => "MODEL_UNSUPPORTED",
            Self::External { .. } => "MODEL_INCOMPLETE",
            Self::NoMemory { .. } => "OUT_OF_MEMORY",
            Self::Truncated => "MODEL_TRUNCATED",
            _ => "MODEL_INVALID",
        }
    }

    /// What to do about it.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Type { .. } => "Strings and complex numbers are not supported.",
            Self::External { .. } => "Put the file with the weights beside the model.",
            Self::NoMemory { .. } => "Use a smaller model, or one with quantised weights.",
            Self::Truncated => "The file is not whole. Download it again.",
            _ => "The file is broken, or is no ONNX model. Download or export it again.",
        }
    }
}

impl fmt::Display for OnnxError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed { message, problem } => write!(f, "{message}: {problem}"),
            Self::Truncated => write!(f, "the file is cut off"),
            Self::NoGraph => write!(f, "the model has no graph"),
            Self::Nesting => write!(f, "graphs or functions are nested too deep, or too many"),
            Self::Undefined { name, node } => {
                write!(f, "nothing gives {name:?}, which {node:?} wants")
            }
            Self::Twice { name } => write!(f, "{name:?} is computed twice"),
            Self::Type { name, id } => write!(f, "{name:?} has elements of type {id}"),
            Self::Shape { name, dims, bytes } => {
                write!(f, "{name:?} has {bytes} bytes, which are not {dims:?} elements")
            }
            Self::External { name, location } => {
                write!(f, "the bytes of {name:?} are not in {location:?}")
            }
            Self::NoMemory { bytes } => write!(f, "there is no memory for {bytes} bytes"),
        }
    }
}

impl std::error::Error for OnnxError {}
