//! What must hold for any bytes that are loaded as a model. The fuzz target runs it on new inputs,
//! a test of `crates/engine` on the corpus.

use crate::peak;
use sidestage_engine::protocol::{
    Completion, Effect, Event, GenerateOptions, HeldFile, LoadOptions, ModelSource, Outcome,
    Prompt, Request, Segment,
};
use sidestage_engine::{Engine, TextRoom};
use sidestage_pool::Pool;
use sidestage_text::wire::Server;
use std::cell::Cell;
use std::sync::Arc;

/// Bytes that a model may take.
const LIMIT: u64 = 64 << 20;

/// An input is two bytes that choose the chunks, then the file.
pub(crate) fn check(input: &[u8]) {
    let Some((seed, file)) = input.split_first_chunk::<2>() else { return };
    let (first, bytes) = peak::of(|| {
        let mut host = Host::new(u16::from_le_bytes(*seed));
        let first = host.load(file);
        if first.is_ok() {
            host.use_model();
        }
        // It ends a second time as the first time: nothing of the first is left.
        host.ends(|id| Request::Dispose { id, model: 0 });
        assert_eq!(host.load(file), first);
        first
    });
    // The header's tables and the vocabulary's take more room in memory than in the file.
    let most = LIMIT as usize + 300 * file.len() + (1 << 20);
    assert!(bytes <= most, "{bytes} bytes of memory for {}: {first:?}", file.len());
}

type Call = Box<dyn FnMut(u32, &[u8]) -> Result<Vec<u8>, Vec<u8>>>;

struct Host {
    engine: Engine<TextRoom<Call>>,
    chunks: u32,
    known_length: bool,
    ids: u32,
}

impl Host {
    fn new(seed: u16) -> Self {
        let mut server = Server::new();
        let call: Call = Box::new(move |op, message| server.call(op, message));
        let time = Cell::new(0.0);
        let clock = Box::new(move || {
            time.set(time.get() + 1.0);
            time.get()
        });
        let engine = Engine::new(TextRoom::new(call, || None), clock, Arc::new(Pool::inline()));
        Self { engine, chunks: u32::from(seed), known_length: seed.is_multiple_of(3), ids: 0 }
    }

    /// Loads a file in chunks of chance; the code of the error, if it fails.
    fn load(&mut self, mut file: &[u8]) -> Result<(), String> {
        self.ids += 1;
        let size = file.len() as u64;
        let source = ModelSource::Held { files: vec![HeldFile { name: "m.gguf".into(), size }] };
        let options = LoadOptions { memory_limit: Some(LIMIT), ..LoadOptions::default() };
        self.engine.request(Request::Load { id: self.ids, source, options });
        let mut end = None;
        let stream = self.effects(&mut end).expect("a reading");
        let length = self.known_length.then_some(size);
        self.engine.completion(Completion::opened(stream, length));
        // Large and small chunks, and single bytes for every eighth seed.
        let largest = 1_usize << (self.chunks % 8 * 2);
        while !file.is_empty() {
            self.chunks = self.chunks.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let size = (1 + (self.chunks >> 8) as usize % largest).min(file.len());
            let window = self.engine.window(stream, size);
            if window.is_empty() {
                break;
            }
            let count = window.len();
            window.copy_from_slice(&file[..count]);
            self.engine.wrote(stream, count);
            file = &file[count..];
        }
        self.engine.completion(Completion::Closed { stream });
        self.effects(&mut end);
        match end.expect("the load ends") {
            Event::Done { outcome: Outcome::Loaded { model }, .. } => {
                assert!(model.memory.total <= LIMIT);
                Ok(())
            }
            Event::Error { error, .. } => {
                assert!(!error.message.is_empty());
                assert!(error.code != "ENGINE_CRASHED" && error.code != "OUT_OF_MEMORY");
                Err(error.code)
            }
            other => panic!("{other:?} is no end of a load"),
        }
    }

    /// Whatever the file says, its model answers or gives reasons.
    fn use_model(&mut self) {
        let text = || Segment::Text { text: "Ab 1\u{e9}\u{1f600} <s>".into() };
        let segments = |segments, raw| Prompt::Segments { segments, raw };
        let messages = serde_json::json!([{ "role": "user", "content": "hi" }]);
        for prompt in [
            segments(vec![Segment::Ids { ids: vec![0; 3] }], false),
            segments(vec![text()], true),
            segments(vec![text()], false),
            Prompt::Messages { messages },
        ] {
            let options = GenerateOptions {
                max_tokens: Some(3),
                ignore_eos: true,
                repetition_penalty: Some(1.1),
                seed: Some(1),
                stream: true,
                ..GenerateOptions::default()
            };
            self.ends(|id| Request::Generate { id, model: 0, prompt, options, credits: None });
        }
        let text = "a b".to_owned();
        let (add_special, parse_special) = (true, true);
        self.ends(|id| Request::Tokenize { id, model: 0, text, add_special, parse_special });
        self.ends(|id| Request::Detokenize { id, model: 0, tokens: vec![0, 1, u32::MAX] });
        self.ends(|id| Request::Metrics { id, model: 0, profile: true });
    }

    /// Makes a request and sees it end.
    fn ends(&mut self, request: impl FnOnce(u32) -> Request) {
        self.ids += 1;
        self.engine.request(request(self.ids));
        let mut end = None;
        // A step has some thousand nodes at most.
        for _ in 0..1_000_000 {
            let more = self.engine.run(100.0);
            self.effects(&mut end);
            if !more {
                break;
            }
        }
        assert!(end.is_some(), "the request ends");
    }

    /// Takes the effects: the reading asked for, and the last event, of which there is one.
    fn effects(&mut self, end: &mut Option<Event>) -> Option<u32> {
        let mut stream = None;
        for effect in self.engine.take_effects() {
            match effect {
                Effect::Fetch { stream: fetched, .. } => stream = Some(fetched),
                Effect::Post { event: event @ (Event::Done { .. } | Event::Error { .. }) } => {
                    assert!(end.replace(event).is_none(), "two ends");
                }
                _ => {}
            }
        }
        stream
    }
}
