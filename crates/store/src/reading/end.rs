//! How streams and readings end.

use super::{DELAYS, End, LONGEST_DELAY, Reading, State, UNANSWERED};
use crate::{CacheMode, Looks, Order, Orders, Place, StoreError};
use sha2::Digest;

impl Reading {
    /// A stream has come to its end.
    pub(super) fn closed(&mut self, orders: &mut Orders) {
        match self.state.clone() {
            State::Asking { .. } => self.broke(orders, "no answer"),
            State::Stored { open: false, .. } => self.broke(orders, "no answer"),
            State::Stored { whole: true, .. } => match self.length {
                Some(length) if self.position < length => self.broke(orders, "it ends too early"),
                _ => self.whole(orders),
            },
            // The part that was kept is used up.
            State::Stored { whole: false, .. } => match self.length {
                Some(length) if self.position == length => self.whole(orders),
                _ => self.connect(orders, 0.0),
            },
            State::Closing { .. } => self.whole(orders),
            State::Coming { open: false, .. } => self.broke(orders, "the connection was closed"),
            State::Coming { again, .. } => match self.length {
                Some(expected) if self.position < expected || again > 0 => {
                    let (url, received) = (self.wanted.url(), self.position);
                    let error = StoreError::Truncated { url, expected, received };
                    match self.wanted.place {
                        Place::Held(_) => self.finish(orders, Err(error)),
                        _ => self.again(orders, error, None),
                    }
                }
                None if again > 0 => self.changed(orders),
                None if self.position == 0 => self.empty(orders),
                _ => self.whole(orders),
            },
            _ => {}
        }
    }

    /// A stream has failed.
    pub(super) fn broke(&mut self, orders: &mut Orders, message: &str) {
        match self.state.clone() {
            // What is kept is better than nothing.
            State::Asking { kept, .. } => {
                self.cancel(orders);
                self.take(&kept, orders);
            }
            State::Stored { .. } => {
                self.cancel(orders);
                let unusable = matches!(self.wanted.mode, CacheMode::OnlyIfCached);
                if self.position > 0 && !unusable {
                    return self.changed(orders);
                }
                if let Some(keep) = &self.wanted.keep {
                    orders.push(Order::Drop { key: keep.key.clone() });
                }
                if unusable {
                    let file = self.wanted.file.clone();
                    return self.finish(orders, Err(StoreError::NotCached { file }));
                }
                self.forget();
                self.connect(orders, 0.0);
            }
            State::Coming { .. } => {
                let url = self.wanted.url();
                let held = matches!(self.wanted.place, Place::Held(_));
                let received = self.answered.then_some(self.position);
                let error = StoreError::Network { url, message: message.to_owned(), received };
                // What may be missing is not worth a wait.
                let unanswered = !self.refused && !self.wanted.optional && self.tries < UNANSWERED;
                if !held && (self.answered || unanswered) {
                    self.again(orders, error, None);
                } else {
                    self.finish(orders, Err(error));
                }
            }
            _ => {}
        }
    }

    /// What was known from the cache does not count.
    fn forget(&mut self) {
        self.validator = None;
        self.next_page = None;
        self.length = self.wanted.length;
        self.hash = self.wanted.sha256.as_ref().map(|_| sha2::Sha256::new());
    }

    /// Tries again, later each time there was no progress.
    pub(super) fn again(&mut self, orders: &mut Orders, error: StoreError, delay: Option<f64>) {
        self.cancel(orders);
        let Some(&usual) = DELAYS.get(self.tries) else {
            return self.finish(orders, Err(error));
        };
        self.tries += 1;
        let asked = delay.filter(|delay| delay.is_finite() && *delay >= 0.0);
        self.connect(orders, asked.unwrap_or(usual).min(LONGEST_DELAY));
    }

    /// The cache takes no more.
    pub(super) fn refused(&mut self, code: &str, message: &str, orders: &mut Orders) {
        if !self.keeping || self.state == State::Over {
            return;
        }
        self.keeping = false;
        self.not_kept = Some((code.to_owned(), message.to_owned()));
        if let Some(keep) = &self.wanted.keep {
            orders.push(Order::Drop { key: keep.key.clone() });
        }
        if let State::Closing { .. } = self.state {
            self.whole(orders);
        } else if self.enough {
            self.enough(orders);
        }
    }

