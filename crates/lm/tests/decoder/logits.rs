//! `stories260K` in eight types against the logits and likelihoods of the shared test data (`f64`
//! over the dequantised weights; Hugging Face and llama.cpp agree with them).

use crate::steps::{data, decoder, error, evaluate};
use serde_json::Value;
use sidestage_suite::npz;

fn ids(value: &Value) -> Vec<u32> {
    let ids = value.as_array().expect("ids").iter();
    ids.map(|id| id.as_u64().expect("an id") as u32).collect()
}

/// Most of the largest logit that logits may be off. Quantised weights take activations rounded to
/// 8 bits, which the reference does not.
fn tolerance(quant: &str) -> f64 {
    if ["F32", "F16", "BF16"].contains(&quant) { 1e-5 } else { 0.03 }
}

/// The mean of the negative logarithms of each token's probability after those before it.
fn mean_nll(logits: &[Vec<f32>], tokens: &[u32]) -> f64 {
    let nll = |(logits, &next): (&Vec<f32>, &u32)| {
        let logits: Vec<f64> = logits.iter().map(|&logit| f64::from(logit)).collect();
        let top = logits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let sum: f64 = logits.iter().map(|logit| (logit - top).exp()).sum();
        top + sum.ln() - logits[next as usize]
    };
    let all = logits.iter().zip(&tokens[1..]).map(nll);
    all.sum::<f64>() / (tokens.len() - 1) as f64
}

#[test]
fn real_logits_and_likelihoods() {
    let Some(folder) = data().map(|data| data.join("lm")) else { return };
    let read = |name: &str| std::fs::read(folder.join(name)).expect(name);
    let expected = npz::read(&folder.join("stories260K-logits.npz"));
    let goldens: Value =
        serde_json::from_slice(&read("stories260K-goldens.json")).expect("goldens");
    let files = goldens["files"].as_object().expect("files");
    assert_eq!((files.len(), expected.len()), (8, 24));
    for (file, golden) in files {
        let quant = file.trim_start_matches("stories260K-").trim_end_matches(".gguf");
        let mut decoder = decoder(&read(file)).expect(file);
        for (index, run) in golden["runs"].as_array().expect("runs").iter().enumerate() {
            let expected = &expected[&format!("{quant}/{index}")];
            let found = evaluate(&mut decoder, &ids(&run["prompt_ids"])).pop().expect("logits");
            let error =
                error(&found, expected.elements::<f32>().iter().map(|&logit| f64::from(logit)));
            println!("{file}, prompt {index}: {error:.1e} of the largest logit");
            assert!(error < tolerance(quant), "{file}, prompt {index}: {error}");
        }
        for text in golden["nll"].as_array().expect("texts") {
            let tokens = ids(&text["ids"]);
            let found = mean_nll(&evaluate(&mut decoder, &tokens), &tokens);
            let expected = text["mean_nll"].as_f64().expect("a likelihood");
            println!("{file}: mean NLL {found:.5}, expected {expected:.5}");
            assert!((found / expected - 1.0).abs() < 0.01, "{file}: {found} is not {expected}");
        }
    }
}
