//! The commands that run models, against other people's results.
#![allow(clippy::disallowed_methods, reason = "tests run natively only")]

#[allow(dead_code, reason = "each test program uses a part of it")]
mod program;

use program::{Ended, Folder, run};
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

fn data() -> Option<PathBuf> {
    let folder = std::env::var_os("SIDESTAGE_TESTDATA").map(PathBuf::from);
    if folder.is_none() {
        println!("SIDESTAGE_TESTDATA is not set: real models are left out");
    }
    folder
}

fn model(data: &std::path::Path, quant: &str) -> String {
    data.join(format!("lm/stories260K-{quant}.gguf")).display().to_string()
}

fn json(ended: &Ended) -> Value {
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    serde_json::from_str(&ended.stdout).expect("JSON")
}

fn list(ids: &Value) -> String {
    let ids: Vec<String> = ids.as_array().expect("ids").iter().map(Value::to_string).collect();
    ids.join(",")
}

#[test]
fn generate_gives_the_golden_tokens() {
    let Some(data) = data() else { return };
    let text = fs::read_to_string(data.join("lm/stories260K-goldens.json")).expect("goldens");
    let goldens: Value = serde_json::from_str(&text).expect("JSON");
    for quant in ["F32", "F16", "BF16"] {
        let model = model(&data, quant);
        for golden in
            goldens["files"][format!("stories260K-{quant}.gguf")]["runs"].as_array().expect("runs")
        {
            let count = golden["generated_ids"].as_array().expect("ids").len().to_string();
            let tail = ["--greedy", "--max-tokens", &count, "--json"];
            let ids = list(&golden["prompt_ids"]);
            let by_ids = json(&run(
                &[&["generate", "--model", &model, "--tokens", &ids], &tail[..]].concat(),
                b"",
            ));
            assert_eq!(by_ids["tokens"], golden["generated_ids"], "{quant}");
            let prompt = golden["prompt"].as_str().expect("text");
            let by_text = json(&run(
                &[&["generate", "--model", &model, "--prompt", prompt], &tail[..]].concat(),
                b"",
            ));
            assert_eq!(by_text["tokens"], golden["generated_ids"], "{quant}: {prompt}");
            assert_eq!(
                by_text["usage"]["promptTokens"],
                golden["prompt_ids"].as_array().expect("ids").len()
            );
            assert_eq!(by_text["text"], by_ids["text"]);
            for key in ["finishReason", "timings"] {
                assert!(!by_text[key].is_null(), "{key}");
            }
        }
    }
}

#[test]
fn generate_takes_a_graph_model_with_a_past() {
    let Some(data) = data() else { return };
    let text = fs::read_to_string(data.join("lm/stories260K-goldens.json")).expect("goldens");
    let goldens: Value = serde_json::from_str(&text).expect("JSON");
    let alone = data.join("onnx/stories260K-kv.onnx");
    // As exporters leave it: the tokenizer in the folder above.
    let folder = Folder::new();
    fs::create_dir(folder.path().join("onnx")).expect("a folder");
    fs::copy(&alone, folder.path().join("onnx/model.onnx")).expect("a copy");
    for name in ["config.json", "generation_config.json", "tokenizer.json"] {
        let from = data.join("lm/stories260K-hf").join(name);
        fs::copy(from, folder.path().join(name)).expect("a copy");
    }
    let worded = folder.path().join("onnx/model.onnx");
    let (alone, worded) = (alone.display().to_string(), worded.display().to_string());
    for golden in goldens["files"]["stories260K-F32.gguf"]["runs"].as_array().expect("runs") {
        let count = golden["generated_ids"].as_array().expect("ids").len().to_string();
        let tail = ["--greedy", "--kv-type", "f32", "--max-tokens", &count, "--json"];
        let prompt = golden["prompt"].as_str().expect("text");
        let ids = list(&golden["prompt_ids"]);
        for (model, how, given) in [(&alone, "--tokens", &*ids), (&worded, "--prompt", prompt)] {
            let args = [&["generate", "--model", model, how, given], &tail[..]].concat();
            let found = json(&run(&args, b""));
            assert_eq!(found["tokens"], golden["generated_ids"], "{prompt} by {how}");
        }
    }
    let silero = data.join("onnx/silero_vad.onnx").display().to_string();
    let ended = run(&["generate", "--model", &silero, "--tokens", "1"], b"");
    assert_eq!(ended.error(), "TASK_UNSUPPORTED");
}

