//! Texts to vectors.

pub(crate) mod graph;

use crate::buffers::Buffers;
use crate::error::error;
use crate::protocol::{
    EmbedOptions, ErrorInfo, Event, Metrics, ModelInfo, NamedValue, Outcome, RunTimings, RunValue,
    Segment,
};
use crate::queue::Queue;
use crate::text::{Text, TextInfo};
use sidestage_lm::{Encoder, Pooling, Progress, normalize};
use sidestage_pool::Pool;
use sidestage_tensor::{DType, Tensor};

/// No token of a real vocabulary has more bytes.
const LONGEST_TOKEN: usize = 512;

/// What an encoder takes and gives.
#[derive(Clone, Copy)]
pub(crate) struct Limits {
    /// Tokens of a text; `None`: nobody knows.
    pub(crate) context_length: Option<usize>,
    pub(crate) vocab_size: Option<usize>,
    /// Values of a vector; `None`: nobody knows yet.
    pub(crate) width: Option<usize>,
    /// Where a request does not say it.
    pub(crate) pooling: Pooling,
}

/// Texts on their way to vectors.
pub(crate) struct Embedding {
    pub(crate) texts: Vec<Vec<u32>>,
    pooling: Pooling,
    normalized: bool,
    dimensions: Option<usize>,
    /// Those of the texts that are done, one behind the other.
    vectors: Vec<f32>,
    done: usize,
}

impl Embedding {
    /// Checks a request, and makes tokens of its texts.
    pub(crate) fn new(
        text: &mut impl Text,
        has_text: bool,
        input: Vec<Segment>,
        options: &EmbedOptions,
        limits: Limits,
    ) -> Result<Self, ErrorInfo> {
        let invalid = |option: &str, message: String| {
            Err(error("INVALID_OPTION", message).with("option", option))
        };
        let pooling = match &options.pooling {
            None => limits.pooling,
            Some(name) => match Pooling::parse(name) {
                Some(pooling) => pooling,
                None => {
                    let names = Pooling::ALL.map(|pooling| format!("{:?}", pooling.name()));
                    let names = names.join(", ");
                    return invalid("pooling", format!("pooling = {name:?} is not one of {names}"));
                }
            },
        };
        let dimensions = options.dimensions.map(|dimensions| dimensions as usize);
        let most = limits.width.unwrap_or(usize::MAX);
        if let Some(asked) = dimensions.filter(|asked| !(1..=most).contains(asked)) {
            let message = format!("dimensions = {asked}: the model's vectors have {most} values");
            return invalid("dimensions", message);
        }
        let mut texts = Vec::with_capacity(input.len());
        for (index, segment) in input.into_iter().enumerate() {
            let tokens = tokens(text, has_text, segment, options.truncate, limits);
            texts.push(tokens.map_err(|info| info.with("index", index))?);
        }
        let normalized = options.normalize.unwrap_or(true);
        Ok(Self { texts, pooling, normalized, dimensions, vectors: Vec::new(), done: 0 })
    }

    /// The texts that are left.
    pub(crate) fn left(&self) -> &[Vec<u32>] {
        &self.texts[self.done..]
    }

    /// Takes the vectors of the next text's tokens.
    pub(crate) fn take(&mut self, rows: &[f32], width: usize) {
        let mut vector = self.pooling.pool(rows, width);
        vector.truncate(self.dimensions.unwrap_or(width));
        if self.normalized {
            normalize(&mut vector);
        }
        self.vectors.extend(vector);
        self.done += 1;
    }

    /// What is told when all are done.
    pub(crate) fn end(self, id: u32, timings: RunTimings, buffers: &mut Buffers) -> Event {
        match self.outcome(timings, buffers) {
            Ok(outcome) => Event::Done { id, outcome },
            Err(error) => Event::Error { id: Some(id), error },
        }
    }

    /// The vectors and the numbers of tokens.
    fn outcome(self, timings: RunTimings, buffers: &mut Buffers) -> Result<Outcome, ErrorInfo> {
        let count = self.texts.len();
        let width = self.vectors.len() / count.max(1);
        if self.dimensions.is_some_and(|asked| width < asked && count > 0) {
            let message = format!("dimensions: the model's vectors have {width} values");
            return Err(error("INVALID_OPTION", message).with("option", "dimensions"));
        }
        if self.vectors.len() != count * width {
            return Err(error("GRAPH_INVALID", "the model's vectors are not of one size"));
        }
        let tokens: Vec<i32> = self.texts.iter().map(|text| text.len() as i32).collect();
        let refused = |_| error("OUT_OF_MEMORY", "there is no memory for the vectors");
        let mut give = |name: &str, dtype: DType, dims: &[usize], bytes: Vec<u8>| {
            let tensor = Tensor::new(dtype, dims, &bytes).map_err(refused)?;
            let value = RunValue::Tensor {
                dtype: if dtype == DType::F32 { "float32" } else { "int32" }.into(),
                shape: dims.iter().map(|&dim| dim as u64).collect(),
                buffer: buffers.give(tensor),
            };
            Ok::<_, ErrorInfo>(NamedValue { name: name.into(), value })
        };
        let vectors = self.vectors.iter().flat_map(|value| value.to_le_bytes()).collect();
        let tokens = tokens.iter().flat_map(|value| value.to_le_bytes()).collect();
        let outputs = vec![
            give("embeddings", DType::F32, &[count, width], vectors)?,
            give("tokens", DType::I32, &[count], tokens)?,
        ];
        Ok(Outcome::Ran { outputs, timings })
    }
}

