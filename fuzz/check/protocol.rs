//! What must hold for any messages in any order, sensible or not. The fuzz target runs it on new
//! inputs, a test of `crates/engine` on the corpus.

use crate::host::Host;
use crate::peak;
use sidestage_engine::protocol::{Completion, Request};

/// Bytes that a model may take.
const LIMIT: u64 = 16 << 20;

pub(crate) enum Deed<'a> {
    Ask(Box<Request>),
    Tell(Box<Completion>),
    /// Bytes of the reading that was asked for last, or of one that was not asked for.
    Feed {
        asked: bool,
        bytes: &'a [u8],
    },
    /// The reading that was asked for last is answered by what is not HTTP.
    Open,
    Run(f64),
    /// A report on what was asked for last: its number or key is put into it.
    Answer(Box<Completion>),
    /// The reading that was asked for last ends.
    Close,
    /// The cache gives what it has to the reading that was asked for last.
    Recall,
}

/// An input is a list of deeds.
pub(crate) fn check(input: &[u8]) {
    // What serde takes for tables that a message only announces is not the engine's.
    let deeds = deeds(input);
    let ((), bytes) = peak::of(|| {
        let mut host = Host::new();
        for deed in deeds {
            carry_out(deed, &mut host);
        }
        host.look();
        host.end();
    });
    let most = 2 * LIMIT as usize + 300 * input.len() + (4 << 20);
    assert!(bytes <= most, "{bytes} bytes of memory for {}", input.len());
}

/// A deed is a byte that says which, two that say how long, and so many bytes.
pub(crate) fn deeds(mut input: &[u8]) -> Vec<Deed<'_>> {
    let mut deeds = Vec::new();
    while let Some((head, rest)) = input.split_first_chunk::<3>() {
        let length = u16::from_le_bytes([head[1], head[2]]);
        let (bytes, rest) = rest.split_at(usize::from(length).min(rest.len()));
        input = rest;
        let told = || rmp_serde::from_slice(bytes).ok().map(Box::new);
        deeds.extend(match head[0] % 9 {
            0 => rmp_serde::from_slice(bytes).ok().map(|request| Deed::Ask(Box::new(request))),
            1 => told().map(Deed::Tell),
            2 => Some(Deed::Feed { asked: true, bytes }),
            3 => Some(Deed::Feed { asked: false, bytes }),
            4 => Some(Deed::Open),
            5 => Some(Deed::Run(f64::from(length % 64))),
            6 => told().map(Deed::Answer),
            7 => Some(Deed::Close),
            _ => Some(Deed::Recall),
        });
    }
    deeds
}

pub(crate) fn carry_out(deed: Deed<'_>, host: &mut Host) {
    // A lookup waits for the one deed that can answer it.
    if !matches!(&deed, Deed::Answer(told) if matches!(**told, Completion::Found { .. })) {
        host.look();
    }
    match deed {
        Deed::Ask(request) => host.ask(limited(*request)),
        Deed::Tell(told) => host.tell(*told),
        Deed::Feed { asked, bytes } => host.feed(asked, bytes),
        Deed::Open => host.open(),
        Deed::Run(budget) => host.run(budget),
        Deed::Answer(told) => host.answer(*told),
        Deed::Close => host.close(),
        Deed::Recall => host.recall(),
    }
}

/// No request may take more memory or time than a test has.
fn limited(mut request: Request) -> Request {
    match &mut request {
        Request::Load { options, .. } => {
            options.memory_limit =
                Some(options.memory_limit.map_or(LIMIT, |limit| limit.min(LIMIT)));
        }
        Request::Generate { options, .. } => {
            options.max_tokens = Some(options.max_tokens.unwrap_or(4).min(4));
        }
        _ => {}
    }
    request
}