#[test]
fn embed_gives_the_vectors_of_hugging_face() {
    let Some(data) = data() else { return };
    let file = "all-MiniLM-L6-v2-KMIX.gguf";
    let model = data.join("embed").join(file).display().to_string();
    let text = fs::read_to_string(data.join("embed/all-MiniLM-L6-v2-reference.json"));
    let reference: Value = serde_json::from_str(&text.expect("the reference")).expect("JSON");
    let items = reference["items"].as_array().expect("texts");
    let lines = items.iter().map(|item| item["text"].as_str().expect("text"));
    let lines = lines.collect::<Vec<_>>().join("\n");
    let found = json(&run(&["embed", "--model", &model, "--json"], lines.as_bytes()));
    let numbers = |list: &Value| -> Vec<f64> {
        let list = list.as_array().expect("numbers").iter();
        list.map(|number| number.as_f64().expect("a number")).collect()
    };
    let dot = |a: &[f64], b: &[f64]| -> f64 { a.iter().zip(b).map(|(a, b)| a * b).sum() };
    for (at, item) in items.iter().enumerate() {
        let expected = numbers(&reference["gguf"][file]["embeddings"][at]);
        let vector = numbers(&found["embeddings"][at]);
        let cosine = dot(&vector, &expected) / dot(&expected, &expected).sqrt();
        assert!(cosine >= 0.999, "{cosine}: {}", item["text"]);
        assert_eq!(found["tokens"][at], item["input_ids"].as_array().expect("ids").len());
    }
    let line = run(&["embed", "--model", &model, "--dimensions", "3"], b"one\ntwo\n");
    let shapes: Vec<usize> = line.stdout.lines().map(|line| line.split(' ').count()).collect();
    assert_eq!((line.code, shapes), (Some(0), vec![3, 3]), "{}", line.stderr);
    let ended = run(&["embed", "--model", &model, "--pooling", "best"], b"one");
    assert_eq!(ended.error(), "INVALID_OPTION");
    let story = self::model(&data, "F32");
    assert_eq!(run(&["embed", "--model", &story], b"one").error(), "TASK_UNSUPPORTED");
    let ended = run(&["generate", "--model", &model, "--prompt", "one"], b"");
    assert_eq!(ended.error(), "TASK_UNSUPPORTED");
}

#[test]
fn generate_takes_a_folder() {
    let Some(data) = data() else { return };
    let text = fs::read_to_string(data.join("lm/stories260K-goldens.json")).expect("goldens");
    let goldens: Value = serde_json::from_str(&text).expect("JSON");
    let folder = data.join("lm/stories260K-hf").display().to_string();
    let golden = &goldens["files"]["stories260K-F32.gguf"]["runs"][0];
    let count = golden["generated_ids"].as_array().expect("ids").len().to_string();
    let prompt = golden["prompt"].as_str().expect("text");
    let args = ["--greedy", "--max-tokens", &count, "--json", "--prompt", prompt];
    let answer = json(&run(&[&["generate", "--model", &folder], &args[..]].concat(), b""));
    assert_eq!(answer["tokens"], golden["generated_ids"]);
    let quantised = ["generate", "--model", &folder, "--dtype", "q8_0"];
    json(&run(&[&quantised, &args[..]].concat(), b""));
    let ended = run(&[&["generate", "--model", &folder, "--dtype", "q9"], &args[..]].concat(), b"");
    assert_eq!(ended.code, Some(1));
    assert!(ended.stderr.contains("INVALID_OPTION"), "{}", ended.stderr);
}

