//! TFLite, the graphs of LiteRT (TensorFlow Lite), MediaPipe and TensorFlow Lite Micro.
//!
//! Specification: `schema.fbs` of LiteRT. The file is one table of FlatBuffers, behind which weights
//! may follow. It becomes a [`Model`](sidestage_ir::Model): each call has the options of its operator
//! as attributes by the schema's names, and of each operand and result that is quantised the
//! parameters (see [`read`]).

mod build;
mod error;
mod flatbuffer;
mod flexbuffer;
mod reader;
mod schema;
mod sparse;
mod tensor;

pub use build::read;
pub use error::TfliteError;
pub use reader::Reader;
pub use schema::NAMES as BUILTINS;
