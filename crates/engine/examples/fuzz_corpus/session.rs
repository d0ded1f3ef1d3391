//! Sessions are written down while they go on: what the engine asks for is what the world has, so
//! that the inputs of the target `protocol` are those of real loads.

use crate::protocol::{carry_out, check, deeds};
use crate::{Seeds, host::Host};
use serde::Serialize;
use sidestage_engine::protocol::{
    CacheEntry, Completion, HeldFile, LoadOptions, Method, ModelSource, Origin, Request,
};
use std::collections::BTreeMap;

/// Files by their URL, and of some of them the page that follows.
#[derive(Clone, Default)]
pub(crate) struct World {
    pub(crate) files: BTreeMap<String, Vec<u8>>,
    pub(crate) next: BTreeMap<String, String>,
    /// Files that the host holds.
    pub(crate) held: Vec<(String, Vec<u8>)>,
    /// The mark of the version that all files have.
    pub(crate) version: String,
    /// Every answer is the whole file.
    pub(crate) whole_only: bool,
}

pub(crate) struct Session {
    pub(crate) world: World,
    host: Host,
    input: Vec<u8>,
    id: u32,
}

impl Session {
    pub(crate) fn new(world: World) -> Self {
        Self { world, host: Host::new(), input: Vec::new(), id: 0 }
    }

    /// The input, which holds what it should.
    pub(crate) fn end(self, name: impl Into<String>, seeds: &mut Seeds) {
        check(&self.input);
        seeds.push((name.into(), self.input));
    }

    fn deed(&mut self, kind: u8, body: &[u8]) {
        let from = self.input.len();
        self.input.push(kind);
        self.input.extend_from_slice(&(body.len() as u16).to_le_bytes());
        self.input.extend_from_slice(body);
        for deed in deeds(&self.input[from..]) {
            carry_out(deed, &mut self.host);
        }
    }

    /// The id of the last request.
    pub(crate) fn last(&self) -> u32 {
        self.id
    }

    pub(crate) fn ask(&mut self, request: impl FnOnce(u32) -> Request) {
        self.id += 1;
        self.deed(0, &message(&request(self.id)));
    }

    /// Short, so that a mutation is likely to hit a number.
    pub(crate) fn answer(&mut self, told: &Completion) {
        self.deed(6, &rmp_serde::to_vec(told).unwrap_or_default());
    }

    pub(crate) fn found(&mut self, entry: Option<CacheEntry>, busy: bool) {
        self.answer(&Completion::Found { key: String::new(), entry, busy });
    }

    pub(crate) fn fail(&mut self, refused: bool) {
        self.answer(&Completion::Failed { stream: 0, message: "cut".into(), refused });
    }

    pub(crate) fn feed(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(60_000) {
            self.deed(2, chunk);
        }
    }

    pub(crate) fn open(&mut self) {
        self.deed(4, &[]);
    }

    pub(crate) fn close(&mut self) {
        self.deed(7, &[]);
    }

    pub(crate) fn run(&mut self, slices: usize) {
        (0..slices).for_each(|_| self.deed(5, &[0; 60]));
    }

    pub(crate) fn load(&mut self, url: &str, options: LoadOptions) {
        let source = ModelSource::Url { url: url.into() };
        self.ask(|id| Request::Load { id, source, options });
    }

    /// Loads what the host holds.
    pub(crate) fn load_held(&mut self, options: LoadOptions) {
        let files = self.world.held.iter();
        let file = |(name, bytes): &(String, Vec<u8>)| {
            let (name, size) = (name.clone(), bytes.len() as u64);
            HeldFile { name, size }
        };
        let source = ModelSource::Held { files: files.map(file).collect() };
        self.ask(|id| Request::Load { id, source, options });
    }

    pub(crate) fn dispose(&mut self) {
        self.ask(|id| Request::Dispose { id, model: 1 });
    }

    /// Serves until nothing is asked for any more.
    pub(crate) fn serve(&mut self) {
        while self.serve_one(None) {}
    }

    /// Serves so many readings.
    pub(crate) fn serve_some(&mut self, count: usize) {
        for _ in 0..count {
            self.serve_one(None);
        }
    }

    /// Serves what is asked for now, up to some byte of the file. Whether anything is.
    pub(crate) fn serve_one(&mut self, to: Option<usize>) -> bool {
        self.host.look();
        let stream = self.host.stream;
        let Some(reading) = self.host.reading(stream) else { return false };
        let offset = reading.offset as usize;
        let head = reading.method == Method::Head;
        match reading.from.clone() {
            Origin::Cache { .. } => self.deed(8, &[]),
            Origin::Held { index } => {
                let bytes = self.world.held[index as usize].1.clone();
                self.open();
                self.feed(&bytes[offset..to.unwrap_or(bytes.len())]);
                self.cease(stream, to.is_none());
            }
            Origin::Url { url } => match self.world.files.get(&url).cloned() {
                None => {
                    self.opened(404, None, None, None);
                    self.cease(stream, true);
                }
                Some(bytes) => {
                    let from = if self.world.whole_only { 0 } else { offset };
                    let status = if from > 0 { 206 } else { 200 };
                    let next = self.world.next.get(&url).cloned();
                    self.opened(status, Some(bytes.len()), (from > 0).then_some(from), next);
                    if !head {
                        self.feed(&bytes[from..to.unwrap_or(bytes.len())]);
                        self.cease(stream, to.is_none());
                    }
                }
            },
        }
        true
    }

    /// The reading ends, if the engine has not ended it.
    fn cease(&mut self, stream: u32, well: bool) {
        self.host.look();
        match (self.host.reading(stream).is_some(), self.host.stream == stream) {
            (false, _) => {}
            (true, true) if well => self.close(),
            (true, true) => self.fail(false),
            // Another has begun, for all its bytes are there.
            (true, false) => self.deed(1, &message(&Completion::Closed { stream })),
        }
    }

    pub(crate) fn opened(
        &mut self,
        status: u16,
        length: Option<usize>,
        start: Option<usize>,
        next: Option<String>,
    ) {
        self.answer(&Completion::Opened {
            stream: 0,
            status,
            content_type: None,
            length: length.map(|length| length as u64),
            start: start.map(|start| start as u64),
            validator: Some(self.world.version.clone()),
            retry_after_ms: (status == 429).then_some(1000.0),
            next,
            kept: true,
        });
    }
}

fn message(of: &impl Serialize) -> Vec<u8> {
    rmp_serde::to_vec_named(of).unwrap_or_default()
}
