use sidestage_engine::protocol::ErrorInfo;
use std::fmt;
use std::io;
use std::path::PathBuf;

/// Why a command failed. Prints as `CODE: message`, with a hint on a second line where there is one.
#[derive(Debug)]
pub(crate) enum CliError {
    /// A file cannot be read.
    Unreadable { path: PathBuf, error: io::Error },
    /// A file cannot be written.
    Unwritable { path: PathBuf, error: io::Error },
    /// Standard output was closed by its reader.
    OutputClosed,
    /// Standard input or output failed otherwise.
    Stream { error: io::Error },
    /// An argument that clap cannot judge.
    Argument { name: &'static str, problem: String },
    /// The built page is not where it should be.
    NoPage { looked: Vec<PathBuf> },
    /// The address cannot be listened on.
    Listen { address: String, error: io::Error },
    /// The engine, or a part of it, refused or failed.
    Engine { info: Box<ErrorInfo> },
}

impl CliError {
    /// The stable code.
    pub(crate) fn code(&self) -> &str {
        match self {
            Self::Unreadable { error, .. } if error.kind() == io::ErrorKind::NotFound => {
                "NOT_FOUND"
            }
            Self::Unreadable { .. } => "UNREADABLE",
            Self::Unwritable { .. } | Self::OutputClosed | Self::Stream { .. } => "UNWRITABLE",
            Self::Argument { .. } => "INVALID_OPTION",
            Self::NoPage { .. } => "PAGE_NOT_BUILT",
            Self::Listen { .. } => "ADDRESS_UNAVAILABLE",
            Self::Engine { info } => &info.code,
        }
    }

    /// An error of the engine or of one of its parts.
    pub(crate) fn engine(error: impl Into<ErrorInfo>) -> Self {
        Self::Engine { info: Box::new(error.into()) }
    }

    /// An error of standard output.
    pub(crate) fn output(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Self::OutputClosed,
            _ => Self::Stream { error },
        }
    }
}

impl fmt::Display for CliError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.code())?;
        match self {
            Self::Unreadable { path, error } => write!(f, "{}: {error}", path.display()),
            Self::Unwritable { path, error } => write!(f, "{}: {error}", path.display()),
            Self::OutputClosed => f.write_str("standard output was closed"),
            Self::Stream { error } => write!(f, "standard input or output: {error}"),
            Self::Argument { name, problem } => write!(f, "{name}: {problem}"),
            Self::NoPage { looked } => {
                f.write_str("the chat page is not built; looked for index.html in")?;
                looked.iter().try_for_each(|dir| write!(f, " {}", dir.display()))?;
                f.write_str(
                    "\n`cargo xtask build` builds it; `sidestage serve DIR` serves another folder.",
                )
            }
            Self::Listen { address, error } => {
                write!(f, "{address}: {error}\n`--port 0` takes any free port.")
            }
            Self::Engine { info } => {
                f.write_str(&info.message)?;
                info.hint.iter().try_for_each(|hint| write!(f, "\n{hint}"))
            }
        }
    }
}

impl std::error::Error for CliError {}
