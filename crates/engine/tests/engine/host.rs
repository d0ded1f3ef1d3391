//! A host without threads, network or real time: everything happens when a test says so.

use crate::model;
use crate::watch::Watch;
use sidestage_engine::protocol::{
    Completion, Effect, ErrorInfo, Event, GenerateOptions, Generated, HeldFile, LoadOptions,
    ModelInfo, ModelSource, Origin, Outcome, Prompt, Request, Segment, ThreadsFigure,
};
use sidestage_engine::{Buffers, Engine, TextRoom};
use sidestage_pool::Pool;
use sidestage_text::wire::Server;
use std::cell::Cell;
use std::collections::BTreeSet;
use std::rc::Rc;
use std::sync::Arc;

type Call = Box<dyn FnMut(u32, &[u8]) -> Result<Vec<u8>, Vec<u8>>>;

/// What every look at the clock takes, in milliseconds. The engine looks after each node, so a
/// budget counts nodes: a step of the tiny model is about 40 of them.
const TICK: f64 = 0.01;

/// A budget of about a step.
pub(crate) const SLICE: f64 = 0.5;

/// The one URL of this world.
pub(crate) const URL: &str = "https://example.org/models/m.gguf";

pub(crate) struct Host {
    engine: Engine<TextRoom<Call>>,
    time: Rc<Cell<f64>>,
    tick: Rc<Cell<f64>>,
    /// Everything the page has been told.
    pub(crate) watch: Watch,
    /// The reading that the engine has asked for and neither cancelled nor seen the end of.
    pub(crate) reading: Option<u32>,
    /// Every reading there was, and its URL.
    pub(crate) fetched: Vec<(u32, Option<String>)>,
    /// What is to be kept of the number of threads.
    pub(crate) remembered: Option<ThreadsFigure>,
    /// First byte that was asked for last.
    pub(crate) offset: usize,
    /// The file that was asked for last, of those that are held.
    held: Option<u32>,
    locked: BTreeSet<String>,
    released: BTreeSet<String>,
    ids: u32,
}

/// Names and bytes.
pub(crate) type Files = Vec<(String, Vec<u8>)>;

/// What a server answers.
#[derive(Clone)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) content_type: Option<&'static str>,
    pub(crate) length: Option<u64>,
    pub(crate) bytes: Vec<u8>,
    pub(crate) chunk: usize,
    /// The message of a connection that breaks after the bytes.
    pub(crate) failure: Option<&'static str>,
}

impl Reply {
    pub(crate) fn new(bytes: &[u8]) -> Self {
        Self {
            status: 200,
            content_type: Some("application/octet-stream"),
            length: Some(bytes.len() as u64),
            bytes: bytes.to_vec(),
            chunk: 40_000,
            failure: None,
        }
    }
}

impl Host {
    pub(crate) fn new() -> Self {
        Self::with_threads(1)
    }

    pub(crate) fn with_threads(threads: usize) -> Self {
        let mut server = Server::new();
        let call: Call = Box::new(move |op, message| server.call(op, message));
        let (time, tick) = (Rc::new(Cell::new(1000.0)), Rc::new(Cell::new(TICK)));
        let (now, step) = (Rc::clone(&time), Rc::clone(&tick));
        let clock = Box::new(move || {
            now.set(now.get() + step.get());
            now.get()
        });
        let engine =
            Engine::new(TextRoom::new(call, || None), clock, Arc::new(Pool::native(threads)));
        Self {
            engine,
            time,
            tick,
            watch: Watch::default(),
            reading: None,
            fetched: Vec::new(),
            remembered: None,
            offset: 0,
            held: None,
            locked: BTreeSet::new(),
            released: BTreeSet::new(),
            ids: 0,
        }
    }

    /// A host with the tiny model.
    pub(crate) fn tiny() -> Self {
        let mut host = Self::new();
        host.load(&Reply::new(model::tiny()), LoadOptions::default()).expect("the tiny model");
        host
    }

    /// Changes the pace of time.
    pub(crate) fn tick(&self, milliseconds: f64) {
        self.tick.set(milliseconds);
    }

    /// Lets time pass.
    pub(crate) fn wait(&self, milliseconds: f64) {
        self.time.set(self.time.get() + milliseconds);
    }

