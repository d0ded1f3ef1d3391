//! What passes between the engine and its host: the worker's JavaScript, the native command, a
//! test. A page sees nothing of it.

use super::{Event, ThreadsFigure};
use serde::{Deserialize, Serialize};
#[cfg(feature = "typescript")]
use ts_rs::TS;

/// What the engine asks of its host. Data; the host carries it out and hands a [`Completion`] back.
///
/// The engine decides which files are read, from where, when again, and what the cache keeps. The
/// host decides nothing.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "typescript", derive(TS))]
#[serde(tag = "type", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Effect {
    /// Send this event to the page.
    Post {
        /// The event.
        event: Event,
    },
    /// What does the cache hold under this key? Takes the key's lock and keeps it until
    /// [`Effect::Release`] or the load's end. Answered by [`Completion::Found`].
    Lookup {
        /// The key.
        key: String,
        /// Where somebody else holds the lock: answer when it is free, instead of at once with
        /// `busy`.
        wait: bool,
    },
    /// Read a file from `offset` to its end: open it, say so, hand over its bytes as they come
    /// (into the window the engine names), close it.
    Fetch {
        /// Id of this reading, never used again.
        stream: u32,
        /// Where the file is.
        from: Origin,
        /// First byte. Of a URL, an offset above 0 is asked for with `Range: bytes=N-`.
        #[cfg_attr(feature = "typescript", ts(type = "number"))]
        offset: u64,
        /// Key under which the bytes are written to the cache too, each at its place in the file.
        /// Bytes that are there already, from 0, stay.
        keep: Option<String>,
        /// How a URL is asked.
        method: Method,
        /// Headers besides the range, as name and value.
        headers: Vec<(String, String)>,
        /// Milliseconds to wait before asking.
        delay_ms: f64,
        /// Milliseconds without a byte after which the reading has failed; 0: never.
        stall_ms: f64,
    },
    /// Stop a reading; no completion is expected. What was written to the cache stays.
    Cancel {
        /// The reading.
        stream: u32,
    },
    /// What is known of the key's file from now on. Written at once.
    Record {
        /// The key.
        key: String,
        /// What is known.
        entry: CacheEntry,
    },
    /// Throw away what the cache holds under the key; its lock stays. Where it was given back
    /// before, it is taken for this, and given back.
    Drop {
        /// The key.
        key: String,
    },
    /// Keep this for the next load of the same model on this machine, if it can be.
    Remember {
        /// What was measured.
        figure: ThreadsFigure,
    },
    /// Give the key's lock back.
    Release {
        /// The key.
        key: String,
    },
}

/// Where a file is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "typescript", derive(TS))]
#[serde(tag = "kind", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Origin {
    /// On the network.
    Url {
        /// The URL, absolute or relative to the page.
        url: String,
    },
    /// Among the files that came with the load.
    Held {
        /// Its position in the load's list.
        index: u32,
    },
    /// In the cache.
    Cache {
        /// Its key.
        key: String,
    },
}

/// How a URL is asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "typescript", derive(TS))]
#[serde(rename_all = "camelCase")]
pub enum Method {
    /// For the file.
    #[default]
    Get,
    /// For its headers only: [`Completion::Opened`] is followed by [`Completion::Closed`].
    Head,
}

/// What the cache knows of a file.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "typescript", derive(TS))]
#[serde(rename_all = "camelCase")]
pub struct CacheEntry {
    /// What the app asked for: the files of one model have one source.
    pub source: String,
    /// Where the file came from.
    pub url: String,
    /// Its path or name, for people.
    pub file: String,
    /// In the answer to a [`Effect::Lookup`]: bytes that are really there, from 0 and without a
    /// hole. Not looked at in [`Effect::Record`].
    #[cfg_attr(feature = "typescript", ts(type = "number"))]
    pub bytes: u64,
    /// The length of the whole file, where known.
    #[cfg_attr(feature = "typescript", ts(type = "number | null"))]
    pub length: Option<u64>,
    /// The server's `ETag`, else `Last-Modified`, where it was to be seen.
    pub validator: Option<String>,
    /// SHA-256 of the whole file in lower-case hexadecimal digits, where known.
    pub sha256: Option<String>,
    /// URL of the page that follows, of a list that has several.
    #[serde(default)]
    pub next: Option<String>,
    /// Whether the file is whole, and was found to be as it should.
    pub complete: bool,
    /// Milliseconds since 1970 when it was begun; the host sets it.
    pub created: f64,
    /// Milliseconds since 1970 of its last use; the host sets it.
    pub used: f64,
}

/// What became of an effect.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "typescript", derive(TS))]
#[serde(tag = "type", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Completion {
    /// The answer to [`Effect::Lookup`].
    Found {
        /// The key.
        key: String,
        /// What there is, if anything.
        entry: Option<CacheEntry>,
        /// Somebody else holds the lock; `entry` says nothing.
        busy: bool,
    },
    /// The source answered.
    Opened {
        /// The reading.
        stream: u32,
        /// HTTP status; 200 for what is not HTTP.
        status: u16,
        /// `Content-Type`, if any.
        content_type: Option<String>,
        /// Length of the whole file, if known (not of a compressed transfer).
        #[cfg_attr(feature = "typescript", ts(type = "number | null"))]
        length: Option<u64>,
        /// The first byte of the answer by `Content-Range`, where it is to be seen.
        #[cfg_attr(feature = "typescript", ts(type = "number | null"))]
        start: Option<u64>,
        /// `ETag`, else `Last-Modified`, where it is to be seen.
        validator: Option<String>,
        /// `Retry-After` in milliseconds, where it is to be seen.
        retry_after_ms: Option<f64>,
        /// URL of the page that follows, by `Link` (RFC 8288), where it is to be seen.
        #[serde(default)]
        next: Option<String>,
        /// Whether the bytes are being written to the cache.
        kept: bool,
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
        /// What the browser said.
        message: String,
        /// Another try would fail in the same way: there is no network, or the server does not let
        /// this page read its answers.
        #[serde(default)]
        refused: bool,
    },
    /// The cache took no more bytes of this key; the reading goes on without it.
    NotKept {
        /// The key.
        key: String,
        /// `QUOTA_EXCEEDED` or `CACHE_FAILED`.
        code: String,
        /// What the browser said.
        message: String,
    },
}

impl Effect {
    /// A plain reading, from the first byte.
    pub fn fetch(stream: u32, from: Origin) -> Self {
        Self::Fetch {
            stream,
            from,
            offset: 0,
            keep: None,
            method: Method::Get,
            headers: Vec::new(),
            delay_ms: 0.0,
            stall_ms: 0.0,
        }
    }
}

impl Completion {
    /// That a source answered as one that is not HTTP: a file of that length.
    pub fn opened(stream: u32, length: Option<u64>) -> Self {
        Self::Opened {
            stream,
            status: 200,
            content_type: None,
            length,
            start: None,
            validator: None,
            retry_after_ms: None,
            next: None,
            kept: false,
        }
    }
}
