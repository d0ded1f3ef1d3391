use crate::error::error;
use crate::placement::Placement;
use crate::protocol::{
    Completion, Effect, ErrorInfo, Event, HeldFile, LoadOptions, MemoryPlan, ModelInfo,
    ModelSource, Origin, Progress,
};
use crate::session::Session;
use crate::text::{Text, TextInfo};
use crate::warnings::slow_weights;
use sidestage_formats::Manifest;
use sidestage_formats::gguf::{Gguf, GgufReader, Progress as HeaderProgress};
use sidestage_lm::{Decoder, DecoderPlan, Memory};
use sidestage_store::{Download, Meter, Phase, Source};

/// The header is read in windows of this size; what of the weights lies in the last one is copied.
const HEADER_WINDOW: usize = 64 << 10;

/// A model on its way from its source to its place.
pub(crate) struct Load {
    pub(crate) id: u32,
    pub(crate) stream: u32,
    file: String,
    options: LoadOptions,
    started: f64,
    download: Download,
    meter: Meter,
    stage: Stage,
    threads: u32,
}

enum Stage {
    Header { reader: Box<GgufReader>, window: Vec<u8> },
    Weights(Box<Weights>),
}

/// The header is known and the weights are coming.
struct Weights {
    manifest: Manifest,
    plan: DecoderPlan,
    text: Option<TextInfo>,
    placement: Placement,
}

impl Load {
    /// Starts a load: checks the options and asks for the bytes.
    pub(crate) fn start(
        id: u32,
        stream: u32,
        source: ModelSource,
        options: LoadOptions,
        threads: u32,
        now: f64,
        effects: &mut Vec<Effect>,
    ) -> Result<Self, ErrorInfo> {
        check(&options)?;
        let (url, file, size) = match source {
            ModelSource::Url { url } => {
                let hub = options.hub_url.as_deref();
                let source = Source::parse(&url, hub).map_err(ErrorInfo::from)?;
                (Some(source.url), source.file, None)
            }
            ModelSource::Held { files } => {
                let [file] = <[HeldFile; 1]>::try_from(files)
                    .map_err(|_| error("INVALID_SOURCE", "the model's source is not one file"))?;
                (None, file.name, Some(file.size))
            }
        };
        let download = Download::new(url.clone().unwrap_or_else(|| file.clone()));
        let from = url.map_or(Origin::Held { index: 0 }, |url| Origin::Url { url });
        effects.push(Effect::fetch(stream, from));
        Ok(Self {
            id,
            stream,
            download,
            meter: Meter::new(file.clone(), size, now),
            file,
            options,
            started: now,
            stage: Stage::Header { reader: Box::default(), window: vec![0; HEADER_WINDOW] },
            threads,
        })
    }

    /// The place of the bytes that come next; empty: no more are needed.
    pub(crate) fn window(&mut self, want: usize) -> &mut [u8] {
        match &mut self.stage {
            Stage::Header { window, .. } => {
                let length = want.min(window.len());
                &mut window[..length]
            }
            Stage::Weights(weights) => weights.placement.window(want),
        }
    }

    /// That `count` bytes of the window were written. A session: the model is whole.
    pub(crate) fn wrote(
        &mut self,
        count: usize,
        text: &mut impl Text,
        now: f64,
        effects: &mut Vec<Effect>,
    ) -> Result<bool, ErrorInfo> {
        match &mut self.stage {
            Stage::Header { reader, window } => {
                let count = count.min(window.len());
                let bytes = &window[..count];
                self.download.received(bytes).map_err(ErrorInfo::from)?;
                if let HeaderProgress::Done { gguf, header_bytes } = reader.push(bytes)? {
                    let rest = (self.download.bytes() - header_bytes) as usize;
                    let window = std::mem::take(window);
                    self.read_header(gguf, &window[count - rest..count], header_bytes, text)?;
                }
            }
            Stage::Weights(weights) => {
                let window = weights.placement.window(count);
                let count = window.len();
                self.download.received(window).map_err(ErrorInfo::from)?;
                weights.placement.wrote(count);
            }
        }
        if let Some(progress) = self.meter.add(count as u64, now) {
            effects.push(self.post(progress));
        }
        Ok(matches!(&self.stage, Stage::Weights(weights) if weights.placement.is_done()))
    }

    /// The header is whole: plans the model, opens the vocabulary, makes room.
    fn read_header(
        &mut self,
        gguf: Gguf,
        rest: &[u8],
        position: u64,
        text: &mut impl Text,
    ) -> Result<(), ErrorInfo> {
        if let Some(length) = self.download.promised()
            && length < gguf.end
        {
            let message = format!("the file has {length} bytes, its header promises {}", gguf.end);
            return Err(error("MODEL_TRUNCATED", message)
                .hint("The file is not whole. Download it again.")
                .with("expected", gguf.end)
                .with("received", length));
        }
        self.meter.set_total(self.download.promised().unwrap_or(gguf.end));
        let manifest = Manifest::gguf(vec![gguf])?;
        let context = self.options.context_length.map(|length| length as usize);
        let plan = DecoderPlan::new(&manifest.metadata, &manifest.weights, context)?;
        let weights = plan.allocate(self.options.memory_limit)?;
        let text = text.open(&manifest.metadata)?;
        let mut placement = Placement::new(&plan, &manifest, weights)
            .map_err(|_| error("OUT_OF_MEMORY", "no memory to convert weights"))?;
        placement.begin(0, position);
        placement.copy(rest);
        self.stage = Stage::Weights(Box::new(Weights { manifest, plan, text, placement }));
        Ok(())
    }

