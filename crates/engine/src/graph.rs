use crate::buffers::Buffers;
use crate::embed::{Embedding, Limits, graph as encoder};
use crate::error::error;
use crate::profile::phase;
use crate::protocol::{
    DimInfo, EmbedOptions, ErrorInfo, Event, Explanation, MemoryPlan, Metrics, ModelInfo,
    NamedValue, OperatorInfo, Outcome, PortInfo, Profile, Quantization, RunValue, Segment,
    SegmentInfo, ValueInfo,
};
use crate::queue::Queue;
use crate::text::{Text, TextInfo};
use sidestage_cpu::{ExplainedSegment, ExplainedValue, Progress, RunError, Runner, Value, inputs};
use sidestage_formats::npy::{type_name, type_named};
use sidestage_ir::{Model, Port, PortDim, PortKind};
use sidestage_lm::Pooling;
use sidestage_pool::Pool;
use sidestage_tensor::{DType, Extents, Tensor};

/// A loaded graph model and the runs that are asked of it.
pub(crate) struct GraphSession {
    pub(crate) info: ModelInfo,
    runner: Runner,
    /// The tokenizer of an encoder, and how its vectors become one.
    text: Option<TextInfo>,
    pooling: Option<Pooling>,
    jobs: Queue<Job>,
    pub(crate) metrics: Metrics,
    /// Runs that ended since operators are timed, if they are.
    timed: Option<u32>,
}

struct Job {
    inputs: Vec<Value>,
    /// Positions of the outputs that are wanted.
    outputs: Vec<usize>,
    /// Texts, of which each is a run whose one output has its vectors.
    embedding: Option<Embedding>,
    /// Whether what earlier runs have left is forgotten.
    reset: bool,
    /// Whether the runner has its inputs, or those of its next text.
    begun: bool,
}

impl GraphSession {
    pub(crate) fn new(
        info: ModelInfo,
        runner: Runner,
        text: Option<TextInfo>,
        pooling: Option<Pooling>,
    ) -> Self {
        let (jobs, metrics) = (Queue::new(), Metrics::default());
        Self { info, runner, text, pooling, jobs, metrics, timed: None }
    }

    /// Checks texts that vectors are to be made of, and queues them.
    pub(crate) fn embed(
        &mut self,
        text: &mut impl Text,
        id: u32,
        input: Vec<Segment>,
        options: &EmbedOptions,
        now: f64,
    ) -> Result<(), ErrorInfo> {
        let model = self.runner.model();
        let outputs = vec![encoder::output(model, options.pooling.is_none())?];
        // That it takes tokens, and nothing that nobody gives.
        encoder::inputs(model, &[0])?;
        let pooling = self.pooling.unwrap_or_default();
        let context_length = Some(self.info.context_length as usize).filter(|tokens| *tokens > 0);
        let limits = Limits { context_length, vocab_size: None, width: None, pooling };
        let has_text = self.text.is_some();
        let embedding = Some(Embedding::new(text, has_text, input, options, limits)?);
        let (reset, begun) = (false, false);
        self.jobs.push(id, Job { inputs: Vec::new(), outputs, embedding, reset, begun }, now);
        Ok(())
    }

    /// Checks a run and queues it. Its buffers are taken, whatever comes of it.
    pub(crate) fn queue(
        &mut self,
        id: u32,
        given: Vec<NamedValue>,
        wanted: Option<Vec<String>>,
        reset: bool,
        buffers: &mut Buffers,
        now: f64,
    ) -> Result<(), ErrorInfo> {
        let named: Vec<_> =
            given.into_iter().map(|given| (value(given.value, buffers), given.name)).collect();
        let named = named.into_iter().map(|(value, name)| {
            let value = value.map_err(|info| named_in(info, &name))?;
            Ok((name, value))
        });
        let named = named.collect::<Result<Vec<_>, ErrorInfo>>()?;
        let model = self.runner.model();
        let inputs = inputs(model, named).map_err(|problem| {
            error(problem.code(), problem.to_string())
                .hint("`model.inputs` has the names, types and shapes.")
        })?;
        let outputs = match wanted {
            None => (0..model.outputs.len()).collect(),
            Some(names) => {
                names.iter().map(|name| output(model, name)).collect::<Result<_, _>>()?
            }
        };
        self.jobs.push(id, Job { inputs, outputs, embedding: None, reset, begun: false }, now);
        Ok(())
    }

    /// Ends a run, if there is one.
    pub(crate) fn abort(&mut self, id: u32) -> Option<Event> {
        self.jobs.abort(id).map(|(event, _)| event)
    }

    /// The ids of all runs, which are given up.
    pub(crate) fn end(self) -> impl Iterator<Item = u32> {
        self.jobs.into_ids()
    }

