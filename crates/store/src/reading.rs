//! One file on its way here, from the cache, the network or the host's hands.

mod answer;
mod end;
mod wanted;

pub use wanted::{Expect, Keep, Wanted};

use crate::{CacheMode, Entry, Fetch, Order, Orders, Place, Report, StoreError};
use sha2::{Digest, Sha256};

/// Milliseconds before each new try without progress since the last one.
const DELAYS: [f64; 5] = [500.0, 1000.0, 2000.0, 4000.0, 8000.0];
/// Tries after a first request that nobody has answered: most such addresses are wrong.
const UNANSWERED: usize = 2;
/// A server that asks for more patience than this gets no more.
const LONGEST_DELAY: f64 = 60_000.0;
/// Milliseconds without a byte after which a connection is taken to be dead.
const STALL_MS: f64 = 30_000.0;
/// A question whose answer is not needed may not hold a load up.
const HEAD_STALL_MS: f64 = 10_000.0;

/// A state machine that delivers each byte of a file once, in order, whatever happens to its
/// connections, or says why not.
///
/// It asks by [`Orders`] and is told by [`Reading::report`]. For each chunk of a stream the owner
/// asks for [`Reading::room`], puts bytes somewhere, and shows them with [`Reading::wrote`].
/// Reports and bytes of streams that are over, doubled ones and ones that make no sense are
/// ignored. It ends once, with [`Reading::end`].
#[derive(Debug)]
pub struct Reading {
    wanted: Wanted,
    state: State,
    /// Bytes delivered, from the file's first on.
    position: u64,
    length: Option<u64>,
    validator: Option<String>,
    next_page: Option<String>,
    /// Whether bytes of the network are to be kept.
    keeping: bool,
    /// Whether the key's lock is held.
    locked: bool,
    /// Whether any server has answered with bytes, so that a failure is worth many tries.
    answered: bool,
    /// The host knows that no try will be answered.
    refused: bool,
    /// The server was seen not to give parts of files.
    no_ranges: bool,
    /// Tries since the last progress.
    tries: usize,
    hash: Option<Sha256>,
    /// First bytes, until they are known to be what was expected.
    head: Vec<u8>,
    content_type: Option<String>,
    /// The owner needs no more bytes; what follows is for the cache or the hash.
    enough: bool,
    /// The file cannot be shorter.
    least: u64,
    from_cache: u64,
    from_network: u64,
    /// Why it is not kept, as code and message.
    not_kept: Option<(String, String)>,
    end: Option<Result<End, StoreError>>,
}

/// How a reading ended well, or in a way that its owner must see to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// All bytes were delivered and are as they should be.
    Whole,
    /// The owner needed no more.
    Enough,
    /// An optional file is not there.
    Missing,
    /// The file is another than the one whose first bytes were delivered. What the cache held of
    /// it is gone; the owner may begin anew with a new reading.
    Changed,
}

/// What may be done with the next bytes of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Room {
    /// Nothing: the stream is over.
    None,
    /// So many were delivered before: they are to be dropped, and told to [`Reading::wrote`].
    Again(usize),
    /// So many are the file's next ones.
    Next(usize),
}

#[derive(Clone, Debug, PartialEq)]
enum State {
    Idle,
    /// The cache is asked.
    Looking,
    /// Another load has the file; waits for it.
    Waiting,
    /// The server is asked whether what is kept is still its file.
    Asking {
        stream: u32,
        kept: Entry,
    },
    /// The cache is read; `whole`: it has all of the file.
    Stored {
        stream: u32,
        open: bool,
        whole: bool,
    },
    /// The network, or a file that the host holds. `again`: bytes of it that were delivered before.
    Coming {
        stream: u32,
        open: bool,
        offset: u64,
        again: u64,
    },
    /// All bytes are there; the stream's end is awaited, so that the cache has them too.
    Closing {
        stream: u32,
    },
    /// The owner has stopped it for now; `whole`: the cache has all of the file.
    Paused {
        whole: bool,
    },
    Over,
}

impl Reading {
    /// A reading that has not begun.
    pub fn new(wanted: Wanted) -> Self {
        let mut wanted = wanted;
        if wanted.mode == CacheMode::NoStore {
            wanted.keep = None;
        }
        let hash = wanted.sha256.as_ref().map(|_| Sha256::new());
        Self {
            state: State::Idle,
            position: 0,
            length: wanted.length,
            validator: None,
            next_page: None,
            keeping: wanted.keep.is_some(),
            locked: false,
            answered: false,
            refused: false,
            no_ranges: false,
            tries: 0,
            hash,
            head: Vec::new(),
            content_type: None,
            enough: false,
            least: 0,
            from_cache: 0,
            from_network: 0,
            not_kept: None,
            end: None,
            wanted,
        }
    }

