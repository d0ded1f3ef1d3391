use std::fmt;

/// Why several files are not one model.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ManifestError {
    /// There is no file.
    Empty,
    /// A split model lacks a file.
    MissingSplit {
        /// The number of the file that is missing, from 1 as in file names.
        missing: u64,
        /// Files that there should be.
        count: u64,
    },
    /// Files that do not belong together: two have one number, or they disagree about how many
    /// there are.
    MixedSplits {
        /// What is wrong.
        problem: String,
    },
    /// The files hold another number of tensors than the first one says.
    TensorCount {
        /// Tensors found.
        found: u64,
        /// Tensors that there should be.
        expected: u64,
    },
    /// A tensor is in two files, or twice in one.
    DuplicateTensor {
        /// Its name.
        tensor: String,
    },
    /// A metadata key of the split has a value that cannot be.
    Metadata {
        /// The reader's words.
        problem: String,
    },
}

impl ManifestError {
    /// The stable code: `MODEL_INVALID` or `MODEL_INCOMPLETE`.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Empty | Self::MissingSplit { .. } => "MODEL_INCOMPLETE",
            _ => "MODEL_INVALID",
        }
    }
}

impl fmt::Display for ManifestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("the model has no file"),
            Self::MissingSplit { missing, count } => {
                write!(f, "the model is split into {count} files; number {missing} is missing")
            }
            Self::MixedSplits { problem } => {
                write!(f, "the files are not one split model: {problem}")
            }
            Self::TensorCount { found, expected } => {
                write!(f, "the files hold {found} tensors, the first one promises {expected}")
            }
            Self::DuplicateTensor { tensor } => {
                write!(f, "two tensors are called {tensor:?}")
            }
            Self::Metadata { problem } => f.write_str(problem),
        }
    }
}

impl std::error::Error for ManifestError {}
