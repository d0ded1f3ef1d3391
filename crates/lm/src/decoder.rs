use crate::build::{self, DecoderGraph, EncoderGraph, EncoderInputs, Inputs};
use crate::program::Program;
use crate::{
    Config, KvCache, KvType, LmError, MAX_OUTPUTS, MAX_ROWS, MAX_SEQUENCES, PAGE, Pooling, Sequence,
};
use sidestage_cpu::{Executor, OpTimes, Progress, Timer, Weights};
use sidestage_formats::WeightIndex;
use sidestage_formats::gguf::Metadata;
use sidestage_ir::{Plan, ValueId};
use sidestage_pool::Pool;

/// Positions of a conversation where nobody says otherwise: memory grows with it.
pub(crate) const DEFAULT_CONTEXT: usize = 4096;

/// One position of one sequence in a step.
#[derive(Clone, Debug)]
pub struct Row {
    /// Its sequence.
    pub sequence: Sequence,
    /// Its position in the sequence, from 0. All positions before it were in earlier steps or come
    /// before it in this one.
    pub position: u32,
    /// What stands there.
    pub input: RowInput,
    /// What is wanted of it.
    pub wants: Wants,
}

/// What stands at a position.
#[derive(Clone, Debug)]
pub enum RowInput {
    /// A token.
    Token(u32),
    /// An embedding of the model's width.
    Vector(Vec<f32>),
}

/// What is wanted of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wants {
    /// Nothing but its keys and values in the cache.
    Nothing,
    /// The logits of the next token, [`Decoder::logits`], or the last hidden state,
    /// [`Decoder::hidden`].
    Output,
}

/// The memory of a model, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Memory {
    /// Weights as they lie in memory.
    pub weights: u64,
    /// The KV cache when it is full.
    pub kv_cache: u64,
    /// Intermediate values.
    pub scratch: u64,
}

impl Memory {
    /// All of it.
    pub fn total(&self) -> u64 {
        self.weights + self.kv_cache + self.scratch
    }
}

/// What is chosen when a decoder is planned.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DecoderOptions {
    /// Positions a sequence may have; default: what the model was trained for, at most 4096.
    pub context_length: Option<usize>,
    /// The element type of the KV cache.
    pub kv_type: KvType,
}

/// A decoder, or an encoder, that has everything but its weights.
#[derive(Debug)]
pub struct DecoderPlan {
    /// Its sizes.
    pub config: Config,
    /// Positions a sequence may have.
    pub context_length: usize,
    /// What it will take.
    pub memory: Memory,
    pub(crate) plan: Plan,
    pub(crate) ends: Ends,
}

/// The values through which a graph is used.
#[derive(Debug)]
pub(crate) enum Ends {
    Decoder { inputs: Inputs, hidden: ValueId, logits: ValueId },
    Encoder { inputs: EncoderInputs, hidden: ValueId, pooling: Option<Pooling> },
}

impl DecoderPlan {
    /// Plans the decoder or encoder that a file's header describes.
    ///
    /// # Errors
    /// Anything in the header that is missing, impossible or not supported, by name.
    pub fn new(
        metadata: &Metadata,
        weights: &WeightIndex,
        options: DecoderOptions,
    ) -> Result<Self, LmError> {
        let config = Config::read(metadata, weights)?;
        let asked = options.context_length.unwrap_or(DEFAULT_CONTEXT);
        let context_length = asked.min(config.trained_context).max(1);
        let (graph, ends) = if config.family.is_encoder() {
            let EncoderGraph { graph, inputs, hidden } =
                build::build_encoder(&config, weights, context_length)?;
            let key = format!("{}.pooling_type", config.family.name);
            let pooling = Pooling::of_gguf(metadata.get_u64(&key)?)?;
            (graph, Ends::Encoder { inputs, hidden, pooling })
        } else {
            let DecoderGraph { graph, inputs, hidden, logits } =
                build::build(&config, weights, context_length, options.kv_type)?;
            (graph, Ends::Decoder { inputs, hidden, logits })
        };
        let plan = Plan::new(graph)?;
        let sum = |ids: &[ValueId]| -> u64 {
            let bytes = |id: &ValueId| plan.graph.value(*id).ty.bytes(&[0; 3]).unwrap_or(0) as u64;
            ids.iter().map(bytes).sum()
        };
        // The texts of an encoder's step share no page.
        let more = if config.family.is_encoder() { MAX_SEQUENCES - 1 } else { 0 };
        let memory = Memory {
            weights: sum(&plan.weights),
            kv_cache: sum(&plan.states) * (context_length.div_ceil(PAGE) + more) as u64,
            scratch: plan.arena_bytes as u64,
        };
        Ok(Self { config, context_length, memory, plan, ends })
    }

