//! One answer being written out, token by token.

use crate::Tokenizer;
use crate::decode::Place;
use crate::reasoning::Reasoning;
use crate::stop::Stops;
use crate::utf8::Utf8;
use serde::{Deserialize, Serialize};

/// How a stream is to be written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct StreamOptions {
    /// Strings that end the answer. Searched in the text as the model writes it, reasoning
    /// included; empty ones are ignored.
    pub stops: Vec<String>,
    /// The prompt ended with an opened `<think>`.
    pub in_reasoning: bool,
    /// Whether `<think>…</think>` is parted from the text.
    pub split_reasoning: bool,
    /// No text precedes the answer, so a SentencePiece vocabulary's first space is not part of it.
    pub at_text_start: bool,
}

impl Default for StreamOptions {
    fn default() -> Self {
        Self { stops: Vec::new(), in_reasoning: false, split_reasoning: true, at_text_start: false }
    }
}

/// What a token added to an answer. Often nothing: half a character, a control token, or what may
/// become a stop string.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Delta {
    /// New text.
    pub text: String,
    /// New reasoning.
    pub reasoning: String,
    /// The stop string that was found. Neither it nor anything after it is text.
    pub stopped: Option<String>,
}

/// One answer being written out. The work for a token does not grow with the answer.
#[derive(Clone, Debug)]
pub struct TextStream {
    utf8: Utf8,
    stops: Stops,
    reasoning: Reasoning,
    at_start: bool,
    /// Set by the first token.
    place: Option<Place>,
    stopped: bool,
    bytes: Vec<u8>,
}

impl TextStream {
    /// A stream at the beginning of an answer.
    pub fn new(options: StreamOptions) -> Self {
        Self {
            utf8: Utf8::default(),
            stops: Stops::new(options.stops),
            reasoning: Reasoning::new(options.in_reasoning, options.split_reasoning),
            at_start: options.at_text_start,
            place: None,
            stopped: false,
            bytes: Vec::new(),
        }
    }

    /// Adds a token. After a stop string every token adds nothing.
    pub fn push(&mut self, tokenizer: &Tokenizer, id: u32) -> Delta {
        if self.stopped {
            return Delta::default();
        }
        self.bytes.clear();
        let place = self.place.get_or_insert_with(|| tokenizer.place(self.at_start));
        tokenizer.piece(id, false, place, &mut self.bytes);
        let mut text = String::new();
        self.utf8.push(&self.bytes, &mut text);
        self.pass_on(&text, false)
    }

    /// Ends the answer and gives what was held back.
    pub fn finish(&mut self) -> Delta {
        if self.stopped {
            return Delta::default();
        }
        let mut text = String::new();
        self.utf8.finish(&mut text);
        let delta = self.pass_on(&text, true);
        self.stopped = true;
        delta
    }

    fn pass_on(&mut self, text: &str, last: bool) -> Delta {
        let mut delta = Delta::default();
        let mut certain = String::new();
        delta.stopped = self.stops.push(text, &mut certain);
        self.stopped = delta.stopped.is_some();
        if last && !self.stopped {
            self.stops.finish(&mut certain);
        }
        self.reasoning.push(&certain, &mut delta.text, &mut delta.reasoning);
        if last || self.stopped {
            self.reasoning.finish(&mut delta.text, &mut delta.reasoning);
        }
        delta
    }
}
