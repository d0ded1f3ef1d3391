use crate::protocol::{FinishReason, GenerateOptions, Stage};
use sidestage_lm::{Sampler, Sequence};

/// One generation, from its request to its last event.
#[derive(Debug)]
pub(crate) struct Job {
    pub(crate) id: u32,
    pub(crate) prompt: Vec<u32>,
    pub(crate) options: GenerateOptions,
    pub(crate) sampler: Sampler,
    /// Tokens that may still be sent; `None`: no limit.
    pub(crate) credits: Option<u64>,
    /// Most tokens to generate: what was asked for and what the context holds.
    pub(crate) max_tokens: usize,
    /// Where the answer's text is written, if the model has a vocabulary.
    pub(crate) stream: Option<u32>,
    pub(crate) run: Option<Run>,
    pub(crate) text: String,
    pub(crate) reasoning: String,
    pub(crate) tokens: Vec<u32>,
    pub(crate) end: Option<FinishReason>,
    pub(crate) arrived: f64,
    pub(crate) last_event: f64,
}

/// A job whose turn has come.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) sequence: Sequence,
    /// Tokens whose keys and values are in the cache: of the prompt, then of the answer.
    pub(crate) evaluated: usize,
    /// Tokens of the prompt that were there before.
    pub(crate) cached: usize,
    pub(crate) started: f64,
    pub(crate) first_token: Option<f64>,
    /// Milliseconds spent on it: waiting for credits or for other jobs does not count.
    pub(crate) prefill_ms: f64,
    pub(crate) decode_ms: f64,
}

impl Job {
    /// The token at a position of prompt and answer.
    pub(crate) fn token(&self, position: usize) -> Option<u32> {
        let answer = position.checked_sub(self.prompt.len());
        match answer {
            None => self.prompt.get(position).copied(),
            Some(at) => self.tokens.get(at).copied(),
        }
    }

    /// Tokens of prompt and answer so far.
    pub(crate) fn len(&self) -> usize {
        self.prompt.len() + self.tokens.len()
    }

    /// Whether its next step may be taken.
    pub(crate) fn is_runnable(&self) -> bool {
        self.credits != Some(0)
    }

    pub(crate) fn stage(&self) -> (Stage, u32, Option<u32>) {
        let evaluated = self.run.as_ref().map(|run| run.evaluated);
        match evaluated {
            None => (Stage::Queued, 0, None),
            Some(evaluated) if evaluated < self.prompt.len() => {
                (Stage::Prompt, evaluated as u32, Some(self.prompt.len() as u32))
            }
            Some(_) if !self.is_runnable() => (Stage::Paused, self.tokens.len() as u32, None),
            Some(_) => (Stage::Decode, self.tokens.len() as u32, Some(self.max_tokens as u32)),
        }
    }
}