    /// Whether it is for [`Encoder::new`](crate::Encoder::new), not for [`Decoder::new`].
    pub fn is_encoder(&self) -> bool {
        matches!(self.ends, Ends::Encoder { .. })
    }

    /// Name and bytes of each weight that the decoder reads, in the order in which [`Weights`]
    /// must have them.
    pub fn weights(&self) -> impl ExactSizeIterator<Item = (&str, usize)> {
        self.plan.weights.iter().map(|id| {
            let value = self.plan.graph.value(*id);
            (value.name.as_str(), value.ty.bytes(&[]).unwrap_or(0))
        })
    }

    /// Room for the weights.
    ///
    /// # Errors
    /// The plan is over `limit` bytes, or the allocator refuses.
    pub fn allocate(&self, limit: Option<u64>) -> Result<Weights, LmError> {
        let needed = self.memory.total();
        match limit {
            Some(limit) if needed > limit => return Err(LmError::Memory { needed, limit }),
            _ => {}
        }
        let sizes: Vec<usize> = self.weights().map(|(_, bytes)| bytes).collect();
        let refused = LmError::refused("weights", self.memory.weights as usize);
        Weights::allocate(&sizes).map_err(refused)
    }
}

/// A decoder with its weights and its cache.
#[derive(Debug)]
pub struct Decoder {
    vocab_size: usize,
    width: usize,
    context_length: usize,
    memory: Memory,
    /// Those for more rows behind those for fewer.
    programs: Vec<Program>,
    /// The one of the step, which has the cache's pages.
    at: usize,
    cache: KvCache,
    /// Bytes of one page of the cache, of all layers.
    page_bytes: usize,
    /// Sequences of the step, kept so that a step allocates nothing.
    sequences: Vec<Sequence>,
}

impl Decoder {
    /// A decoder; `weights` are those of [`DecoderPlan::allocate`], filled.
    ///
    /// # Errors
    /// A plan of an encoder; the allocator refuses the scratch memory.
    pub fn new(plan: DecoderPlan, weights: Weights) -> Result<Self, LmError> {
        let DecoderPlan { config, context_length, memory, plan, ends } = plan;
        let Ends::Decoder { inputs, hidden, logits } = ends else {
            return Err(LmError::Architecture { name: config.family.name.into() });
        };
        let refused = LmError::refused("scratch", memory.scratch as usize);
        let executor = Executor::new(plan, weights).map_err(refused)?;
        let program = Program { executor, inputs, hidden, logits, fixed: None };
        let sizes = (config.vocab_size, config.width);
        Ok(Self::of_programs(vec![program], sizes, context_length, memory))
    }

    /// A decoder of programs, those for more rows behind those for fewer.
    pub(crate) fn of_programs(
        programs: Vec<Program>,
        (vocab_size, width): (usize, usize),
        context_length: usize,
        memory: Memory,
    ) -> Self {
        let pages = context_length.div_ceil(PAGE);
        Self {
            vocab_size,
            width,
            context_length,
            memory,
            programs,
            at: 0,
            cache: KvCache::new(pages),
            page_bytes: (memory.kv_cache / pages as u64) as usize,
            sequences: Vec::with_capacity(MAX_SEQUENCES),
        }
    }

    /// Tokens in the vocabulary.
    pub fn vocab_size(&self) -> usize {
        self.vocab_size
    }

    /// What it takes when its cache is full.
    pub fn memory(&self) -> Memory {
        self.memory
    }

    /// Positions a sequence may have.
    pub fn context_length(&self) -> usize {
        self.context_length
    }

    /// The bytes of the cache's pages so far.
    pub fn cache_bytes(&self) -> usize {
        self.programs[self.at].executor.memory().1
    }

    /// The cache's sequences.
    pub fn cache(&mut self) -> &mut KvCache {
        &mut self.cache
    }

    /// Starts a step; [`Decoder::resume`] runs it. An unfinished one is given up: its rows must be
    /// given again.
    ///
    /// # Errors
    /// A token or position that cannot be, or a full cache; then nothing is started.
    ///
    /// # Panics
    /// If there are more rows, outputs or sequences than [`MAX_ROWS`], [`MAX_OUTPUTS`] and
    /// [`MAX_SEQUENCES`].
    pub fn begin(&mut self, rows: &[Row]) -> Result<(), LmError> {
        self.check(rows)?;
        self.sequences.clear();
        for row in rows {
            if !self.sequences.contains(&row.sequence) {
                self.sequences.push(row.sequence);
            }
        }
        let wanted = rows.iter().filter(|row| row.wants == Wants::Output).count();
        assert!(rows.len() <= MAX_ROWS && wanted <= MAX_OUTPUTS, "too many rows in a step");
        assert!(self.sequences.len() <= MAX_SEQUENCES, "too many sequences in a step");
        self.choose(rows.len(), wanted);
        self.make_room(rows)?;
        let pages = self.context_length.div_ceil(PAGE);
        self.programs[self.at].begin(rows, &self.sequences, &self.cache, pages);
        Ok(())
    }

