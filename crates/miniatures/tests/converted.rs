//! The manifests of the models against what llama.cpp's converter makes of the same folders
//! (`converted.json`, by `converted.py`). Falcon with biases, GPT-NeoX and norms of heads in files
//! of `StableLM` are not in it: that version of the converter fails on them.

use serde_json::{Map, Value as Json};
use sidestage_formats::Manifest;
use sidestage_formats::gguf::{Array, Value};
use sidestage_miniatures::model;

/// What we say and the converter does not, or not of all families: it keeps a reader from guessing,
/// and windows and scales are what Hugging Face's models have.
const ALSO: &[&str] = &[
    ".vocab_size",
    ".attention.head_count_kv",
    ".attention.key_length",
    ".attention.value_length",
    ".attention.scale",
    ".attention.sliding_window",
    ".attention.sliding_window_pattern",
    ".expert_weights_norm",
    ".rope.freq_base",
    ".rope.scaling.type",
];

/// What the converter says against the configuration: Falcon's context, and an inner width that is
/// not four widths. Without a window, Phi 3 has one of 0. The base of OLMo 3's windows is the
/// other one.
const ELSE: &[(&str, &str)] = &[
    ("falcon", "falcon.context_length"),
    ("olmo3", "olmo2.rope.freq_base_swa"),
    ("phi", "phi2.feed_forward_length"),
    ("phi3-longrope", "phi3.attention.sliding_window"),
    ("phi3-longrope-short", "phi3.attention.sliding_window"),
];

fn json(value: &Value) -> Json {
    match value {
        Value::Bool(v) => (*v).into(),
        Value::String(v) => v.as_str().into(),
        Value::F32(v) => format!("{v:.6e}").parse::<f64>().unwrap().into(),
        Value::Array(Array::Bool(v)) => v.clone().into(),
        Value::Array(Array::U32(v)) => v.clone().into(),
        other => other.as_integer().map(|v| v as u64).unwrap().into(),
    }
}

fn same(ours: &Json, theirs: &Json) -> bool {
    match (ours.as_f64(), theirs.as_f64()) {
        (Some(a), Some(b)) => (a - b).abs() <= 1e-5 * b.abs(),
        _ => ours == theirs,
    }
}

fn checksum(values: &[f32]) -> u64 {
    let words = values.iter().map(|value| u64::from(value.to_bits()));
    let odd = (0_u64..).map(|at| 2 * at + 1);
    words.zip(odd).fold(0, |sum, (word, odd)| sum.wrapping_add(word.wrapping_mul(odd)))
}

#[test]
fn folders_become_what_llama_cpp_makes_of_them() {
    let all: Map<String, Json> = serde_json::from_str(include_str!("../converted.json")).unwrap();
    assert!(all.len() >= 22, "only {}", all.len());
    let mut faults = Vec::new();
    for (name, theirs) in all {
        let model = model(&name).unwrap();
        let (folder, headers) = model.headers().unwrap();
        let manifest = Manifest::huggingface(&folder, headers, None).unwrap();
        let metadata = theirs["metadata"].as_object().unwrap();
        for (key, value) in metadata {
            match manifest.metadata.get(key).map(json) {
                Some(ours) if same(&ours, value) => {}
                _ if ELSE.contains(&(name.as_str(), key)) || key.starts_with("tokenizer.") => {}
                ours => faults.push(format!("{name}: {key} = {ours:?}, not {value}")),
            }
        }
        for (key, value) in manifest.metadata.iter() {
            let is_token = key.starts_with("tokenizer.");
            let known = ALSO.iter().any(|suffix| key.ends_with(suffix));
            if !(metadata.contains_key(key) || known || is_token) {
                faults.push(format!("{name}: {key} = {value} of our own"));
            }
        }
        let weights = model.weights(&manifest).unwrap();
        let tensors = theirs["tensors"].as_object().unwrap();
        assert_eq!(tensors.len(), weights.len(), "{name}");
        for (weight, values) in manifest.weights.iter().zip(&weights) {
            let expected = &tensors[&weight.name];
            assert_eq!(Json::from(weight.extents.clone()), expected[0], "{name}: {}", weight.name);
            // Computed by torch in single precision; the logits are compared elsewhere.
            let exact = weight.name != "rope_freqs.weight";
            if exact && expected[1].as_u64() != Some(checksum(values)) {
                faults.push(format!("{name}: {} has other values", weight.name));
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}