    /// Works until `late` says so. Whether there is more to do at once.
    pub(crate) fn run(
        &mut self,
        pool: &Pool,
        now: &dyn Fn() -> f64,
        late: &mut dyn FnMut() -> bool,
        buffers: &mut Buffers,
        events: &mut Vec<Event>,
    ) -> bool {
        loop {
            let before = now();
            self.jobs.signs_of_life(before, events);
            let Some(job) = self.jobs.first(before) else {
                pool.rest();
                return false;
            };
            if job.embedding.as_ref().is_some_and(|embedding| embedding.left().is_empty()) {
                self.finish_embedding(before, buffers, events);
                continue;
            }
            let progress = if job.begun {
                let resumed = match self.timed {
                    Some(_) => self.runner.resume_timed(pool, late, now),
                    None => self.runner.resume(pool, late),
                };
                resumed.map_err(ErrorInfo::from)
            } else {
                job.begun = true;
                if job.reset {
                    self.runner.reset();
                }
                let inputs = match &job.embedding {
                    Some(embedding) => encoder::inputs(self.runner.model(), &embedding.left()[0]),
                    None => Ok(std::mem::take(&mut job.inputs)),
                };
                let begun = inputs.and_then(|inputs| Ok(self.runner.begin(inputs)?));
                begun.map(|()| Progress::Stopped)
            };
            self.metrics.run_ms += now() - before;
            match progress {
                Ok(Progress::Stopped) if late() => return true,
                Ok(Progress::Stopped) => {}
                Ok(Progress::Done) => match &mut job.embedding {
                    None => self.finish(now(), buffers, events),
                    Some(embedding) => {
                        job.begun = false;
                        let outputs = self.runner.finish();
                        let at = job.outputs.first().copied().unwrap_or(0);
                        match encoder::vectors(outputs.get(at)) {
                            Ok((rows, width)) => embedding.take(rows, width),
                            Err(problem) => self.fail(problem, events),
                        }
                    }
                },
                Err(problem) => self.fail(problem, events),
            }
        }
    }

    fn finish_embedding(&mut self, now: f64, buffers: &mut Buffers, events: &mut Vec<Event>) {
        if let Some((id, Job { embedding: Some(embedding), .. }, timings)) = self.jobs.take(now) {
            self.metrics.requests += 1;
            events.push(embedding.end(id, timings, buffers));
        }
    }

    fn finish(&mut self, now: f64, buffers: &mut Buffers, events: &mut Vec<Event>) {
        let outputs = self.runner.finish();
        let Some((id, job, timings)) = self.jobs.take(now) else { return };
        self.metrics.requests += 1;
        self.timed = self.timed.map(|runs| runs + 1);
        let model = self.runner.model();
        let named = job.outputs.iter().filter_map(|&at| {
            let name = model.name(model.outputs.get(at)?.var).to_owned();
            Some(NamedValue { name, value: give(outputs.get(at)?, buffers) })
        });
        let outcome = Outcome::Ran { outputs: named.collect(), timings };
        events.push(Event::Done { id, outcome });
    }

    fn fail(&mut self, error: ErrorInfo, events: &mut Vec<Event>) {
        self.metrics.requests += 1;
        events.extend(self.jobs.fail(error));
    }

    /// The figures; `profile`: operators are timed from now on, else no more.
    pub(crate) fn metrics(&mut self, profile: bool) -> Metrics {
        let open_requests = self.jobs.len() as u32;
        let runs = std::mem::replace(&mut self.timed, profile.then_some(0));
        let times = self.runner.take_times();
        let run = runs.map(|runs| phase(runs, &times)).unwrap_or_default();
        let profile = profile.then(|| Profile { run, ..Profile::default() });
        Metrics { memory: self.memory(), open_requests, profile, ..self.metrics.clone() }
    }

    /// What the model does, as far as that is known.
    pub(crate) fn explain(&mut self) -> Result<Explanation, ErrorInfo> {
        self.runner.plan_declared()?;
        let segments = self.runner.explain().segments.into_iter().map(segment).collect();
        let unknown =
            "the model leaves shapes of its inputs open: they are known after its first run";
        let reason = self.runner.is_unplanned().then(|| unknown.to_owned());
        Ok(Explanation { segments, reason })
    }

    /// The memory taken now.
    fn memory(&self) -> MemoryPlan {
        let weights = self.info.memory.weights;
        let scratch = self.runner.scratch_bytes() as u64;
        MemoryPlan { weights, kv_cache: 0, scratch, total: weights + scratch }
    }
}

/// What is told of an input or output.
pub(crate) fn port(model: &Model, port: &Port) -> PortInfo {
    let dim = |dim: &PortDim| match dim {
        PortDim::Fixed(dim) => DimInfo::Fixed(*dim as u64),
        PortDim::Free(name) => DimInfo::Free(name.clone()),
    };
    let kind = match port.kind {
        PortKind::Tensor => "tensor",
        PortKind::Sequence(_) => "sequence",
        PortKind::Optional(_) => "optional",
    };
    PortInfo {
        name: model.name(port.var).to_owned(),
        kind: kind.into(),
        dtype: port.dtype.map(name_of),
        shape: port.dims.as_ref().map(|dims| dims.iter().map(dim).collect()),
        quantization: port
            .quantization
            .map(|of| Quantization { scale: of.scale.into(), zero_point: of.zero_point }),
    }
}

