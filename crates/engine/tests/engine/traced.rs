//! Decoders in a graph format: language models like others, or graphs if that is asked for.

use crate::host::{Files, Host, Reply, greedy, ids, raw};
use crate::model;
use serde_json::Value as Json;
use sidestage_engine::protocol::{LoadOptions, Outcome, Request};
use std::fs;
use std::path::PathBuf;

/// The folder of test data, and what the model must answer.
fn story() -> Option<(PathBuf, Json)> {
    let data = model::data()?;
    let text = fs::read_to_string(data.join("stories260K-goldens.json")).expect("goldens");
    let goldens: Json = serde_json::from_str(&text).expect("JSON");
    Some((data, goldens["files"]["stories260K-F32.gguf"]["runs"].clone()))
}

fn exact() -> LoadOptions {
    LoadOptions { kv_type: Some("f32".into()), ..LoadOptions::default() }
}

fn numbers(list: &Json) -> Vec<u32> {
    let list = list.as_array().expect("numbers").iter();
    list.map(|id| id.as_u64().expect("a number") as u32).collect()
}

fn onnx(data: &std::path::Path) -> Vec<u8> {
    fs::read(data.join("../onnx/stories260K-kv.onnx")).expect("the model")
}

#[test]
fn a_decoder_alone_continues_tokens() {
    let Some((data, runs)) = story() else { return };
    let mut host = Host::new();
    // Its tokenizer is looked for, and is not there: what a server answers instead is none.
    let id = host.start_load(exact());
    while host.watch.end(id).is_none() {
        let (_, url) = host.fetched.last().cloned().expect("a reading");
        let words = url.is_some_and(|url| url.ends_with("/tokenizer.json"));
        let missing = Reply { status: 404, ..Reply::new(b"") };
        host.serve(&if words { missing } else { Reply::new(&onnx(&data)) });
    }
    let info = match host.watch.end(id).expect("an end").clone().expect("a model") {
        Outcome::Loaded { model } => model,
        other => panic!("{other:?}"),
    };
    assert_eq!((info.format.as_str(), info.architecture.as_str()), ("onnx", "decoder"));
    assert_eq!((info.vocab_size, info.has_tokenizer), (512, false));
    assert!(info.inputs.is_empty() && info.warnings.is_empty(), "{:?}", info.warnings);
    assert!(info.memory.kv_cache > 0 && info.memory.scratch > 0, "{:?}", info.memory);
    for run in runs.as_array().expect("runs") {
        let expected = numbers(&run["generated_ids"]);
        let result = host.generate(ids(numbers(&run["prompt_ids"])), greedy(expected.len() as u32));
        assert_eq!(result.tokens, expected, "{}", run["prompt"]);
    }
    let text = host.try_generate(raw("Once"), greedy(1)).expect_err("no tokenizer");
    assert_eq!(text.code, "TOKENIZER_MISSING");
    let run = |id| Request::Run { id, model: 1, inputs: Vec::new(), outputs: None, reset: false };
    let error = host.ask(run).expect_err("it is no graph");
    assert_eq!(error.code, "TASK_UNSUPPORTED");
    assert!(error.hint.expect("a hint").contains("task: \"run\""));
}

#[test]
fn a_tokenizer_beside_it_or_above_is_its_own() {
    let Some((data, runs)) = story() else { return };
    for (model, place) in [("model.onnx", ""), ("onnx/model.onnx", ""), ("m/a.onnx", "m/")] {
        let mut files: Files = vec![(model.into(), onnx(&data))];
        for name in ["config.json", "generation_config.json", "tokenizer.json"] {
            let bytes = fs::read(data.join("stories260K-hf").join(name)).expect("a file");
            files.push((format!("{place}{name}"), bytes));
        }
        let mut host = Host::new();
        let info = host.load_files(files.clone(), exact()).expect("a model");
        assert_eq!((info.architecture.as_str(), info.has_tokenizer), ("llama", true), "{model}");
        let run = &runs[0];
        let expected = numbers(&run["generated_ids"]);
        let prompt = raw(run["prompt"].as_str().expect("text"));
        let result = host.generate(prompt, greedy(expected.len() as u32));
        assert_eq!(result.tokens, expected, "{model}");
        assert_eq!(Some(result.text.as_str()), run["generated_text"].as_str());
        // One that cannot be read is no reason to refuse the model.
        files.last_mut().expect("a tokenizer").1 = b"<html>".to_vec();
        let info = Host::new().load_files(files, exact()).expect("a model");
        assert!(!info.has_tokenizer && info.warnings[0].code == "TOKENIZER_INVALID", "{info:?}");
    }
}

#[test]
fn it_is_run_as_a_graph_if_that_is_asked_for() {
    let Some((data, _)) = story() else { return };
    let options = LoadOptions { task: Some("run".into()), ..LoadOptions::default() };
    let files = vec![("model.onnx".to_owned(), onnx(&data))];
    let mut host = Host::new();
    let info = host.load_files(files.clone(), options).expect("a model");
    assert!(info.architecture.is_empty() && info.inputs.len() > 2, "{:?}", info.inputs);
    let error = host.try_generate(ids([1]), greedy(1)).expect_err("a graph has no tokens");
    assert_eq!(error.code, "TASK_UNSUPPORTED");
    let other = LoadOptions { task: Some("sing".into()), ..LoadOptions::default() };
    let error = Host::new().load_files(files, other).expect_err("no such task");
    assert_eq!(error.code, "INVALID_OPTION");
}