    /// The source has another file than before.
    pub(super) fn changed(&mut self, orders: &mut Orders) {
        self.discard(orders);
        self.finish(orders, Ok(End::Changed));
    }

    /// Throws away what is kept.
    pub(super) fn discard(&mut self, orders: &mut Orders) {
        self.keeping = false;
        if let Some(keep) = self.wanted.keep.as_ref().filter(|_| self.locked) {
            orders.push(Order::Drop { key: keep.key.clone() });
        }
    }

    /// All bytes are here.
    pub(super) fn whole(&mut self, orders: &mut Orders) {
        if self.head.len() < self.wanted.expect.enough() && self.position == self.head.len() as u64
        {
            self.discard(orders);
            return self.finish(orders, Err(self.not_a_model(Looks::of(&self.head))));
        }
        let hash = self.hash.take().map(|hash| hex(&hash.finalize()));
        let whole_cache = matches!(self.state, State::Stored { whole: true, .. });
        if let (Some(found), Some(expected)) = (hash, self.wanted.sha256.clone())
            && found != expected
        {
            // What the cache gave may be the culprit.
            if self.from_cache > 0 {
                return self.changed(orders);
            }
            self.discard(orders);
            let file = self.wanted.file.clone();
            let error = StoreError::ChecksumMismatch { file, expected, found };
            return self.finish(orders, Err(error));
        }
        self.length = Some(self.position);
        if self.position < self.least {
            self.discard(orders);
        } else if !whole_cache {
            self.record(true, orders);
        }
        self.finish(orders, Ok(End::Whole));
    }

    /// The file has no bytes.
    pub(super) fn empty(&mut self, orders: &mut Orders) {
        if self.wanted.expect.enough() == 0 {
            return self.whole(orders);
        }
        self.discard(orders);
        self.finish(orders, Err(self.not_a_model(Looks::Empty)));
    }

    /// Ends with an error, unless the file may be missing.
    pub(super) fn missing_or(&mut self, orders: &mut Orders, error: StoreError) {
        let missing = match &error {
            StoreError::NotFound { .. } => true,
            // Servers that answer every path with their start page.
            StoreError::NotAModel { looks, .. } => *looks == Looks::Html,
            _ => false,
        };
        let end = if missing && self.wanted.optional { Ok(End::Missing) } else { Err(error) };
        self.finish(orders, end);
    }

    /// The one end.
    pub(super) fn finish(&mut self, orders: &mut Orders, end: Result<End, StoreError>) {
        if self.state == State::Over {
            return;
        }
        self.cancel(orders);
        self.state = State::Over;
        if let Some(keep) = self.wanted.keep.as_ref().filter(|_| self.locked) {
            orders.push(Order::Release { key: keep.key.clone() });
            self.locked = false;
        }
        // What comes after the last byte needed is no reason to fail, unless it shows that the
        // bytes before were wrong.
        let harmless = self.enough
            && match &end {
                Ok(end) => *end == End::Changed && self.wanted.sha256.is_none(),
                Err(error) => !matches!(error, StoreError::ChecksumMismatch { .. }),
            };
        self.end = Some(if harmless { Ok(End::Enough) } else { end });
    }

    /// Looks at the first bytes.
    pub(super) fn look(&mut self, bytes: &[u8]) -> Result<(), StoreError> {
        let expect = self.wanted.expect;
        if self.position >= expect.enough() as u64 {
            return Ok(());
        }
        let room = Looks::ENOUGH.saturating_sub(self.head.len());
        self.head.extend_from_slice(&bytes[..bytes.len().min(room)]);
        if self.head.len() >= expect.enough() && !expect.allows(&self.head) {
            return Err(self.not_a_model(Looks::of(&self.head)));
        }
        Ok(())
    }

    /// The error of a file that is no model.
    pub fn not_a_model(&self, looks: Looks) -> StoreError {
        let (url, content_type) = (self.wanted.url(), self.content_type.clone());
        StoreError::NotAModel { url, looks, content_type }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
