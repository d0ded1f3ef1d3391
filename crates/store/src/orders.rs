//! What readings ask of a host, and what it reports back. Data, in the order it came up.

use std::fmt;

/// What the host is asked to do.
#[derive(Clone, Debug, PartialEq)]
pub enum Order {
    /// Say what the cache holds, and take the key's lock.
    Lookup {
        /// The key.
        key: String,
        /// Wait for the lock where somebody else has it.
        wait: bool,
    },
    /// Read a file to its end.
    Fetch(Fetch),
    /// Stop a reading.
    Cancel {
        /// The reading.
        stream: u32,
    },
    /// Write down what is known of a key's file.
    Record {
        /// The key.
        key: String,
        /// What is known.
        entry: Entry,
    },
    /// Throw away what the cache holds; take the key's lock for it where it was given back.
    Drop {
        /// The key.
        key: String,
    },
    /// Give the key's lock back.
    Release {
        /// The key.
        key: String,
    },
}

/// A file to be read from some byte to its end.
#[derive(Clone, Debug, PartialEq)]
pub struct Fetch {
    /// Number of this reading, never used again.
    pub stream: u32,
    /// Where the file is.
    pub place: Place,
    /// First byte.
    pub offset: u64,
    /// Key under which the bytes are kept.
    pub keep: Option<String>,
    /// Ask for the headers only.
    pub head: bool,
    /// Headers by name and value.
    pub headers: Vec<(String, String)>,
    /// Milliseconds to wait before.
    pub delay_ms: f64,
    /// Milliseconds without a byte after which it has failed; 0: never.
    pub stall_ms: f64,
}

/// Where a file is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// At a URL.
    Url(String),
    /// Among the files that the host holds, by position.
    Held(u32),
    /// In the cache, by key.
    Cache(String),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Url(url) => f.write_str(url),
            Self::Held(index) => write!(f, "file {index}"),
            Self::Cache(key) => f.write_str(key),
        }
    }
}

/// What the cache knows of a file.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Entry {
    /// What the app asked for.
    pub source: String,
    /// Where it came from.
    pub url: String,
    /// Its path or name.
    pub file: String,
    /// Bytes that are there, from 0 without a hole.
    pub bytes: u64,
    /// Bytes of the whole file.
    pub length: Option<u64>,
    /// The server's mark of this version of the file.
    pub validator: Option<String>,
    /// SHA-256 of the whole file, hexadecimal.
    pub sha256: Option<String>,
    /// URL of the page that follows, of a list that has several.
    pub next: Option<String>,
    /// Whether it is whole.
    pub complete: bool,
}

/// What the host reports.
#[derive(Clone, Debug, PartialEq)]
pub enum Report {
    /// What the cache holds.
    Found {
        /// The key.
        key: String,
        /// What there is.
        entry: Option<Entry>,
        /// Somebody else has the lock.
        busy: bool,
    },
    /// The source answered.
    Opened {
        /// The reading.
        stream: u32,
        /// What it said.
        answer: Answer,
    },
    /// The source ended.
    Closed {
        /// The reading.
        stream: u32,
    },
    /// The source failed.
    Failed {
        /// The reading.
        stream: u32,
        /// What the host says.
        message: String,
        /// Another try would fail in the same way.
        refused: bool,
    },
    /// The cache took no more.
    NotKept {
        /// The key.
        key: String,
        /// The stable code of the reason.
        code: String,
        /// What the host says.
        message: String,
    },
}

/// The head of an answer.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Answer {
    /// HTTP status; 200 for what is not HTTP.
    pub status: u16,
    /// `Content-Type`.
    pub content_type: Option<String>,
    /// Bytes of the whole file.
    pub length: Option<u64>,
    /// First byte of the answer.
    pub start: Option<u64>,
    /// `ETag`, else `Last-Modified`.
    pub validator: Option<String>,
    /// `Retry-After`.
    pub retry_after_ms: Option<f64>,
    /// URL of the page that follows, by `Link` (RFC 8288).
    pub next: Option<String>,
    /// Whether its bytes are kept.
    pub kept: bool,
}

/// Collects orders and numbers the readings.
#[derive(Clone, Debug, Default)]
pub struct Orders {
    streams: u32,
    list: Vec<Order>,
}

impl Orders {
    /// Adds an order.
    pub fn push(&mut self, order: Order) {
        self.list.push(order);
    }

    /// Takes all, in order.
    pub fn take(&mut self) -> Vec<Order> {
        std::mem::take(&mut self.list)
    }

    pub(crate) fn fetch(&mut self, fetch: Fetch) -> u32 {
        self.streams = self.streams.wrapping_add(1);
        self.list.push(Order::Fetch(Fetch { stream: self.streams, ..fetch }));
        self.streams
    }
}