    /// Takes a report of the host on this load's reading.
    pub(crate) fn completion(&mut self, completion: Completion) -> Result<(), ErrorInfo> {
        match completion {
            Completion::Opened { status, content_type, length, .. } => {
                self.download.opened(status, content_type.as_deref(), length)?;
                if let Some(length) = length {
                    self.meter.set_total(length);
                }
            }
            Completion::Closed { .. } => {
                let (needed, truncated) = match &self.stage {
                    Stage::Header { reader, .. } => (None, Some(reader.truncated())),
                    Stage::Weights(weights) => (weights.manifest.ends.first().copied(), None),
                };
                self.download.closed(needed)?;
                // As long as promised, but the file itself is not whole.
                return Err(truncated.map_or_else(
                    || error("MODEL_TRUNCATED", "the file ends before its last weight"),
                    ErrorInfo::from,
                ));
            }
            Completion::Failed { message, .. } => {
                return Err(self.download.failed(message).into());
            }
            Completion::Found { .. } | Completion::NotKept { .. } => {}
        }
        Ok(())
    }

    /// The model, when its last weight is in place.
    pub(crate) fn finish(
        mut self,
        clock: &dyn Fn() -> f64,
        effects: &mut Vec<Effect>,
    ) -> Result<Session, ErrorInfo> {
        let prepare = self.meter.enter(Phase::Prepare, clock());
        effects.push(self.post(prepare));
        let ready = self.meter.enter(Phase::Ready, clock());
        let ready = self.post(ready);
        let Stage::Weights(weights) = self.stage else {
            return Err(error("MODEL_TRUNCATED", "the file ends inside its header"));
        };
        let Weights { manifest, plan, text, placement } = *weights;
        let bytes_read = self.download.bytes();
        let types = plan.weights().filter_map(|(name, _)| Some(manifest.weights.get(name)?.dtype));
        let slow = slow_weights(types);
        let name = manifest.metadata.get_str("general.name").ok().flatten();
        let parameters = manifest.parameters();
        let (config, memory) = (plan.config.clone(), plan.memory);
        let context_length = plan.context_length as u32;
        let decoder = Decoder::new(plan, placement.into_weights())?;
        let load_ms = clock() - self.started;
        let info = ModelInfo {
            handle: self.id,
            name: name.map_or_else(|| self.file.clone(), str::to_owned),
            architecture: config.family.name.into(),
            parameters,
            weight_type: manifest.main_type().map_or("", |dtype| dtype.name()).into(),
            context_length,
            trained_context_length: config.trained_context as u32,
            vocab_size: config.vocab_size as u32,
            has_tokenizer: text.is_some(),
            has_chat_template: text.as_ref().is_some_and(|text| text.has_chat_template),
            device: "cpu".into(),
            threads: self.threads,
            memory: memory_plan(memory),
            load_ms,
            files: vec![self.file],
            choice: None,
            downloaded_bytes: bytes_read,
            cached_bytes: 0,
            cache: "none".into(),
            cache_reason: None,
            warnings: slow.into_iter().collect(),
        };
        effects.push(ready);
        let mut session = Session::new(info, decoder, text);
        session.metrics.load_ms = load_ms;
        session.metrics.bytes_read = bytes_read;
        Ok(session)
    }

    fn post(&self, progress: sidestage_store::Progress) -> Effect {
        let progress = Progress {
            phase: progress.phase.as_str().into(),
            file: progress.file,
            loaded_bytes: progress.loaded_bytes,
            total_bytes: progress.total_bytes,
            cached_bytes: 0,
            bytes_per_second: progress.bytes_per_second,
            eta_seconds: progress.eta_seconds,
        };
        Effect::Post { event: Event::Progress { id: self.id, progress } }
    }
}

fn memory_plan(memory: Memory) -> MemoryPlan {
    MemoryPlan {
        weights: memory.weights,
        kv_cache: memory.kv_cache,
        scratch: memory.scratch,
        total: memory.total(),
    }
}

fn check(options: &LoadOptions) -> Result<(), ErrorInfo> {
    let invalid = |option: &str, value: String, allowed: &str| {
        error("INVALID_OPTION", format!("{option} = {value} is not {allowed}"))
            .with("option", option)
    };
    match options.device.as_deref() {
        None | Some("auto" | "cpu") => {}
        Some("webgpu") => {
            return Err(error("DEVICE_UNAVAILABLE", "this version has no WebGPU backend yet")
                .hint("Use device: \"auto\" or \"cpu\"."));
        }
        Some(other) => {
            return Err(invalid("device", format!("{other:?}"), "\"auto\", \"cpu\" or \"webgpu\""));
        }
    }
    if options.context_length == Some(0) {
        return Err(invalid("contextLength", "0".into(), "at least 1"));
    }
    if options.threads == Some(0) {
        return Err(invalid("threads", "0".into(), "at least 1"));
    }
    Ok(())
}
