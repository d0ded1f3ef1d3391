//! A host that loses, doubles, delays and garbles what passes, and dies: no request ends twice. When
//! it mends its ways every request ends, and a model is loaded and answers as if nothing had been.

use crate::host::{SLICE, URL, greedy, ids};
use crate::model::{self, tokens};
use serde::{Serialize, de::DeserializeOwned};
use sidestage_engine::protocol::{
    CacheEntry, Completion, Effect, ErrorInfo, Event, LoadOptions, Method, ModelSource, Origin,
    Outcome, Request,
};
use sidestage_engine::{Engine, TextRoom};
use sidestage_pool::Pool;
use sidestage_text::wire::Server;
use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

type Call = Box<dyn FnMut(u32, &[u8]) -> Result<Vec<u8>, Vec<u8>>>;

/// What the host has for the engine.
#[derive(Clone)]
enum Report {
    Told(Completion),
    /// Bytes of the one file there is, from and to; kept under a key.
    Bytes {
        stream: u32,
        keep: Option<String>,
        from: usize,
        to: usize,
    },
}

/// How often a request was made and ended, and its last end.
#[derive(Default)]
struct Course {
    asked: usize,
    ended: usize,
    end: Option<Result<Outcome, ErrorInfo>>,
}

struct World {
    engine: Engine<TextRoom<Call>>,
    random: model::Random,
    /// How many bytes are kept and what is known of them. Outlives the engine.
    cache: BTreeMap<String, (usize, Option<CacheEntry>)>,
    waiting: Vec<Report>,
    /// Readings and locks that the engine has not given back.
    open: BTreeSet<u32>,
    locked: BTreeSet<String>,
    courses: BTreeMap<u32, Course>,
    ids: u32,
}

fn engine() -> Engine<TextRoom<Call>> {
    let mut server = Server::new();
    let call: Call = Box::new(move |op, message| server.call(op, message));
    let time = Cell::new(0.0);
    let clock = Box::new(move || time.replace(time.get() + 0.01));
    Engine::new(TextRoom::new(call, || None), clock, Arc::new(Pool::inline()))
}

impl World {
    fn below(&mut self, end: usize) -> usize {
        self.random.below(end)
    }

    /// A bit of the message is another. `None`: it is no message any more.
    fn garbled<T: Serialize + DeserializeOwned>(&mut self, message: &T) -> Option<T> {
        let mut bytes = serde_json::to_vec(message).expect("a message");
        let bit = self.below(8 * bytes.len());
        bytes[bit / 8] ^= 1 << (bit % 8);
        serde_json::from_slice(&bytes).ok()
    }

    /// Something happens that may or may not be right.
    fn errs(&mut self) {
        match self.below(12) {
            0..2 => {
                let request = self.any_request();
                match self.below(8) {
                    0 => {}
                    1 => (0..2).for_each(|_| self.request(request.clone())),
                    2 => {
                        if let Some(request) = self.garbled(&request) {
                            self.request(request);
                        }
                    }
                    _ => self.request(request),
                }
            }
            2..9 if !self.waiting.is_empty() => {
                // The first is likely, so that a load gets on.
                let which = self.below(8 * self.waiting.len());
                let which = if which < self.waiting.len() { which } else { 0 };
                let report = self.waiting.remove(which);
                match self.below(24) {
                    0 => {}
                    1 => (0..2).for_each(|_| self.deliver(report.clone())),
                    2 => match report {
                        Report::Told(told) => {
                            if let Some(told) = self.garbled(&told) {
                                self.deliver(Report::Told(told));
                            }
                        }
                        Report::Bytes { stream, keep, from, to } => {
                            let from = from + self.below(to - from);
                            self.deliver(Report::Bytes { stream, keep, from, to });
                        }
                    },
                    3 => {
                        self.deliver(report.clone());
                        self.waiting.push(report);
                    }
                    _ => self.deliver(report),
                }
            }
            _ => {
                self.engine.run(SLICE);
                self.carry_out();
            }
        }
    }

