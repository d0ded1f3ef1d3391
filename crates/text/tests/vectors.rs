//! Token ids equal those of llama.cpp and of the language models' reference runs.

mod shared;

use serde_json::Value;
use sidestage_text::{StreamOptions, TextStream, Tokenizer};
use std::time::Instant;

fn llama_cpp(name: &str, round_trip: bool) {
    let Some(data) = shared::data("the llama.cpp tokenizer vectors") else { return };
    let path = data.join(format!("tokenizers/llamacpp-vocab/ggml-vocab-{name}.gguf"));
    let spec = shared::vocabulary(&path);
    let tokenizer = Tokenizer::new(spec).unwrap();

    let texts = std::fs::read_to_string(path.with_extension("gguf.inp")).unwrap();
    let expected = std::fs::read_to_string(path.with_extension("gguf.out")).unwrap();
    let mut compared = 0;
    for (text, ids) in texts.split("\n__ggml_vocab_test__\n").zip(expected.lines()) {
        let ids: Vec<u32> = ids.split_whitespace().map(|id| id.parse().unwrap()).collect();
        assert_eq!(tokenizer.encode(text, false, false).unwrap(), ids, "{name}: {text:?}");
        if round_trip {
            assert_eq!(tokenizer.decode(&ids, false), text, "{name}");
        }
        let mut stream = TextStream::new(StreamOptions {
            split_reasoning: false,
            at_text_start: true,
            ..StreamOptions::default()
        });
        let mut streamed = String::new();
        for &id in &ids {
            streamed.push_str(&stream.push(&tokenizer, id).text);
        }
        streamed.push_str(&stream.finish().text);
        assert_eq!(streamed, tokenizer.decode(&ids, false), "{name}");
        compared += 1;
    }
    assert!(compared >= 46, "{name}: only {compared} texts");
}

#[test]
fn llama_cpp_phi_3() {
    llama_cpp("phi-3", true);
}

#[test]
fn llama_cpp_gpt_2() {
    llama_cpp("gpt-2", true);
}

#[test]
fn llama_cpp_qwen2() {
    llama_cpp("qwen2", true);
}

#[test]
fn llama_cpp_falcon() {
    llama_cpp("falcon", true);
}

#[test]
fn llama_cpp_bert_bge() {
    llama_cpp("bert-bge", false);
}

#[test]
fn language_model_goldens() {
    let Some(data) = shared::data("the language models' goldens") else { return };
    let goldens = std::fs::read(data.join("lm/stories260K-goldens.json")).unwrap();
    let goldens: Value = serde_json::from_slice(&goldens).unwrap();
    let ids = |value: &Value| -> Vec<u32> {
        value.as_array().unwrap().iter().map(|id| id.as_u64().unwrap() as u32).collect()
    };
    for (file, golden) in goldens["files"].as_object().unwrap() {
        let tokenizer = Tokenizer::new(shared::vocabulary(&data.join("lm").join(file))).unwrap();
        assert!(tokenizer.end_tokens().contains(&2));
        for run in golden["runs"].as_array().unwrap() {
            let prompt = run["prompt"].as_str().unwrap();
            assert_eq!(tokenizer.encode(prompt, true, true).unwrap(), ids(&run["prompt_ids"]));
            let mut stream = TextStream::new(StreamOptions::default());
            let mut text = String::new();
            for id in ids(&run["generated_ids"]) {
                text.push_str(&stream.push(&tokenizer, id).text);
            }
            text.push_str(&stream.finish().text);
            assert_eq!(text, run["generated_text"].as_str().unwrap(), "{file}: {prompt}");
        }
        for text in golden["nll"].as_array().unwrap() {
            let encoded = tokenizer.encode(text["text"].as_str().unwrap(), true, true).unwrap();
            assert_eq!(encoded, ids(&text["ids"]), "{file}");
        }
    }
}

/// A megabyte of one letter is one piece for the merge loop; a megabyte of spaces is one piece for
/// the expressions. Quadratic code needs minutes for either.
#[test]
#[allow(clippy::disallowed_methods, reason = "the test runs natively and measures time")]
fn long_runs_are_not_quadratic() {
    let Some(data) = shared::data("the time of long texts") else { return };
    for name in ["qwen2", "gpt-2", "phi-3"] {
        let path = data.join(format!("tokenizers/llamacpp-vocab/ggml-vocab-{name}.gguf"));
        let spec = shared::vocabulary(&path);
        let start = Instant::now();
        let tokenizer = Tokenizer::new(spec).unwrap();
        println!("{name}: {} tokens in {:?}", tokenizer.vocab_size(), start.elapsed());
        for unit in ["a", " ", "\n", "é", "<", "<|im_end|>", "ab 12. "] {
            let text = unit.repeat((1 << 20) / unit.len());
            let start = Instant::now();
            let ids = tokenizer.encode(&text, false, true).unwrap();
            let took = start.elapsed();
            println!("{name}: 1 MiB of {unit:?}: {} tokens in {took:?}", ids.len());
            assert!(took.as_secs() < 20, "{name}: 1 MiB of {unit:?} took {took:?}");
        }
    }
}
