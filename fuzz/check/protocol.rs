//! What must hold for any messages in any order, sensible or not. The fuzz target runs it on new
//! inputs, a test of `crates/engine` on the corpus.

use crate::peak;
use sidestage_engine::protocol::{Completion, Effect, Event, LoadOptions, Request};
use sidestage_engine::{Engine, TextRoom};
use sidestage_pool::Pool;
use sidestage_text::wire::Server;
use std::cell::Cell;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Bytes that a model may take.
const LIMIT: u64 = 16 << 20;

type Call = Box<dyn FnMut(u32, &[u8]) -> Result<Vec<u8>, Vec<u8>>>;
type Host = Engine<TextRoom<Call>>;
/// How often each id was asked for, and how often it ended.
type Ids = BTreeMap<u32, (usize, usize)>;

enum Deed<'a> {
    Ask(Box<Request>),
    Tell(Box<Completion>),
    /// Bytes of the reading that was asked for last, or of one that was not asked for.
    Feed {
        asked: bool,
        bytes: &'a [u8],
    },
    Open,
    Run(f64),
}

/// An input is a list of deeds.
pub(crate) fn check(input: &[u8]) {
    // What serde takes for tables that a message only announces is not the engine's.
    let deeds = deeds(input);
    let (ended, bytes) = peak::of(|| run(deeds));
    let most = 2 * LIMIT as usize + 300 * input.len() + (4 << 20);
    assert!(bytes <= most, "{bytes} bytes of memory for {}", input.len());
    for (id, (asked, ended)) in ended {
        assert_eq!(ended, asked, "times that {id} ended and was asked for");
    }
}

/// A deed is a byte that says which, two that say how long, and so many bytes.
fn deeds(mut input: &[u8]) -> Vec<Deed<'_>> {
    let mut deeds = Vec::new();
    while let Some((head, rest)) = input.split_first_chunk::<3>() {
        let length = u16::from_le_bytes([head[1], head[2]]);
        let (bytes, rest) = rest.split_at(usize::from(length).min(rest.len()));
        input = rest;
        deeds.extend(match head[0] % 6 {
            0 => rmp_serde::from_slice(bytes).ok().map(|request| Deed::Ask(Box::new(request))),
            1 => rmp_serde::from_slice(bytes).ok().map(|told| Deed::Tell(Box::new(told))),
            2 => Some(Deed::Feed { asked: true, bytes }),
            3 => Some(Deed::Feed { asked: false, bytes }),
            4 => Some(Deed::Open),
            _ => Some(Deed::Run(f64::from(length % 64))),
        });
    }
    deeds
}

/// Carries the deeds out, then gives the model back, which ends everything.
fn run(deeds: Vec<Deed<'_>>) -> Ids {
    let mut server = Server::new();
    let call: Call = Box::new(move |op, message| server.call(op, message));
    let time = Cell::new(0.0);
    let clock = Box::new(move || time.replace(time.get() + 1.0));
    let mut engine = Host::new(TextRoom::new(call, || None), clock, Arc::new(Pool::inline()));
    let mut ids = Ids::new();
    let mut stream = 0;
    for deed in deeds {
        match deed {
            Deed::Ask(request) => ask(&mut engine, limited(*request), &mut ids),
            Deed::Tell(completion) => engine.completion(*completion),
            Deed::Feed { asked: true, bytes } => feed(&mut engine, stream, bytes),
            Deed::Feed { asked: false, bytes } => feed(&mut engine, stream + 1, bytes),
            Deed::Open => engine.completion(Completion::opened(stream, None)),
            Deed::Run(budget) => {
                engine.run(budget);
            }
        }
        carry_out(&mut engine, &mut stream, &mut ids);
    }
    ask(&mut engine, Request::Dispose { id: 0, model: 0 }, &mut ids);
    carry_out(&mut engine, &mut stream, &mut ids);
    ids
}

fn ask(engine: &mut Host, request: Request, ids: &mut Ids) {
    if let Some(id) = id(&request) {
        ids.entry(id).or_default().0 += 1;
    }
    engine.request(request);
}

/// The host finds nothing in its cache, and reads only what the input says.
fn carry_out(engine: &mut Host, stream: &mut u32, ids: &mut Ids) {
    loop {
        let effects = engine.take_effects();
        if effects.is_empty() {
            return;
        }
        for effect in effects {
            match effect {
                Effect::Fetch { stream: asked, .. } => *stream = asked,
                Effect::Lookup { key, .. } => {
                    engine.completion(Completion::Found { key, entry: None, busy: false });
                }
                Effect::Post {
                    event: Event::Done { id, .. } | Event::Error { id: Some(id), .. },
                } => {
                    ids.entry(id).or_default().1 += 1;
                }
                _ => {}
            }
        }
    }
}

fn feed(engine: &mut Host, stream: u32, mut bytes: &[u8]) {
    while !bytes.is_empty() {
        let window = engine.window(stream, bytes.len());
        if window.is_empty() {
            return;
        }
        let count = window.len();
        window.copy_from_slice(&bytes[..count]);
        engine.wrote(stream, count);
        bytes = &bytes[count..];
    }
}

/// No request may take more memory or time than a test has.
fn limited(mut request: Request) -> Request {
    match &mut request {
        Request::Load { options, .. } => {
            *options = LoadOptions { memory_limit: Some(LIMIT), ..std::mem::take(options) };
        }
        Request::Generate { options, .. } => {
            options.max_tokens = Some(options.max_tokens.unwrap_or(4).min(4));
        }
        _ => {}
    }
    request
}

/// Of a request that is answered.
fn id(request: &Request) -> Option<u32> {
    match request {
        Request::Load { id, .. }
        | Request::Generate { id, .. }
        | Request::Tokenize { id, .. }
        | Request::Detokenize { id, .. }
        | Request::ApplyChatTemplate { id, .. }
        | Request::Metrics { id, .. }
        | Request::Dispose { id, .. } => Some(*id),
        Request::Hello { .. } | Request::Credit { .. } | Request::Abort { .. } => None,
    }
}
