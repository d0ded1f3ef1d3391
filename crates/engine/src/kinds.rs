//! The kinds of models, and which of them a build takes.
//!
//! In a browser each kind has a module of its own, so that a page downloads what it runs. A value of
//! [`Language`] or [`Graphs`] says that this build takes such models. Where it does not, the type has no
//! values: what holds one is never made, and the compiler leaves out what would be done with it.

use crate::protocol::ErrorInfo;
#[cfg(not(all(feature = "language", feature = "graphs")))]
use std::convert::Infallible;

macro_rules! kind {
    ($(#[$doc:meta])* $name:ident, $feature:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy)]
        pub(crate) struct $name(#[cfg(not(feature = $feature))] Infallible);

        impl $name {
            /// That such models are taken here.
            ///
            /// # Errors
            /// `OTHER_MODULE`: they are not. The host loads the model anew with the module that
            /// takes them.
            pub(crate) fn taken() -> Result<Self, ErrorInfo> {
                #[cfg(feature = $feature)]
                return Ok(Self());
                #[cfg(not(feature = $feature))]
                return Err(crate::error::error("OTHER_MODULE", "another module reads such models")
                    .with("module", $feature));
            }
        }
    };
}

kind! {
    /// Language models by their weights: GGUF, and folders of safetensors.
    Language, "language"
}
kind! {
    /// Graphs: ONNX, TFLite, TensorFlow.js.
    Graphs, "graphs"
}
