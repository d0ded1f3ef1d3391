//! A model on its way from its source to its place: which files there are, the small ones, the
//! headers, the plan, the weights. One file is read at a time.

mod border;
mod decoder;
mod folder;
mod graph;
mod headers;
mod info;
mod options;
mod resolve;
mod weights;
mod whole;

use crate::embed::EncoderSession;
use crate::graph::GraphSession;
use crate::kinds::{Graphs, Language};
use crate::protocol::{Completion, Effect, ErrorInfo, Event, LoadOptions, ModelSource, Progress};
use crate::session::Session;
use crate::text::Text;
use folder::{ReadFolder, SmallFiles};
use graph::Graph;
use headers::{Headers, Step, WeightFile};
use options::Options;
use resolve::{First, Next, Resolve, Resolved};
use sidestage_store::{End, Kind, Meter, Orders, Reading, Report, Room, StoreError};
use weights::Weights;

/// Bytes that nobody needs are read in pieces of at most this size.
const SCRATCH: usize = 64 << 10;

/// What a load does its work with.
pub(crate) struct Hands<'a, T> {
    pub(crate) text: &'a mut T,
    pub(crate) orders: &'a mut Orders,
    pub(crate) effects: &'a mut Vec<Effect>,
    pub(crate) now: f64,
}

/// A load.
pub(crate) struct Load {
    pub(crate) id: u32,
    source: ModelSource,
    options: Options,
    started: f64,
    meter: Meter,
    stage: Stage,
    /// What the sources were found to be.
    resolved: Option<Resolved>,
    /// Whether it has begun anew because a file changed.
    restarted: bool,
    waiting: bool,
    /// Of the files that are done: bytes, from the cache, from the network.
    done: [u64; 3],
    not_kept: Option<(String, String)>,
    given: Given,
    scratch: Vec<u8>,
}

/// A model that was loaded.
pub(crate) enum Loaded {
    Text(Box<Session>),
    Graph(Graphs, Box<GraphSession>),
    Encoder(Language, Box<EncoderSession>),
}

enum Stage {
    Resolve(Box<Resolve>),
    /// Of a folder, or beside a graph model that has been read.
    Folder(Box<SmallFiles>, Option<(Graphs, Box<Graph>)>),
    Headers(Box<Headers>, Option<Box<ReadFolder>>),
    Weights(Language, Box<Weights>),
    Graph(Graphs, Box<Graph>),
    /// Between two stages.
    None,
}

/// The window that was given last.
#[derive(Clone, Copy)]
enum Given {
    Nothing,
    /// For bytes that are dropped.
    Scratch(usize),
    /// For the file's next ones, where the stage wants them.
    Next(usize),
}

impl Load {
    /// A load that has not begun.
    pub(crate) fn new(
        id: u32,
        source: ModelSource,
        options: LoadOptions,
        now: f64,
    ) -> Result<Self, ErrorInfo> {
        Ok(Self {
            id,
            source,
            options: Options::check(options)?,
            started: now,
            meter: Meter::new("", None, now),
            stage: Stage::None,
            resolved: None,
            restarted: false,
            waiting: false,
            done: [0; 3],
            not_kept: None,
            given: Given::Nothing,
            scratch: Vec::new(),
        })
    }

    /// Asks for the first bytes.
    pub(crate) fn begin<T: Text>(&mut self, hands: &mut Hands<'_, T>) -> Result<bool, ErrorInfo> {
        match Resolve::first(&self.source, &self.options, hands.orders)? {
            First::Ask(resolve) => self.stage = Stage::Resolve(resolve),
            First::Known(resolved) => self.open(*resolved, hands)?,
        }
        self.settle(hands)
    }

    /// Makes room for the next bytes of `stream`, at most `want`. Whether the model is whole.
    pub(crate) fn room<T: Text>(
        &mut self,
        stream: u32,
        want: usize,
        hands: &mut Hands<'_, T>,
    ) -> Result<bool, ErrorInfo> {
        self.given = Given::Nothing;
        let Some(reading) = self.reading() else { return Ok(false) };
        let room = reading.room(stream, want, hands.orders);
        self.given = match room {
            Room::None => {
                // Bytes that came too early end their stream.
                return self.settle(hands);
            }
            Room::Again(count) => Given::Scratch(count.min(SCRATCH)),
            Room::Next(count) => match &mut self.stage {
                Stage::Weights(_, weights) if !weights.is_needed() => {
                    Given::Scratch(count.min(SCRATCH))
                }
                _ => Given::Next(count),
            },
        };
        Ok(false)
    }