    fn any_request(&mut self) -> Request {
        let (some, model) = (1 + self.below(self.ids as usize + 1) as u32, 1);
        self.ids += 1;
        let id = self.ids;
        match self.below(16) {
            0..4 => load(id),
            4..10 => {
                let prompt = ids(tokens("any", 1 + self.below(60)));
                let (options, credits) = (greedy(self.below(9) as u32), self.below(9));
                let credits = (credits < 5).then_some(credits as u32);
                Request::Generate { id, model, prompt, options, credits }
            }
            10 => Request::Metrics { id, model, profile: self.below(2) == 0 },
            11 => {
                let (add_special, parse_special) = (true, true);
                Request::Tokenize { id, model, text: "any".into(), add_special, parse_special }
            }
            12 => Request::Dispose { id, model },
            13 => Request::Abort { id: some, model },
            14 => Request::Explain { id, model },
            _ => Request::Credit { id: some, model, count: 2 },
        }
    }

    fn request(&mut self, request: Request) {
        if let Some(id) = request.id() {
            self.courses.entry(id).or_default().asked += 1;
        }
        self.engine.request(request);
        self.carry_out();
    }

    fn deliver(&mut self, report: Report) {
        match report {
            Report::Told(completion) => self.engine.completion(completion),
            Report::Bytes { stream, keep, from, to } => {
                if let Some(key) = keep {
                    let kept = &mut self.cache.entry(key).or_default().0;
                    *kept = if *kept < from { *kept } else { to.max(*kept) };
                }
                let mut bytes = &model::tiny()[from..to];
                while !bytes.is_empty() {
                    let window = self.engine.window(stream, bytes.len());
                    let count = window.len();
                    if count == 0 {
                        break;
                    }
                    window.copy_from_slice(&bytes[..count]);
                    self.engine.wrote(stream, count);
                    bytes = &bytes[count..];
                }
            }
        }
        self.carry_out();
    }

    fn carry_out(&mut self) {
        for effect in self.engine.take_effects() {
            match effect {
                Effect::Post { event: Event::Done { id, outcome } } => self.ends(id, Ok(outcome)),
                Effect::Post { event: Event::Error { id, error } } => {
                    self.ends(id.expect("an error of a request"), Err(error));
                }
                Effect::Post { .. } => {}
                Effect::Lookup { key, .. } => {
                    self.found(key.clone());
                    self.locked.insert(key);
                }
                Effect::Release { key } => drop(self.locked.remove(&key)),
                Effect::Record { key, entry } => {
                    self.cache.entry(key).or_default().1 = Some(entry);
                }
                Effect::Drop { key } => drop(self.cache.remove(&key)),
                Effect::Remember { .. } => {}
                Effect::Cancel { stream } => drop(self.open.remove(&stream)),
                Effect::Fetch { stream, from, offset, keep, method, .. } => {
                    self.open.insert(stream);
                    self.serve(stream, &from, offset as usize, keep, method);
                }
            }
        }
    }

    fn ends(&mut self, id: u32, end: Result<Outcome, ErrorInfo>) {
        let course = self.courses.entry(id).or_default();
        course.ended += 1;
        assert!(course.ended <= course.asked, "{id} was asked {} times: {end:?}", course.asked);
        course.end = Some(end);
    }

    fn found(&mut self, key: String) {
        let entry = self
            .cache
            .get(&key)
            .and_then(|(bytes, entry)| Some(CacheEntry { bytes: *bytes as u64, ..entry.clone()? }));
        self.waiting.push(Report::Told(Completion::Found { key, entry, busy: false }));
    }

