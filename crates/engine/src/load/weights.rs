//! The weights on their way into place.

use super::folder::ReadFolder;
use super::headers::{Read, WeightFile};
use super::options::Options;
use crate::error::error;
use crate::placement::Placement;
use crate::protocol::ErrorInfo;
use crate::text::{Text, TextInfo};
use sidestage_formats::Manifest;
use sidestage_formats::huggingface::GenerationDefaults;
use sidestage_lm::{DecoderPlan, Pooling};
use sidestage_store::{End, Orders};

/// Everything is known and planned, and the weights are coming.
pub(super) struct Weights {
    pub(super) files: Vec<WeightFile>,
    pub(super) at: usize,
    /// The file at `at` has begun.
    begun: bool,
    pub(super) manifest: Manifest,
    pub(super) plan: DecoderPlan,
    pub(super) text: Option<TextInfo>,
    pub(super) defaults: Option<GenerationDefaults>,
    /// Of an encoder, where its folder says it.
    pub(super) pooling: Option<Pooling>,
    pub(super) placement: Placement,
}

impl Weights {
    /// Plans the model, opens the vocabulary, makes room. Takes the files if that succeeds.
    pub(super) fn plan(
        files: &mut Vec<WeightFile>,
        folder: Option<&ReadFolder>,
        options: &Options,
        text: &mut impl Text,
    ) -> Result<Self, ErrorInfo> {
        let (mut ggufs, mut headers) = (Vec::new(), Vec::new());
        for file in &mut *files {
            match file.take_header() {
                Some(Read::Gguf(gguf)) => ggufs.push(gguf),
                Some(Read::Safetensors(header)) => headers.push(header),
                None => return Err(error("MODEL_TRUNCATED", "the file ends inside its header")),
            }
        }
        let manifest = match folder {
            Some(read) => Manifest::huggingface(&read.folder, headers, options.dtype)?,
            None => Manifest::gguf(ggufs)?,
        };
        let plan = DecoderPlan::new(&manifest.metadata, &manifest.weights, options.decoder)?;
        let weights = plan.allocate(options.memory_limit)?;
        let text = match folder {
            None => text.open(&manifest.metadata)?,
            Some(read) if read.has_tokenizer() => {
                let all = read.text.iter();
                let all: Vec<(&str, &[u8])> =
                    all.map(|(name, bytes)| (name.as_str(), bytes.as_slice())).collect();
                Some(text.open_files(&all)?)
            }
            Some(_) => None,
        };
        let placement = Placement::new(&plan, &manifest, weights).map_err(|_| {
            error("OUT_OF_MEMORY", "there is no memory left to convert weights in")
                .hint("Close other tabs or choose a smaller model.")
        })?;
        let defaults = folder.map(|read| read.folder.defaults().clone());
        let pooling = folder.and_then(|read| read.pooling);
        let (at, begun, files) = (0, false, std::mem::take(files));
        Ok(Self { files, at, begun, manifest, plan, text, defaults, pooling, placement })
    }

    /// Whether the file that is read has bytes that are needed.
    pub(super) fn is_needed(&self) -> bool {
        self.placement.position().is_some_and(|(file, _)| file as usize == self.at)
    }

    pub(super) fn wrote(&mut self, stream: u32, count: usize, orders: &mut Orders) {
        let bytes = self.placement.window(count);
        let count = bytes.len();
        self.files[self.at].reading.wrote(stream, bytes, orders);
        self.placement.wrote(count);
    }

    /// Goes on with the next file when one is done. Whether all are.
    pub(super) fn next(&mut self, orders: &mut Orders) -> Result<bool, ErrorInfo> {
        while self.at < self.files.len() {
            let file = &mut self.files[self.at];
            if !self.begun {
                self.begun = true;
                let rest = std::mem::take(&mut file.rest);
                let from = file.reading.position() - rest.len() as u64;
                self.placement.begin(self.at as u32, from);
                if self.placement.position().is_some_and(|(of, _)| of as usize == self.at) {
                    self.placement.copy(&rest);
                    file.reading.resume(orders);
                }
            }
            let file = &self.files[self.at];
            if self.is_needed() {
                return match file.reading.end() {
                    // The reading's own error is told by whoever asks it.
                    Some(Ok(End::Whole | End::Enough)) => {
                        Err(error("MODEL_TRUNCATED", "the file ends before its last weight"))
                    }
                    _ => Ok(false),
                };
            }
            let file = &mut self.files[self.at];
            file.reading.enough(orders);
            if !matches!(file.reading.end(), Some(Ok(End::Whole | End::Enough))) {
                return Ok(false);
            }
            (self.at, self.begun) = (self.at + 1, false);
        }
        Ok(true)
    }
}