    /// The room that was made.
    pub(crate) fn window(&mut self) -> &mut [u8] {
        match self.given {
            Given::Nothing => &mut [],
            Given::Scratch(count) => {
                self.scratch.resize(SCRATCH, 0);
                &mut self.scratch[..count]
            }
            Given::Next(count) => {
                let window = match &mut self.stage {
                    Stage::Resolve(resolve) => resolve.whole.window(count),
                    Stage::Folder(files, _) => files.whole.window(count),
                    Stage::Headers(headers, _) => headers.window(count),
                    Stage::Weights(_, weights) => weights.placement.window(count),
                    Stage::Graph(_, graph) => graph.window(count),
                    Stage::None => &mut [],
                };
                self.given = Given::Next(window.len());
                window
            }
        }
    }

    /// That `count` bytes of the window were written. Whether the model is whole.
    pub(crate) fn wrote<T: Text>(
        &mut self,
        stream: u32,
        count: usize,
        hands: &mut Hands<'_, T>,
    ) -> Result<bool, ErrorInfo> {
        match std::mem::replace(&mut self.given, Given::Nothing) {
            Given::Nothing => return Ok(false),
            Given::Scratch(room) => {
                let scratch = std::mem::take(&mut self.scratch);
                let bytes = scratch.get(..count.min(room)).unwrap_or_default();
                if let Some(reading) = self.reading() {
                    reading.wrote(stream, bytes, hands.orders);
                }
                self.scratch = scratch;
            }
            Given::Next(room) => {
                let count = count.min(room);
                match &mut self.stage {
                    Stage::Resolve(resolve) => resolve.whole.wrote(stream, count, hands.orders),
                    Stage::Folder(files, _) => files.whole.wrote(stream, count, hands.orders),
                    Stage::Headers(headers, _) => headers.wrote(stream, count, hands.orders)?,
                    Stage::Weights(_, weights) => weights.wrote(stream, count, hands.orders),
                    Stage::Graph(_, graph) => graph.wrote(stream, count, hands.orders)?,
                    Stage::None => {}
                }
            }
        }
        self.settle(hands)
    }

    /// Takes a report of the host. Whether the model is whole.
    pub(crate) fn completion<T: Text>(
        &mut self,
        completion: Completion,
        hands: &mut Hands<'_, T>,
    ) -> Result<bool, ErrorInfo> {
        let report = Report::from(completion);
        // The cache may refuse a file that is not the one being read.
        for reading in self.all() {
            reading.report(&report, hands.orders);
        }
        self.settle(hands)
    }

    /// Gives up. `discard`: what was read is of no use to a later load either.
    pub(crate) fn abandon(&mut self, discard: bool, orders: &mut Orders) {
        for reading in self.all() {
            reading.abandon(discard, orders);
        }
    }

    /// The files are known: begins with the first.
    fn open<T: Text>(
        &mut self,
        resolved: Resolved,
        hands: &mut Hands<'_, T>,
    ) -> Result<(), ErrorInfo> {
        // What a hub says is not the model's.
        let loaded = self.done[0];
        self.retire();
        self.done[0] = loaded;
        self.stage = match resolved.kind {
            Kind::Folder => {
                let language = Language::taken()?;
                let files = SmallFiles::start(language, resolved.shelf.clone(), hands.orders)?;
                Stage::Folder(Box::new(files), None)
            }
            Kind::Gguf | Kind::Graph | Kind::Other => {
                let wanted = resolved.shelf.model(&resolved.name)?;
                Stage::Headers(Box::new(Headers::start(wanted, hands.orders)?), None)
            }
        };
        self.resolved = Some(resolved);
        Ok(())
    }