    /// Every place has the one file, the cache so much of it as is kept.
    fn serve(
        &mut self,
        stream: u32,
        from: &Origin,
        offset: usize,
        keep: Option<String>,
        method: Method,
    ) {
        let length = model::tiny().len();
        let (end, opened) = if let Origin::Cache { key } = from {
            let kept = self.cache.get(key).map_or(0, |kept| kept.0);
            (kept, Completion::opened(stream, None))
        } else {
            let opened = Completion::Opened {
                stream,
                status: if offset > 0 { 206 } else { 200 },
                content_type: None,
                length: Some(length as u64),
                start: (offset > 0).then_some(offset as u64),
                validator: Some("\"v\"".into()),
                retry_after_ms: None,
                next: None,
                kept: keep.is_some(),
            };
            (if method == Method::Head { offset } else { length }, opened)
        };
        self.waiting.push(Report::Told(opened));
        for from in (offset..end).step_by(length / 5) {
            let (keep, to) = (keep.clone(), end.min(from + length / 5));
            self.waiting.push(Report::Bytes { stream, keep, from, to });
        }
        self.waiting.push(Report::Told(Completion::Closed { stream }));
    }

    /// The engine is gone, with its readings, its locks and its requests; another takes over.
    fn dies(&mut self) {
        self.engine = engine();
        self.waiting.clear();
        self.open.clear();
        self.locked.clear();
        self.courses.clear();
    }

    /// From here on the host is honest. What was lost it reports now.
    fn mends(&mut self) {
        self.waiting.clear();
        for key in self.locked.clone() {
            self.found(key);
        }
        for stream in self.open.clone() {
            let message = "lost".into();
            self.waiting.push(Report::Told(Completion::Failed { stream, message, refused: false }));
        }
        self.settles();
    }

    /// Everything is delivered in order, all credits are granted and all time is given.
    fn settles(&mut self) {
        for _ in 0..10_000 {
            while !self.waiting.is_empty() {
                let report = self.waiting.remove(0);
                self.deliver(report);
            }
            let ended = |course: &Course| course.ended == course.asked;
            if self.courses.values().all(ended) {
                return;
            }
            let open: Vec<u32> =
                self.courses.iter().filter(|(_, c)| !ended(c)).map(|c| *c.0).collect();
            for id in open {
                self.request(Request::Credit { id, model: 1, count: 100 });
            }
            self.engine.run(100.0 * SLICE);
            self.carry_out();
        }
        let open = self.courses.iter().filter(|(_, course)| course.ended < course.asked);
        panic!("{:?} never end", open.map(|course| *course.0).collect::<Vec<_>>());
    }

    /// Makes a request of an honest host.
    fn ask(&mut self, request: impl FnOnce(u32) -> Request) -> Result<Outcome, ErrorInfo> {
        // No garbled request has had it.
        self.courses.clear();
        self.request(request(1));
        self.settles();
        self.courses.remove(&1).and_then(|course| course.end).expect("an end")
    }
}

fn load(id: u32) -> Request {
    let source = ModelSource::Url { url: URL.into() };
    Request::Load { id, source, options: LoadOptions::default() }
}

/// A load and an answer.
fn answer(world: &mut World) -> Vec<u32> {
    world.ask(|id| Request::Dispose { id, model: 1 }).expect("nothing is loaded");
    let loaded = world.ask(load).expect("a model");
    assert!(matches!(loaded, Outcome::Loaded { .. }));
    let (prompt, options) = (ids(tokens("plain", 20)), greedy(8));
    match world.ask(|id| Request::Generate { id, model: 1, prompt, options, credits: None }) {
        Ok(Outcome::Generated { result }) => result.tokens,
        other => panic!("{other:?} is no answer"),
    }
}

fn world(seed: u64) -> World {
    World {
        engine: engine(),
        random: model::Random::new(seed, "mischief"),
        cache: BTreeMap::new(),
        waiting: Vec::new(),
        open: BTreeSet::new(),
        locked: BTreeSet::new(),
        courses: BTreeMap::new(),
        ids: 0,
    }
}

#[test]
fn a_host_that_mends_its_ways_is_served() {
    let expected = answer(&mut world(0));
    for seed in 1..=80 {
        println!("seed {seed}");
        let mut world = world(seed);
        for _ in 0..1 + world.below(3) {
            world.dies();
            for _ in 0..world.below(120) {
                world.errs();
            }
        }
        world.mends();
        assert_eq!(answer(&mut world), expected);
    }
}