    /// Begins.
    pub fn start(&mut self, orders: &mut Orders) {
        if self.state != State::Idle {
            return;
        }
        match &self.wanted.keep {
            Some(keep) => {
                self.state = State::Looking;
                self.locked = true;
                orders.push(Order::Lookup { key: keep.key.clone(), wait: false });
            }
            None => self.load(orders),
        }
    }

    /// Stops the stream for now; [`Reading::resume`] goes on behind the last byte delivered.
    pub fn pause(&mut self, orders: &mut Orders) {
        let whole = match self.state {
            State::Stored { whole, .. } => whole,
            State::Coming { .. } => false,
            _ => return,
        };
        self.cancel(orders);
        self.state = State::Paused { whole };
    }

    /// Goes on.
    pub fn resume(&mut self, orders: &mut Orders) {
        match self.state {
            State::Paused { whole: true } => self.read_cache(orders, true),
            State::Paused { whole: false } => self.connect(orders, 0.0),
            _ => {}
        }
    }

    /// The owner needs no more bytes. The rest is read only for the cache or the hash, and no
    /// failure of it counts but a wrong hash.
    pub fn enough(&mut self, orders: &mut Orders) {
        self.enough = true;
        let rest_is_wanted = match self.state {
            State::Coming { .. } | State::Paused { whole: false } => {
                self.keeping || self.hash.is_some()
            }
            State::Stored { whole, .. } => !whole,
            State::Paused { whole: true } => false,
            _ => return,
        };
        if rest_is_wanted {
            self.resume(orders);
        } else {
            self.finish(orders, Ok(End::Enough));
        }
    }

    /// The file cannot be shorter than this, as its own header says.
    pub fn at_least(&mut self, length: u64) {
        self.least = length;
    }

    /// Gives up. `discard`: what the cache has of the file is of no use, as may turn out when all of
    /// it was read.
    pub fn abandon(&mut self, discard: bool, orders: &mut Orders) {
        if self.state == State::Over {
            if discard
                && self.end == Some(Ok(End::Whole))
                && let Some(keep) = self.wanted.keep.take()
            {
                orders.push(Order::Drop { key: keep.key });
            }
            return;
        }
        if discard {
            self.discard(orders);
        }
        self.finish(orders, Ok(End::Enough));
    }

    /// What may be done with bytes of `stream` that are here, at most `want`.
    pub fn room(&mut self, stream: u32, want: usize, orders: &mut Orders) -> Room {
        let (open, again) = match self.state {
            State::Stored { stream: of, open, .. } if of == stream => (open, 0),
            State::Coming { stream: of, open, again, .. } if of == stream => (open, again),
            _ => return Room::None,
        };
        if !open {
            // Without the answer nobody knows whose bytes these are; but there is a server.
            self.answered = true;
            self.broke(orders, "bytes came before the answer");
            return Room::None;
        }
        if again > 0 {
            return Room::Again(want.min(again.min(1 << 20) as usize));
        }
        let left = self.length.map_or(u64::MAX, |length| length.saturating_sub(self.position));
        Room::Next((want as u64).min(left) as usize)
    }

    /// That the next bytes of `stream` are `bytes`: no more than [`Reading::room`] allowed last.
    pub fn wrote(&mut self, stream: u32, bytes: &[u8], orders: &mut Orders) {
        match &mut self.state {
            State::Stored { stream: of, open: true, .. } if *of == stream => {
                self.from_cache += bytes.len() as u64;
            }
            State::Coming { stream: of, open: true, again, .. } if *of == stream => {
                if !matches!(self.wanted.place, Place::Held(_)) {
                    self.from_network += bytes.len() as u64;
                }
                if *again > 0 {
                    *again = again.saturating_sub(bytes.len() as u64);
                    return;
                }
            }
            _ => return,
        }
        if bytes.is_empty() {
            return;
        }
        if let Err(error) = self.look(bytes) {
            self.discard(orders);
            return self.finish(orders, Err(error));
        }
        if let Some(hash) = &mut self.hash {
            hash.update(bytes);
        }
        self.position += bytes.len() as u64;
        self.tries = 0;
        if self.length != Some(self.position) {
            return;
        }
        match self.state {
            State::Coming { stream, .. } if self.keeping => self.state = State::Closing { stream },
            _ => self.whole(orders),
        }
    }

