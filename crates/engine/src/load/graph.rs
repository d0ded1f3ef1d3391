//! A graph model whose first file is here: the files beside it, then all of it in its place.

use super::folder::Words;
use super::headers::WeightFile;
use crate::error::error;
use crate::protocol::ErrorInfo;
use sidestage_cpu::Runner;
use sidestage_formats::graph::{GraphFormat, PartPlace, UnplacedGraph};
use sidestage_ir::{Call, Model, TraceError};
use sidestage_store::{End, Orders, Reading, Shelf};
use sidestage_tensor::AlignedBytes;
use std::sync::Arc;

/// Bytes of a file beside the model are read in windows of this size.
const WINDOW: usize = 64 << 10;

/// A graph model on its way.
pub(super) struct Graph {
    pub(super) format: GraphFormat,
    model: UnplacedGraph,
    pub(super) takes_tokens: bool,
    pub(super) words: Words,
    /// The first file, then those beside it.
    pub(super) readings: Vec<Reading>,
    pub(super) at: usize,
    parts: Vec<Part>,
    window: Vec<u8>,
}

/// Bytes of a file that belong to a weight.
struct Part {
    /// Position of the file in the readings.
    file: usize,
    offset: u64,
    /// `None`: up to the file's end.
    length: Option<usize>,
    bytes: AlignedBytes,
}

impl Graph {
    /// Takes the file that was read, if it can be run. What lies in others is asked for.
    pub(super) fn start(
        files: &mut Vec<WeightFile>,
        shelf: &Shelf,
        name: &str,
        orders: &mut Orders,
    ) -> Result<Self, ErrorInfo> {
        let file =
            files.first_mut().ok_or_else(|| error("MODEL_INCOMPLETE", "there is no file"))?;
        let (format, reader) = file.take_graph()?;
        let model = reader.finish()?;
        // What cannot be run is not downloaded.
        let known = |op: &String| {
            sidestage_ops::lowering(&Call { op: op.clone(), ..Call::default() }).is_some()
        };
        let ops: Vec<String> = model.ops().into_iter().filter(|op| !known(op)).collect();
        if !ops.is_empty() {
            return Err(sidestage_cpu::RunError::from(TraceError::Unsupported { ops }).into());
        }
        let (mut names, mut parts, mut readings) = (Vec::new(), Vec::new(), Vec::new());
        for part in model.parts() {
            if names.last() != Some(&part.file) {
                names.push(part.file);
                readings.push(Reading::new(shelf.beside(name, part.file)?));
            }
            let length = (part.length != PartPlace::ALL)
                .then(|| usize::try_from(part.length).unwrap_or(usize::MAX));
            let room = length.unwrap_or(0);
            let bytes = AlignedBytes::with_capacity(room).map_err(|_| no_memory(room))?;
            parts.push(Part { file: names.len(), offset: part.offset, length, bytes });
        }
        readings.splice(..0, files.drain(..).map(|file| file.reading));
        let at = 1;
        if let Some(reading) = readings.get_mut(at) {
            reading.start(orders);
        }
        let (takes_tokens, words) = (model.takes_tokens(), Words::default());
        let window = vec![0; WINDOW];
        Ok(Self { format, model, takes_tokens, words, readings, at, parts, window })
    }

    /// Bytes of each file, as far as they are needed; `None`: all that there are.
    pub(super) fn ends(&self) -> Vec<Option<u64>> {
        let mut ends = vec![Some(0); self.readings.len()];
        for part in &self.parts {
            let end = part.length.map(|length| part.offset.saturating_add(length as u64));
            ends[part.file] = ends[part.file].zip(end).map(|(a, b)| a.max(b));
        }
        ends
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
        let Some(reading) = self.readings.get_mut(self.at) else { return Ok(()) };
        let (from, bytes) = (reading.position(), &self.window[..count]);
        reading.wrote(stream, bytes, orders);
        let length = reading.length();
        for part in self.parts.iter_mut().filter(|part| part.file == self.at) {
            // Several weights may be the same bytes.
            part.fill(from, bytes, length)?;
        }
        Ok(())
    }

    /// Goes on with the next file when one is done. Whether all are.
    pub(super) fn next(&mut self, orders: &mut Orders) -> Result<bool, ErrorInfo> {
        let ends = self.ends();
        while let Some(reading) = self.readings.get_mut(self.at) {
            let end = ends[self.at];
            if end.is_some_and(|end| reading.position() >= end) {
                reading.enough(orders);
            }
            let missing = end.filter(|end| reading.position() < *end);
            match (reading.end(), missing) {
                (Some(Ok(End::Whole | End::Enough)), Some(end)) => {
                    let file = &reading.wanted().file;
                    let message = format!("{file} ends before the last weight in it");
                    return Err(error("MODEL_TRUNCATED", message)
                        .hint("The file is not whole. Download it again.")
                        .with("expected", end)
                        .with("received", reading.position()));
                }
                (Some(Ok(End::Whole | End::Enough)), None) => {}
                _ => return Ok(false),
            }
            self.at += 1;
            if let Some(reading) = self.readings.get_mut(self.at) {
                reading.start(orders);
            }
        }
        Ok(true)
    }

    /// The names of its files.
    pub(super) fn files(&self) -> Vec<String> {
        self.readings.iter().map(|reading| reading.wanted().file.clone()).collect()
    }

    /// The model, when all is in place, and what lies beside it.
    pub(super) fn finish(self) -> Result<(Model, Words), ErrorInfo> {
        let parts = self.parts.into_iter().map(|part| Arc::new(part.bytes)).collect();
        Ok((self.model.place(parts)?, self.words))
    }
}

/// What runs a model, and the bytes of its weights.
pub(super) fn runner(
    mut model: Model,
    memory_limit: Option<u64>,
) -> Result<(Runner, u64), ErrorInfo> {
    sidestage_ops::arrange(&mut model);
    let weights = model.constants.iter().map(|(_, tensor)| tensor.bytes().len() as u64).sum();
    let limit = memory_limit.map_or(u64::MAX, |limit| limit.saturating_sub(weights));
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let runner = Runner::new(Arc::new(model), sidestage_ops::lowering, limit)
        .with_passes(sidestage_ops::PASSES);
    runner.check()?;
    Ok((runner, weights))
}

fn no_memory(bytes: usize) -> ErrorInfo {
    error("OUT_OF_MEMORY", format!("there is no memory for {bytes} bytes of a weight"))
        .hint("Use a smaller model, or close other tabs.")
}

impl Part {
    /// Takes what belongs to it of the file's next bytes, which begin at `from`; `length` is the
    /// file's, if known.
    fn fill(&mut self, from: u64, bytes: &[u8], length: Option<u64>) -> Result<(), ErrorInfo> {
        if let (None, Some(all), true) = (self.length, length, self.bytes.is_empty()) {
            let room = all.saturating_sub(self.offset) as usize;
            self.bytes = AlignedBytes::with_capacity(room).map_err(|_| no_memory(room))?;
        }
        let end = self.length.map_or(u64::MAX, |length| self.offset.saturating_add(length as u64));
        let first = self.offset.max(from).saturating_sub(from);
        let last = end.min(from + bytes.len() as u64).saturating_sub(from);
        if first < last {
            let own = &bytes[first as usize..last as usize];
            self.bytes.extend(own).map_err(|_| no_memory(self.bytes.len() + own.len()))?;
        }
        Ok(())
    }
}