    /// Takes the first program that is large enough.
    fn choose(&mut self, rows: usize, wanted: usize) {
        let fits = |program: &Program| {
            program.fixed.is_none_or(|(most, outputs)| rows <= most && wanted <= outputs)
        };
        let next = self.programs.iter().position(fits).unwrap_or(self.programs.len() - 1);
        if let Ok([new, old]) = self.programs.get_disjoint_mut([next, self.at]) {
            new.executor.take_states(&mut old.executor);
        }
        self.at = next;
    }

    /// Goes on with the step until it is done or `stop` says so.
    pub fn resume(&mut self, pool: &Pool, stop: &mut dyn FnMut() -> bool) -> Progress {
        self.programs[self.at].executor.resume(pool, stop)
    }

    /// As [`Decoder::resume`], with the time of each operator.
    pub fn resume_timed(
        &mut self,
        pool: &Pool,
        stop: &mut dyn FnMut() -> bool,
        timer: Timer<'_>,
    ) -> Progress {
        timer.times.choose(self.at);
        self.programs[self.at].executor.resume_timed(pool, stop, timer)
    }

    /// No times yet, for the operators of this decoder.
    pub fn op_times(&self) -> OpTimes {
        let mut times = OpTimes::default();
        self.programs.iter().for_each(|program| program.executor.list_ops(&mut times));
        times
    }

    /// Logits of the n-th row that wanted output, in the order of the rows: one for each token.
    pub fn logits(&self, output: usize) -> &[f32] {
        let (size, program) = (self.vocab_size, &self.programs[self.at]);
        let logits = program.executor.output(program.logits).f32s();
        &logits[output * size..(output + 1) * size]
    }

    /// The same, to be changed by what chooses the token.
    pub fn logits_mut(&mut self, output: usize) -> &mut [f32] {
        let (size, program) = (self.vocab_size, &mut self.programs[self.at]);
        let logits = program.executor.output_mut(program.logits);
        &mut logits[output * size..(output + 1) * size]
    }

    /// The last hidden state, after the last norm, of the n-th row that wanted output.
    pub fn hidden(&self, output: usize) -> &[f32] {
        let (size, program) = (self.width, &self.programs[self.at]);
        let hidden = program.executor.output(program.hidden).f32s();
        &hidden[output * size..(output + 1) * size]
    }

    fn check(&self, rows: &[Row]) -> Result<(), LmError> {
        let vocab_size = self.vocab_size as u32;
        let context_length = self.context_length as u32;
        for row in rows {
            match &row.input {
                RowInput::Token(id) if *id >= vocab_size => {
                    return Err(LmError::Token { id: *id, vocab_size });
                }
                RowInput::Vector(_) if self.programs[0].inputs.vectors.is_none() => {
                    let (key, value) = ("an embedding".into(), "an input".into());
                    return Err(LmError::Feature { key, value });
                }
                RowInput::Vector(vector) => {
                    assert_eq!(vector.len(), self.width, "an embedding has the width");
                }
                RowInput::Token(_) => {}
            }
            if row.position >= context_length {
                return Err(LmError::Position { position: row.position, context_length });
            }
        }
        Ok(())
    }

    /// Gives every sequence of the step pages for its new positions.
    fn make_room(&mut self, rows: &[Row]) -> Result<(), LmError> {
        let span = |sequence: Sequence| {
            let of_it = rows.iter().filter(|row| row.sequence == sequence);
            let positions = || of_it.clone().map(|row| row.position as usize);
            (positions().min().unwrap_or(0), positions().max().unwrap_or(0) + 1)
        };
        // The memory comes first: a refusal must leave the tables without pages that are not there.
        let needed = |&sequence: &Sequence| {
            let (from, to) = span(sequence);
            self.cache.needed(sequence, from, to)
        };
        let pages = self.cache.pages_with(self.sequences.iter().map(needed).sum());
        let bytes = self.page_bytes * pages.saturating_sub(self.cache.pages());
        let executor = &mut self.programs[self.at].executor;
        executor.reserve_pages(pages).map_err(LmError::refused("KV cache", bytes))?;
        let mut copies = Vec::new();
        for &sequence in &self.sequences {
            let (from, to) = span(sequence);
            self.cache.prepare(sequence, from, to, |old, new| copies.push((old, new)))?;
        }
        for (old, new) in copies {
            executor.copy_page(old as usize, new as usize);
        }
        Ok(())
    }
}
