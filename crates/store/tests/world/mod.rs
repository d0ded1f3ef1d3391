//! A server, a cache and a host, with faults.

use proptest::prelude::*;
use sha2::{Digest, Sha256};
use sidestage_store::{
    Answer, End, Entry, Fetch, Keep, Order, Orders, Place, Reading, Report, Room, StoreError,
    Wanted,
};
use std::collections::{BTreeMap, VecDeque};

const KEY: &str = "url/m";
const LENGTH: usize = 12_345;

/// A version of the file; versions differ at every byte, and in length.
pub(crate) fn content(version: u8) -> Vec<u8> {
    (0..LENGTH + 10 * usize::from(version))
        .map(|at| (at % 251) as u8 ^ (at / 251) as u8 ^ (version << 7))
        .collect()
}

pub(crate) fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// What a server is like.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Server {
    pub(crate) ranges: bool,
    pub(crate) lengths: bool,
    pub(crate) starts: bool,
    pub(crate) validators: bool,
    pub(crate) validators_of_ranges: bool,
    pub(crate) heads: bool,
    pub(crate) content_type: Option<&'static str>,
    /// Fails before it answers.
    pub(crate) silent: bool,
    /// The host knows that it always will.
    pub(crate) refuses: bool,
}

impl Default for Server {
    fn default() -> Self {
        Self {
            ranges: true,
            lengths: true,
            starts: true,
            validators: true,
            validators_of_ranges: true,
            heads: true,
            content_type: None,
            silent: false,
            refuses: false,
        }
    }
}

pub(crate) fn servers() -> impl Strategy<Value = Server> {
    any::<[bool; 6]>().prop_map(|[ranges, lengths, starts, validators, of_ranges, heads]| Server {
        ranges,
        lengths,
        starts,
        validators,
        validators_of_ranges: of_ranges,
        heads,
        ..Server::default()
    })
}

/// What goes wrong with one request.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Fault {
    /// The connection ends after so many bytes as if all were well.
    Cut {
        at: usize,
    },
    /// It breaks.
    Fail {
        at: usize,
    },
    /// It breaks before an answer.
    Lost,
    /// It breaks, and nothing is answered ever after.
    Dead {
        at: usize,
    },
    Status(u16),
    /// 429 with or without `Retry-After`.
    Wait(Option<f64>),
    /// A part of another place than asked for.
    Elsewhere,
}

