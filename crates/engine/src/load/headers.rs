//! The headers of the files with weights, which say what is in them.

use crate::error::error;
use crate::kinds::{Graphs, Language};
use crate::protocol::ErrorInfo;
use sidestage_formats::gguf::{Gguf, GgufReader, Progress as GgufProgress};
use sidestage_formats::graph::{GraphFormat, GraphReader};
use sidestage_formats::safetensors::{
    Progress as SafetensorsProgress, SafetensorsHeader, SafetensorsReader,
};
use sidestage_store::{End, Expect, Looks, Orders, Reading, Wanted};

/// Headers are read in windows of this size; what of the weights lies in the last one is copied.
const WINDOW: usize = 64 << 10;

/// A file with weights.
pub(super) struct WeightFile {
    pub(super) reading: Reading,
    header: Header,
    /// Bytes behind the header that came with it.
    pub(super) rest: Vec<u8>,
}

enum Header {
    /// Too few bytes to tell what it is.
    Unknown(Vec<u8>),
    /// No header at all: the whole file is read.
    Graph(Graphs, GraphFormat, Box<GraphReader>),
    Gguf(Language, Box<GgufReader>),
    Safetensors(Language, Box<SafetensorsReader>),
    Done(Language, Box<Read>),
    Taken,
}

/// A header that was read.
pub(super) enum Read {
    Gguf(Gguf),
    Safetensors(SafetensorsHeader),
}

impl Read {
    fn end(&self) -> u64 {
        match self {
            Self::Gguf(gguf) => gguf.end,
            Self::Safetensors(header) => header.end,
        }
    }
}

/// How far the headers are.
pub(super) enum Step {
    More,
    /// All are whole.
    Done(Language),
    /// The file is a graph model, and is whole.
    Graph(Graphs),
}

/// All files, of which one is being read.
pub(super) struct Headers {
    pub(super) files: Vec<WeightFile>,
    pub(super) at: usize,
    window: Vec<u8>,
}

impl Headers {
    /// Starts with the first file, of which there is one at least.
    pub(super) fn start(wanted: Vec<Wanted>, orders: &mut Orders) -> Result<Self, ErrorInfo> {
        let files: Result<Vec<_>, _> = wanted.into_iter().map(WeightFile::new).collect();
        let mut files = files?;
        let Some(first) = files.first_mut() else {
            return Err(error("MODEL_INCOMPLETE", "the model has no file with weights"));
        };
        first.reading.start(orders);
        Ok(Self { files, at: 0, window: vec![0; WINDOW] })
    }

    pub(super) fn window(&mut self, want: usize) -> &mut [u8] {
        let length = want.min(self.window.len());
        &mut self.window[..length]
    }

    pub(super) fn wrote(
        &mut self,
        stream: u32,
        count: usize,
        orders: &mut Orders,
    ) -> Result<(), ErrorInfo> {
        let (file, bytes) = (&mut self.files[self.at], &self.window[..count]);
        file.reading.wrote(stream, bytes, orders);
        // What is no model at all is told by its first bytes.
        match file.reading.end() {
            Some(Err(_)) => Ok(()),
            _ => file.push(bytes),
        }
    }

    /// Goes on with the next file when a header is whole.
    pub(super) fn next(&mut self, orders: &mut Orders) -> Result<Step, ErrorInfo> {
        loop {
            let alone = self.files.len() == 1;
            let file = &mut self.files[self.at];
            let Header::Done(language, read) = &file.header else {
                return match (file.reading.end(), &file.header) {
                    (Some(Ok(End::Whole | End::Enough)), Header::Graph(graphs, ..)) => {
                        Ok(Step::Graph(*graphs))
                    }
                    (Some(Ok(End::Whole | End::Enough)), _) => Err(file.truncated()),
                    _ => Ok(Step::More),
                };
            };
            let (language, end) = (*language, read.end());
            file.reading.at_least(end);
            if let Some(length) = file.reading.length()
                && length < end
            {
                let message = format!("the file has {length} bytes, its header promises {end}");
                return Err(error("MODEL_TRUNCATED", message)
                    .hint("The file is not whole. Download it again.")
                    .with("expected", end)
                    .with("received", length));
            }
            if alone {
                return Ok(Step::Done(language));
            }
            file.reading.pause(orders);
            if self.at + 1 == self.files.len() {
                return Ok(Step::Done(language));
            }
            self.at += 1;
            self.files[self.at].reading.start(orders);
        }
    }
}

