//! Element types, quantised block layouts, extents and borrowed views.
//!
//! Everything above this crate speaks of tensors in these terms; nothing here computes.

mod bytes;
mod dtype;
mod view;

pub mod blocks;

pub use bytes::AlignedBytes;
pub use dtype::DType;
pub use view::{Extents, SharedOut, TensorOut, TensorRef};