    pub(crate) fn request(&mut self, request: Request) {
        self.watch.asked(&request);
        self.engine.request(request);
        self.carry_out();
    }

    /// Makes a request of a new id.
    pub(crate) fn send(&mut self, request: impl FnOnce(u32) -> Request) -> u32 {
        self.ids += 1;
        self.request(request(self.ids));
        self.ids
    }

    /// Makes a request that is answered at once.
    pub(crate) fn ask(
        &mut self,
        request: impl FnOnce(u32) -> Request,
    ) -> Result<Outcome, ErrorInfo> {
        let id = self.send(request);
        self.watch.end(id).expect("an answer at once").clone()
    }

    pub(crate) fn completion(&mut self, completion: Completion) {
        self.engine.completion(completion);
        self.carry_out();
    }

    /// Hands over bytes of a reading as the worker does. How many of them the engine wanted.
    pub(crate) fn feed(&mut self, stream: u32, bytes: &[u8]) -> usize {
        let mut at = 0;
        while at < bytes.len() {
            let window = self.engine.window(stream, bytes.len() - at);
            if window.is_empty() {
                self.carry_out();
                break;
            }
            let count = window.len();
            window.copy_from_slice(&bytes[at..at + count]);
            self.engine.wrote(stream, count);
            self.carry_out();
            at += count;
        }
        at
    }

    pub(crate) fn buffers(&mut self) -> &mut Buffers {
        self.engine.buffers()
    }

    /// Gives the engine time. Whether it has more to do.
    pub(crate) fn run(&mut self, budget: f64) -> bool {
        let more = self.engine.run(budget);
        self.carry_out();
        more
    }

    /// Gives the engine time until it has nothing to do.
    pub(crate) fn run_out(&mut self) {
        while self.run(SLICE) {}
    }

    pub(crate) fn start_load(&mut self, options: LoadOptions) -> u32 {
        let source = ModelSource::Url { url: URL.into() };
        self.send(|id| Request::Load { id, source, options })
    }

    /// Plays an answer to the reading that is open, as long as the engine wants it.
    pub(crate) fn serve(&mut self, reply: &Reply) {
        let Some(stream) = self.reading else { return };
        let part = self.offset > 0 && reply.status == 200;
        let (status, length) = (if part { 206 } else { reply.status }, reply.length);
        let content_type = reply.content_type.map(str::to_owned);
        self.completion(Completion::Opened {
            stream,
            status,
            content_type,
            length,
            start: None,
            validator: None,
            retry_after_ms: None,
            next: None,
            kept: false,
        });
        for chunk in reply.bytes[self.offset.min(reply.bytes.len())..].chunks(reply.chunk) {
            if self.reading == Some(stream) {
                self.feed(stream, chunk);
            }
        }
        if self.reading == Some(stream) {
            self.reading = None;
            self.completion(match reply.failure {
                None => Completion::Closed { stream },
                Some(message) => {
                    Completion::Failed { stream, message: message.into(), refused: false }
                }
            });
        }
    }

    pub(crate) fn load(
        &mut self,
        reply: &Reply,
        options: LoadOptions,
    ) -> Result<ModelInfo, ErrorInfo> {
        let id = self.start_load(options);
        // It is asked for again where it breaks off.
        while self.watch.end(id).is_none() {
            self.serve(reply);
        }
        match self.watch.end(id).expect("the load has ended").clone()? {
            Outcome::Loaded { model } => Ok(*model),
            other => panic!("{other:?} is no answer to a load"),
        }
    }

    /// Loads files that the host holds, by name.
    pub(crate) fn load_files(
        &mut self,
        files: Files,
        options: LoadOptions,
    ) -> Result<ModelInfo, ErrorInfo> {
        let held = files
            .iter()
            .map(|(name, bytes)| HeldFile { name: name.clone(), size: bytes.len() as u64 });
        let source = ModelSource::Held { files: held.collect() };
        let id = self.send(|id| Request::Load { id, source, options });
        while self.watch.end(id).is_none() {
            let index = self.held.expect("a file that is held") as usize;
            self.serve(&Reply { chunk: 10_000, ..Reply::new(&files[index].1) });
        }
        match self.watch.end(id).expect("the load has ended").clone()? {
            Outcome::Loaded { model } => Ok(*model),
            other => panic!("{other:?} is no answer to a load"),
        }
    }

