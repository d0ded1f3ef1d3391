//! The engine: requests in, events and effects out.
//!
//! A synchronous state machine without input, output, clock or threads of its own. The host (the
//! worker's JavaScript, the native command, a test) hands over [`protocol::Request`]s and
//! [`protocol::Completion`]s, calls [`Engine::run`] while there is work, and carries out the
//! [`protocol::Effect`]s it takes. One engine holds at most one model; a host that wants several
//! makes several.

mod buffers;
mod embed;
mod engine;
mod error;
mod graph;
mod job;
mod kinds;
mod load;
mod placement;
mod profile;
pub mod protocol;
mod queue;
mod session;
mod text;
mod threads;
mod warnings;
pub mod wire;

pub use buffers::Buffers;
pub use engine::{Clock, Engine};
pub use error::error;
pub use text::{Delta, Text, TextInfo, TextRoom, vocabulary};
