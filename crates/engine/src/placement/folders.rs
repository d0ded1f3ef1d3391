//! Every tiny model of the families, placed as a loader does it, against its plain conversion.

use super::Placement;
use sidestage_formats::Manifest;
use sidestage_formats::huggingface::TARGETS;
use sidestage_kernels::{arrange, quantize_row, quantizes};
use sidestage_lm::{DecoderOptions, DecoderPlan, Weights};
use sidestage_miniatures::{Model, all};
use sidestage_tensor::DType;

/// The windows that a network's chunks of this size would fill.
fn place(model: &Model, manifest: &Manifest, plan: &DecoderPlan, chunk: usize) -> Weights {
    let weights = plan.allocate(None).unwrap();
    let mut placement = Placement::new(plan, manifest, weights).unwrap();
    while let Some((file, offset)) = placement.position() {
        let window = placement.window(chunk);
        let count = window.len();
        let bytes = &model.files[file as usize].1[offset as usize..];
        window.copy_from_slice(&bytes[..count]);
        placement.wrote(count);
    }
    placement.into_weights()
}

fn check(model: &Model, dtype: Option<DType>, chunk: usize) -> usize {
    let (folder, headers) = model.headers().unwrap();
    let manifest = Manifest::huggingface(&folder, headers, dtype).unwrap();
    let expected = model.weights(&manifest).unwrap();
    let plan =
        DecoderPlan::new(&manifest.metadata, &manifest.weights, DecoderOptions::default()).unwrap();
    let weights = place(model, &manifest, &plan, chunk);
    let mut quantized = 0;
    for (at, (name, bytes)) in plan.weights().enumerate() {
        let position = manifest.weights.position(name).unwrap();
        let target = manifest.weights.as_slice()[position].dtype;
        let mut values = vec![0; bytes];
        quantize_row(target, &expected[position], &mut values);
        if let [.., rows, width] = manifest.weights.as_slice()[position].extents[..] {
            arrange(target, (rows as usize, width as usize), &mut values);
        }
        assert!(weights.get(at) == values, "{} of {} as {target}", name, model.name);
        quantized += usize::from(target.is_quantized());
    }
    quantized
}

#[test]
fn folders_lie_in_memory_as_they_should() {
    for model in all() {
        assert_eq!(check(&model, None, 1 << 20), 0);
    }
}

/// Rows of 96 and 64 values are whole blocks.
#[test]
fn matrices_are_quantised_on_their_way() {
    for (name, dtype) in [
        ("llama-yarn", DType::Q8_0),
        ("gpt2", DType::Q4_0),
        ("gptneox", DType::Q5_1),
        ("qwen3moe", DType::Q4_1),
        ("falcon", DType::Q5_0),
        ("falcon", DType::Q6_K),
        ("gemma2", DType::F16),
    ] {
        let model = sidestage_miniatures::model(name).unwrap();
        let quantized = check(&model, Some(dtype), 777);
        assert_eq!(quantized > 16, dtype.is_quantized(), "{name}: {quantized}");
    }
}

#[test]
fn every_type_that_can_be_asked_for_has_a_quantiser() {
    assert!(TARGETS.iter().all(|dtype| quantizes(*dtype)));
}
