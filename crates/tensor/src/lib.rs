//! Element types, quantised block layouts, extents, tensors and borrowed views.
//!
//! Everything above this crate speaks of tensors in these terms; nothing here computes.

mod bytes;
mod dtype;
mod tensor;
mod view;

pub mod blocks;

pub use bytes::AlignedBytes;
pub use dtype::DType;
pub use tensor::Tensor;
pub use view::{Extents, SharedOut, TensorOut, TensorRef};