#[test]
fn threads_are_measured_and_remembered() {
    let Some(data) = data() else { return };
    let model = model(&data, "F32");
    let folder = Folder::new();
    let generate = |threads: &str| {
        let args = ["--prompt", "Once", "--greedy", "--max-tokens", "20", "--profile"];
        let generate = ["generate", "--model", &model, "--threads", threads];
        let mut command = Command::new(env!("CARGO_BIN_EXE_sidestage"));
        command.args(generate).args(args);
        for name in ["XDG_CACHE_HOME", "HOME", "LOCALAPPDATA"] {
            command.env(name, folder.path());
        }
        let output = command.output().expect("its end");
        let text = |bytes| String::from_utf8(bytes).expect("text");
        (output.status.success(), text(output.stdout), text(output.stderr))
    };
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let one = generate("1");
    let first = generate("auto");
    // Fewer threads than cores are measured twice.
    assert!(generate("auto").2.contains("threads: measured"));
    let second = generate("auto");
    assert!(one.0 && first.0 && second.0, "{}{}{}", one.2, first.2, second.2);
    assert_eq!((&first.1, &second.1), (&one.1, &one.1));
    assert!(one.2.contains("threads: 1\n"), "{}", one.2);
    if cores > 1 {
        assert!(first.2.contains("threads: measured: "), "{}", first.2);
    }
    assert!(second.2.contains("threads: measured at an earlier load: "), "{}", second.2);
    // A file that was cut off is none.
    let kept = files(folder.path());
    assert_eq!(kept.len(), 1, "{kept:?}");
    fs::write(&kept[0], "{\"program\":").expect("a file");
    assert!(!generate("auto").2.contains("earlier"));
    generate("auto");
    assert!(generate("auto").2.contains("earlier"), "it is written anew");
    for wrong in ["fast", "1.5", "NaN", "-1"] {
        let (fine, _, error) = generate(wrong);
        assert!(!fine && error.starts_with("INVALID_OPTION: "), "{wrong}: {error}");
    }
    assert!(generate("0").2.starts_with("INVALID_OPTION: threads = 0"));
}

/// Every file in a folder and those in it.
fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("one").path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

#[test]
#[cfg(target_os = "linux")]
fn two_threads_on_one_processor_come_to_their_end() {
    let Some(data) = data() else { return };
    let model = model(&data, "F32");
    let generate = |threads: &str| {
        let mut command = Command::new("taskset");
        command.args(["-c", "0", env!("CARGO_BIN_EXE_sidestage"), "generate", "--model", &model]);
        command.args(["--prompt", "Once upon a time", "--greedy", "--threads", threads]);
        command.args(["--max-tokens", "200", "--ignore-eos"]).output()
    };
    let Ok(one) = generate("1") else {
        return println!("taskset is not there: left out");
    };
    for threads in ["2", "auto"] {
        let many = generate(threads).expect("its end");
        assert!(many.status.success(), "{}", String::from_utf8_lossy(&many.stderr));
        assert_eq!(many.stdout, one.stdout, "{threads}");
    }
}

#[test]
fn generate_prints_what_json_holds() {
    let Some(data) = data() else { return };
    let model = model(&data, "Q8_0");
    let args = [
        "generate",
        "--model",
        &model,
        "--prompt",
        "Once upon a time",
        "--seed",
        "7",
        "--max-tokens",
        "30",
    ];
    let plain = run(&args, b"");
    let whole = json(&run(&[&args[..], &["--json"]].concat(), b""));
    assert_eq!(plain.stdout, format!("{}\n", whole["text"].as_str().expect("text")));
    let other = json(&run(&[&args[..6], &["8", "--max-tokens", "30", "--json"]].concat(), b""));
    assert_ne!(whole["tokens"], other["tokens"], "another seed");
    let banned = whole["tokens"][0].as_u64().expect("an id");
    let bias = format!("{banned}=-100");
    let without = json(&run(&[&args[..], &["--logit-bias", &bias, "--json"]].concat(), b""));
    assert!(!without["tokens"].as_array().expect("ids").contains(&Value::from(banned)));
}

#[test]
fn logits_agree_with_generate_and_with_themselves() {
    let Some(data) = data() else { return };
    let folder = Folder::new();
    let text = fs::read_to_string(data.join("lm/stories260K-goldens.json")).expect("goldens");
    let goldens: Value = serde_json::from_str(&text).expect("JSON");
    let golden = &goldens["files"]["stories260K-F32.gguf"]["runs"][0];
    let ids = list(&golden["prompt_ids"]);
    let model = model(&data, "F32");
    let mut files = Vec::new();
    for (name, extra) in [("last.npy", &[][..]), ("all.npy", &["--all"][..])] {
        let file = folder.path().join(name).display().to_string();
        let args =
            [&["logits", "--model", &model, "--tokens", &ids, "--out", &file], extra].concat();
        let ended = run(&args, b"");
        assert_eq!(ended.code, Some(0), "{}", ended.stderr);
        files.push(fs::read(file).expect("a file"));
    }
    let (last, all) = (&files[0][128..], &files[1][128..]);
    let head = String::from_utf8_lossy(&files[1][..128]).into_owned();
    assert!(head.contains("'shape': (5, 512)"), "{head}");
    assert_eq!(last.len(), 512 * 4);
    assert_eq!(last, &all[4 * last.len()..], "the last row is the same, to the bit");
    let values = last.as_chunks::<4>().0.iter().map(|b| f32::from_le_bytes(*b));
    let likeliest = values.enumerate().max_by(|a, b| a.1.total_cmp(&b.1)).map(|(id, _)| id as u64);
    assert_eq!(likeliest, golden["generated_ids"][0].as_u64());
}

