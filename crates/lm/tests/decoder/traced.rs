//! Decoders that are models of calls, with their past as inputs and outputs.

use crate::goldens::{evaluate, generate, ids};
use crate::steps::{data, error, go_on, row, step};
use serde_json::Value;
use sidestage_formats::onnx;
use sidestage_ir::{Attribute, Model};
use sidestage_lm::{Decoder, DecoderOptions, KvType, LmError};
use sidestage_pool::Pool;
use sidestage_suite::npz;
use sidestage_tensor::{DType, Tensor};
use std::path::{Path, PathBuf};

fn read(path: &Path) -> Model {
    onnx::read(&std::fs::read(path).expect("the model is there")).expect("a model")
}

fn own(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/decoder/onnx").join(name)
}

fn load(path: &Path) -> Decoder {
    of_model(read(path)).expect("a decoder")
}

fn of_model(model: Model) -> Result<Decoder, LmError> {
    let options = DecoderOptions { context_length: None, kv_type: KvType::F32 };
    Decoder::of_model(model, options, None)
}

#[test]
fn a_past_of_inputs_and_outputs_lies_in_the_cache() {
    let Some(data) = data() else { return };
    let text = std::fs::read_to_string(data.join("lm/stories260K-goldens.json")).expect("goldens");
    let goldens: Value = serde_json::from_str(&text).expect("JSON");
    let path = data.join("onnx/stories260K-kv.onnx");
    let mut decoder = load(&path);
    // However many programs there are, its weights are there once; the embedding's table is the last
    // product's matrix too, which lies otherwise.
    let (held, file) = (decoder.memory().weights, path.metadata().expect("the file").len());
    assert!(held < file + 512 * 64 * 4, "{held} bytes of weights from {file}");
    let pool = Pool::native(2);
    for run in goldens["files"]["stories260K-F32.gguf"]["runs"].as_array().expect("runs") {
        let expected = ids(&run["generated_ids"]);
        let found = generate(&mut decoder, &pool, &ids(&run["prompt_ids"]), expected.len());
        assert_eq!(found, expected, "{}", run["prompt"]);
    }
    let tokens: Vec<u32> = (0..200).map(|i| 3 + (i * 7919) % 500).collect();
    evaluate(&mut decoder, &Pool::inline(), &tokens, 128, false);
    let expected = decoder.logits(0).to_vec();
    for (threads, chunk, stopping) in [(1, 1, false), (2, 128, true), (3, 7, true)] {
        evaluate(&mut decoder, &Pool::native(threads), &tokens, chunk, stopping);
        assert!(decoder.logits(0) == expected, "{threads} threads, chunks of {chunk} differ");
    }
}

/// Both forms in which exporters write attention: one call of `GroupQueryAttention`, and spelt out.
#[test]
fn logits_are_those_of_onnxruntime() {
    // Activations of quantised weights have 8 bits.
    for (name, tolerance) in [("grouped", 0.03), ("spelt", 1e-5)] {
        let truth = npz::read(&own(&format!("{name}.npz")));
        let expected = truth["logits"].elements::<f32>();
        let tokens: Vec<u32> =
            truth["tokens"].elements::<i32>().iter().map(|&token| token as u32).collect();
        let mut decoder = load(&own(&format!("{name}.onnx")));
        let vocab = decoder.vocab_size();
        // As a prompt in pieces, and token by token.
        for piece in [8, 3, 1] {
            let sequence = decoder.cache().create();
            let mut found = Vec::new();
            for (at, part) in tokens.chunks(piece).enumerate() {
                found.extend(go_on(&mut decoder, sequence, at * piece, part));
            }
            decoder.cache().remove(sequence);
            for (at, found) in found.iter().enumerate() {
                let expected = expected[at * vocab..(at + 1) * vocab].iter();
                let off = error(found, expected.map(|&logit| f64::from(logit)));
                assert!(off < tolerance, "{name}, position {at} of pieces of {piece}: {off}");
            }
        }
    }
}

#[test]
fn two_sequences_share_a_step() {
    for name in ["grouped.onnx", "spelt.onnx"] {
        let mut decoder = load(&own(name));
        let [a, b] = [0, 1].map(|_| decoder.cache().create());
        let apart = [go_on(&mut decoder, a, 0, &[5, 6, 7]), go_on(&mut decoder, b, 0, &[9, 8])];
        [a, b].into_iter().for_each(|sequence| decoder.cache().remove(sequence));
        let [c, d] = [0, 1].map(|_| decoder.cache().create());
        let rows = [(c, 0, 5), (d, 0, 9), (c, 1, 6), (d, 1, 8), (c, 2, 7)];
        let rows = rows.map(|(sequence, at, token)| row(sequence, at, token));
        let both = step(&mut decoder, &rows);
        assert_eq!(both[4], apart[0][2], "{name}");
        assert_eq!(both[3], apart[1][1], "{name}");
    }
}

#[test]
fn what_is_not_understood_is_refused_with_a_reason() {
    let problem = |model: Model| match of_model(model) {
        Err(LmError::Traced { problem }) => problem,
        other => panic!("{other:?}"),
    };
    // Without its past.
    let mut model = read(&own("spelt.onnx"));
    model.inputs.truncate(3);
    assert!(problem(model).contains("no past"));
    // Keys are repeated the other way round.
    let mut model = read(&own("spelt.onnx"));
    let repeats = model.bodies[0].calls.iter().filter(|call| call.op == "Unsqueeze");
    let axes: Vec<_> = repeats.filter_map(|call| call.inputs[1]).collect();
    for (var, tensor) in &mut model.constants {
        if axes.contains(var) && tensor.integers() == Some(vec![2]) {
            *tensor = Tensor::new(DType::I64, &[1], &1_i64.to_le_bytes()).expect("memory");
        }
    }
    assert!(!problem(model).is_empty());
    // What is to come can be seen.
    let mut model = read(&own("spelt.onnx"));
    for call in &mut model.bodies[0].calls {
        if call.op == "Greater" {
            call.op = "Less".into();
        }
    }
    assert!(problem(model).contains("mask"));
    // Something of attention that the cache's does not have.
    let mut model = read(&own("grouped.onnx"));
    for call in &mut model.bodies[0].calls {
        if call.op.ends_with("GroupQueryAttention") {
            *call = call.clone().with("smooth_softmax", Attribute::Int(1));
        }
    }
    assert!(problem(model).contains("not known"));
    // Calls that only a decoder's own model may have.
    let mut model = read(&own("grouped.onnx"));
    model.bodies[0].calls[0].op = "sidestage::CachedAttention".into();
    assert!(problem(model).contains("not supported"));
}
