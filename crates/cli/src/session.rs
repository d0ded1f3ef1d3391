//! The engine's host on this machine: carries out its effects on files.

use crate::error::CliError;
use crate::figure;
use crate::model_files::ModelFiles;
use sidestage_engine::protocol::{
    Completion, Effect, EmbedOptions, Event, GenerateOptions, Generated, LoadOptions, ModelSource,
    Origin, Outcome, Profile, Prompt, Request, RunValue, Segment, Threads,
};
use sidestage_engine::{Clock, Engine, TextRoom, error};
use sidestage_pool::Pool;
use sidestage_text::Now;
use sidestage_text::wire::Server;
use std::fs::File;
use std::io::Read;
use std::sync::Arc;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// Milliseconds of work between two looks at the effects: what has become certain is shown soon.
const BUDGET_MS: f64 = 20.0;

/// Most bytes read from a file at a time.
const CHUNK: usize = 1 << 20;

type Call = Box<dyn FnMut(u32, &[u8]) -> Result<Vec<u8>, Vec<u8>>>;

/// One engine with one model.
pub(crate) struct Session {
    engine: Engine<TextRoom<Call>>,
    model: u32,
    requests: u32,
    /// How many threads work, and why where that was measured.
    pub(crate) threads: String,
}

impl Session {
    /// Loads a model.
    ///
    /// # Errors
    /// [`CliError::Unreadable`]; [`CliError::Engine`] for a model that cannot be run.
    pub(crate) fn load(files: &ModelFiles, mut options: LoadOptions) -> Result<Self, CliError> {
        let mut server = Server::new();
        let call: Call = Box::new(move |op, message| server.call(op, message));
        let start = Instant::now();
        let clock: Clock = Box::new(move || start.elapsed().as_secs_f64() * 1000.0);
        let threads = match options.threads {
            Some(Threads::Count(count)) => Some(count),
            Some(Threads::Auto(_)) => {
                options.measured = figure::recall(files);
                let sure = options.measured.as_ref().filter(|figure| figure.sure);
                sure.map(|figure| figure.threads)
            }
            None => None,
        };
        let pool = Arc::new(pool(threads));
        let engine = Engine::new(TextRoom::new(call, now), clock, pool);
        let mut session = Self { engine, model: 1, requests: 1, threads: String::new() };
        let source = ModelSource::Held { files: files.held() };
        session.engine.request(Request::Load { id: session.model, source, options });
        match session.settle(session.model, Some(files), &mut |_| Ok(()))? {
            Outcome::Loaded { model } => {
                for warning in model.warnings {
                    eprintln!("{}: {}", warning.code, warning.message);
                }
                session.threads = model.threads_reason.unwrap_or_else(|| model.threads.to_string());
                Ok(session)
            }
            _ => Err(unanswered()),
        }
    }

    /// Generates. `show` gets every piece of text as it becomes certain, if `options.stream`.
    ///
    /// # Errors
    /// [`CliError::Engine`] for a prompt or option that cannot be; whatever `show` reports.
    pub(crate) fn generate(
        &mut self,
        prompt: Prompt,
        options: GenerateOptions,
        show: &mut dyn FnMut(&str) -> Result<(), CliError>,
    ) -> Result<Generated, CliError> {
        self.requests += 1;
        let (id, model) = (self.requests, self.model);
        self.engine.request(Request::Generate { id, model, prompt, options, credits: None });
        match self.settle(id, None, show)? {
            Outcome::Generated { result } => Ok(result),
            _ => Err(unanswered()),
        }
    }

    /// Makes vectors of texts, and says how many tokens each has.
    ///
    /// # Errors
    /// [`CliError::Engine`] for a text or option that cannot be, or a model that is no encoder.
    pub(crate) fn embed(
        &mut self,
        input: Vec<Segment>,
        options: EmbedOptions,
    ) -> Result<(Vec<Vec<f32>>, Vec<i32>), CliError> {
        self.requests += 1;
        let (id, model) = (self.requests, self.model);
        self.engine.request(Request::Embed { id, model, input, options });
        let Outcome::Ran { outputs, .. } = self.settle(id, None, &mut |_| Ok(()))? else {
            return Err(unanswered());
        };
        let mut found = outputs.iter().map(|output| match &output.value {
            RunValue::Tensor { shape, buffer, .. } => {
                let bytes = self.engine.buffers().bytes(*buffer).to_vec();
                self.engine.buffers().free(*buffer);
                Ok((bytes, shape.last().copied().unwrap_or(1)))
            }
            _ => Err(unanswered()),
        });
        let (Some(vectors), Some(tokens)) = (found.next(), found.next()) else {
            return Err(unanswered());
        };
        let ((vectors, width), (tokens, _)) = (vectors?, tokens?);
        let values: Vec<f32> =
            vectors.as_chunks().0.iter().map(|four| f32::from_le_bytes(*four)).collect();
        let vectors = values.chunks((width as usize).max(1)).map(<[f32]>::to_vec).collect();
        let tokens = tokens.as_chunks().0.iter().map(|four| i32::from_le_bytes(*four)).collect();
        Ok((vectors, tokens))
    }

