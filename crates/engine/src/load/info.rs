//! What is told of a model that was loaded.

use super::folder::Words;
use super::graph::{Graph, runner};
use super::{Load, Loaded, Stage};
use crate::embed::EncoderSession;
use crate::error::error;
use crate::graph::{GraphSession, port};
use crate::kinds::Graphs;
use crate::protocol::{Effect, ErrorInfo, MemoryPlan, ModelInfo, PortInfo};
use crate::session::Session;
use crate::threads;
use crate::warnings::slow_weights;
use sidestage_lm::{Decoder, Encoder, Memory};
use sidestage_pool::Pool;
use sidestage_store::{Kind, Phase};
use std::hash::{DefaultHasher, Hash, Hasher};

/// What a model is for.
enum Task {
    Generate(Decoder),
    Embed(Box<Encoder>),
}

/// With `threads: "auto"`, where only steps of decoders are measured.
fn leave_one_core(pool: &Pool) {
    pool.set_threads(pool.size().saturating_sub(1).max(1));
}

impl Load {
    /// The model, when its last weight is in place.
    pub(crate) fn finish(
        mut self,
        clock: &dyn Fn() -> f64,
        pool: &Pool,
        effects: &mut Vec<Effect>,
    ) -> Result<Loaded, ErrorInfo> {
        let prepare = self.meter.enter(Phase::Prepare, clock());
        effects.push(self.post(prepare));
        let ready = self.meter.enter(Phase::Ready, clock());
        let ready = self.post(ready);
        let stage = self.retire();
        let (language, weights) = match stage {
            Stage::Weights(language, weights) => (language, weights),
            Stage::Graph(graphs, graph) | Stage::Folder(_, Some((graphs, graph))) => {
                let loaded = self.graph(graphs, *graph, (pool, clock), effects)?;
                effects.push(ready);
                return Ok(loaded);
            }
            _ => return Err(error("MODEL_TRUNCATED", "the file ends inside its header")),
        };
        let files: Vec<String> =
            weights.files.iter().map(|file| file.reading.wanted().file.clone()).collect();
        let warnings = self.warnings(&weights);
        let hash = self.hash(&weights);
        let (manifest, plan) = (weights.manifest, weights.plan);
        let name = manifest.metadata.get_str("general.name").ok().flatten();
        let name = name.or(files.first().map(String::as_str)).unwrap_or_default().to_owned();
        let (config, memory) = (plan.config.clone(), plan.memory);
        let context_length = plan.context_length as u32;
        let filled = weights.placement.into_weights();
        let mut kind = match plan.is_encoder() {
            true => Task::Embed(Box::new(Encoder::new(plan, filled)?)),
            false => Task::Generate(Decoder::new(plan, filled)?),
        };
        let found = match (&self.options.auto, &mut kind) {
            (None, _) => threads::Found::default(),
            (Some(earlier), Task::Generate(decoder)) => {
                threads::find(hash, earlier.clone(), decoder, pool, clock)
            }
            (Some(_), Task::Embed(_)) => {
                leave_one_core(pool);
                threads::Found::default()
            }
        };
        effects.extend(found.figure.map(|figure| Effect::Remember { figure }));
        let load_ms = clock() - self.started;
        let text = weights.text;
        let folder = self.resolved.as_ref().is_some_and(|of| of.kind == Kind::Folder);
        let info = ModelInfo {
            name,
            format: if folder { "safetensors" } else { "gguf" }.into(),
            architecture: config.family.name.into(),
            parameters: manifest.parameters(),
            weight_type: manifest.main_type().map_or("", |dtype| dtype.name()).into(),
            context_length,
            trained_context_length: config.trained_context as u32,
            vocab_size: config.vocab_size as u32,
            has_tokenizer: text.is_some(),
            has_chat_template: text.as_ref().is_some_and(|text| text.has_chat_template),
            threads_reason: found.reason,
            memory: memory_plan(memory),
            files,
            warnings,
            ..self.info(ModelInfo::default(), pool, load_ms)
        };
        effects.push(ready);
        match kind {
            Task::Generate(decoder) => {
                let defaults = weights.defaults.unwrap_or_default();
                let mut session = Session::new(info, decoder, text, defaults);
                session.metrics.load_ms = load_ms;
                session.metrics.measure_ms = found.ms;
                session.metrics.bytes_read = self.done[0];
                Ok(Loaded::Text(Box::new(session)))
            }
            Task::Embed(encoder) => {
                let pooling = weights.pooling.or(encoder.pooling()).unwrap_or_default();
                let mut session = EncoderSession::new(info, *encoder, text, pooling);
                session.metrics.load_ms = load_ms;
                session.metrics.bytes_read = self.done[0];
                Ok(Loaded::Encoder(language, Box::new(session)))
            }
        }
    }

    /// Of what the model's speed hangs on.
    fn hash(&self, weights: &super::Weights) -> String {
        let mut hasher = DefaultHasher::new();
        let dtype = self.options.dtype.map(|dtype| dtype.name());
        (self.options.decoder.kv_type.name(), dtype).hash(&mut hasher);
        for (name, bytes) in weights.plan.weights() {
            let dtype = weights.manifest.weights.get(name).map(|tensor| tensor.dtype.name());
            (name, bytes, dtype).hash(&mut hasher);
        }
        format!("{:016x}", hasher.finish())
    }

