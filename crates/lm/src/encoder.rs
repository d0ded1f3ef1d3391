use crate::build::EncoderInputs;
use crate::decoder::Ends;
use crate::{DecoderPlan, LmError, MAX_SEQUENCES, Memory, PAGE, Pooling};
use sidestage_cpu::{Executor, Progress, Weights};
use sidestage_ir::ValueId;
use sidestage_pool::Pool;
use std::ops::Range;

/// An encoder with its weights: a vector for each token of some texts.
#[derive(Debug)]
pub struct Encoder {
    vocab_size: usize,
    width: usize,
    context_length: usize,
    memory: Memory,
    pooling: Option<Pooling>,
    executor: Executor,
    inputs: EncoderInputs,
    hidden: ValueId,
    /// The rows of each text of the step.
    texts: Vec<Range<usize>>,
}

impl Encoder {
    /// An encoder; `weights` are those of [`DecoderPlan::allocate`], filled.
    ///
    /// # Errors
    /// A plan of a decoder; the allocator refuses the scratch memory.
    pub fn new(plan: DecoderPlan, weights: Weights) -> Result<Self, LmError> {
        let DecoderPlan { config, context_length, memory, plan, ends } = plan;
        let Ends::Encoder { inputs, hidden, pooling } = ends else {
            return Err(LmError::Architecture { name: config.family.name.into() });
        };
        let refused = LmError::refused("scratch", memory.scratch as usize);
        let executor = Executor::new(plan, weights).map_err(refused)?;
        let (vocab_size, width) = (config.vocab_size, config.width);
        let texts = Vec::with_capacity(MAX_SEQUENCES);
        let encoder = Self {
            vocab_size,
            width,
            context_length,
            memory,
            pooling,
            executor,
            inputs,
            hidden,
            texts,
        };
        Ok(encoder)
    }

    /// Tokens in the vocabulary.
    pub fn vocab_size(&self) -> usize {
        self.vocab_size
    }

    /// Values of a vector.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Tokens that a text may have, and all texts of a step together.
    pub fn context_length(&self) -> usize {
        self.context_length
    }

    /// What it takes.
    pub fn memory(&self) -> Memory {
        self.memory
    }

    /// What its makers chose, if the file says it.
    pub fn pooling(&self) -> Option<Pooling> {
        self.pooling
    }

    /// How many of these texts, given by their lengths, the next step can take: at least one.
    pub fn fits(&self, lengths: impl Iterator<Item = usize>) -> usize {
        let mut rows = 0_usize;
        let fit = lengths.take(MAX_SEQUENCES).take_while(|length| {
            rows = rows.saturating_add(*length);
            rows <= self.context_length
        });
        fit.count().max(1)
    }

    /// Starts a step; [`Encoder::resume`] runs it. An unfinished one is given up.
    ///
    /// # Errors
    /// A token that cannot be, a text that is too long or too many of them; memory that is refused. Then
    /// nothing is started.
    pub fn begin(&mut self, texts: &[&[u32]]) -> Result<(), LmError> {
        let (context_length, vocab_size) = (self.context_length as u32, self.vocab_size as u32);
        let rows: usize = texts.iter().map(|text| text.len()).sum();
        if rows > self.context_length || texts.len() > MAX_SEQUENCES {
            let position = u32::try_from(rows).unwrap_or(u32::MAX);
            return Err(LmError::Position { position, context_length });
        }
        if let Some(&id) = texts.iter().copied().flatten().find(|id| **id >= vocab_size) {
            return Err(LmError::Token { id, vocab_size });
        }
        let pages: usize = texts.iter().map(|text| text.len().div_ceil(PAGE)).sum();
        self.executor.begin(&[rows, texts.len()]);
        let refused = LmError::refused("keys and values", self.memory.kv_cache as usize);
        self.executor.reserve_pages(pages).map_err(refused)?;
        let EncoderInputs { tokens, types, positions, last, slots, sequences, tables } =
            self.inputs;
        self.texts.clear();
        let (mut row, mut page) = (0, 0);
        let width = self.context_length.div_ceil(PAGE);
        for (index, text) in texts.iter().enumerate() {
            for (position, &token) in text.iter().enumerate() {
                for (input, value) in [
                    (tokens, token as usize),
                    (positions, position),
                    (last, text.len() - 1),
                    (slots, page * PAGE + position),
                    (sequences, index),
                ] {
                    self.executor.input::<i32>(input)[row + position] = value as i32;
                }
            }
            let table = &mut self.executor.input::<i32>(tables)[index * width..(index + 1) * width];
            for (at, entry) in table.iter_mut().enumerate() {
                *entry = if at < text.len().div_ceil(PAGE) { (page + at) as i32 } else { -1 };
            }
            self.texts.push(row..row + text.len());
            row += text.len();
            page += text.len().div_ceil(PAGE);
        }
        if let Some(types) = types {
            self.executor.input::<i32>(types).fill(0);
        }
        Ok(())
    }

    /// Goes on with the step until it is done or `stop` says so.
    pub fn resume(&mut self, pool: &Pool, stop: &mut dyn FnMut() -> bool) -> Progress {
        self.executor.resume(pool, stop)
    }

    /// The vectors of the n-th text's tokens, one behind the other.
    pub fn vectors(&self, text: usize) -> &[f32] {
        let Range { start, end } = self.texts[text];
        let hidden = self.executor.output(self.hidden).f32s();
        &hidden[start * self.width..end * self.width]
    }
}
