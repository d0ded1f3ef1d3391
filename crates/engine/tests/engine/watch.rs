//! The laws of the protocol, checked at every event.

use sidestage_engine::protocol::{ErrorInfo, Event, Outcome, Progress, Request};
use std::collections::HashMap;

/// What the page has asked for and been told.
#[derive(Default)]
pub(crate) struct Watch {
    pub(crate) events: Vec<Event>,
    courses: HashMap<u32, Course>,
}

/// One request's course.
#[derive(Default)]
struct Course {
    progress: Option<Progress>,
    text: String,
    reasoning: String,
    tokens: u32,
    /// Credits granted; `None`: no limit.
    credits: Option<u64>,
    streams: bool,
    end: Option<Result<Outcome, ErrorInfo>>,
}

/// The request an event belongs to.
pub(crate) fn id(event: &Event) -> Option<u32> {
    match event {
        Event::Progress { id, .. }
        | Event::Working { id, .. }
        | Event::Delta { id, .. }
        | Event::Done { id, .. } => Some(*id),
        Event::Error { id, .. } => *id,
        Event::Welcome { .. } => None,
    }
}

impl Watch {
    /// Makes room for so many events and requests.
    pub(crate) fn reserve(&mut self, count: usize) {
        self.events.reserve(count);
        self.courses.reserve(count);
    }

    /// A request is on its way.
    pub(crate) fn asked(&mut self, request: &Request) {
        let mut course = Course::default();
        let id = match request {
            Request::Generate { id, options, credits, .. } => {
                course.streams = options.stream;
                course.credits = credits.map(u64::from);
                *id
            }
            Request::Credit { id, count, .. } => {
                if let Some(credits) = self.courses.get_mut(id).and_then(|c| c.credits.as_mut()) {
                    *credits += u64::from(*count);
                }
                return;
            }
            Request::Abort { .. } | Request::Hello { .. } => return,
            Request::Load { id, .. }
            | Request::Run { id, .. }
            | Request::Embed { id, .. }
            | Request::Tokenize { id, .. }
            | Request::Detokenize { id, .. }
            | Request::ApplyChatTemplate { id, .. }
            | Request::Metrics { id, .. }
            | Request::Explain { id, .. }
            | Request::Dispose { id, .. } => *id,
        };
        assert!(self.courses.insert(id, course).is_none(), "the id {id} is used twice");
    }

    /// An event has come.
    pub(crate) fn see(&mut self, event: Event) {
        let id = id(&event).expect("an event of a request");
        let course = self.courses.get_mut(&id).expect("an event of a request that was made");
        assert!(course.end.is_none(), "{event:?} comes after the last event");
        course.see(&event);
        self.events.push(event);
    }

    /// How a request ended, if it has.
    pub(crate) fn end(&self, id: u32) -> Option<&Result<Outcome, ErrorInfo>> {
        self.courses.get(&id).expect("a request that was made").end.as_ref()
    }

    /// The text that has been sent for a request.
    pub(crate) fn text(&self, id: u32) -> &str {
        &self.courses[&id].text
    }

    /// The requests that have no last event.
    pub(crate) fn open(&self) -> Vec<u32> {
        let open = self.courses.iter().filter(|(_, course)| course.end.is_none());
        open.map(|(id, _)| *id).collect()
    }
}

impl Course {
    fn see(&mut self, event: &Event) {
        match event {
            Event::Welcome { .. } => panic!("the engine does not greet"),
            Event::Progress { progress, .. } => self.goes_on(progress),
            Event::Working { .. } => {}
            Event::Delta { text, reasoning, tokens, .. } => {
                assert!(self.streams, "a delta that nobody asked for");
                self.text.push_str(text);
                self.reasoning.push_str(reasoning);
                self.tokens += tokens;
                let credits = self.credits.unwrap_or(u64::MAX);
                assert!(u64::from(self.tokens) <= credits, "more tokens than credits");
            }
            Event::Done { outcome, .. } => {
                match outcome {
                    Outcome::Generated { result } => {
                        let usage = result.usage;
                        assert_eq!(
                            usage.total_tokens,
                            usage.prompt_tokens + usage.completion_tokens
                        );
                        assert!(usage.cached_tokens < usage.prompt_tokens);
                        if self.streams {
                            assert_eq!(result.text, self.text, "what was sent is the answer");
                            let reasoning = result.reasoning.as_deref().unwrap_or_default();
                            assert_eq!(reasoning, self.reasoning);
                            // An end token has no delta.
                            let silent = usage.completion_tokens - self.tokens;
                            assert!(silent <= 1, "{silent} tokens without a delta");
                        }
                    }
                    Outcome::Loaded { model } => {
                        let last = self.progress.as_ref().expect("progress before the end");
                        assert_eq!(last.phase, "ready");
                        assert_eq!(
                            last.total_bytes.map(|total| total >= last.loaded_bytes),
                            Some(true)
                        );
                        let memory = model.memory;
                        assert_eq!(memory.total, memory.weights + memory.kv_cache + memory.scratch);
                    }
                    _ => {}
                }
                self.end = Some(Ok(outcome.clone()));
            }
            Event::Error { error, .. } => {
                assert!(!error.message.is_empty());
                let upper = |byte: u8| byte.is_ascii_uppercase() || byte == b'_';
                assert!(error.code.bytes().all(upper), "{}", error.code);
                self.end = Some(Err(error.clone()));
            }
        }
    }

    /// That a load's progress never goes back.
    fn goes_on(&mut self, progress: &Progress) {
        const PHASES: [&str; 3] = ["download", "prepare", "ready"];
        let phase = |of: &Progress| PHASES.iter().position(|phase| *phase == of.phase);
        assert!(phase(progress).is_some(), "{}", progress.phase);
        assert!(progress.total_bytes.is_none_or(|total| total >= progress.loaded_bytes));
        assert!(progress.bytes_per_second >= 0.0);
        if let Some(before) = &self.progress {
            assert!(phase(before) <= phase(progress), "{before:?} {progress:?}");
            assert!(before.loaded_bytes <= progress.loaded_bytes, "{before:?} {progress:?}");
        }
        self.progress = Some(progress.clone());
    }
}
