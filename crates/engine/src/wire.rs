//! An engine whose messages are JSON, as they cross a module's border.
//!
//! Here and not at the border itself, because this crate is compiled for size.

use crate::error::error;
use crate::protocol::{Completion, Effect, ErrorInfo, Event, Request};
use crate::{Buffers, Clock, Engine, TextRoom};
use serde::de::DeserializeOwned;
use sidestage_pool::Pool;
use sidestage_text::Now;
use std::sync::Arc;

/// Takes a message to the text room, and its answer back.
pub type CallText = fn(u32, &[u8]) -> Result<Vec<u8>, Vec<u8>>;

/// The engine of a module.
pub struct Wire {
    engine: Engine<TextRoom<CallText>>,
    /// Effects of this border: messages that could not be read.
    refused: Vec<Effect>,
}

impl Wire {
    /// An engine without a model.
    pub fn new(text: CallText, date: fn() -> Option<Now>, clock: Clock, pool: Arc<Pool>) -> Self {
        let engine = Engine::new(TextRoom::new(text, date), clock, pool);
        Self { engine, refused: Vec::new() }
    }

    /// Takes a [`Request`].
    pub fn request(&mut self, message: &[u8]) {
        match unpack::<Request>(message) {
            Ok(request) => self.engine.request(request),
            Err(error) => {
                let event = Event::Error { id: id_of(message), error };
                self.refused.push(Effect::Post { event });
            }
        }
    }

    /// Takes a [`Completion`].
    pub fn completion(&mut self, message: &[u8]) {
        match unpack::<Completion>(message) {
            Ok(completion) => self.engine.completion(completion),
            Err(error) => {
                self.refused.push(Effect::Post { event: Event::Error { id: None, error } });
            }
        }
    }

    /// As [`Engine::run`].
    pub fn run(&mut self, budget_ms: f64) -> bool {
        self.engine.run(budget_ms)
    }

    /// The effects that have come up, as one array; empty if there are none.
    ///
    /// # Errors
    /// Why they cannot be written.
    pub fn effects(&mut self) -> Result<Vec<u8>, String> {
        let mut effects = std::mem::take(&mut self.refused);
        effects.extend(self.engine.take_effects());
        if effects.is_empty() {
            return Ok(Vec::new());
        }
        serde_json::to_vec(&effects).map_err(|error| error.to_string())
    }

    /// As [`Engine::window`].
    pub fn window(&mut self, stream: u32, want: usize) -> &mut [u8] {
        self.engine.window(stream, want)
    }

    /// As [`Engine::wrote`].
    pub fn wrote(&mut self, stream: u32, count: usize) {
        self.engine.wrote(stream, count);
    }

    /// As [`Engine::buffers`].
    pub fn buffers(&mut self) -> &mut Buffers {
        self.engine.buffers()
    }
}

fn unpack<T: DeserializeOwned>(message: &[u8]) -> Result<T, ErrorInfo> {
    serde_json::from_slice(message)
        .map_err(|problem| error("MESSAGE_INVALID", format!("the message is not valid: {problem}")))
}

/// The id of a message that is otherwise invalid, so that its sender learns of it.
fn id_of(message: &[u8]) -> Option<u32> {
    #[derive(serde::Deserialize)]
    struct Id {
        id: u32,
    }
    serde_json::from_slice::<Id>(message).ok().map(|message| message.id)
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_least_number_bans_a_token() {
        // What the host writes for minus infinity, which JSON has no form for.
        let bias: (u32, f32) =
            serde_json::from_str("[5,-1.7976931348623157e+308]").expect("a bias");
        assert_eq!(bias, (5, f32::NEG_INFINITY));
    }
}
