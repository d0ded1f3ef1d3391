//! Parts of fused matrices and experts, quantised: blocks of rows, activations in 8 bits.

use crate::reference;
use crate::steps::{decoder, error, evaluate};
use crate::tiny::{Model, Random, Shape, Tensor};
use sidestage_formats::gguf::GgufWriter;
use sidestage_kernels::{dequantize_row, quantize_row};
use sidestage_tensor::DType;

/// What stays as it is, as converters leave it.
const EXACT: &[&str] = &["ffn_gate_inp", "shortconv.conv", "position_embd", "_norm"];

/// The model's file with quantised matrices; the model gets the values that the file then has.
pub(crate) fn quantized(model: &mut Model, dtype: DType) -> Vec<u8> {
    let mut writer = GgufWriter::new();
    for (key, value) in model.shape.metadata() {
        writer = writer.metadata(key, value);
    }
    let mut all = Vec::new();
    for tensor in &mut model.tensors {
        let exact = EXACT.iter().any(|part| tensor.name.contains(part));
        let rounded = tensor.extents.len() > 1 && !exact;
        let mut bytes = Vec::new();
        if rounded {
            let k = tensor.extents.last().map_or(1, |&k| k as usize);
            for row in tensor.values.chunks_mut(k) {
                let mut blocks = vec![0; k / dtype.block_len() * dtype.block_bytes()];
                quantize_row(dtype, row, &mut blocks);
                dequantize_row(dtype, &blocks, row);
                bytes.extend(blocks);
            }
        } else {
            bytes.extend(tensor.values.iter().flat_map(|value| value.to_le_bytes()));
        }
        let dtype = if rounded { dtype } else { DType::F32 };
        writer = writer.tensor(&tensor.name, dtype, &tensor.extents);
        all.push(bytes);
    }
    let mut body = writer.begin(Vec::new()).expect("a good header");
    all.iter().for_each(|bytes| body.write(bytes).expect("the tensor's bytes"));
    body.finish().expect("a whole file")
}

fn logits(file: &[u8]) -> Vec<Vec<f32>> {
    evaluate(&mut decoder(file).expect("a model"), &tokens())
}

fn tokens() -> Vec<u32> {
    let mut random = Random::new(7, "tokens");
    (0..40).map(|_| random.below(320) as u32).collect()
}

/// Cuts the rows of a matrix into several of these names.
fn split(model: &mut Model, name: &str, parts: &[(&str, usize)]) {
    let at = model.tensors.iter().position(|tensor| tensor.name == name).expect(name);
    let fused = model.tensors.remove(at);
    let k = fused.extents[1];
    let mut values = fused.values.into_iter();
    for (part, rows) in parts {
        let extents = vec![*rows as u64, k];
        let values = values.by_ref().take(rows * k as usize).collect();
        model.tensors.push(Tensor { name: (*part).into(), extents, values });
    }
    assert_eq!(values.count(), 0);
}

#[test]
fn parts_of_fused_matrices_are_matrices() {
    for dtype in [DType::F32, DType::Q8_0, DType::Q4_0] {
        let mut model = Shape { layers: 1, ..Shape::new("phi3") }.model();
        let fused = logits(&quantized(&mut model, dtype));
        let qkv = [("attn_q", 64), ("attn_k", 32), ("attn_v", 32)];
        let named = |part: &str| format!("blk.0.{part}.weight");
        let qkv = qkv.map(|(part, rows)| (named(part), rows));
        let parts: Vec<(&str, usize)> = qkv.iter().map(|(name, rows)| (&name[..], *rows)).collect();
        split(&mut model, "blk.0.attn_qkv.weight", &parts);
        let (gate, up) = (named("ffn_gate"), named("ffn_up"));
        split(&mut model, &up, &[(&gate, 96), (&up, 96)]);
        assert!(logits(&quantized(&mut model, dtype)) == fused, "{dtype}");
    }
}

#[test]
fn one_expert_is_a_model_without() {
    for dtype in [DType::F32, DType::Q8_0] {
        let mut model = Shape { layers: 1, experts: Some((1, 1)), ..Shape::new("llama") }.model();
        let expected = logits(&quantized(&mut model, dtype));
        model.shape.experts = None;
        for tensor in &mut model.tensors {
            if let Some(name) = tensor.name.strip_suffix("_exps.weight") {
                tensor.name = format!("{name}.weight");
                tensor.extents.remove(0);
            }
        }
        assert!(logits(&quantized(&mut model, dtype)) == expected, "{dtype}");
    }
}

#[test]
fn experts_take_quantised_weights() {
    // All of them, so that rounding changes no choice. What activations of 8 bits cost a random
    // model of this width is a tenth.
    for (dtype, tolerance) in [(DType::Q8_0, 0.1), (DType::F16, 1e-5)] {
        let mut model = Shape { experts: Some((4, 4)), ..Shape::new("qwen3moe") }.model();
        let found = logits(&quantized(&mut model, dtype));
        let expected = reference::logits(&model, &tokens());
        let errors = found.iter().zip(&expected).map(|(a, b)| error(a, b.iter().copied()));
        let worst = errors.fold(0.0, f64::max);
        println!("experts in {dtype}: {worst:.1e} of the largest logit");
        assert!(worst < tolerance, "{dtype}: {worst}");
    }
}
