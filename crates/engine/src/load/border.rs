//! What the store's readings ask and are told, as the protocol says it.

use crate::protocol::{CacheEntry, Completion, Effect, Method, Origin};
use sidestage_store::{Answer, Entry, Order, Place, Report};

impl From<Order> for Effect {
    fn from(order: Order) -> Self {
        match order {
            Order::Lookup { key, wait } => Self::Lookup { key, wait },
            Order::Fetch(fetch) => Self::Fetch {
                stream: fetch.stream,
                from: match fetch.place {
                    Place::Url(url) => Origin::Url { url },
                    Place::Held(index) => Origin::Held { index },
                    Place::Cache(key) => Origin::Cache { key },
                },
                offset: fetch.offset,
                keep: fetch.keep,
                method: if fetch.head { Method::Head } else { Method::Get },
                headers: fetch.headers,
                delay_ms: fetch.delay_ms,
                stall_ms: fetch.stall_ms,
            },
            Order::Cancel { stream } => Self::Cancel { stream },
            Order::Record { key, entry } => Self::Record {
                key,
                entry: CacheEntry {
                    source: entry.source,
                    url: entry.url,
                    file: entry.file,
                    bytes: entry.bytes,
                    length: entry.length,
                    validator: entry.validator,
                    sha256: entry.sha256,
                    next: entry.next,
                    complete: entry.complete,
                    created: 0.0,
                    used: 0.0,
                },
            },
            Order::Drop { key } => Self::Drop { key },
            Order::Release { key } => Self::Release { key },
        }
    }
}

impl From<Completion> for Report {
    fn from(completion: Completion) -> Self {
        match completion {
            Completion::Found { key, entry, busy } => Self::Found {
                key,
                entry: entry.map(|entry| Entry {
                    source: entry.source,
                    url: entry.url,
                    file: entry.file,
                    bytes: entry.bytes,
                    length: entry.length,
                    validator: entry.validator,
                    sha256: entry.sha256,
                    next: entry.next,
                    complete: entry.complete,
                }),
                busy,
            },
            Completion::Opened {
                stream,
                status,
                content_type,
                length,
                start,
                validator,
                retry_after_ms,
                next,
                kept,
            } => {
                let answer = Answer {
                    status,
                    content_type,
                    length,
                    start,
                    validator,
                    retry_after_ms,
                    next,
                    kept,
                };
                Self::Opened { stream, answer }
            }
            Completion::Closed { stream } => Self::Closed { stream },
            Completion::Failed { stream, message, refused } => {
                Self::Failed { stream, message, refused }
            }
            Completion::NotKept { key, code, message } => Self::NotKept { key, code, message },
        }
    }
}