pub(crate) fn faults() -> impl Strategy<Value = Fault> {
    prop_oneof![
        3 => (0_usize..13_000).prop_map(|at| Fault::Fail { at }),
        1 => prop::sample::select(vec![500, 503, 404, 416]).prop_map(Fault::Status),
        1 => prop::option::of(0.0..1e5).prop_map(Fault::Wait),
        1 => Just(Fault::Elsewhere),
    ]
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Cache {
    pub(crate) bytes: Vec<u8>,
    pub(crate) entry: Option<Entry>,
}

struct Stream {
    bytes: Vec<u8>,
    next: usize,
    /// Place in the file of the first byte.
    first: usize,
    answer: Option<Answer>,
    kept: bool,
    breaks: Option<&'static str>,
}

pub(crate) struct World {
    pub(crate) server: Server,
    pub(crate) faults: Vec<Fault>,
    pub(crate) cache: Cache,
    pub(crate) reading: Reading,
    wanted: Wanted,
    orders: Orders,
    streams: BTreeMap<u32, Stream>,
    waiting: VecDeque<Report>,
    last: Option<Report>,
    random: u64,
    dead: bool,
    locked: bool,
    releases: usize,
    /// The cache has refused bytes: this load keeps nothing any more.
    refused: bool,
    pub(crate) noisy: bool,
    pub(crate) busy: bool,
    pub(crate) version: u8,
    /// Another file than the usual ones.
    pub(crate) file: Option<Vec<u8>>,
    /// The file becomes another when so many bytes were delivered.
    pub(crate) changes_at: Option<usize>,
    pub(crate) full_at: Option<usize>,
    pub(crate) pause_at: Option<usize>,
    pub(crate) enough_at: Option<usize>,
    enough: bool,
    pub(crate) delivered: Vec<u8>,
    pub(crate) log: Vec<String>,
    pub(crate) delays: Vec<f64>,
}

impl World {
    pub(crate) fn new(seed: u64, server: Server) -> Self {
        let keep = Keep { key: KEY.into(), source: "m".into(), immutable: false, validator: None };
        let url = Place::Url("https://example.org/m".into());
        let wanted = Wanted { keep: Some(keep), ..Wanted::plain("m", url) };
        Self {
            server,
            faults: Vec::new(),
            cache: Cache::default(),
            reading: Reading::new(wanted.clone()),
            wanted,
            orders: Orders::default(),
            streams: BTreeMap::new(),
            waiting: VecDeque::new(),
            last: None,
            random: seed,
            dead: false,
            locked: false,
            releases: 0,
            refused: false,
            noisy: false,
            busy: false,
            version: 0,
            file: None,
            changes_at: None,
            full_at: None,
            pause_at: None,
            enough_at: None,
            enough: false,
            delivered: Vec::new(),
            log: Vec::new(),
            delays: Vec::new(),
        }
    }

    /// Changes what is wanted, before anything runs.
    pub(crate) fn wanted(&mut self, change: impl FnOnce(&mut Wanted)) {
        change(&mut self.wanted);
        self.reading = Reading::new(self.wanted.clone());
    }

    /// The world of the next load: the cache stays, faults are over.
    pub(crate) fn later(&self, change: impl FnOnce(&mut Wanted)) -> Self {
        let mut next = Self::new(self.random, self.server);
        next.cache = self.cache.clone();
        next.wanted = self.wanted.clone();
        next.wanted(change);
        next
    }

    pub(crate) fn end(&self) -> &Result<End, StoreError> {
        self.reading.end().expect("an end")
    }

    pub(crate) fn told(&self) -> Vec<String> {
        self.log.iter().filter(|log| *log != "cancel").cloned().collect()
    }

    fn chance(&mut self, of: u64) -> bool {
        self.below(of) == 0
    }

    fn below(&mut self, end: u64) -> u64 {
        self.random = self
            .random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.random >> 33) % end.max(1)
    }

    fn current(&self) -> Vec<u8> {
        self.file.clone().unwrap_or_else(|| content(self.version))
    }

    /// Runs to the end, which must come.
    pub(crate) fn run(&mut self) {
        self.reading.start(&mut self.orders);
        for _ in 0..100_000 {
            self.carry_out();
            if self.reading.is_over() && self.waiting.is_empty() {
                self.carry_out();
                return self.settled();
            }
            self.step();
        }
        panic!("it does not end: {:?} {:?}", self.reading, self.log);
    }

    fn settled(&self) {
        assert!(self.reading.end().is_some());
        assert!(self.streams.is_empty(), "a stream is left open: {:?}", self.log);
        assert!(!self.locked && self.releases <= 1, "{:?}", self.log);
    }

    /// The owner finds that the file is of no use.
    pub(crate) fn give_up(&mut self) {
        self.reading.abandon(true, &mut self.orders);
        self.carry_out();
    }

    /// The laws of a world with faults.
    pub(crate) fn check(&self, hash: bool) {
        match self.end() {
            Ok(End::Whole) => {
                let all = [content(0), content(1)];
                let version = all.iter().position(|file| *file == self.delivered);
                assert!(version.is_some() || self.enough, "a wrong byte: {:?}", self.log);
                assert!(!hash || self.enough || version == Some(0));
            }
            Ok(End::Enough) => assert!(self.enough),
            Ok(End::Missing) => panic!("not optional"),
            Ok(End::Changed) | Err(_) => {}
        }
        if let Some(entry) = self.cache.entry.as_ref().filter(|entry| entry.complete) {
            let known = [content(0), content(1)].contains(&self.cache.bytes);
            assert!(known, "{entry:?}: {} bytes {:?}", self.cache.bytes.len(), self.log);
            assert_eq!(entry.length, Some(self.cache.bytes.len() as u64));
        }
    }

    fn carry_out(&mut self) {
        for order in self.orders.take() {
            match order {
                Order::Lookup { key, wait } => {
                    assert_eq!(key, KEY);
                    self.log.push(if wait { "lookup wait" } else { "lookup" }.into());
                    let busy = self.busy && !wait;
                    self.locked |= !busy;
                    let bytes = self.cache.bytes.len() as u64;
                    let entry = self.cache.entry.clone().map(|entry| Entry { bytes, ..entry });
                    let entry = entry.filter(|_| !busy);
                    self.waiting.push_back(Report::Found { key, entry, busy });
                }
                Order::Fetch(fetch) => self.fetch(fetch),
                Order::Cancel { stream } => {
                    if self.streams.remove(&stream).is_some() {
                        self.log.push("cancel".into());
                    }
                }
                Order::Record { entry, .. } => {
                    assert!(self.locked, "a record without the lock");
                    let what = if entry.complete { "record complete" } else { "record" };
                    self.log.push(what.into());
                    self.cache.entry = Some(entry);
                }
                Order::Drop { .. } => {
                    assert!(self.locked || self.reading.is_over(), "a drop without the lock");
                    self.log.push("drop".into());
                    self.cache = Cache::default();
                }
                Order::Release { .. } => {
                    assert!(self.locked, "a second release");
                    self.log.push("release".into());
                    (self.locked, self.releases) = (false, self.releases + 1);
                }
            }
        }
    }

    fn fetch(&mut self, fetch: Fetch) {
        let Fetch { stream, offset, keep, head, delay_ms, .. } = fetch;
        let first = offset as usize;
        let open = |bytes: Vec<u8>, first, answer| Stream {
            bytes,
            next: 0,
            first,
            answer: Some(answer),
            kept: false,
            breaks: None,
        };
        if let Place::Cache(_) = fetch.place {
            self.log.push(format!("cache {offset}"));
            let bytes = self.cache.bytes[first..].to_vec();
            let answer = Answer { status: 200, ..Answer::default() };
            self.streams.insert(stream, open(bytes, first, answer));
            return;
        }
        let file = self.current();
        let server = self.server;
        let validator = Some(format!("\"v{}\"", self.version)).filter(|_| server.validators);
        let length = Some(file.len() as u64).filter(|_| server.lengths);
        if head {
            self.log.push("head".into());
            let status = if server.heads { 200 } else { 405 };
            let answer = Answer { status, validator, length, ..Answer::default() };
            self.streams.insert(stream, open(Vec::new(), 0, answer));
            return;
        }
        let kept = keep.is_some();
        self.log.push(format!("get {offset}{}", if kept { " keep" } else { "" }));
        self.delays.push(delay_ms);
        let part = first > 0 && server.ranges;
        let mut start = if part { first } else { 0 };
        let fault = if self.faults.is_empty() { None } else { Some(self.faults.remove(0)) };
        let mut answer = Answer {
            status: if part { 206 } else { 200 },
            content_type: server.content_type.map(str::to_owned),
            length,
            start: Some(start as u64).filter(|_| part && server.starts),
            validator: validator.filter(|_| !part || server.validators_of_ranges),
            retry_after_ms: None,
            next: None,
            kept: kept && self.full_at != Some(0) && !self.refused,
        };
        if part && start >= file.len() {
            answer.status = 416;
        }
        let mut breaks = None;
        let mut end = usize::MAX;
        match fault {
            Some(Fault::Cut { at }) => end = at,
            Some(Fault::Fail { at }) => (end, breaks) = (at, Some("network error")),
            Some(Fault::Dead { at }) => {
                (end, breaks, self.dead) = (at, Some("network error"), true);
            }
            Some(Fault::Status(status)) => answer.status = status,
            Some(Fault::Wait(ms)) => (answer.status, answer.retry_after_ms) = (429, ms),
            Some(Fault::Elsewhere) if part && server.starts => {
                start -= start.min(100);
                answer.start = Some(start as u64);
            }
            _ => {}
        }
        let lost = matches!(fault, Some(Fault::Lost));
        if self.dead && fault.is_none() || server.silent || lost {
            breaks = Some("network error");
            end = 0;
        }
        let bytes = if matches!(answer.status, 200 | 206) {
            let rest = &file[start.min(file.len())..];
            rest[..end.min(rest.len())].to_vec()
        } else {
            b"an error page".to_vec()
        };
        let success = matches!(answer.status, 200 | 206);
        answer.kept &= success;
        let silent = (self.dead && fault.is_none()) || server.silent || lost;
        let kept = answer.kept;
        if !kept && success && keep.is_some() && !self.refused {
            self.not_kept();
        }
        let answer = Some(answer).filter(|_| !silent);
        let stream_of = Stream { bytes, next: 0, first: start, answer, kept, breaks };
        self.streams.insert(stream, stream_of);
    }

    fn not_kept(&mut self) {
        let (code, message) = ("QUOTA_EXCEEDED".to_owned(), "full".to_owned());
        self.refused = true;
        self.waiting.push_back(Report::NotKept { key: KEY.into(), code, message });
        self.cache = Cache::default();
    }

    fn report(&mut self, report: Report) {
        self.last = Some(report.clone());
        self.tell(&report);
    }

    fn tell(&mut self, report: &Report) {
        self.reading.report(report, &mut self.orders);
        self.carry_out();
    }

    fn step(&mut self) {
        if self.noisy && self.chance(8) {
            self.noise();
        }
        if let Some(report) = self.waiting.pop_front() {
            return self.report(report);
        }
        let Some((&number, stream)) = self.streams.iter_mut().next() else {
            assert!(
                self.reading.is_over(),
                "nothing to wait for: {:?} {:?}",
                self.reading,
                self.log
            );
            return;
        };
        if let Some(answer) = stream.answer.take() {
            return self.report(Report::Opened { stream: number, answer });
        }
        let (next, left) = (stream.next, stream.bytes.len() - stream.next);
        if left == 0 {
            let breaks = stream.breaks;
            self.streams.remove(&number);
            return self.report(match breaks {
                None => Report::Closed { stream: number },
                Some(message) => {
                    let (message, refused) = (message.into(), self.server.refuses);
                    Report::Failed { stream: number, message, refused }
                }
            });
        }
        let count = (1 + self.below(3000) as usize).min(left);
        let stream = self.streams.get_mut(&number).expect("the stream");
        stream.next += count;
        let chunk = stream.bytes[next..next + count].to_vec();
        let (place, kept) = (stream.first + next, stream.kept);
        if kept {
            self.put(number, place, &chunk);
        }
        self.hand_over(number, &chunk);
    }

    /// Writes to the cache what is not there yet.
    fn put(&mut self, stream: u32, place: usize, chunk: &[u8]) {
        let held = self.cache.bytes.len();
        assert!(place <= held, "a hole in the cache: {held} {place} {:?}", self.log);
        if place + chunk.len() > held {
            self.cache.bytes.extend_from_slice(&chunk[held - place..]);
        }
        if self.full_at.is_some_and(|most| self.cache.bytes.len() > most) {
            self.full_at = None;
            self.streams.get_mut(&stream).expect("the stream").kept = false;
            self.not_kept();
        }
    }

    fn hand_over(&mut self, stream: u32, chunk: &[u8]) {
        let mut at = 0;
        while at < chunk.len() {
            let stop = [self.pause_at, self.enough_at, self.changes_at].into_iter().flatten();
            let next = stop.filter(|stop| *stop > self.delivered.len()).min();
            let most = next.map_or(usize::MAX, |stop| stop - self.delivered.len());
            let want = (chunk.len() - at).min(most);
            let room = self.reading.room(stream, want, &mut self.orders);
            let (count, again) = match room {
                Room::None => return self.carry_out(),
                Room::Again(count) => (count, true),
                Room::Next(count) => (count, false),
            };
            assert!((1..=want).contains(&count), "{room:?} of {want}");
            let bytes = &chunk[at..at + count];
            if !again && !self.enough {
                self.delivered.extend_from_slice(bytes);
            }
            self.reading.wrote(stream, bytes, &mut self.orders);
            self.carry_out();
            at += count;
            self.thresholds();
        }
    }

    fn thresholds(&mut self) {
        let reached = |at: &mut Option<usize>, count: usize| {
            let reached = at.is_some_and(|at| count >= at);
            if reached {
                *at = None;
            }
            reached
        };
        if reached(&mut self.changes_at, self.delivered.len()) {
            self.version = 1;
        }
        if reached(&mut self.pause_at, self.delivered.len()) && !self.enough {
            self.reading.pause(&mut self.orders);
            self.carry_out();
            self.reading.resume(&mut self.orders);
            self.carry_out();
        }
        if reached(&mut self.enough_at, self.delivered.len()) {
            self.enough = true;
            self.reading.enough(&mut self.orders);
            self.carry_out();
        }
    }

    /// Something doubled, late or senseless. What is made up here is never doubled: its stream may
    /// have come to be.
    fn noise(&mut self) {
        let stream = self.below(6) as u32;
        let open = self.streams.contains_key(&stream);
        match self.below(6) {
            0 => {
                if let Some(last @ (Report::Opened { .. } | Report::Found { .. })) =
                    self.last.clone()
                {
                    self.tell(&last);
                }
            }
            1 if !open => self.tell(&Report::Closed { stream }),
            2 if !open => {
                self.tell(&Report::Failed { stream, message: "late".into(), refused: false });
            }
            3 if !open => {
                let none = self.reading.room(stream, 10, &mut self.orders);
                assert_eq!(none, Room::None);
                self.reading.wrote(stream, b"late bytes", &mut self.orders);
            }
            4 => {
                let key = "another key".to_owned();
                let entry = Some(Entry::default());
                self.tell(&Report::Found { key, entry, busy: false });
            }
            5 if !open => {
                let answer = Answer { status: 200, ..Answer::default() };
                self.tell(&Report::Opened { stream, answer });
            }
            _ => {}
        }
    }
}
