//! Real models, against what others computed with them.

use serde_json::Value as Json;
use sidestage_cpu::Runner;
use sidestage_formats::onnx as format;
use sidestage_ir::PortDim;
use sidestage_pool::Pool;
use sidestage_suite::{npz, onnx::compare};
use sidestage_tensor::{DType, Tensor};
use std::path::{Path, PathBuf};
use std::sync::Arc;

fn data() -> Option<PathBuf> {
    let folder = std::env::var_os("SIDESTAGE_TESTDATA").map(PathBuf::from);
    if folder.is_none() {
        println!("SIDESTAGE_TESTDATA is not set: real models are left out");
    }
    folder
}

/// A runner of the model as it stands, and one that rewrites it, whose weights are arranged.
fn runners(path: &Path) -> [Runner; 2] {
    let bytes = std::fs::read(path).expect("the model is there");
    let model = format::read(&bytes).expect("a model");
    let mut arranged = model.clone();
    sidestage_ops::arrange(&mut arranged);
    let runner = |model| Runner::new(Arc::new(model), sidestage_ops::lowering, 1 << 30);
    [runner(model), runner(arranged).with_passes(sidestage_ops::PASSES)]
}

/// Runs a model with inputs by their names. Gives the outputs in order.
fn run(runner: &mut Runner, pool: &Pool, inputs: &[(&str, Tensor)]) -> Vec<Tensor> {
    let model = Arc::clone(runner.model());
    let given = model.inputs.iter().map(|port| {
        let name = model.name(port.var);
        let given = inputs.iter().find(|(known, _)| *known == name);
        given.unwrap_or_else(|| panic!("{name} is not given")).1.clone()
    });
    sidestage_suite::outputs(runner, given, pool)
}

fn floats(dims: &[usize], values: &[f32]) -> Tensor {
    let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
    Tensor::new(DType::F32, dims, &bytes).expect("memory")
}

fn integers(dims: &[usize], values: &[i64]) -> Tensor {
    let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
    Tensor::new(DType::I64, dims, &bytes).expect("memory")
}

#[test]
fn pictures_are_judged_as_by_onnxruntime() {
    let Some(data) = data() else { return };
    for name in ["mnist-12", "ultraface-RFB-320"] {
        let truth = npz::read(&data.join(format!("onnx/{name}.ref.npz")));
        let [mut plain, mut rewritten] = runners(&data.join(format!("onnx/{name}.onnx")));
        let pools = [Pool::inline(), sidestage_suite::pool()];
        for (runner, pool) in [(&mut plain, &pools[0]), (&mut rewritten, &pools[1])] {
            let given: Vec<(&str, Tensor)> = truth
                .iter()
                .filter_map(|(key, tensor)| Some((key.strip_prefix("in.")?, tensor.clone())))
                .collect();
            let outputs = run(runner, pool, &given);
            let model = Arc::clone(runner.model());
            for (port, output) in model.outputs.iter().zip(&outputs) {
                let output_name = model.name(port.var);
                let expected = &truth[&format!("out.{output_name}")];
                let result = compare(output, expected, (1e-4, 1e-4));
                assert_eq!(result, Ok(()), "{name}: {output_name}");
            }
        }
    }
}

#[test]
fn voices_are_found_window_by_window() {
    let Some(data) = data() else { return };
    let truth = npz::read(&data.join("onnx/silero_vad.ref.npz"));
    let audio = truth["in.audio_16k"].elements::<f32>();
    let expected = [&truth["out.prob"], &truth["out.final_state"]];
    for mut runner in runners(&data.join("onnx/silero_vad.onnx")) {
        let (found, state) = voices(&mut runner, audio);
        let found = floats(expected[0].dims(), &found);
        assert_eq!(compare(&found, expected[0], (1e-4, 1e-4)), Ok(()));
        assert_eq!(compare(&state, expected[1], (1e-3, 1e-4)), Ok(()));
    }
}

/// How likely each window holds a voice, and the last state.
fn voices(runner: &mut Runner, audio: &[f32]) -> (Vec<f32>, Tensor) {
    let pool = Pool::inline();
    let mut state = floats(&[2, 1, 128], &[0.0; 256]);
    let mut found = Vec::new();
    // Each window has the last 64 samples of the one before it.
    let mut window = vec![0.0; 64 + 512];
    for new in audio.as_chunks::<512>().0 {
        window.copy_within(512.., 0);
        window[64..].copy_from_slice(new);
        let given = [
            ("input", floats(&[1, window.len()], &window)),
            ("state", state),
            ("sr", integers(&[], &[16000])),
        ];
        let [probability, next] = run(runner, &pool, &given).try_into().expect("two outputs");
        found.extend_from_slice(probability.elements::<f32>());
        state = next;
    }
    (found, state)
}

/// The tokens that a model with its past as inputs and outputs finds likeliest.
fn greedy(runner: &mut Runner, pool: &Pool, prompt: &[i64], count: usize) -> Vec<i64> {
    let model = Arc::clone(runner.model());
    let names: Vec<&str> = model.inputs.iter().map(|port| model.name(port.var)).collect();
    assert_eq!(names, ["input_ids", "past_k", "past_v"]);
    let nothing = |at: usize| {
        let dims = model.inputs[at].dims.iter().flatten().enumerate();
        let dim = |(axis, dim): (usize, &PortDim)| match dim {
            PortDim::Fixed(dim) => *dim,
            // Batch, and positions.
            PortDim::Free(_) => usize::from(axis != 3),
        };
        floats(&dims.map(dim).collect::<Vec<_>>(), &[])
    };
    let (mut keys, mut values) = (nothing(1), nothing(2));
    let (mut rows, mut all) = (prompt.to_vec(), Vec::new());
    while all.len() < count {
        let ids = integers(&[1, rows.len()], &rows);
        let given = [("input_ids", ids), ("past_k", keys), ("past_v", values)];
        let logits;
        [logits, keys, values] = run(runner, pool, &given).try_into().expect("three outputs");
        let vocab = *logits.dims().last().expect("a dimension");
        let last = &logits.elements::<f32>()[logits.len() - vocab..];
        let best = (0..vocab).max_by(|a, b| last[*a].total_cmp(&last[*b]).then(b.cmp(a)));
        rows = vec![best.expect("a token") as i64];
        all.extend(&rows);
    }
    all
}

#[test]
fn a_decoder_with_its_past_as_inputs_gives_the_golden_tokens() {
    let Some(data) = data() else { return };
    let text = std::fs::read(data.join("lm/stories260K-goldens.json")).expect("goldens");
    let goldens: Json = serde_json::from_slice(&text).expect("JSON");
    let list = |json: &Json| -> Vec<i64> {
        json.as_array().expect("ids").iter().filter_map(Json::as_i64).collect()
    };
    let runs = &goldens["files"]["stories260K-F32.gguf"]["runs"];
    for mut runner in runners(&data.join("onnx/stories260K-kv.onnx")) {
        for golden in runs.as_array().expect("runs") {
            let expected = list(&golden["generated_ids"]);
            let prompt = list(&golden["prompt_ids"]);
            let found = greedy(&mut runner, &Pool::inline(), &prompt, expected.len());
            assert_eq!(found, expected, "{}", golden["prompt"]);
        }
    }
}