    /// Goes on as far as it can. Whether the model is whole.
    fn settle<T: Text>(&mut self, hands: &mut Hands<'_, T>) -> Result<bool, ErrorInfo> {
        loop {
            // Where a hub or a small file fails there may be another way.
            if !matches!(self.stage, Stage::Resolve(_) | Stage::Folder(..))
                && let Some(Err(error)) = self.end()
            {
                return Err(error.clone().into());
            }
            if self.changed() {
                self.restart(hands)?;
                continue;
            }
            // A stage stays where it is when it fails: its readings are still to be given up.
            let more = match &mut self.stage {
                Stage::Resolve(resolve) => match resolve.next(&self.options)? {
                    None => false,
                    Some(Next::Ask(question)) => {
                        resolve.ask(*question, hands.orders);
                        true
                    }
                    Some(Next::Known(resolved)) => {
                        self.open(*resolved, hands)?;
                        true
                    }
                    Some(Next::Changed) => {
                        self.restart(hands)?;
                        true
                    }
                },
                Stage::Folder(files, graph) => {
                    files.whole.check()?;
                    match (files.next(hands.orders), graph) {
                        (Ok(false), _) => false,
                        (Ok(true), Some((_, graph))) => {
                            graph.words = files.words(hands.text);
                            self.report(hands);
                            return Ok(true);
                        }
                        (Ok(true), None) => {
                            let mut folder = files.folder()?;
                            self.retire();
                            let wanted = std::mem::take(&mut folder.weights);
                            let headers = Headers::start(wanted, hands.orders)?;
                            self.stage = Stage::Headers(Box::new(headers), Some(Box::new(folder)));
                            true
                        }
                        (Err(Some(error)), _) => return Err(error),
                        (Err(None), _) => {
                            self.restart(hands)?;
                            true
                        }
                    }
                }
                Stage::Headers(headers, folder) => match headers.next(hands.orders)? {
                    Step::More => false,
                    Step::Done(language) => {
                        let (files, folder) = (&mut headers.files, folder.as_deref());
                        let weights = Weights::plan(files, folder, &self.options, hands.text)?;
                        self.stage = Stage::Weights(language, Box::new(weights));
                        true
                    }
                    Step::Graph(graphs) => {
                        let Some(Resolved { shelf, name, .. }) = &self.resolved else {
                            return Ok(false);
                        };
                        let graph = Graph::start(&mut headers.files, shelf, name, hands.orders)?;
                        self.stage = Stage::Graph(graphs, Box::new(graph));
                        true
                    }
                },
                Stage::Graph(_, graph) => {
                    if graph.next(hands.orders)? {
                        let Some(Resolved { shelf, name, .. }) = &self.resolved else {
                            return Ok(false);
                        };
                        let files = match graph.takes_tokens {
                            true => SmallFiles::beside(shelf, name, hands.orders),
                            false => None,
                        };
                        let Some(files) = files else {
                            self.report(hands);
                            return Ok(true);
                        };
                        if let Stage::Graph(graphs, graph) = self.retire() {
                            self.stage = Stage::Folder(Box::new(files), Some((graphs, graph)));
                        }
                        true
                    } else {
                        self.changed() || matches!(self.end(), Some(Err(_)))
                    }
                }
                Stage::Weights(_, weights) => {
                    if weights.next(hands.orders)? {
                        self.report(hands);
                        return Ok(true);
                    }
                    self.changed() || matches!(self.end(), Some(Err(_)))
                }
                Stage::None => false,
            };
            if !more {
                self.report(hands);
                return Ok(false);
            }
        }
    }

    /// A file became another: everything begins anew, once.
    fn restart<T: Text>(&mut self, hands: &mut Hands<'_, T>) -> Result<(), ErrorInfo> {
        let file = self.reading().map_or(String::new(), |r| r.wanted().file.clone());
        for reading in self.all() {
            reading.abandon(false, hands.orders);
        }
        if std::mem::replace(&mut self.restarted, true) {
            return Err(StoreError::SourceChanged { file }.into());
        }
        self.retire();
        self.done[0] = 0;
        self.resolved = None;
        match Resolve::first(&self.source, &self.options, hands.orders)? {
            First::Ask(resolve) => self.stage = Stage::Resolve(resolve),
            First::Known(resolved) => self.open(*resolved, hands)?,
        }
        Ok(())
    }

    /// How the file that is being read has ended.
    fn end(&mut self) -> Option<&Result<End, StoreError>> {
        self.reading().and_then(|reading| reading.end())
    }

    fn changed(&mut self) -> bool {
        !matches!(self.stage, Stage::Resolve(_) | Stage::Folder(..))
            && self.all().any(|reading| reading.end() == Some(&Ok(End::Changed)))
    }

