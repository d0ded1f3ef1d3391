//! Other people's suites of models with reference outputs, to be run on any backend.

pub mod nets;
pub mod npz;
pub mod onnx;
pub mod tfjs;
pub mod tflite;
