//! Where models come from: which URL a source means, whether what arrives is a model and all of
//! it, and how far it is. It plans and judges; the host fetches.
#![forbid(unsafe_code)]

mod choice;
mod download;
mod error;
mod looks;
mod progress;
mod source;

pub use choice::{Choice, choose};
pub use download::Download;
pub use error::{Detail, StoreError};
pub use looks::Looks;
pub use progress::{Meter, Phase, Progress};
pub use source::{DEFAULT_HUB, Source};
