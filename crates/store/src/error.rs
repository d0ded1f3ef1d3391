use crate::Looks;
use std::fmt;

/// Why a model could not be fetched.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum StoreError {
    /// The source is none.
    SourceInvalid {
        /// The source as given, shortened, without a password.
        source: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The server has no such file (404, 410).
    NotFound {
        /// The URL.
        url: String,
        /// The HTTP status.
        status: u16,
    },
    /// The server wants to know who asks (401, 403).
    AccessDenied {
        /// The URL.
        url: String,
        /// The HTTP status.
        status: u16,
    },
    /// Another status that is no success.
    Http {
        /// The URL.
        url: String,
        /// The HTTP status.
        status: u16,
    },
    /// The answer is not a model.
    NotAModel {
        /// The URL.
        url: String,
        /// What it looks like.
        looks: Looks,
        /// Its `Content-Type`, if any.
        content_type: Option<String>,
    },
    /// Fewer bytes came than were promised.
    Truncated {
        /// The URL.
        url: String,
        /// Bytes promised, by the server or by the model's header.
        expected: u64,
        /// Bytes that came.
        received: u64,
    },
    /// An option has a value that cannot be.
    OptionInvalid {
        /// The option.
        option: &'static str,
        /// What is wrong.
        problem: String,
    },
    /// The server wants fewer requests (429), also after waiting.
    RateLimited {
        /// The URL.
        url: String,
        /// Seconds it wants to be left alone, if it says so.
        seconds: Option<u64>,
    },
    /// The bytes that came are not those that the hub names.
    ChecksumMismatch {
        /// The file.
        file: String,
        /// SHA-256 that it should have.
        expected: String,
        /// SHA-256 that it has.
        found: String,
    },
    /// The file became another while it was read, twice.
    SourceChanged {
        /// The file.
        file: String,
    },
    /// The cache has not (all of) it, and the network was not to be used.
    NotCached {
        /// The file.
        file: String,
    },
    /// A folder or repository lacks a file.
    Incomplete {
        /// What is missing.
        missing: String,
    },
    /// A file that is read into memory as a whole is too large for that.
    TooLarge {
        /// The file.
        file: String,
        /// Most bytes.
        limit: u64,
    },
    /// An answer of the hub, or a list of files, that makes no sense.
    ListingInvalid {
        /// Where it came from.
        file: String,
        /// What is wrong with it.
        problem: String,
    },
    /// No answer, or a connection that broke.
    Network {
        /// The URL.
        url: String,
        /// What the host says.
        message: String,
        /// Bytes that had come; `None` if there was no answer at all.
        received: Option<u64>,
    },
}

/// A figure or a name that belongs to an error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Detail {
    /// A figure.
    Number(u64),
    /// A name.
    Text(String),
}