    /// A graph model, when its last weight is in place.
    fn graph(
        &self,
        graphs: Graphs,
        graph: Graph,
        (pool, clock): (&Pool, &dyn Fn() -> f64),
        effects: &mut Vec<Effect>,
    ) -> Result<Loaded, ErrorInfo> {
        let (files, format) = (graph.files(), graph.format.name());
        let (model, words) = graph.finish()?;
        let weights = || model.constants.iter().map(|(_, tensor)| tensor);
        let largest = weights().max_by_key(|tensor| tensor.bytes().len());
        let info = ModelInfo {
            name: files.first().cloned().unwrap_or_default(),
            format: format.into(),
            parameters: weights().map(|tensor| tensor.len() as u64).sum(),
            weight_type: largest.map_or("", |tensor| tensor.dtype().name()).into(),
            files,
            warnings: self.not_kept_warning().into_iter().collect(),
            ..ModelInfo::default()
        };
        if !self.options.as_graph && Decoder::is_one(&model) {
            let session = self.decoder(model, words, info, (pool, clock), effects)?;
            return Ok(Loaded::Text(Box::new(session)));
        }
        let Words { text, problem, pooling, context_length, .. } = words;
        let (runner, weights) = runner(model, self.options.memory_limit)?;
        if self.options.auto.is_some() {
            leave_one_core(pool);
        }
        let model = runner.model();
        let ports = |all: &[sidestage_ir::Port]| -> Vec<PortInfo> {
            all.iter().map(|one| port(model, one)).collect()
        };
        let (inputs, outputs) = (ports(&model.inputs), ports(&model.outputs));
        let load_ms = clock() - self.started;
        let memory = MemoryPlan { weights, total: weights, ..MemoryPlan::default() };
        let mut info = ModelInfo { inputs, outputs, memory, ..self.info(info, pool, load_ms) };
        info.warnings.extend(problem);
        info.has_tokenizer = text.is_some();
        info.context_length = context_length.map_or(0, |tokens| tokens.min(u32::MAX.into()) as u32);
        info.trained_context_length = info.context_length;
        let mut session = GraphSession::new(info, runner, text, pooling);
        session.metrics.load_ms = load_ms;
        session.metrics.bytes_read = self.done[0];
        Ok(Loaded::Graph(graphs, Box::new(session)))
    }

    /// With what does not depend on the kind of model.
    pub(super) fn info(&self, info: ModelInfo, pool: &Pool, load_ms: f64) -> ModelInfo {
        let [_, cached_bytes, downloaded_bytes] = self.done;
        ModelInfo {
            handle: self.id,
            device: "cpu".into(),
            threads: pool.threads() as u32,
            load_ms,
            choice: self.resolved.as_ref().and_then(|resolved| resolved.choice.clone()),
            downloaded_bytes,
            cached_bytes,
            cache: "none".into(),
            cache_reason: self.not_kept.as_ref().map(|(_, message)| message.clone()),
            ..info
        }
    }

    /// That not all was kept.
    fn not_kept_warning(&self) -> Option<ErrorInfo> {
        let (code, message) = self.not_kept.as_ref()?;
        Some(
            error(code, format!("not all of the model was kept: {message}"))
                .hint("The next load downloads it again. Make room, or ask for persistence."),
        )
    }

    /// That conversations are shorter than was asked.
    pub(super) fn lowered(&self, given: usize, trained: usize) -> Option<ErrorInfo> {
        let asked = self.options.decoder.context_length.filter(|asked| *asked > given)?;
        let message = format!(
            "contextLength is {given}, not {asked}: the model was trained for {trained} positions"
        );
        Some(
            error("CONTEXT_LENGTH_LOWERED", message)
                .with("asked", asked)
                .with("contextLength", given)
                .with("trainedContextLength", trained),
        )
    }

    /// What the app should know though nothing failed.
    fn warnings(&self, weights: &super::Weights) -> Vec<ErrorInfo> {
        let (manifest, plan) = (&weights.manifest, &weights.plan);
        let types = plan.weights().filter_map(|(name, _)| Some(manifest.weights.get(name)?.dtype));
        let mut warnings: Vec<ErrorInfo> = slow_weights(types).into_iter().collect();
        let (trained, given) = (weights.plan.config.trained_context, weights.plan.context_length);
        warnings.extend(self.lowered(given, trained));
        warnings.extend(self.not_kept_warning());
        let folder = self.resolved.as_ref().is_some_and(|of| of.kind == Kind::Folder);
        if let Some(dtype) = self.options.dtype.filter(|_| !folder) {
            let message = format!(
                "dtype {:?} was not used: the weights of a GGUF file have their types already",
                dtype.name().to_ascii_lowercase()
            );
            warnings.push(error("OPTION_NOT_USED", message).with("option", "dtype"));
        }
        warnings
    }
}

pub(super) fn memory_plan(memory: Memory) -> MemoryPlan {
    MemoryPlan {
        weights: memory.weights,
        kv_cache: memory.kv_cache,
        scratch: memory.scratch,
        total: memory.total(),
    }
}
