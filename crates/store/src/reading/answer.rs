//! What the cache and the servers say.

use super::{HEAD_STALL_MS, Reading, State};
use crate::{Answer, CacheMode, Entry, Fetch, Looks, Order, Orders, Place, StoreError};

impl Reading {
    /// The cache has answered.
    pub(super) fn found(&mut self, entry: Option<&Entry>, busy: bool, orders: &mut Orders) {
        let Some(keep) = self.wanted.keep.clone() else { return };
        let key = keep.key.clone();
        match (&self.state, busy) {
            (State::Looking, true) => {
                self.state = State::Waiting;
                return orders.push(Order::Lookup { key, wait: true });
            }
            (State::Looking | State::Waiting, false) => {}
            _ => return,
        }
        let Some(entry) = entry else { return self.load(orders) };
        let differs = |a: &Option<String>, b: &Option<String>| a.is_some() && b.is_some() && a != b;
        let another = differs(&keep.validator, &entry.validator)
            || differs(&self.wanted.sha256, &entry.sha256)
            || (self.wanted.length.is_some()
                && entry.length.is_some()
                && self.wanted.length != entry.length)
            || entry.length.is_some_and(|length| entry.bytes > length);
        if another || self.wanted.mode == CacheMode::Reload {
            orders.push(Order::Drop { key });
            return self.load(orders);
        }
        let unasked = matches!(self.wanted.mode, CacheMode::ForceCache | CacheMode::OnlyIfCached);
        match &self.wanted.place {
            Place::Url(url) if entry.complete && !keep.immutable && !unasked => {
                let stream = orders.fetch(Fetch {
                    stream: 0,
                    place: Place::Url(url.clone()),
                    offset: 0,
                    keep: None,
                    head: true,
                    headers: Vec::new(),
                    delay_ms: 0.0,
                    stall_ms: HEAD_STALL_MS,
                });
                self.state = State::Asking { stream, kept: entry.clone() };
            }
            _ if entry.complete => self.take(entry, orders),
            _ if self.wanted.mode == CacheMode::OnlyIfCached || entry.bytes == 0 => {
                self.load(orders);
            }
            _ => self.take(entry, orders),
        }
    }

    /// Nothing that is kept can be used.
    pub(super) fn load(&mut self, orders: &mut Orders) {
        let held = matches!(self.wanted.place, Place::Held(_));
        if self.wanted.mode == CacheMode::OnlyIfCached && !held {
            let file = self.wanted.file.clone();
            return self.finish(orders, Err(StoreError::NotCached { file }));
        }
        self.connect(orders, 0.0);
    }

    /// What is kept is used.
    pub(super) fn take(&mut self, entry: &Entry, orders: &mut Orders) {
        self.length = self.length.or(entry.length);
        self.validator.clone_from(&entry.validator);
        self.next_page.clone_from(&entry.next);
        if entry.complete {
            // It was checked when it was kept.
            self.hash = None;
            self.length = self.length.or(Some(entry.bytes));
        }
        self.read_cache(orders, entry.complete);
    }

    /// A stream has been answered.
    pub(super) fn opened(&mut self, answer: &Answer, orders: &mut Orders) {
        match &mut self.state {
            State::Asking { kept, .. } => {
                let kept = kept.clone();
                self.cancel(orders);
                let changed = (200..300).contains(&answer.status)
                    && match (&answer.validator, &kept.validator) {
                        (Some(new), Some(old)) => !same(new, old),
                        _ => matches!((answer.length, kept.length), (Some(a), Some(b)) if a != b),
                    };
                if !changed {
                    return self.take(&kept, orders);
                }
                if let Some(keep) = &self.wanted.keep {
                    orders.push(Order::Drop { key: keep.key.clone() });
                }
                self.connect(orders, 0.0);
            }
            State::Stored { open, .. } => *open = true,
            State::Coming { open: false, offset, .. } => {
                let offset = *offset;
                self.answered(answer, offset, orders);
            }
            _ => {}
        }
    }