impl WeightFile {
    fn new(wanted: Wanted) -> Result<Self, ErrorInfo> {
        let header = match wanted.expect {
            Expect::Safetensors => Header::Safetensors(Language::taken()?, Box::default()),
            Expect::Model => Header::Unknown(Vec::new()),
            _ => Header::Gguf(Language::taken()?, Box::default()),
        };
        Ok(Self { reading: Reading::new(wanted), header, rest: Vec::new() })
    }

    /// Takes the header out.
    pub(super) fn take_header(&mut self) -> Option<Read> {
        match std::mem::replace(&mut self.header, Header::Taken) {
            Header::Done(_, read) => Some(*read),
            _ => None,
        }
    }

    /// Takes the graph model's reader out, which has read all.
    pub(super) fn take_graph(&mut self) -> Result<(GraphFormat, GraphReader), ErrorInfo> {
        match std::mem::replace(&mut self.header, Header::Taken) {
            Header::Graph(_, format, reader) => Ok((format, *reader)),
            _ => Err(self.truncated()),
        }
    }

    fn push(&mut self, bytes: &[u8]) -> Result<(), ErrorInfo> {
        let (language, read, header_bytes) = match &mut self.header {
            Header::Unknown(head) => {
                head.extend_from_slice(bytes);
                if head.len() < GraphFormat::ENOUGH {
                    return Ok(());
                }
                let head = std::mem::take(head);
                self.header = if head.starts_with(b"GGUF") {
                    Header::Gguf(Language::taken()?, Box::default())
                } else if let Some(format) = GraphFormat::of(&head) {
                    let graphs = Graphs::taken()?;
                    let reader = GraphReader::new(format, self.reading.length());
                    Header::Graph(graphs, format, Box::new(reader))
                } else {
                    return Err(self.reading.not_a_model(Looks::of(&head)).into());
                };
                return self.push(&head);
            }
            Header::Graph(_, _, reader) => return Ok(reader.push(bytes)?),
            Header::Gguf(language, reader) => match reader.push(bytes)? {
                GgufProgress::Done { gguf, header_bytes } => {
                    (*language, Read::Gguf(gguf), header_bytes)
                }
                GgufProgress::NeedMore { .. } => return Ok(()),
            },
            Header::Safetensors(language, reader) => match reader.push(bytes)? {
                SafetensorsProgress::Done { header, header_bytes } => {
                    (*language, Read::Safetensors(header), header_bytes)
                }
                SafetensorsProgress::NeedMore { .. } => return Ok(()),
            },
            Header::Done(..) | Header::Taken => {
                self.rest.extend_from_slice(bytes);
                return Ok(());
            }
        };
        let rest = self.reading.position().saturating_sub(header_bytes) as usize;
        self.rest.extend_from_slice(&bytes[bytes.len() - rest.min(bytes.len())..]);
        self.header = Header::Done(language, Box::new(read));
        Ok(())
    }

    /// The error of a file that ends inside its header.
    fn truncated(&self) -> ErrorInfo {
        match &self.header {
            Header::Gguf(_, reader) => reader.truncated().into(),
            Header::Safetensors(_, reader) => reader.truncated().into(),
            Header::Done(..) | Header::Taken | Header::Unknown(_) | Header::Graph(..) => {
                error("MODEL_TRUNCATED", "the file ends before its last weight")
            }
        }
    }
}