    /// Takes a report of the host.
    pub fn report(&mut self, report: &Report, orders: &mut Orders) {
        match report {
            Report::Found { key, entry, busy } if self.has_key(key) => {
                self.found(entry.as_ref(), *busy, orders);
            }
            Report::NotKept { key, code, message } if self.has_key(key) => {
                self.refused(code, message, orders);
            }
            Report::Opened { stream, answer } if self.stream() == Some(*stream) => {
                self.opened(answer, orders);
            }
            Report::Closed { stream } if self.stream() == Some(*stream) => self.closed(orders),
            Report::Failed { stream, message, refused } if self.stream() == Some(*stream) => {
                match self.state {
                    State::Closing { .. } => self.whole(orders),
                    _ => {
                        self.refused |= refused;
                        self.broke(orders, message);
                    }
                }
            }
            _ => {}
        }
    }

    /// How it ended, if it has.
    pub fn end(&self) -> Option<&Result<End, StoreError>> {
        self.end.as_ref()
    }

    /// Whether it has ended, as far as its owner needs it: only the cache or the hash may want
    /// more.
    pub fn is_over(&self) -> bool {
        self.state == State::Over
    }

    /// The stream that is open.
    pub fn stream(&self) -> Option<u32> {
        match self.state {
            State::Asking { stream, .. }
            | State::Stored { stream, .. }
            | State::Coming { stream, .. }
            | State::Closing { stream } => Some(stream),
            _ => None,
        }
    }

    /// Whether it waits for another load.
    pub fn is_waiting(&self) -> bool {
        self.state == State::Waiting
    }

    /// What is read.
    pub fn wanted(&self) -> &Wanted {
        &self.wanted
    }

    /// Bytes delivered.
    pub fn position(&self) -> u64 {
        self.position
    }

    /// Bytes of the whole file, where known.
    pub fn length(&self) -> Option<u64> {
        self.length
    }

    /// The mark of the version that is read, where known.
    pub fn validator(&self) -> Option<&str> {
        self.validator.as_deref()
    }

    /// URL of the page that follows this one, if there is one.
    pub fn next_page(&self) -> Option<&str> {
        self.next_page.as_deref()
    }

    /// Bytes that came from the cache.
    pub fn from_cache(&self) -> u64 {
        self.from_cache
    }

    /// Bytes that came over the network, those that were dropped included.
    pub fn from_network(&self) -> u64 {
        self.from_network
    }

    /// Why the file was not kept, as code and message, if it was meant to be.
    pub fn not_kept(&self) -> Option<(&str, &str)> {
        self.not_kept.as_ref().map(|(code, message)| (code.as_str(), message.as_str()))
    }

    fn has_key(&self, key: &str) -> bool {
        self.wanted.keep.as_ref().is_some_and(|keep| keep.key == key)
    }

    /// Asks the network (or the host) for the rest of the file.
    fn connect(&mut self, orders: &mut Orders, delay_ms: f64) {
        let offset = if self.no_ranges { 0 } else { self.position };
        let keep = self.wanted.keep.as_ref().filter(|_| self.keeping);
        let held = matches!(self.wanted.place, Place::Held(_));
        let stream = orders.fetch(Fetch {
            stream: 0,
            place: self.wanted.place.clone(),
            offset,
            keep: keep.map(|keep| keep.key.clone()),
            head: false,
            headers: self.wanted.headers.clone(),
            delay_ms,
            stall_ms: if held { 0.0 } else { STALL_MS },
        });
        self.state = State::Coming { stream, open: false, offset, again: 0 };
    }

    fn read_cache(&mut self, orders: &mut Orders, whole: bool) {
        let Some(keep) = &self.wanted.keep else { return };
        let stream = orders.fetch(Fetch {
            stream: 0,
            place: Place::Cache(keep.key.clone()),
            offset: self.position,
            keep: None,
            head: false,
            headers: Vec::new(),
            delay_ms: 0.0,
            stall_ms: 0.0,
        });
        self.state = State::Stored { stream, open: false, whole };
    }

    fn cancel(&mut self, orders: &mut Orders) {
        if let Some(stream) = self.stream() {
            orders.push(Order::Cancel { stream });
        }
    }
}