/// The tokens of a text, as many as the model takes.
fn tokens(
    text: &mut impl Text,
    has_text: bool,
    segment: Segment,
    truncate: bool,
    Limits { context_length, vocab_size, .. }: Limits,
) -> Result<Vec<u32>, ErrorInfo> {
    let context = context_length.unwrap_or(usize::MAX);
    let too_long = |found: String| {
        Err(error(
            "CONTEXT_LENGTH_EXCEEDED",
            format!("the text has {found}, the context {context}"),
        )
        .hint("Shorten the text, or use truncate: true.")
        .with("contextLength", context))
    };
    let mut tokens = match segment {
        Segment::Ids { ids } => ids,
        Segment::Text { .. } if !has_text => {
            return Err(error("TOKENIZER_MISSING", "the model has no tokenizer")
                .hint("Give token ids, or a model with tokenizer.json beside it."));
        }
        // Encoding is not done in slices: what is far too long is refused before it.
        Segment::Text { text } if text.len() > context.saturating_mul(LONGEST_TOKEN) => {
            return too_long(format!("{} bytes", text.len()));
        }
        Segment::Text { text: content } => text.encode(&content, true, false)?,
    };
    if tokens.is_empty() {
        return Err(error("PROMPT_EMPTY", "the text has no tokens"));
    }
    let known = |token: u32| vocab_size.is_none_or(|size| (token as usize) < size);
    if let Some(&token) = tokens.iter().find(|token| !known(**token)) {
        let message = format!("the token {token} is not in the model's vocabulary");
        return Err(error("PROMPT_INVALID", message).with("token", token));
    }
    if tokens.len() > context {
        if !truncate {
            return too_long(format!("{} tokens", tokens.len()));
        }
        // What ends a text, ends one that was cut too.
        let last = tokens[tokens.len() - 1];
        tokens.truncate(context);
        tokens[context - 1] = last;
    }
    Ok(tokens)
}

/// A loaded encoder and what is asked of it.
pub(crate) struct EncoderSession {
    pub(crate) info: ModelInfo,
    pub(crate) text: Option<TextInfo>,
    encoder: Encoder,
    /// Where a request does not say it.
    pooling: Pooling,
    jobs: Queue<Embedding>,
    /// Texts of the step under way.
    step: usize,
    pub(crate) metrics: Metrics,
}

impl EncoderSession {
    pub(crate) fn new(
        info: ModelInfo,
        encoder: Encoder,
        text: Option<TextInfo>,
        pooling: Pooling,
    ) -> Self {
        let (jobs, step, metrics) = (Queue::new(), 0, Metrics::default());
        Self { info, text, encoder, pooling, jobs, step, metrics }
    }

    /// Checks a request and queues it.
    pub(crate) fn queue(
        &mut self,
        text: &mut impl Text,
        id: u32,
        input: Vec<Segment>,
        options: &EmbedOptions,
        now: f64,
    ) -> Result<(), ErrorInfo> {
        let limits = Limits {
            context_length: Some(self.encoder.context_length()),
            vocab_size: Some(self.encoder.vocab_size()),
            width: Some(self.encoder.width()),
            pooling: self.pooling,
        };
        let embedding = Embedding::new(text, self.text.is_some(), input, options, limits)?;
        self.jobs.push(id, embedding, now);
        Ok(())
    }

    /// Ends a request, if there is one.
    pub(crate) fn abort(&mut self, id: u32) -> Option<Event> {
        let (event, first) = self.jobs.abort(id)?;
        if first {
            self.step = 0;
        }
        Some(event)
    }

    /// The ids of all requests, which are given up.
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
            let Some(embedding) = self.jobs.first(before) else {
                pool.rest();
                return false;
            };
            let left = embedding.left();
            if left.is_empty() {
                self.finish(before, buffers, events);
                continue;
            }
            if self.step == 0 {
                let count = self.encoder.fits(left.iter().map(Vec::len)).min(left.len());
                let texts: Vec<&[u32]> = left[..count].iter().map(Vec::as_slice).collect();
                if let Err(problem) = self.encoder.begin(&texts) {
                    self.fail(problem.into(), events);
                    continue;
                }
                self.step = count;
            }
            let progress = self.encoder.resume(pool, late);
            self.metrics.run_ms += now() - before;
            match progress {
                Progress::Stopped if late() => return true,
                Progress::Stopped => {}
                Progress::Done => {
                    for text in 0..std::mem::take(&mut self.step) {
                        embedding.take(self.encoder.vectors(text), self.encoder.width());
                    }
                }
            }
        }
    }

    fn finish(&mut self, now: f64, buffers: &mut Buffers, events: &mut Vec<Event>) {
        let Some((id, embedding, timings)) = self.jobs.take(now) else { return };
        self.metrics.requests += 1;
        self.metrics.prompt_tokens +=
            embedding.texts.iter().map(|text| text.len() as u64).sum::<u64>();
        events.push(embedding.end(id, timings, buffers));
    }

    fn fail(&mut self, error: ErrorInfo, events: &mut Vec<Event>) {
        self.metrics.requests += 1;
        events.extend(self.jobs.fail(error));
    }

    /// The figures.
    pub(crate) fn metrics(&self) -> Metrics {
        Metrics {
            memory: self.info.memory,
            threads: self.info.threads,
            open_requests: self.jobs.len() as u32,
            ..self.metrics.clone()
        }
    }
}