impl StoreError {
    /// The stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::SourceInvalid { .. } => "INVALID_SOURCE",
            Self::NotFound { .. } => "NOT_FOUND",
            Self::AccessDenied { .. } => "ACCESS_DENIED",
            Self::Http { .. } => "HTTP_ERROR",
            Self::NotAModel { .. } => "NOT_A_MODEL",
            Self::Truncated { .. } => "DOWNLOAD_TRUNCATED",
            Self::Network { .. } => "NETWORK_ERROR",
            Self::OptionInvalid { .. } => "INVALID_OPTION",
            Self::RateLimited { .. } => "RATE_LIMITED",
            Self::ChecksumMismatch { .. } => "CHECKSUM_MISMATCH",
            Self::SourceChanged { .. } => "SOURCE_CHANGED",
            Self::NotCached { .. } => "NOT_CACHED",
            Self::Incomplete { .. } => "MODEL_INCOMPLETE",
            Self::TooLarge { .. } | Self::ListingInvalid { .. } => "MODEL_INVALID",
        }
    }

    /// What to do about it.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::SourceInvalid { .. } => {
                "Give a URL, hf:owner/repo[/file][@revision], Files, a Blob or bytes."
            }
            Self::NotFound { .. } => "Check the owner, the repository, the file and the revision.",
            Self::AccessDenied { .. } => {
                "The file is private or gated: accept its terms, or serve a copy from your own host."
            }
            Self::RateLimited { .. } => "The server asks for fewer requests; wait a little.",
            Self::OptionInvalid { .. } => "Leave the option out for its default.",
            Self::ChecksumMismatch { .. } => {
                "Load it again; if it happens again, what lies between the hub and here changes files."
            }
            Self::SourceChanged { .. } => "Load it again when the file is no more written to.",
            Self::NotCached { .. } => {
                "Load it once with another cache mode while there is a network."
            }
            Self::Incomplete { .. } => "Give all files of the model.",
            Self::TooLarge { .. } => "Check that it is the file that its name says.",
            Self::ListingInvalid { .. } => "Check the hub's URL and the model's files.",
            Self::Http { status: 500.., .. } => "The server has a fault; try again later.",
            Self::Http { .. } => "Check the URL and the server.",
            Self::NotAModel { looks: Looks::LfsPointer, .. } => {
                "Run `git lfs pull`, or use the URL that serves the file itself (…/resolve/…)."
            }
            Self::NotAModel { looks: Looks::Html, .. } => {
                "The URL leads to a page, not to the file: a link to download, a wrong path that \
                 the server answers with its start page, or a log-in."
            }
            Self::NotAModel { .. } => "Give the URL of a .gguf file.",
            Self::Truncated { .. } => "Load it again; if it ends there again, the file is cut off.",
            Self::Network { received: Some(_), .. } => "The connection broke; load it again.",
            Self::Network { received: None, .. } => {
                "Check the connection, and that the server allows this page to read the file \
                 (CORS: Access-Control-Allow-Origin) and the page's Content-Security-Policy allows \
                 the server (connect-src)."
            }
        }
    }

    /// The error's figures and names, by their camelCase names.
    pub fn detail(&self) -> Vec<(&'static str, Detail)> {
        let text = |text: &str| Detail::Text(text.into());
        match self {
            Self::SourceInvalid { source, reason } => {
                vec![("source", text(source)), ("reason", text(reason))]
            }
            Self::NotFound { url, status }
            | Self::AccessDenied { url, status }
            | Self::Http { url, status } => {
                vec![("url", text(url)), ("status", Detail::Number((*status).into()))]
            }
            Self::NotAModel { url, looks, content_type } => {
                let mut all = vec![("url", text(url)), ("looksLike", text(&looks.to_string()))];
                all.extend(content_type.as_deref().map(|of| ("contentType", text(of))));
                all
            }
            Self::Truncated { url, expected, received } => vec![
                ("url", text(url)),
                ("expected", Detail::Number(*expected)),
                ("received", Detail::Number(*received)),
            ],
            Self::OptionInvalid { option, .. } => vec![("option", text(option))],
            Self::RateLimited { url, seconds } => {
                let mut all = vec![("url", text(url)), ("status", Detail::Number(429))];
                all.extend(seconds.map(|seconds| ("retryAfterSeconds", Detail::Number(seconds))));
                all
            }
            Self::ChecksumMismatch { file, expected, found } => {
                vec![("file", text(file)), ("expected", text(expected)), ("found", text(found))]
            }
            Self::SourceChanged { file } | Self::NotCached { file } => vec![("file", text(file))],
            Self::Incomplete { missing } => vec![("missing", text(missing))],
            Self::TooLarge { file, limit } => {
                vec![("file", text(file)), ("limitBytes", Detail::Number(*limit))]
            }
            Self::ListingInvalid { file, problem } => {
                vec![("file", text(file)), ("problem", text(problem))]
            }
            Self::Network { url, message, received } => {
                let mut all = vec![("url", text(url)), ("reason", text(message))];
                all.extend(received.map(|received| ("received", Detail::Number(received))));
                all
            }
        }
    }
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SourceInvalid { source, reason } => {
                write!(f, "{source:?} is not a source of a model: {reason}")
            }
            Self::NotFound { url, status } => write!(f, "{url} does not exist (HTTP {status})"),
            Self::AccessDenied { url, status } => {
                write!(f, "{url} may not be read without permission (HTTP {status})")
            }
            Self::Http { url, status } => write!(f, "{url} was answered with HTTP {status}"),
            Self::NotAModel { url, looks, .. } => {
                write!(f, "{url} is not a model: it looks like {looks}")
            }
            Self::Truncated { url, expected, received } => {
                write!(f, "{url} ended after {received} of {expected} bytes")
            }
            Self::OptionInvalid { option, problem } => write!(f, "{option}: {problem}"),
            Self::RateLimited { url, .. } => {
                write!(f, "{url} was asked for too often (HTTP 429)")
            }
            Self::ChecksumMismatch { file, .. } => {
                write!(f, "the bytes of {file} are not those that the hub names (SHA-256)")
            }
            Self::SourceChanged { file } => {
                write!(f, "{file} became another file while it was read")
            }
            Self::NotCached { file } => write!(f, "{file} is not in the cache"),
            Self::Incomplete { missing } => write!(f, "the model lacks {missing}"),
            Self::TooLarge { file, limit } => {
                write!(f, "{file} has more than {limit} bytes, too many for what it should be")
            }
            Self::ListingInvalid { file, problem } => write!(f, "{file}: {problem}"),
            Self::Network { url, message, received: None } => {
                write!(f, "{url} could not be reached: {message}")
            }
            Self::Network { url, message, received: Some(received) } => {
                write!(f, "{url} broke off after {received} bytes: {message}")
            }
        }
    }
}

impl std::error::Error for StoreError {}