#[test]
fn tokenize_agrees_with_llama_cpp() {
    let Some(data) = data() else { return };
    let folder = data.join("tokenizers/llamacpp-vocab");
    for name in ["gpt-2", "phi-3", "qwen2"] {
        let file = folder.join(format!("ggml-vocab-{name}.gguf")).display().to_string();
        let texts = fs::read_to_string(format!("{file}.inp")).expect("texts");
        let expected = fs::read_to_string(format!("{file}.out")).expect("ids");
        // The text room tests them all; here it is the way through the command that is tested.
        let cases = texts.split("\n__ggml_vocab_test__\n").zip(expected.lines());
        for (text, ids) in cases.skip(20).step_by(9) {
            let ended =
                run(&["tokenize", "--no-special", "--json", "--model", &file], text.as_bytes());
            let ids: Vec<u64> =
                ids.split_whitespace().map(|id| id.parse().expect("an id")).collect();
            assert_eq!(json(&ended)["tokens"], Value::from(ids.clone()), "{name}: {text:?}");
            let plain = run(&["tokenize", "--no-special", "--model", &file], text.as_bytes());
            let words: Vec<u64> =
                plain.stdout.split_whitespace().map(|id| id.parse().expect("an id")).collect();
            assert_eq!(words, ids, "{name}: {text:?}");
        }
    }
}

#[test]
fn special_tokens_are_read_unless_refused() {
    let Some(data) = data() else { return };
    let model = model(&data, "F32");
    let with = json(&run(&["tokenize", "--json", "--model", &model], b"Once upon a time"));
    let without =
        json(&run(&["tokenize", "--no-special", "--json", "--model", &model], b"Once upon a time"));
    let with: Vec<Value> = with["tokens"].as_array().expect("ids").clone();
    assert_eq!(with[0], 1, "the begin token");
    assert_eq!(without["tokens"], Value::from(with[1..].to_vec()));
}

#[test]
fn inspect_shows_the_header() {
    let Some(data) = data() else { return };
    let model = model(&data, "Q4_0");
    let found = json(&run(&["inspect", &model, "--json"], b""));
    assert_eq!((&found["architecture"], &found["parameters"]), (&"llama".into(), &260_032.into()));
    assert_eq!(found["metadata"]["llama.block_count"], 5);
    assert_eq!(found["metadata"]["tokenizer.ggml.tokens"]["length"], 512);
    let tensors = found["tensors"].as_array().expect("tensors");
    assert!(
        tensors
            .iter()
            .any(|t| t["name"] == "token_embd.weight" && t["shape"] == Value::from(vec![512, 64]))
    );
    let text = run(&["inspect", &model], b"");
    assert_eq!(text.code, Some(0));
    assert!(
        text.stdout.contains("token_embd.weight") && text.stdout.contains("llama"),
        "{}",
        text.stdout
    );
}

/// The GGUF of the same model says the same, in GGUF's names, as the folder.
#[test]
fn inspect_shows_a_folder() {
    let Some(data) = data() else { return };
    let file = json(&run(&["inspect", &model(&data, "F32"), "--json"], b""));
    let path = data.join("lm/stories260K-hf").display().to_string();
    let folder = json(&run(&["inspect", &path, "--json"], b""));
    for key in ["architecture", "parameters", "layers", "width", "contextLength"] {
        assert_eq!(folder[key], file[key], "{key}");
    }
    assert_eq!(folder["files"][0]["name"], "model.safetensors");
    assert_eq!(folder["files"][0]["fileBytes"], folder["files"][0]["expectedBytes"]);
    let shapes = |found: &Value| {
        let tensors = found["tensors"].as_array().expect("tensors");
        let mut shapes: Vec<String> =
            tensors.iter().map(|t| format!("{} {}", t["name"], t["shape"])).collect();
        shapes.sort();
        shapes
    };
    assert_eq!(shapes(&folder), shapes(&file));
    let text = run(&["inspect", &path], b"");
    assert!(text.stdout.starts_with("format        safetensors\n"), "{}", text.stdout);
    // A file of it stands for all.
    for name in ["config.json", "model.safetensors"] {
        assert_eq!(json(&run(&["inspect", &format!("{path}/{name}"), "--json"], b"")), folder);
    }

    let empty = Folder::new();
    assert_eq!(run(&["inspect", &empty.path().display().to_string()], b"").error(), "NOT_FOUND");
    let cut = Folder::new();
    for name in ["config.json", "model.safetensors"] {
        let bytes = fs::read(data.join("lm/stories260K-hf").join(name)).expect("a file");
        let kept = if name == "config.json" { bytes.len() } else { bytes.len() - 9 };
        fs::write(cut.path().join(name), &bytes[..kept]).expect("a file");
    }
    let ended = run(&["inspect", &cut.path().display().to_string()], b"");
    assert_eq!(ended.error(), "MODEL_TRUNCATED");
    assert!(ended.stdout.contains("damage"), "{}", ended.stdout);
}

