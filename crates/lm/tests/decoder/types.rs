//! A decoder takes its embedding and its output matrix in every type of weights.

use crate::reference;
use crate::steps::{data, decoder, error, evaluate};
use crate::tiny::{Model, Random, Shape};
use sidestage_formats::gguf::GgufWriter;
use sidestage_kernels::{dequantize_row, supports};
use sidestage_tensor::DType;

/// The model's file with two matrices of blocks drawn from `blocks`; the model gets their values.
fn with_blocks(model: &mut Model, dtype: DType, blocks: &[u8]) -> Vec<u8> {
    let mut random = Random::new(11, "blocks");
    let mut writer = GgufWriter::new();
    for (key, value) in model.shape.metadata() {
        writer = writer.metadata(key, value);
    }
    let size = dtype.block_bytes();
    let mut all = Vec::new();
    for tensor in &mut model.tensors {
        let drawn = ["token_embd.weight", "output.weight"].contains(&&*tensor.name);
        let mut bytes = Vec::new();
        if drawn {
            for values in tensor.values.chunks_mut(dtype.block_len()) {
                let block = &blocks[random.below(blocks.len() / size) * size..][..size];
                dequantize_row(dtype, block, values);
                bytes.extend(block);
            }
        } else {
            bytes.extend(tensor.values.iter().flat_map(|value| value.to_le_bytes()));
        }
        writer =
            writer.tensor(&tensor.name, if drawn { dtype } else { DType::F32 }, &tensor.extents);
        all.push(bytes);
    }
    let mut body = writer.begin(Vec::new()).expect("a good header");
    all.iter().for_each(|bytes| body.write(bytes).expect("the tensor's bytes"));
    body.finish().expect("a whole file")
}

#[test]
fn every_type_is_the_naive_model() {
    let Some(folder) = data() else { return };
    let shape = Shape { width: 256, layers: 1, tied: false, ..Shape::new("llama") };
    let tokens: Vec<u32> = (0..9).map(|at| at * 31 % 320).collect();
    let mut types = 0;
    for dtype in DType::all().filter(|dtype| supports(*dtype) && *dtype != DType::F32) {
        let blocks =
            std::fs::read(folder.join(format!("gguf-quants/{dtype}.bin"))).expect("blocks");
        let mut model = shape.model();
        let file = with_blocks(&mut model, dtype, &blocks);
        let found = evaluate(&mut decoder(&file).expect("a model"), &tokens);
        let expected = reference::logits(&model, &tokens);
        let errors = found.iter().zip(&expected).map(|(a, b)| error(a, b.iter().copied()));
        let worst = errors.fold(0.0, f64::max);
        println!("{dtype}: {worst:.1e} of the largest logit");
        // Activations of 8 bits.
        assert!(worst < if dtype.is_quantized() { 0.02 } else { 2e-5 }, "{dtype}: {worst}");
        types += 1;
    }
    assert_eq!(types, 25);
}