    /// Asks for an answer without limit of credits.
    pub(crate) fn start(&mut self, prompt: Prompt, options: GenerateOptions) -> u32 {
        self.start_with(prompt, options, None)
    }

    pub(crate) fn start_with(
        &mut self,
        prompt: Prompt,
        options: GenerateOptions,
        credits: Option<u32>,
    ) -> u32 {
        self.send(|id| Request::Generate { id, model: 1, prompt, options, credits })
    }

    pub(crate) fn grant(&mut self, id: u32, count: u32) {
        self.request(Request::Credit { id, model: 1, count });
    }

    pub(crate) fn abort(&mut self, id: u32) {
        self.request(Request::Abort { id, model: 1 });
    }

    /// The answer to a generation that has ended.
    pub(crate) fn answer(&self, id: u32) -> Result<Generated, ErrorInfo> {
        match self.watch.end(id).expect("the generation has ended").clone()? {
            Outcome::Generated { result } => Ok(result),
            other => panic!("{other:?} is no answer to a generation"),
        }
    }

    /// Generates to the end.
    pub(crate) fn try_generate(
        &mut self,
        prompt: Prompt,
        options: GenerateOptions,
    ) -> Result<Generated, ErrorInfo> {
        let id = self.start(prompt, options);
        self.run_out();
        self.answer(id)
    }

    pub(crate) fn generate(&mut self, prompt: Prompt, options: GenerateOptions) -> Generated {
        self.try_generate(prompt, options).expect("an answer")
    }

    fn carry_out(&mut self) {
        loop {
            let effects = self.engine.take_effects();
            if effects.is_empty() {
                return;
            }
            effects.into_iter().for_each(|effect| self.carry_out_one(effect));
        }
    }

    /// A host without a cache: it finds nothing and keeps nothing.
    fn carry_out_one(&mut self, effect: Effect) {
        {
            match effect {
                Effect::Post { event } => self.watch.see(event),
                Effect::Lookup { key, wait: false } => {
                    assert!(self.locked.insert(key.clone()), "{key} is locked twice");
                    self.engine.completion(Completion::Found { key, entry: None, busy: false });
                }
                Effect::Release { key } => {
                    assert!(self.locked.remove(&key), "{key} was not locked");
                    self.released.insert(key);
                }
                Effect::Drop { key } => {
                    assert!(self.locked.contains(&key) || self.released.contains(&key));
                }
                Effect::Fetch { stream, from, offset, .. } => {
                    self.offset = offset as usize;
                    self.held = if let Origin::Held { index } = from { Some(index) } else { None };
                    let url = if let Origin::Url { url } = from { Some(url) } else { None };
                    self.fetched.push((stream, url));
                    assert_eq!(self.reading.replace(stream), None, "two readings at once");
                }
                Effect::Remember { figure } => self.remembered = Some(figure),
                Effect::Cancel { stream } => {
                    self.reading = self.reading.filter(|open| *open != stream);
                }
                other => panic!("{other:?} is not expected"),
            }
        }
    }

    /// The events of a request, in order.
    pub(crate) fn events(&self, id: u32) -> impl Iterator<Item = &Event> {
        self.watch.events.iter().filter(move |event| crate::watch::id(event) == Some(id))
    }
}

/// A prompt of token ids.
pub(crate) fn ids(ids: impl IntoIterator<Item = u32>) -> Prompt {
    let ids = ids.into_iter().collect();
    Prompt::Segments { segments: vec![Segment::Ids { ids }], raw: false }
}

/// A prompt of text that is taken as it is.
pub(crate) fn raw(text: &str) -> Prompt {
    Prompt::Segments { segments: vec![Segment::Text { text: text.into() }], raw: true }
}

/// Greedy, streamed, so many tokens.
pub(crate) fn greedy(max_tokens: u32) -> GenerateOptions {
    GenerateOptions {
        max_tokens: Some(max_tokens),
        temperature: Some(0.0),
        stream: true,
        ..GenerateOptions::default()
    }
}