#[test]
fn inspect_shows_a_graph_model() {
    let Some(data) = data() else { return };
    let path = data.join("tflite/tflm_hello_world_int8.tflite").display().to_string();
    let found = json(&run(&["inspect", &path, "--json"], b""));
    // As LiteRT's interpreter says it.
    let input = &found["inputs"][0];
    assert_eq!((&input["dtype"], &input["shape"]), (&"int8".into(), &serde_json::json!([null, 1])));
    assert_eq!(input["quantization"]["zeroPoint"], -128);
    let scale = input["quantization"]["scale"].as_f64().expect("a number") as f32;
    assert_eq!(scale, 0.024_480_116);
    assert_eq!(found["ops"]["TFLITE::FULLY_CONNECTED"], 3);
    assert_eq!(found["unsupported"], Value::Array(Vec::new()));
    // A folder of TensorFlow.js is its `model.json`.
    let folder = data.join("tfjs/human-emotion");
    let inspect =
        |path: &Path| json(&run(&["inspect", &path.display().to_string(), "--json"], b""));
    assert_eq!(inspect(&folder), inspect(&folder.join("model.json")));
    let text = run(&["inspect", &path], b"");
    assert!(text.stdout.contains(", scale 0.024480116, zero point -128\n"), "{}", text.stdout);
}

#[test]
fn broken_models_are_named_by_every_command() {
    let folder = Folder::new();
    folder.write("page.gguf", "<!doctype html><title>Not found</title>");
    folder.write("empty.gguf", "");
    folder.write("short.gguf", "GGUF\u{3}\0\0\0");
    folder.write("bare.gguf", "GGUF\u{3}\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0");
    if let Some(data) = data() {
        let bytes = fs::read(model(&data, "Q4_0")).expect("a model");
        fs::write(folder.path().join("cut.gguf"), &bytes[..bytes.len() - 5000]).expect("a file");
        fs::write(folder.path().join("cut-header.gguf"), &bytes[..5000]).expect("a file");
    }
    folder.write("folder/x", "");
    let out = folder.path().join("x.npy").display().to_string();
    let mut entries: Vec<PathBuf> = fs::read_dir(folder.path())
        .expect("a folder")
        .map(|e| e.expect("an entry").path())
        .collect();
    entries.push(folder.path().join("missing.gguf"));
    for entry in entries {
        let path = entry.display().to_string();
        for args in [
            &["generate", "--model", &path, "--prompt", "x"][..],
            &["generate", "--model", &path, "--tokens", "1", "--json"],
            &["logits", "--model", &path, "--tokens", "1", "--out", &out],
            &["tokenize", "--model", &path],
            &["inspect", &path],
            &["inspect", &path, "--json"],
        ] {
            let ended = run(args, b"x");
            // A header that is whole can be inspected, and a vocabulary be used, without weights.
            let readable = match args[0] {
                "inspect" => path.ends_with("bare.gguf"),
                "tokenize" => path.ends_with("cut.gguf"),
                _ => false,
            };
            if readable {
                assert_eq!(ended.code, Some(0), "{args:?}: {}", ended.stderr);
                continue;
            }
            let code = ended.error();
            match entry.file_name().and_then(|name| name.to_str()) {
                Some("missing.gguf") => assert_eq!(code, "NOT_FOUND", "{args:?}"),
                // Its one file is taken for the model.
                Some("folder") if args[0] == "generate" => {
                    assert_eq!(code, "NOT_A_MODEL", "{args:?}");
                }
                Some("folder") if args[0] == "tokenize" => {
                    assert_eq!(code, "TOKENIZER_INVALID", "{args:?}");
                }
                Some("folder") if args[0] == "inspect" => {
                    assert_eq!(code, "NOT_FOUND", "{args:?}: no config.json");
                }
                Some("folder") => assert_eq!(code, "UNREADABLE", "{args:?}"),
                Some("cut.gguf" | "cut-header.gguf") => {
                    assert_eq!(code, "MODEL_TRUNCATED", "{args:?}")
                }
                _ => {}
            }
            assert!(!PathBuf::from(&out).exists(), "{args:?} left a file behind");
        }
    }
}

