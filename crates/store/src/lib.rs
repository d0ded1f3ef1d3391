//! Where models come from: what a source means, which files it needs, how each of them gets here
//! whatever happens on the way, and how far it is. It plans and judges; the host fetches and
//! stores.
#![forbid(unsafe_code)]

mod cache_mode;
mod choice;
mod error;
mod hub;
mod looks;
mod names;
mod orders;
mod progress;
mod reading;
mod shelf;
mod source;

pub use cache_mode::CacheMode;
pub use choice::{Choice, choose};
pub use error::{Detail, StoreError};
pub use hub::{Hub, Listed, MOST_FILES, read_commit, read_listing};
pub use looks::Looks;
pub use names::{Kind, SplitName};
pub use orders::{Answer, Entry, Fetch, Order, Orders, Place, Report};
pub use progress::{Meter, Phase, Progress};
pub use reading::{End, Expect, Keep, Reading, Room, Wanted};
pub use shelf::Shelf;
pub use source::{DEFAULT_HUB, Source, file_name};