    fn answered(&mut self, answer: &Answer, offset: u64, orders: &mut Orders) {
        let (url, status) = (self.wanted.url(), answer.status);
        let error = match status {
            206 if answer.start.is_some_and(|start| start != offset) => {
                // Bytes of another place than asked for: only the whole file can be trusted.
                self.no_ranges = true;
                return self.again(orders, StoreError::Http { url, status }, None);
            }
            206 => return self.accept(answer, offset, orders),
            200..=299 => {
                self.no_ranges |= offset > 0;
                return self.accept(answer, 0, orders);
            }
            416 if offset > 0 => {
                let all = [self.length, answer.length].contains(&Some(self.position));
                return if all { self.whole(orders) } else { self.changed(orders) };
            }
            404 | 410 => StoreError::NotFound { url, status },
            401 | 403 => StoreError::AccessDenied { url, status },
            429 => {
                let seconds = answer.retry_after_ms.map(|ms| (ms / 1000.0).ceil() as u64);
                let error = StoreError::RateLimited { url, seconds };
                return self.again(orders, error, answer.retry_after_ms);
            }
            408 | 500..=599 => {
                let error = StoreError::Http { url, status };
                return self.again(orders, error, answer.retry_after_ms);
            }
            _ => StoreError::Http { url, status },
        };
        self.missing_or(orders, error);
    }

    /// Bytes of the file come, from `start` on.
    fn accept(&mut self, answer: &Answer, start: u64, orders: &mut Orders) {
        let mime = answer.content_type.as_deref().and_then(|of| of.split(';').next());
        let mime = mime.unwrap_or("").trim();
        let page = ["text/html", "application/xhtml+xml"];
        self.content_type.clone_from(&answer.content_type);
        if page.iter().any(|of| mime.eq_ignore_ascii_case(of)) {
            return self.missing_or(orders, self.not_a_model(Looks::Html));
        }
        let another = matches!((answer.length, self.length), (Some(a), Some(b)) if a != b)
            || (self.position > 0
                && matches!((&answer.validator, &self.validator), (Some(a), Some(b)) if !same(a, b)));
        if another {
            return self.changed(orders);
        }
        let State::Coming { stream, offset, .. } = self.state else { return };
        let again = self.position.saturating_sub(start);
        self.answered = true;
        self.length = self.length.or(answer.length);
        self.keeping &= answer.kept;
        self.state = State::Coming { stream, open: true, offset, again };
        if answer.next.is_some() {
            self.next_page.clone_from(&answer.next);
        }
        let first = self.validator.is_none() || self.position == 0;
        if first && answer.validator.is_some() {
            self.validator.clone_from(&answer.validator);
        }
        self.record(false, orders);
        // A part that was kept may have been all of it.
        if self.length == Some(self.position) && self.position > 0 {
            self.whole(orders);
        } else if self.length == Some(0) {
            self.empty(orders);
        }
    }

    /// Writes down what is known, if the file is kept.
    pub(super) fn record(&self, complete: bool, orders: &mut Orders) {
        let Some(keep) = self.wanted.keep.as_ref().filter(|_| self.keeping) else { return };
        let entry = Entry {
            source: keep.source.clone(),
            url: self.wanted.url(),
            file: self.wanted.file.clone(),
            bytes: self.position,
            length: self.length,
            validator: keep.validator.clone().or_else(|| self.validator.clone()),
            sha256: self.wanted.sha256.clone(),
            next: self.next_page.clone(),
            complete,
        };
        orders.push(Order::Record { key: keep.key.clone(), entry });
    }
}

/// Whether two validators name one version. A weak `ETag` (RFC 9110, section 8.8.1) differs from
/// the strong one by what a proxy did to the transfer, not by the file.
fn same(a: &str, b: &str) -> bool {
    a.trim_start_matches("W/") == b.trim_start_matches("W/")
}