/// What is told of a segment.
fn segment(segment: ExplainedSegment) -> SegmentInfo {
    let values = |values: Vec<ExplainedValue>| {
        let values = values.into_iter().map(|value| ValueInfo {
            dtype: name_of(value.dtype),
            shape: value.dims.iter().map(|&dim| dim as u64).collect(),
        });
        values.collect()
    };
    let operators = segment.nodes.into_iter().map(|node| OperatorInfo {
        op: node.op.into(),
        call: node.call,
        inputs: values(node.inputs),
        outputs: values(node.outputs),
        passes: node.passes.into_iter().map(str::to_owned).collect(),
        device: node.device.into(),
        reason: node.reason.into(),
    });
    SegmentInfo {
        scratch_bytes: segment.arena_bytes as u64,
        constant_bytes: segment.constant_bytes as u64,
        operators: operators.collect(),
        needs: segment.needs as u32,
    }
}

fn name_of(dtype: DType) -> String {
    type_name(dtype).map_or_else(|| dtype.name().to_ascii_lowercase(), str::to_owned)
}

fn output(model: &Model, name: &str) -> Result<usize, ErrorInfo> {
    let found = model.outputs.iter().position(|port| model.name(port.var) == name);
    found.ok_or_else(|| {
        let names: Vec<&str> = model.outputs.iter().map(|port| model.name(port.var)).collect();
        let message = format!("the model has no output {name:?}; it gives: {}", names.join(", "));
        error("INVALID_OPTION", message).with("option", "outputs").with("value", name)
    })
}

/// An error that says which input it is about.
fn named_in(info: ErrorInfo, name: &str) -> ErrorInfo {
    let message = format!("the input {name}: {}", info.message);
    ErrorInfo { message, ..info }.with("input", name)
}

/// A value with the bytes of its buffers, all of which are taken.
fn value(given: RunValue, buffers: &mut Buffers) -> Result<Value, ErrorInfo> {
    match given {
        RunValue::Tensor { dtype, shape, buffer } => {
            let bytes = buffers.take(buffer);
            let invalid = |message: String| error("INPUT_INVALID", message);
            let known = type_named(&dtype);
            let known = known.ok_or_else(|| {
                invalid(format!("{dtype:?} is no type of elements")).hint(
                    "Numbers and booleans, named as NumPy does: \"float32\", \"int64\", \"bool\".",
                )
            })?;
            let bytes = bytes.ok_or_else(|| invalid("there is no such buffer".into()))?;
            let dims =
                shape.iter().map(|&dim| usize::try_from(dim).ok()).collect::<Option<Vec<_>>>();
            let elements = shape.iter().try_fold(1_u64, |all, &dim| all.checked_mul(dim));
            let wanted = elements.and_then(|elements| known.bytes_for(elements));
            match dims {
                Some(dims)
                    if dims.len() <= Extents::MAX_RANK && wanted == Some(bytes.len() as u64) =>
                {
                    Ok(Value::Tensor(Tensor::from_bytes(known, &dims, bytes)))
                }
                _ => {
                    let given = bytes.len() / known.block_bytes();
                    Err(invalid(format!("{given} elements of {dtype} are no tensor of {shape:?}")))
                }
            }
        }
        RunValue::Sequence { values } => {
            // One that is refused must not leave the others' buffers behind.
            let values: Vec<_> = values.into_iter().map(|one| value(one, buffers)).collect();
            Ok(Value::Sequence(values.into_iter().collect::<Result<_, _>>()?))
        }
        RunValue::Nothing => Ok(Value::Nothing),
    }
}

/// A value as the host gets it.
fn give(value: &Value, buffers: &mut Buffers) -> RunValue {
    match value {
        Value::Tensor(tensor) => RunValue::Tensor {
            dtype: name_of(tensor.dtype()),
            shape: tensor.dims().iter().map(|&dim| dim as u64).collect(),
            buffer: buffers.give(tensor.clone()),
        },
        Value::Sequence(all) => {
            RunValue::Sequence { values: all.iter().map(|one| give(one, buffers)).collect() }
        }
        Value::Nothing => RunValue::Nothing,
    }
}

impl From<RunError> for ErrorInfo {
    fn from(from: RunError) -> Self {
        let info = error(from.code(), from.to_string());
        match from.code() {
            "OUT_OF_MEMORY" => {
                info.hint("Use smaller inputs or a smaller model, or close other tabs.")
            }
            "OP_UNSUPPORTED" => info.hint("Export the model without these operators."),
            _ => info,
        }
    }
}
