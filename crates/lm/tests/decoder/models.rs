//! `docs/models.md` is what these runs find: every family with every type that a folder's weights
//! can be converted to.

mod page;

use crate::quantized::quantized;
use crate::reference;
use crate::steps::{decoder, decoder_of_context, evaluate};
use crate::tiny::Shape;
use sidestage_formats::Manifest;
use sidestage_formats::gguf::GgufWriter;
use sidestage_formats::huggingface::TARGETS;
use sidestage_kernels::{dequantize_row, quantize_row};
use sidestage_lm::FAMILIES;
use sidestage_miniatures::{Model, TOKENS};
use sidestage_tensor::DType;
use std::collections::{BTreeMap, BTreeSet};

/// What activations of 8 bits may change, as a share of the logits' root mean square: they change
/// up to 3 %.
const ROUNDING: f64 = 0.05;

/// What the order of sums may change.
const ORDER: f64 = 1e-5;

/// The root mean square of all differences, as a share of that of the expected logits.
fn distance(found: &[Vec<f32>], expected: &[Vec<f64>]) -> f64 {
    assert_eq!(found.len(), expected.len());
    let pairs = found.iter().flatten().zip(expected.iter().flatten());
    let sum: f64 = pairs.map(|(a, b)| (f64::from(*a) - b).powi(2)).sum();
    let size: f64 = expected.iter().flatten().map(|b| b.powi(2)).sum();
    (sum / size).sqrt()
}

fn near(what: &str, dtype: DType, found: &[Vec<f32>], expected: &[Vec<f64>]) -> bool {
    let (distance, bound) =
        (distance(found, expected), if dtype.is_quantized() { ROUNDING } else { ORDER });
    // Not `>`, which is false for NaN.
    let near = distance <= bound;
    let verdict = if near { "" } else { ", too far" };
    println!("{what} in {dtype}: {distance:.1e} of the logits{verdict}");
    near
}

/// A model's file as its manifest has the weights, and as the values that these have, in `F32`.
fn files(manifest: &Manifest, weights: &[Vec<f32>]) -> [Vec<u8>; 2] {
    [false, true].map(|plain| {
        let mut writer = GgufWriter::new();
        for (key, value) in manifest.metadata.iter() {
            writer = writer.metadata(key, value.clone());
        }
        for weight in &manifest.weights {
            let dtype = if plain { DType::F32 } else { weight.dtype };
            writer = writer.tensor(&weight.name, dtype, &weight.extents);
        }
        let mut body = writer.begin(Vec::new()).expect("a good header");
        for (weight, values) in manifest.weights.iter().zip(weights) {
            let size = weight.dtype.bytes_for(values.len() as u64).expect("whole blocks");
            let mut bytes = vec![0; size as usize];
            quantize_row(weight.dtype, values, &mut bytes);
            if plain {
                let mut values = vec![0.0; values.len()];
                dequantize_row(weight.dtype, &bytes, &mut values);
                bytes = values.iter().flat_map(|value| value.to_le_bytes()).collect();
            }
            body.write(&bytes).expect("the tensor's bytes");
        }
        body.finish().expect("a whole file")
    })
}

/// All experts are taken, so that rounding changes no choice.
fn with_all_experts(mut model: Model) -> Model {
    let mut config = config(&model);
    let experts = ["num_experts", "num_local_experts"].map(|key| config.get(key).cloned());
    if let Some(count) = experts.into_iter().flatten().next() {
        config["num_experts_per_tok"] = count;
        model.config = serde_json::to_vec(&config).expect("an object");
    }
    model
}

fn config(model: &Model) -> serde_json::Value {
    serde_json::from_slice(&model.config).expect("JSON")
}

/// Whether a folder that is converted to this type while it is loaded has the logits of the values
/// that it then has.
fn converts(model: &Model, dtype: DType) -> bool {
    let (folder, headers) = model.headers().expect("a folder that can be read");
    let manifest =
        Manifest::huggingface(&folder, headers, Some(dtype)).expect("a type of the list");
    let mut types = manifest.weights.iter().map(|weight| weight.dtype);
    let converted = types.clone().any(|found| found == dtype)
        && types.all(|found| [DType::F32, dtype].contains(&found));
    let weights = model.weights(&manifest).expect("weights");
    let [found, expected] = files(&manifest, &weights).map(|file| {
        let mut decoder = decoder_of_context(&file, Some(TOKENS)).expect("a model");
        evaluate(&mut decoder, &Model::tokens()[..8])
    });
    let wide = |logits: Vec<f32>| logits.into_iter().map(f64::from).collect();
    let expected: Vec<Vec<f64>> = expected.into_iter().map(wide).collect();
    converted && near(model.name, dtype, &found, &expected)
}

/// Whether a model of this family whose rows are blocks of 256 has the logits of the naive one.
fn multiplies(family: &'static str, dtype: DType) -> bool {
    let heads = if ["gpt2", "phi2", "gptneox"].contains(&family) { 4 } else { 2 };
    let shape = Shape {
        width: 256,
        head_dim: 64,
        feed_forward: 256,
        kv_heads: heads,
        vocab: 32,
        // LFM2's second layer has attention.
        layers: if family == "lfm2" { 2 } else { 1 },
        experts: (family == "qwen3moe").then_some((2, 2)),
        tied: false,
        ..Shape::new(family)
    };
    let tokens = [3, 17, 30, 8, 21];
    let mut model = shape.model();
    let found = evaluate(&mut decoder(&quantized(&mut model, dtype)).expect("a model"), &tokens);
    near(family, dtype, &found, &reference::logits(&model, &tokens))
}

/// What was found of a family.
#[derive(Default)]
struct Found {
    /// `architectures` of the folders.
    classes: BTreeSet<String>,
    /// The types that all of them can be converted to, and those of blocks of 256.
    types: BTreeMap<&'static str, bool>,
}

fn run() -> BTreeMap<&'static str, Found> {
    let mut all: BTreeMap<&'static str, Found> = BTreeMap::new();
    for model in sidestage_miniatures::all() {
        let model = with_all_experts(model);
        let (folder, _) = model.headers().expect("a folder that can be read");
        let family = all.entry(folder.architecture()).or_default();
        let class = config(&model)["architectures"][0].as_str().expect("a class").to_owned();
        family.classes.insert(class);
        for &dtype in TARGETS.iter().filter(|dtype| dtype.block_len() < 256) {
            let good = converts(&model, dtype);
            *family.types.entry(dtype.name()).or_insert(true) &= good;
        }
    }
    for family in FAMILIES {
        for &dtype in TARGETS.iter().filter(|dtype| dtype.block_len() == 256) {
            let good = multiplies(family.name, dtype);
            all.entry(family.name).or_default().types.insert(dtype.name(), good);
        }
    }
    all
}

/// `SIDESTAGE_MODELS=write` writes the page.
#[test]
fn the_page_says_what_was_found() {
    let text = page::text(&run());
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/models.md");
    if std::env::var_os("SIDESTAGE_MODELS").is_some_and(|value| value == "write") {
        std::fs::write(path, &text).expect("docs/models.md can be written");
    }
    let page = std::fs::read_to_string(path).unwrap_or_default().replace('\r', "");
    let again = "SIDESTAGE_MODELS=write cargo test -p sidestage-lm --test decoder -- models";
    assert!(page == text, "docs/models.md is out of date, read the difference after: {again}");
}
