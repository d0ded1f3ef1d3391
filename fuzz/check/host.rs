//! A host that does what an input says, and watches what the engine asks of it. It is honest where
//! the input says nothing: its cache has what was kept, and says so.

use sha2::{Digest, Sha256};
use sidestage_engine::protocol::{
    CacheEntry, Completion, Effect, Event, Method, Origin, Outcome, Request,
};
use sidestage_engine::{Engine, TextRoom};
use sidestage_pool::Pool;
use sidestage_text::wire::Server;
use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

type Call = Box<dyn FnMut(u32, &[u8]) -> Result<Vec<u8>, Vec<u8>>>;

pub(crate) struct Host {
    engine: Engine<TextRoom<Call>>,
    /// How often each id was asked for, and how often it ended.
    pub(crate) ids: BTreeMap<u32, (usize, usize)>,
    cache: BTreeMap<String, Kept>,
    /// Keys of which the input has told something else than the cache would.
    doubted: BTreeSet<String>,
    locked: BTreeSet<String>,
    /// Lookups without an answer.
    asked: Vec<String>,
    /// The key that was asked for last.
    key: String,
    streams: BTreeMap<u32, Stream>,
    /// The reading that was asked for last.
    pub(crate) stream: u32,
}

#[derive(Default)]
struct Kept {
    bytes: Vec<u8>,
    entry: Option<CacheEntry>,
}

/// A reading that has not ended.
pub(crate) struct Stream {
    pub(crate) from: Origin,
    pub(crate) offset: u64,
    pub(crate) method: Method,
    keep: Option<String>,
    open: bool,
    /// The place of its next bytes in the file.
    at: u64,
}

impl Host {
    pub(crate) fn new() -> Self {
        let mut server = Server::new();
        let call: Call = Box::new(move |op, message| server.call(op, message));
        let time = Cell::new(0.0);
        let clock = Box::new(move || time.replace(time.get() + 1.0));
        Self {
            engine: Engine::new(TextRoom::new(call, || None), clock, Arc::new(Pool::inline())),
            ids: BTreeMap::new(),
            cache: BTreeMap::new(),
            doubted: BTreeSet::new(),
            locked: BTreeSet::new(),
            asked: Vec::new(),
            key: String::new(),
            streams: BTreeMap::new(),
            stream: 0,
        }
    }

    /// A reading, if it has not ended.
    pub(crate) fn reading(&self, stream: u32) -> Option<&Stream> {
        self.streams.get(&stream)
    }

    pub(crate) fn ask(&mut self, request: Request) {
        if let Some(id) = request.id() {
            self.ids.entry(id).or_default().0 += 1;
        }
        self.engine.request(request);
        self.carry_out();
    }

    pub(crate) fn run(&mut self, budget: f64) {
        self.engine.run(budget);
        self.carry_out();
    }

    /// Reports on what was asked for last. Whether there is such a thing.
    pub(crate) fn answer(&mut self, mut told: Completion) {
        match &mut told {
            Completion::Found { key, .. } => match self.asked.pop() {
                Some(asked) => *key = asked,
                None => return,
            },
            Completion::Opened { stream, .. }
            | Completion::Closed { stream }
            | Completion::Failed { stream, .. } => *stream = self.stream,
            Completion::NotKept { key, .. } => key.clone_from(&self.key),
        }
        self.tell(told);
    }

    pub(crate) fn open(&mut self) {
        self.tell(Completion::opened(self.stream, None));
    }

    pub(crate) fn close(&mut self) {
        self.tell(Completion::Closed { stream: self.stream });
    }

    pub(crate) fn tell(&mut self, mut told: Completion) {
        match &mut told {
            Completion::Found { key, .. } => drop(self.doubted.insert(key.clone())),
            Completion::Opened { stream, status, start, kept, .. } => {
                if let Some(of) = self.streams.get_mut(stream).filter(|of| !of.open) {
                    of.open = true;
                    of.at = if *status == 206 { start.unwrap_or(of.offset) } else { 0 };
                    // What is no file is not kept, whatever the input says.
                    *kept &= of.keep.is_some() && [200, 206].contains(status);
                    of.keep = of.keep.take().filter(|_| *kept);
                }
                // An answer without a body ends by itself.
                if self.streams.get(stream).is_some_and(|of| of.method == Method::Head) {
                    self.streams.remove(stream);
                }
            }
            Completion::Closed { stream } | Completion::Failed { stream, .. } => {
                self.streams.remove(stream);
            }
            Completion::NotKept { .. } => {}
        }
        self.engine.completion(told);
        self.carry_out();
    }

    /// Bytes of the reading that was asked for last, or of one that was not asked for.
    pub(crate) fn feed(&mut self, asked: bool, bytes: &[u8]) {
        let stream = if asked { self.stream } else { self.stream + 1 };
        if let Some(of) = self.streams.get_mut(&stream).filter(|of| of.open) {
            let at = of.at;
            of.at = at.saturating_add(bytes.len() as u64);
            if let Origin::Cache { key } = &of.from {
                self.doubted.insert(key.clone());
            }
            if let Some(key) = of.keep.clone() {
                self.keep(key, at, bytes);
            }
        }
        self.hand_over(stream, bytes);
        self.carry_out();
    }