    /// The file that is being read.
    fn reading(&mut self) -> Option<&mut Reading> {
        match &mut self.stage {
            Stage::Resolve(resolve) => Some(&mut resolve.whole.reading),
            Stage::Folder(files, _) => Some(&mut files.whole.reading),
            Stage::Headers(headers, _) => Some(&mut headers.files.get_mut(headers.at)?.reading),
            Stage::Weights(_, weights) => Some(&mut weights.files.get_mut(weights.at)?.reading),
            Stage::Graph(_, graph) => graph.readings.get_mut(graph.at),
            Stage::None => None,
        }
    }

    /// All files whose readings there are.
    fn all(&mut self) -> impl Iterator<Item = &mut Reading> {
        let (over, one, files): (&mut [Reading], _, &mut [WeightFile]) = match &mut self.stage {
            Stage::Resolve(resolve) => {
                (&mut resolve.over, Some(&mut resolve.whole.reading), &mut [])
            }
            Stage::Folder(files, _) => (&mut files.over, Some(&mut files.whole.reading), &mut []),
            Stage::Headers(headers, _) => (&mut [], None, &mut headers.files),
            Stage::Weights(_, weights) => (&mut [], None, &mut weights.files),
            Stage::Graph(_, graph) => (&mut graph.readings, None, &mut []),
            Stage::None => (&mut [], None, &mut []),
        };
        over.iter_mut().chain(one).chain(files.iter_mut().map(|file| &mut file.reading))
    }

    /// Counts what the stage has read, and ends it.
    fn retire(&mut self) -> Stage {
        let [mut bytes, mut cache, mut network] = self.done;
        let mut not_kept = self.not_kept.take();
        for reading in self.all() {
            bytes += reading.position();
            cache += reading.from_cache();
            network += reading.from_network();
            if let Some((code, message)) = reading.not_kept() {
                not_kept.get_or_insert((code.to_owned(), message.to_owned()));
            }
        }
        (self.done, self.not_kept) = ([bytes, cache, network], not_kept);
        std::mem::replace(&mut self.stage, Stage::None)
    }

    /// Tells how far it is, when it is time.
    fn report<T: Text>(&mut self, hands: &mut Hands<'_, T>) {
        let [mut loaded, mut cached, _] = self.done;
        let total = self.total();
        for reading in self.all() {
            loaded += reading.position();
            cached += reading.from_cache();
        }
        let mut waiting = false;
        if let Stage::Resolve(_) = self.stage {
            return;
        }
        if let Some(reading) = self.reading() {
            waiting = reading.is_waiting();
            let file = reading.wanted().file.clone();
            self.meter.set_file(&file);
        }
        if let Some(total) = total {
            self.meter.set_total(total);
        }
        if waiting && !self.waiting {
            let progress = self.meter.waiting(hands.now);
            hands.effects.push(self.post(progress));
        }
        self.waiting = waiting;
        if loaded > self.meter.loaded()
            && let Some(progress) = self.meter.reach(loaded, cached, hands.now)
        {
            hands.effects.push(self.post(progress));
        }
    }

    fn post(&self, progress: sidestage_store::Progress) -> Effect {
        let progress = Progress {
            phase: progress.phase.as_str().into(),
            file: progress.file,
            loaded_bytes: progress.loaded_bytes,
            total_bytes: progress.total_bytes,
            cached_bytes: progress.cached_bytes,
            bytes_per_second: progress.bytes_per_second,
            eta_seconds: progress.eta_seconds,
        };
        Effect::Post { event: Event::Progress { id: self.id, progress } }
    }

    /// Bytes of all files, as far as that is known.
    fn total(&mut self) -> Option<u64> {
        let done = self.done[0];
        let ends = match &self.stage {
            Stage::Weights(_, weights) => weights.manifest.ends.iter().copied().map(Some).collect(),
            Stage::Headers(..) => Vec::new(),
            Stage::Graph(_, graph) => graph.ends(),
            _ => return None,
        };
        let lengths = self
            .all()
            .enumerate()
            .map(|(at, reading)| reading.length().or_else(|| ends.get(at).copied().flatten()));
        lengths.sum::<Option<u64>>().map(|sum| sum + done)
    }
}
