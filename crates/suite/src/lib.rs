//! Other people's suites of models with reference outputs, to be run on any backend.

pub mod nets;
pub mod npz;
pub mod onnx;
pub mod tfjs;
pub mod tflite;

use sidestage_cpu::{Progress, Runner, Value};
use sidestage_pool::Pool;
use sidestage_tensor::Tensor;

/// Runs a model to its end. Gives its outputs in order.
///
/// # Panics
/// If it does not run, or gives what is no tensor.
pub fn outputs(
    runner: &mut Runner,
    inputs: impl IntoIterator<Item = Tensor>,
    pool: &Pool,
) -> Vec<Tensor> {
    runner.begin(inputs).expect("a model that runs");
    while runner.resume(pool, &mut || false).expect("a model that runs") != Progress::Done {}
    let tensor = |value| match value {
        Value::Tensor(tensor) => tensor,
        other => panic!("{other:?} is no tensor"),
    };
    runner.finish().into_iter().map(tensor).collect()
}

/// Two threads; where a test runs in a browser, where threads are another test's business, one.
pub fn pool() -> Pool {
    #[cfg(target_arch = "wasm32")]
    return Pool::inline();
    #[cfg(not(target_arch = "wasm32"))]
    Pool::native(2)
}
