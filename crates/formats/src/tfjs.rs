//! TensorFlow.js: `model.json`, and files with weights beside it.
//!
//! There are two kinds (<https://github.com/tensorflow/tfjs/tree/master/tfjs-converter>), which are
//! told apart by what is in the file. A graph model has the nodes of a TensorFlow graph: they become
//! calls `TF::…`, functions are put where they are called, and loops and branches, of TensorFlow 1 as
//! of 2, become ONNX's `Loop` and `If`. A layers model has Keras' layers ([`layers`]).
//!
//! As in TensorFlow.js itself, integers have 32 bits and numbers with a fraction single precision,
//! whatever the graph says.

mod attributes;
mod error;
mod frames;
mod graph;
mod json;
mod layers;
mod node;
mod tensor;
mod weights;

pub use error::TfjsError;

use json::Json;
use sidestage_ir::Model;
use sidestage_tensor::AlignedBytes;
use std::collections::BTreeSet;
use std::sync::Arc;
use weights::{Manifest, Placing};

/// No `model.json` is larger: the largest that are known have 10 MB.
const MOST: usize = 1 << 28;

/// Reads `model.json`, whose bytes come one after the other.
#[derive(Debug, Default)]
pub struct Reader {
    json: Vec<u8>,
}

impl Reader {
    /// The next bytes.
    ///
    /// # Errors
    /// If there are too many.
    pub fn push(&mut self, bytes: &[u8]) -> Result<(), TfjsError> {
        let length = self.json.len() + bytes.len();
        let room = self.json.try_reserve(bytes.len());
        if length > MOST || room.is_err() {
            return Err(TfjsError::NoMemory { bytes: length });
        }
        self.json.extend_from_slice(bytes);
        Ok(())
    }

    /// The file has ended.
    ///
    /// # Errors
    /// What is wrong with it, or not supported.
    pub fn finish(self) -> Result<Unplaced, TfjsError> {
        let json = Json::read(&self.json).map_err(|problem| TfjsError::Json { problem })?;
        drop(self.json);
        let topology = json.get("modelTopology");
        let manifest = Manifest::read(json.get("weightsManifest"))?;
        // Files of older versions have it among what users may add.
        let signature = match json.get("userDefinedMetadata").get("signature") {
            Json::Null => json.get("signature"),
            signature => signature,
        };
        if topology.get("node") != &Json::Null {
            return graph::read(topology, signature, manifest);
        }
        // What TensorFlow.js itself saves is the model alone.
        let model = match topology.get("model_config") {
            Json::Null => topology,
            model => model,
        };
        if model.get("class_name") == &Json::Null {
            return Err(TfjsError::malformed("model.json", "it has neither nodes nor layers"));
        }
        layers::read(model, manifest)
    }
}

/// A model whose weights lie in other files.
#[derive(Debug)]
pub struct Unplaced {
    model: Model,
    placing: Placing,
}

impl Unplaced {
    /// What lies in other files: the file relative to `model.json`, the first byte, and how many bytes;
    /// `u64::MAX` for all that it has.
    pub fn parts(&self) -> impl Iterator<Item = (&str, u64, u64)> {
        self.placing.parts.iter().map(|part| (part.path.as_str(), part.offset, part.length))
    }

    /// The operators that are called, each once.
    pub fn ops(&self) -> BTreeSet<String> {
        let calls = self.model.bodies.iter().flat_map(|body| &body.calls);
        calls.map(|call| call.op.clone()).collect()
    }

    /// The model, with the bytes of [`Unplaced::parts`].
    ///
    /// # Errors
    /// What is wrong with the files.
    pub fn place(self, parts: &[Arc<AlignedBytes>]) -> Result<Model, TfjsError> {
        let Self { mut model, placing } = self;
        model.constants.extend(placing.tensors(parts)?);
        Ok(model)
    }
}
