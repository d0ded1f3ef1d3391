//! Models of several files: Hugging Face folders and split GGUF files.

use crate::host::{Files, Host, greedy, ids};
use crate::model;
use serde_json::Value as Json;
use sidestage_engine::protocol::{ErrorInfo, LoadOptions, ModelInfo};
use sidestage_formats::gguf::{Gguf, GgufWriter, Value};
use std::fs;

/// The folder of stories260K, and what it must answer.
fn story() -> Option<(Files, Json)> {
    let data = model::data()?;
    let entries = fs::read_dir(data.join("stories260K-hf")).expect("the folder");
    let mut files: Files = entries
        .map(|entry| entry.expect("an entry").path())
        .map(|path| {
            let name = path.file_name().expect("a name").to_string_lossy().into_owned();
            (name, fs::read(path).expect("a file"))
        })
        .collect();
    files.sort();
    let text = fs::read_to_string(data.join("stories260K-goldens.json")).expect("goldens");
    Some((files, serde_json::from_str(&text).expect("JSON")))
}

fn load(files: Files, options: LoadOptions) -> Result<(Host, ModelInfo), ErrorInfo> {
    let mut host = Host::new();
    let info = host.load_files(files, options)?;
    Ok((host, info))
}

/// That a model answers as the goldens say.
fn answers(host: &mut Host, goldens: &Json, file: &str) {
    let numbers = |list: &Json| -> Vec<u32> {
        let list = list.as_array().expect("numbers").iter();
        list.map(|id| id.as_u64().expect("a number") as u32).collect()
    };
    for run in goldens["files"][file]["runs"].as_array().expect("runs") {
        let expected = numbers(&run["generated_ids"]);
        let prompt = numbers(&run["prompt_ids"]);
        let result = host.generate(ids(prompt), greedy(expected.len() as u32));
        assert_eq!(result.tokens, expected, "{}", run["prompt"]);
        let text = run["prompt"].as_str().expect("text");
        let result = host.generate(crate::host::raw(text), greedy(expected.len() as u32));
        assert_eq!(result.tokens, expected, "{text}");
    }
}

#[test]
fn a_folder_answers_as_its_gguf_file() {
    let Some((files, goldens)) = story() else { return };
    let (mut host, info) = load(files.clone(), LoadOptions::default()).expect("a folder");
    assert_eq!((info.architecture.as_str(), info.weight_type.as_str()), ("llama", "F32"));
    assert_eq!(info.files, ["model.safetensors"]);
    assert!(info.has_tokenizer && info.warnings.is_empty(), "{:?}", info.warnings);
    answers(&mut host, &goldens, "stories260K-F32.gguf");
    // As a browser names the files of a chosen folder.
    let within = files.iter().map(|(name, bytes)| (format!("story/{name}"), bytes.clone()));
    load(within.collect(), LoadOptions::default()).expect("a folder");
    let options = LoadOptions { dtype: Some("F16".into()), ..LoadOptions::default() };
    let (mut host, info) = load(files, options).expect("a folder");
    assert_eq!(info.weight_type, "F16");
    answers(&mut host, &goldens, "stories260K-F16.gguf");
}

#[test]
fn a_folder_that_lacks_a_file_says_which() {
    let Some((files, _)) = story() else { return };
    for missing in ["config.json", "model.safetensors"] {
        let left = files.iter().filter(|(name, _)| name != missing).cloned().collect();
        let error = load(left, LoadOptions::default()).err().expect(missing);
        assert_eq!(error.code, "MODEL_INCOMPLETE", "{error:?}");
    }
    // Without a tokenizer it takes ids.
    let left = files.iter().filter(|(name, _)| name != "tokenizer.json").cloned().collect();
    let (mut host, info) = load(left, LoadOptions::default()).expect("a folder");
    assert!(!info.has_tokenizer);
    assert_eq!(host.generate(ids([1, 2, 3]), greedy(4)).tokens.len(), 4);
    let mut bad = files.clone();
    bad.iter_mut().find(|file| file.0 == "config.json").expect("the file").1 = b"{".to_vec();
    assert_eq!(load(bad, LoadOptions::default()).err().expect("no JSON").code, "MODEL_INVALID");
}

/// A GGUF file cut into three as `llama-gguf-split` does: tensors in turn, the metadata in the
/// first.
fn split(file: &[u8]) -> Files {
    let gguf = Gguf::parse(file).expect("a GGUF file");
    let tensors: Vec<_> = gguf.tensors.iter().collect();
    let share = tensors.len().div_ceil(3);
    let parts = tensors.chunks(share).enumerate().map(|(number, part)| {
        let mut writer = GgufWriter::new();
        if number == 0 {
            for (key, value) in gguf.metadata.iter() {
                writer = writer.metadata(key, value.clone());
            }
        }
        writer = writer
            .metadata("split.no", Value::U16(number as u16))
            .metadata("split.count", Value::U16(3))
            .metadata("split.tensors.count", Value::I32(tensors.len() as i32));
        for tensor in part {
            writer = writer.tensor(&tensor.name, tensor.dtype, &tensor.extents);
        }
        let mut body = writer.begin(Vec::new()).expect("a header");
        for tensor in part {
            let (from, to) = (tensor.offset as usize, tensor.end() as usize);
            body.write(&file[from..to]).expect("a tensor");
        }
        let bytes = body.finish().expect("a file");
        (format!("m-0000{}-of-00003.gguf", number + 1), bytes)
    });
    parts.collect()
}

#[test]
fn a_split_file_answers_as_the_whole() {
    let files = split(model::tiny());
    let expected = Host::tiny().generate(ids(1..9), greedy(8)).tokens;
    for order in [[0, 1, 2], [2, 0, 1]] {
        let shuffled = order.map(|at: usize| files[at].clone()).to_vec();
        let (mut host, info) = load(shuffled, LoadOptions::default()).expect("a split");
        assert_eq!((info.files.len(), info.parameters), (3, 82_240));
        assert_eq!(host.generate(ids(1..9), greedy(8)).tokens, expected);
    }
    for missing in 0..3 {
        let mut left = files.clone();
        left.remove(missing);
        let error = load(left, LoadOptions::default()).err().expect("a part is missing");
        assert_eq!(error.code, "MODEL_INCOMPLETE", "{error:?}");
        assert!(error.message.contains(&files[missing].0), "{error:?}");
    }
    let Some((_, goldens)) = story() else { return };
    let path = model::data().expect("the data").join("stories260K-F16.gguf");
    let (mut host, _) =
        load(split(&fs::read(path).expect("a file")), LoadOptions::default()).expect("a split");
    answers(&mut host, &goldens, "stories260K-F16.gguf");
}

#[test]
fn options_that_were_not_used_are_warnings() {
    let options = LoadOptions {
        context_length: Some(100_000),
        dtype: Some("q8_0".into()),
        kv_type: Some("f32".into()),
        ..LoadOptions::default()
    };
    let files = vec![("m.gguf".to_owned(), model::tiny().to_vec())];
    let (_, info) = load(files, options).expect("a model");
    let codes: Vec<&str> = info.warnings.iter().map(|warning| warning.code.as_str()).collect();
    assert_eq!(codes, ["CONTEXT_LENGTH_LOWERED", "OPTION_NOT_USED"]);
    assert_eq!((info.context_length, info.trained_context_length), (256, 256));
}