#[test]
fn impossible_requests_are_named() {
    let Some(data) = data() else { return };
    let model = model(&data, "F32");
    let generate = |args: &[&str]| run(&[&["generate", "--model", &model], args].concat(), b"");
    for (args, code, word) in [
        (&["--prompt", "x", "--temperature", "-1"][..], "INVALID_OPTION", "temperature"),
        (&["--prompt", "x", "--top-p", "1.5"], "INVALID_OPTION", "topP"),
        (&["--prompt", "x", "--logit-bias", "512=1"], "INVALID_OPTION", "logitBias"),
        (&["--tokens", "512"], "PROMPT_INVALID", "512"),
        (&["--messages", "{"], "INVALID_OPTION", "--messages"),
        (&["--messages", "{}"], "INVALID_OPTION", "--messages"),
        (&["--messages", "[]"], "NO_CHAT_TEMPLATE", "template"),
        (&["--prompt", "x", "--context-length", "0"], "INVALID_OPTION", "contextLength"),
    ] {
        let ended = generate(args);
        assert_eq!(ended.error(), code, "{args:?}");
        assert!(ended.stderr.contains(word), "{args:?}: {}", ended.stderr);
    }
    let long = vec!["5"; 600].join(",");
    assert_eq!(generate(&["--tokens", &long]).error(), "CONTEXT_LENGTH_EXCEEDED");
    let out = std::env::temp_dir().join("sidestage-no-such-folder/x.npy").display().to_string();
    let logits = |tokens: &str, out: &str| {
        run(&["logits", "--model", &model, "--tokens", tokens, "--out", out], b"")
    };
    assert_eq!(logits("1", &out).error(), "UNWRITABLE");
    assert_eq!(logits("512", &out).error(), "PROMPT_INVALID");
    assert_eq!(logits(&long, &out).error(), "CONTEXT_LENGTH_EXCEEDED");
    for args in [&["--prompt", "x", "--max-tokens", "-3"][..], &["--tokens", "1,,2"], &[]] {
        assert_eq!(generate(args).error(), "INVALID_OPTION", "{args:?}");
    }
}

#[test]
fn perplexity_of_a_quantised_file_is_near_llama_cpps() {
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/../../models/box");
    let (model, text) = (format!("{source}/box.gguf"), format!("{source}/held-out.txt"));
    let folder = Folder::new();
    let out = folder.path().join("q8_0.gguf").display().to_string();
    let wrong = run(&["quantize", "--model", &model, "--dtype", "q9", "--out", &out], b"");
    assert_eq!(wrong.error(), "INVALID_OPTION");
    let made = run(&["quantize", "--model", &model, "--dtype", "q8_0", "--out", &out], b"");
    assert_eq!(made.code, Some(0), "{}", made.stderr);
    let about = json(&run(&["inspect", &out, "--json"], b"")).to_string();
    assert!(about.contains("Q8_0") && !about.contains("\"F16\""), "{about}");

    let args = ["perplexity", "--model", &out, "--file", &text, "--chunks", "6"];
    let found = json(&run(&[&args[..], &["--json"]].concat(), b""));
    assert_eq!((&found["tokens"], &found["windows"]), (&Value::from(6 * 255), &Value::from(6)));
    // The same windows through `bench/llamacpp/loss.cpp`.
    let ratio = found["perplexity"].as_f64().expect("a number") / 23.9033;
    assert!((ratio - 1.0).abs() <= 0.005, "{found}");
    let none = run(&[&args[..5], &["--context-length", "400", "--chunks", "0"]].concat(), b"");
    assert_eq!(none.error(), "PROMPT_INVALID");
}
