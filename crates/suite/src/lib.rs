//! Other people's suites of models with reference outputs, to be run on any backend.

pub mod nets;
pub mod npz;
pub mod onnx;
pub mod tfjs;
pub mod tflite;

use sidestage_pool::Pool;

/// Two threads; where a test runs in a browser, where threads are another test's business, one.
pub fn pool() -> Pool {
    #[cfg(target_arch = "wasm32")]
    return Pool::inline();
    #[cfg(not(target_arch = "wasm32"))]
    Pool::native(2)
}