    /// The cache hands over what it has of the file that was asked for last.
    pub(crate) fn recall(&mut self) {
        let Some(Stream { from: Origin::Cache { key }, offset, .. }) = self.reading(self.stream)
        else {
            return;
        };
        let bytes = self.cache.get(key).map_or(&[][..], |kept| &kept.bytes);
        let bytes = bytes.get(*offset as usize..).unwrap_or_default().to_vec();
        let stream = self.stream;
        self.tell(Completion::opened(stream, None));
        self.hand_over(stream, &bytes);
        self.carry_out();
        self.tell(Completion::Closed { stream });
    }

    /// Every lookup that the input has left open is answered with what there is.
    pub(crate) fn look(&mut self) {
        while let Some(key) = self.asked.pop() {
            let entry = self.cache.get(&key).and_then(|kept| {
                Some(CacheEntry { bytes: kept.bytes.len() as u64, ..kept.entry.clone()? })
            });
            self.engine.completion(Completion::Found { key, entry, busy: false });
            self.carry_out();
        }
    }

    /// Gives the model back, which ends everything.
    pub(crate) fn end(&mut self) {
        self.ask(Request::Dispose { id: 0, model: 0 });
        for (id, (asked, ended)) in &self.ids {
            assert_eq!(ended, asked, "times that {id} ended and was asked for");
        }
        assert!(self.locked.is_empty(), "{:?} are locked", self.locked);
        assert!(self.streams.is_empty(), "{:?} are open", self.streams.keys());
    }

    fn hand_over(&mut self, stream: u32, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let window = self.engine.window(stream, bytes.len());
            if window.is_empty() {
                return;
            }
            let count = window.len();
            window.copy_from_slice(&bytes[..count]);
            self.engine.wrote(stream, count);
            bytes = &bytes[count..];
        }
    }

    /// Writes bytes at their place; what is there stays.
    fn keep(&mut self, key: String, at: u64, bytes: &[u8]) {
        let kept = self.cache.entry(key.clone()).or_default();
        match (kept.bytes.len() as u64).checked_sub(at) {
            Some(skip) => {
                let skip = bytes.len().min(usize::try_from(skip).unwrap_or(usize::MAX));
                kept.bytes.extend_from_slice(&bytes[skip..]);
            }
            None => {
                self.stop_keeping(&key);
                let (code, message) = ("CACHE_FAILED".into(), "a hole".into());
                self.engine.completion(Completion::NotKept { key, code, message });
            }
        }
    }

    fn stop_keeping(&mut self, key: &str) {
        for stream in self.streams.values_mut() {
            stream.keep = stream.keep.take().filter(|of| of != key);
        }
    }

    fn carry_out(&mut self) {
        for effect in self.engine.take_effects() {
            match effect {
                Effect::Post { event } => self.see(&event),
                Effect::Lookup { key, wait } => {
                    let first = self.locked.insert(key.clone());
                    assert_eq!(first, !wait, "{key} is asked for by one who has it");
                    self.asked.push(key.clone());
                    self.key = key;
                }
                Effect::Release { key } => {
                    assert!(self.locked.remove(&key), "{key} is given back twice");
                    self.asked.retain(|of| *of != key);
                }
                Effect::Remember { figure } => assert!(figure.threads <= figure.of),
                Effect::Record { key, entry } => self.record(key, entry),
                Effect::Drop { key } => {
                    self.stop_keeping(&key);
                    self.doubted.remove(&key);
                    self.cache.remove(&key);
                }
                Effect::Fetch { stream, from, offset, keep, method, .. } => {
                    assert!(stream > self.stream, "{stream} was a reading before");
                    let has = keep.as_ref().is_none_or(|key| self.locked.contains(key));
                    assert!(has, "{keep:?} is written without its lock");
                    self.stream = stream;
                    let of = Stream { from, offset, method, keep, open: false, at: 0 };
                    self.streams.insert(stream, of);
                }
                Effect::Cancel { stream } => drop(self.streams.remove(&stream)),
            }
        }
    }

    /// What is recorded as whole and as it should be is so.
    fn record(&mut self, key: String, entry: CacheEntry) {
        assert!(self.locked.contains(&key), "{key} is recorded without its lock");
        let kept = self.cache.entry(key.clone()).or_default();
        if entry.complete && !self.doubted.contains(&key) {
            let length = entry.length.expect("a whole file has a length") as usize;
            let bytes = kept.bytes.get(..length).expect("a whole file has all its bytes");
            if let Some(expected) = &entry.sha256 {
                let found = Sha256::digest(bytes);
                let found: String = found.iter().map(|byte| format!("{byte:02x}")).collect();
                assert_eq!(found, *expected, "{key} is not what it should be");
            }
        }
        kept.entry = Some(entry);
    }

    fn see(&mut self, event: &Event) {
        match event {
            Event::Error { id: Some(id), error } => {
                assert!(!error.message.is_empty());
                self.ids.entry(*id).or_default().1 += 1;
            }
            Event::Done { id, outcome } => {
                if let Outcome::Loaded { .. } = outcome {
                    assert!(self.locked.is_empty(), "{:?} stay locked", self.locked);
                }
                self.ids.entry(*id).or_default().1 += 1;
            }
            _ => {}
        }
    }
}
