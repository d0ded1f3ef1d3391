//! The engine: requests in, events and effects out.

pub mod protocol;
