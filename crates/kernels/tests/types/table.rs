//! The text of `docs/types.md`.

use sidestage_kernels::{WeightKernel, quantizes, weight_kernel};
use sidestage_tensor::DType;

const HEAD: &str = "\
# Types of weights

Every type of weights that a GGUF file can have, with a kernel of its own. The values of each but \
F32 equal those of gguf-py 0.19.0 bit for bit (`crates/kernels/tests/gguf_quants.rs`); each kernel \
is compared with sums in double precision over those values, on every set of lanes, by the \
self-test that runs natively and in every browser (`crates/kernels/src/selftest`).

* **floats**: widened in registers, times activations of 32 bits.
* **integers**: unpacked in registers, times activations of 8 bits.
* **lists**: as integers, but several values at once are looked up in a list that the format fixes. \
About half of the speed; a model with such weights is loaded with the warning `SLOW_WEIGHTS`.

\"While loading\" names the types that `loadModel`'s `dtype` can make of a safetensors file.

| type | bits a weight | values a block | kernel | while loading |
|---|---|---|---|---|
";

/// The whole page.
pub(crate) fn text() -> String {
    let mut text = String::from(HEAD);
    let mut others = Vec::new();
    for dtype in DType::all().filter(|dtype| dtype.ggml_id().is_some()) {
        let (len, bytes) = (dtype.block_len(), dtype.block_bytes());
        let kernel = match weight_kernel(dtype) {
            Some(WeightKernel::Floats) => "floats",
            Some(WeightKernel::Integers) => "integers",
            Some(WeightKernel::Lists) => "lists",
            None => {
                others.push(dtype.name());
                continue;
            }
        };
        let bits = (bytes * 8) as f64 / len as f64;
        let made = if quantizes(dtype) { dtype.name().to_lowercase() } else { String::new() };
        text += &format!("| {dtype} | {bits} | {len} | {kernel} | {made} |\n");
    }
    let others = others.join(", ");
    text += &format!(
        "\nTensors of type {others} can be in a file, but not as weights of a layer: \
         the error `MODEL_UNSUPPORTED` names the tensor.\n"
    );
    text
}
