//! `tokenizer.json` files give the ids and texts of Hugging Face's own library.

mod shared;

use serde_json::Value;
use sidestage_text::{Files, StreamOptions, TextStream, Tokenizer};
use std::path::Path;

fn open(path: &Path, config: &str) -> Tokenizer {
    let mut files = Files::new();
    files.add("tokenizer_config.json", config.as_bytes()).unwrap();
    files.add("tokenizer.json", &std::fs::read(path).unwrap()).unwrap();
    files.tokenizer().unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Kitoken's vectors: no special tokens are added, those in the text are read.
fn kitoken(name: &str) {
    let Some(data) = shared::data("the vectors of tokenizer.json files") else { return };
    let data = data.join("tokenizers/kitoken");
    let tokenizer = open(&data.join(format!("models/tokenizers/{name}.json")), "{}");
    compare(&data, "tokenizers", name, &tokenizer);
}

fn compare(data: &Path, kinds: &str, name: &str, tokenizer: &Tokenizer) {
    let read = |file: String| std::fs::read_to_string(data.join("data").join(file)).unwrap();
    let mut compared = 0;
    let mut wrong = Vec::new();
    for kind in ["small", "mixed", "utf8"] {
        let input = read(format!("{kind}_input.txt"));
        let expected = read(format!("{kinds}/{kind}_tokens_{name}.txt"));
        let output = data.join(format!("data/{kinds}/{kind}_output_{name}.txt"));
        let output = std::fs::read_to_string(output).unwrap_or_else(|_| input.clone());
        let lines = if kind == "utf8" { vec![input.clone()] } else { cases(&input) };
        let outputs = if kind == "utf8" { vec![output] } else { cases(&output) };
        let expected: Vec<&str> =
            if kind == "utf8" { vec![&expected] } else { expected.lines().collect() };
        assert_eq!(lines.len(), expected.len(), "{name} {kind}");
        for ((line, ids), output) in lines.iter().zip(expected).zip(&outputs) {
            let ids: Vec<u32> =
                ids.split_whitespace().map(|id| id.trim_matches(',').parse().unwrap()).collect();
            // SentencePiece's own library reads no control tokens from text.
            let got = tokenizer.encode(line, false, kinds == "tokenizers").unwrap();
            compared += 1;
            if got != ids {
                let at = got.iter().zip(&ids).take_while(|(a, b)| a == b).count();
                wrong.push(format!("{kind} {line:.60?}: at {at} of {}", ids.len()));
                continue;
            }
            let text = tokenizer.decode(&ids, true);
            if text != *output {
                wrong.push(format!("{kind} decoded {text:.80?}, expected {output:.80?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{name}: {} of {compared} differ\n{}", wrong.len(), wrong.join("\n"));
}

fn cases(text: &str) -> Vec<String> {
    let unescaped = |line: &str| line.replace("\\n", "\n").replace("\\s", " ").replace("\\x", "");
    text.lines().map(unescaped).collect()
}

#[test]
fn kitoken_gpt2() {
    kitoken("gpt2");
}

#[test]
fn kitoken_gpt_neox() {
    kitoken("gpt_neox");
}

#[test]
fn kitoken_bert_base_cased() {
    kitoken("bert_base_cased");
}

#[test]
fn kitoken_mistral() {
    kitoken("mistral01");
}

#[test]
fn kitoken_sentence_piece() {
    let Some(data) = shared::data("the vectors of a SentencePiece model") else { return };
    let data = data.join("tokenizers/kitoken");
    let bytes = std::fs::read(data.join("models/sentencepiece/mistral01.model")).unwrap();
    let mut files = Files::new();
    files.add("tokenizer.model", &bytes).unwrap();
    compare(&data, "sentencepiece", "mistral01", &files.tokenizer().unwrap());
    for end in (0..bytes.len()).step_by(9973) {
        let _ = Files::new().add("tokenizer.model", &bytes[..end]);
    }
}

#[test]
fn transformers_js() {
    let Some(data) = shared::data("the 113 cases of transformers.js") else { return };
    let vectors = std::fs::read(data.join("tokenizers/transformersjs-vectors.json")).unwrap();
    let vectors: Value = serde_json::from_slice(&vectors).unwrap();
    let gguf = |name: &str| {
        let path = data.join(format!("tokenizers/llamacpp-vocab/ggml-vocab-{name}.gguf"));
        Tokenizer::new(shared::vocabulary(&path)).unwrap()
    };
    // Then, the library joined punctuation to words unless told otherwise.
    let json = |path: &str| open(&data.join(path), r#"{"clean_up_tokenization_spaces": true}"#);
    let mut compared = 0;
    let mut wrong = Vec::new();
    for (model, cases) in vectors["models"].as_object().unwrap() {
        let tokenizer = match model.as_str() {
            "Xenova/gpt2" => json("tokenizers/kitoken/models/tokenizers/gpt2.json"),
            "Xenova/bert-base-uncased" => json("embed/tokenizer.json"),
            "Xenova/bert-base-cased" => {
                json("tokenizers/kitoken/models/tokenizers/bert_base_cased.json")
            }
            "Xenova/Qwen1.5-0.5B-Chat" => gguf("qwen2"),
            "tiiuae/falcon-7b" => gguf("falcon"),
            other => panic!("{other} is new"),
        };
        for (name, case) in cases.as_object().unwrap() {
            let text = case["text"].as_str().unwrap();
            let ids: Vec<u32> = case["ids"]
                .as_array()
                .unwrap()
                .iter()
                .map(|id| id.as_u64().unwrap() as u32)
                .collect();
            compared += 1;
            let got = match case["text_pair"].as_str() {
                Some(second) => tokenizer.encode_pair(text, second, true).unwrap(),
                None => tokenizer.encode(text, true, true).unwrap(),
            };
            if got != ids {
                wrong.push(format!("{model} {name} {text:?}: {got:?}, expected {ids:?}"));
                continue;
            }
            let decoded = tokenizer.decode(&ids, true);
            // A GGUF file does not say that punctuation is joined to words, and it is not.
            if (model.as_str(), name.as_str()) == ("tiiuae/falcon-7b", "PUNCTUATION") {
                assert_eq!(decoded, text);
                continue;
            }
            if decoded != case["decoded"].as_str().unwrap() {
                wrong.push(format!("{model} {name}: {decoded:?}, expected {}", case["decoded"]));
            }
        }
    }
    assert_eq!(compared, 113);
    assert!(wrong.is_empty(), "{} differ\n{}", wrong.len(), wrong.join("\n"));
}

/// The same model, as a folder and as a GGUF file.
#[test]
fn a_folder_is_like_its_gguf_file() {
    let Some(data) = shared::data("the tiny model's folder") else { return };
    let folder = data.join("lm/stories260K-hf");
    let mut files = Files::new();
    for name in ["tokenizer.json", "tokenizer_config.json", "generation_config.json"] {
        files.add(name, &std::fs::read(folder.join(name)).unwrap()).unwrap();
    }
    let folder = files.tokenizer().unwrap();
    let gguf = Tokenizer::new(shared::vocabulary(&data.join("lm/stories260K-F32.gguf"))).unwrap();
    assert_eq!(folder.end_tokens(), gguf.end_tokens());
    for text in ["Once upon a time", "Ünïcode 🙂\nline", "  two  spaces ", ""] {
        let ids = folder.encode(text, true, true).unwrap();
        assert_eq!(ids, gguf.encode(text, true, true).unwrap(), "{text:?}");
        assert_eq!(folder.decode(&ids, false), text);
        let mut stream =
            TextStream::new(StreamOptions { at_text_start: true, ..Default::default() });
        let mut streamed = String::new();
        for id in ids {
            streamed.push_str(&stream.push(&folder, id).text);
        }
        assert_eq!(streamed + &stream.finish().text, text);
    }
}

/// Every kind of normalizer, pre-tokenizer, model, post-processor, decoder and added token
/// (`goldens/pipelines.py`).
#[test]
fn every_part_of_a_pipeline() {
    let cases = include_str!("goldens/pipelines.json");
    let cases: Vec<Value> = serde_json::from_str(cases).unwrap();
    let ids = |value: &Value| -> Vec<u32> {
        value.as_array().unwrap().iter().map(|id| id.as_u64().unwrap() as u32).collect()
    };
    let mut wrong = Vec::new();
    for case in &cases {
        let name = case["name"].as_str().unwrap();
        let mut files = Files::new();
        files.add("tokenizer.json", case["tokenizer"].to_string().as_bytes()).unwrap();
        let tokenizer = match files.tokenizer() {
            Ok(tokenizer) => tokenizer,
            Err(error) => {
                wrong.push(format!("{name}: {error}"));
                continue;
            }
        };
        for row in case["cases"].as_array().unwrap() {
            let text = row[0].as_str().unwrap();
            for (special, expected) in [(false, ids(&row[1])), (true, ids(&row[2]))] {
                let got = tokenizer.encode(text, special, true).unwrap();
                if got != expected {
                    wrong.push(format!("{name}: {text:?}: {got:?}, expected {expected:?}"));
                }
            }
            let mut text = tokenizer.decode(&ids(&row[1]), true);
            // The library prints such tokens in their normalised form; here as the file has them.
            if name.starts_with("added True") {
                text = text.replace("Hi", "hi").replace("<W>", "<w>");
            }
            if text != row[3].as_str().unwrap() {
                wrong.push(format!("{name}: decoded {text:?}, expected {}", row[3]));
            }
        }
        let pair = tokenizer.encode_pair("a", "b", true).unwrap();
        if pair != ids(&case["pair"]) {
            wrong.push(format!("{name}: pair {pair:?}, expected {}", case["pair"]));
        }
    }
    assert!(cases.len() > 80);
    assert!(wrong.is_empty(), "{} differ\n{}", wrong.len(), wrong.join("\n"));
}