    /// Records where the time goes from now on. Gives what was recorded since the last call.
    pub(crate) fn profile(&mut self) -> Result<Profile, CliError> {
        self.requests += 1;
        let (id, model) = (self.requests, self.model);
        self.engine.request(Request::Metrics { id, model, profile: true });
        match self.settle(id, None, &mut |_| Ok(()))? {
            Outcome::Metrics { metrics } => metrics.profile.ok_or_else(unanswered),
            _ => Err(unanswered()),
        }
    }

    /// Runs until a request has ended.
    fn settle(
        &mut self,
        request: u32,
        files: Option<&ModelFiles>,
        show: &mut dyn FnMut(&str) -> Result<(), CliError>,
    ) -> Result<Outcome, CliError> {
        let mut reading: Option<Reading> = None;
        let mut more = true;
        loop {
            let effects = self.engine.take_effects();
            if effects.is_empty() && !more {
                return Err(unanswered());
            }
            for effect in effects {
                match effect {
                    Effect::Fetch { stream, from: Origin::Held { index }, offset, .. } => {
                        let Some(files) = files else { continue };
                        let index = index as usize;
                        let (file, length) = files.open(index, offset)?;
                        self.engine.completion(Completion::opened(stream, Some(length)));
                        reading = Some(Reading { stream, index, file });
                    }
                    Effect::Cancel { stream } => {
                        reading = reading.filter(|open| open.stream != stream);
                    }
                    Effect::Remember { figure } => {
                        if let Some(files) = files {
                            figure::remember(files, figure);
                        }
                    }
                    Effect::Post { event } => match event {
                        Event::Done { id, outcome } if id == request => return Ok(outcome),
                        Event::Error { id, error } if id.is_none_or(|id| id == request) => {
                            return Err(CliError::engine(error));
                        }
                        Event::Delta { text, .. } => show(&text)?,
                        _ => {}
                    },
                    // Nothing else is asked of files that the host holds.
                    _ => {}
                }
            }
            more = match (&mut reading, files) {
                (Some(open), Some(files)) => {
                    if !self.read(open, files)? {
                        reading = None;
                    }
                    true
                }
                _ => self.engine.run(BUDGET_MS),
            };
        }
    }

    /// Reads on into the place that the engine names. False: nothing more is to be read.
    fn read(&mut self, open: &mut Reading, files: &ModelFiles) -> Result<bool, CliError> {
        let window = self.engine.window(open.stream, CHUNK);
        if window.is_empty() {
            return Ok(false);
        }
        match open.file.read(window) {
            Ok(0) => self.engine.completion(Completion::Closed { stream: open.stream }),
            Ok(count) => {
                self.engine.wrote(open.stream, count);
                return Ok(true);
            }
            Err(error) => return Err(files.unreadable(open.index, error)),
        }
        Ok(false)
    }
}

/// A file that the engine reads.
struct Reading {
    stream: u32,
    /// Its number among the model's files.
    index: usize,
    file: File,
}

/// A pool of `threads` threads, all cores if not given.
pub(crate) fn pool(threads: Option<u32>) -> Pool {
    // More threads than any machine has would only cost memory.
    const MOST: usize = 256;
    Pool::native(threads.map_or_else(cores, |n| n as usize).clamp(1, MOST))
}

/// The cores that this process may use.
pub(crate) fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// The time for templates that print the date, in UTC: std knows no local time.
pub(crate) fn now() -> Option<Now> {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).ok()?;
    Some(Now { unix_seconds: i64::try_from(since.as_secs()).ok()?, utc_offset_minutes: 0 })
}

/// The engine promises an answer to every request; this keeps a broken promise from hanging.
fn unanswered() -> CliError {
    CliError::engine(error("ENGINE_CRASHED", "the engine stopped without an answer"))
}
