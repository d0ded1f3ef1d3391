//! Everything that can be wrong with a file or its way here: a code each, and an engine that goes
//! on.

use crate::host::{Host, Reply, greedy, ids, raw};
use crate::model::{self, Shape};
use serde_json::{Value, json};
use sidestage_engine::protocol::{ErrorInfo, LoadOptions, Outcome, Prompt, Request, Threads};

/// Loads what cannot be loaded; afterwards the same engine loads a good model and answers.
fn refused(reply: &Reply) -> ErrorInfo {
    refused_with(reply, LoadOptions::default())
}

fn refused_with(reply: &Reply, options: LoadOptions) -> ErrorInfo {
    let mut host = Host::new();
    let error = host.load(reply, options).expect_err("a fault");
    assert_eq!(host.reading, None, "{error:?}: the reading goes on");
    host.load(&Reply::new(model::tiny()), LoadOptions::default()).expect("a good model");
    assert_eq!(host.generate(raw("ab"), greedy(3)).tokens.len(), 3);
    error
}

fn detail(error: &ErrorInfo, name: &str) -> Value {
    let detail = error.detail.as_ref().and_then(|detail| detail.get(name));
    detail.cloned().unwrap_or_else(|| panic!("{error:?} has no {name}"))
}

/// Byte offsets within the header and within the weights.
fn places() -> [usize; 5] {
    let length = model::tiny().len();
    [3, 500, 6000, length / 2, length - 1]
}

#[test]
fn answers_that_are_no_model() {
    let page = b"<!doctype html><title>Not here</title>";
    let html = Reply { content_type: Some("text/html; charset=utf-8"), ..Reply::new(page) };
    let plain = Reply { content_type: None, ..Reply::new(page) };
    for (status, code) in [(404, "NOT_FOUND"), (403, "ACCESS_DENIED"), (500, "HTTP_ERROR")] {
        let error = refused(&Reply { status, ..html.clone() });
        assert_eq!((error.code.as_str(), detail(&error, "status")), (code, json!(status)));
        assert!(error.hint.is_some());
    }
    assert_eq!(refused(&html).code, "NOT_A_MODEL");
    let error = refused(&plain);
    assert_eq!(
        (error.code.as_str(), detail(&error, "looksLike")),
        ("NOT_A_MODEL", json!("an HTML page"))
    );
    assert_eq!(refused(&Reply::new(b"")).code, "NOT_A_MODEL");
    assert_eq!(refused(&Reply::new(b"GG")).code, "NOT_A_MODEL");
}

#[test]
fn files_that_end_too_early() {
    let file = model::tiny();
    for at in places().into_iter().skip(1) {
        // The server is honest about the length of a file that is not whole.
        let error = refused(&Reply::new(&file[..at]));
        assert_eq!(error.code, "MODEL_TRUNCATED", "{error:?}");
        assert!(error.hint.is_some());
        // It promises more than it sends, or says nothing.
        for length in [None, Some(file.len() as u64)] {
            let error = refused(&Reply { length, ..Reply::new(&file[..at]) });
            assert!(error.code.ends_with("_TRUNCATED"), "{error:?}");
            if length.is_some() {
                assert_eq!(error.code, "DOWNLOAD_TRUNCATED");
                assert_eq!(detail(&error, "expected"), json!(file.len()));
                assert_eq!(detail(&error, "received"), json!(at));
            }
        }
    }
    // A length that the file's own header contradicts is known before the weights come.
    let mut host = Host::new();
    let reply = Reply { length: Some(100_000), ..Reply::new(&file[..30_000]) };
    let error = host.load(&reply, LoadOptions::default()).expect_err("too short");
    assert_eq!(
        (error.code.as_str(), detail(&error, "expected")),
        ("MODEL_TRUNCATED", json!(file.len()))
    );
}

#[test]
fn connections_that_break() {
    let file = model::tiny();
    for at in places() {
        let (failure, length) = (Some("network error"), Some(file.len() as u64));
        let error = refused(&Reply { failure, length, ..Reply::new(&file[..at]) });
        assert_eq!((error.code.as_str(), detail(&error, "received")), ("NETWORK_ERROR", json!(at)));
        assert!(error.message.contains("network error") && error.hint.is_some());
    }
    // No answer at all.
    let mut host = Host::new();
    let id = host.start_load(LoadOptions::default());
    let (stream, message) = (host.reading.take().expect("a reading"), "refused".into());
    host.completion(sidestage_engine::protocol::Completion::Failed {
        stream,
        message,
        refused: true,
    });
    let error = host.watch.end(id).expect("an end").as_ref().expect_err("a failure");
    assert_eq!(error.code, "NETWORK_ERROR");
    assert!(error.hint.as_ref().is_some_and(|hint| hint.contains("CORS")));
}

#[test]
fn bits_that_flipped_in_the_header() {
    let file = model::tiny();
    let mut random = model::Random::new(5, "bits");
    let (mut host, mut refusals) = (Host::new(), 0);
    for _ in 0..300 {
        let mut bad = file[..12_000].to_vec();
        for _ in 0..1 + random.below(3) {
            let bit = random.below(8 * 9000);
            bad[bit / 8] ^= 1 << (bit % 8);
        }
        let limit = LoadOptions { memory_limit: Some(64 << 20), ..LoadOptions::default() };
        let error = host.load(&Reply::new(&bad), limit).expect_err("it is cut off, too");
        refusals += u32::from(error.code != "MODEL_TRUNCATED");
    }
    assert!(refusals > 50, "{refusals} files were refused for what is in them");
    host.load(&Reply::new(file), LoadOptions::default()).expect("a good model");
}

#[test]
fn models_that_are_not_known_are_named() {
    let file = Shape { family: "mamba", ..Shape::new("llama") }.model().file(Vec::new());
    let error = refused(&Reply::new(&file));
    assert_eq!(
        (error.code.as_str(), detail(&error, "architecture")),
        ("MODEL_UNSUPPORTED", json!("mamba"))
    );
    assert!(error.message.contains("mamba"));
    assert!(
        detail(&error, "supported").as_array().is_some_and(|all| all.contains(&json!("llama")))
    );

    let error = refused(&Reply::new(&model::with("llama.rope.scaling.type", "dynamic")));
    assert_eq!(error.code, "MODEL_UNSUPPORTED");
    assert!(error.message.contains("dynamic"), "{}", error.message);
}

/// The tiny model with another type written for one tensor.
fn retyped(name: &str, id: u32) -> Vec<u8> {
    let mut file = model::tiny().to_vec();
    let at = file.windows(name.len()).position(|at| at == name.as_bytes()).expect("the tensor");
    let rank = at + name.len();
    let dims = u32::from_le_bytes(file[rank..rank + 4].try_into().expect("four bytes"));
    let ty = rank + 4 + 8 * dims as usize;
    assert_eq!(file[ty..ty + 4], [0; 4]);
    file[ty..ty + 4].copy_from_slice(&id.to_le_bytes());
    file
}

#[test]
fn types_that_are_not_known_are_named() {
    let error = refused(&Reply::new(&retyped("blk.1.ffn_up.weight", 99)));
    assert_eq!(error.code, "MODEL_UNSUPPORTED");
    assert!(error.message.contains("99") && error.message.contains("blk.1.ffn_up.weight"));
    // A type that exists and has the size of F32, but no kernel.
    let error = refused(&Reply::new(&retyped("blk.1.ffn_up.weight", 26)));
    assert_eq!((error.code.as_str(), detail(&error, "type")), ("MODEL_UNSUPPORTED", json!("I32")));
    assert_eq!(detail(&error, "tensor"), json!("blk.1.ffn_up.weight"));
}

#[test]
fn models_that_contradict_themselves() {
    let cases = [
        ("llama.attention.head_count", 0_u32),
        ("llama.attention.head_count", 5),
        ("llama.attention.head_count_kv", 3),
        ("llama.attention.key_length", 17),
        ("llama.embedding_length", 65),
        ("llama.embedding_length", u32::MAX),
        ("llama.block_count", 3),
        ("llama.block_count", u32::MAX),
        ("llama.feed_forward_length", 1),
        ("llama.context_length", 0),
        ("llama.rope.dimension_count", 15),
        ("tokenizer.ggml.bos_token_id", 5000),
    ];
    for (key, value) in cases {
        let file = rewritten(key, value);
        let error = refused(&Reply::new(&file));
        assert!(
            ["MODEL_INVALID", "TOKENIZER_INVALID"].contains(&error.code.as_str()),
            "{key} = {value}: {error:?}"
        );
    }
    for missing in ["output_norm.weight", "blk.1.attn_k.weight", "token_embd.weight"] {
        let mut model = Shape::new("llama").model();
        model.tensors.retain(|tensor| tensor.name != missing);
        let error = refused(&Reply::new(&model.file(model::vocabulary())));
        assert_eq!(error.code, "MODEL_INVALID");
        assert_eq!(detail(&error, "tensor"), json!(missing));
    }
}

/// The tiny model in which a number of the metadata is another.
fn rewritten(key: &str, value: u32) -> Vec<u8> {
    let mut file = model::tiny().to_vec();
    match file.windows(key.len()).position(|at| at == key.as_bytes()) {
        Some(at) => {
            // After the key: its type, 4 for `u32`, and the number.
            let at = at + key.len();
            assert_eq!(file[at..at + 4], 4_u32.to_le_bytes(), "{key}");
            file[at + 4..at + 8].copy_from_slice(&value.to_le_bytes());
            file
        }
        None => model::with(key, value),
    }
}

#[test]
fn tokenizers_that_are_not_known_are_named() {
    let error = refused(&Reply::new(&model::with("tokenizer.ggml.model", "wordpiece")));
    assert_eq!(error.code, "TOKENIZER_UNSUPPORTED");
    assert!(error.message.contains("wordpiece") && error.hint.is_some());
    let mut pairs = model::vocabulary();
    pairs.retain(|(key, _)| key != "tokenizer.ggml.model");
    pairs.push(("tokenizer.ggml.model".into(), "gpt2".into()));
    pairs.push(("tokenizer.ggml.pre".into(), "stage-left".into()));
    let error = refused(&Reply::new(&Shape::new("llama").model().file(pairs)));
    assert_eq!(error.code, "TOKENIZER_UNSUPPORTED");
    assert!(error.message.contains("stage-left"), "{}", error.message);
}

#[test]
fn a_model_without_a_vocabulary_takes_ids() {
    let mut host = Host::new();
    let info = host.load(&Reply::new(&model::mute()), LoadOptions::default()).expect("a model");
    assert!(!info.has_tokenizer && !info.has_chat_template);
    let expected = Host::tiny().generate(ids(1..9), greedy(6)).tokens;
    // The page learns of every token though there is no text: its credits depend on it.
    let id = host.start_with(ids(1..9), greedy(6), Some(2));
    host.run_out();
    assert_eq!(host.events(id).count(), 2);
    host.grant(id, 4);
    host.run_out();
    let result = host.answer(id).expect("an answer");
    assert_eq!((result.tokens, result.text.as_str()), (expected, ""));

    let needs_text = |host: &mut Host, prompt: Prompt| {
        let error = host.try_generate(prompt, greedy(2)).expect_err("no vocabulary");
        assert_eq!(error.code, "TOKENIZER_MISSING");
        assert!(error.hint.is_some());
    };
    needs_text(&mut host, raw("ab"));
    needs_text(&mut host, Prompt::Messages { messages: json!([]) });
    let stops = crate::options::stopping(&["x"], greedy(3));
    assert_eq!(host.try_generate(ids(1..9), stops).expect_err("no text").code, "TOKENIZER_MISSING");
    let text = |id| Request::Tokenize {
        id,
        model: 1,
        text: "ab".into(),
        add_special: true,
        parse_special: true,
    };
    assert_eq!(host.ask(text).expect_err("no vocabulary").code, "TOKENIZER_MISSING");
    let tokens = |id| Request::Detokenize { id, model: 1, tokens: vec![5] };
    assert_eq!(host.ask(tokens).expect_err("no vocabulary").code, "TOKENIZER_MISSING");
}

#[test]
fn a_plan_over_the_limit_is_refused_with_its_figures() {
    let load = |limit: u64| {
        let options = LoadOptions { memory_limit: Some(limit), ..LoadOptions::default() };
        let mut host = Host::new();
        host.load(&Reply::new(model::tiny()), options)
    };
    let error = load(1000).expect_err("too little");
    assert_eq!((error.code.as_str(), detail(&error, "limitBytes")), ("MEMORY_LIMIT", json!(1000)));
    let needed = detail(&error, "neededBytes").as_u64().expect("a figure");
    assert!(error.message.contains(&needed.to_string()) && error.hint.is_some());
    assert_eq!(load(needed - 1).expect_err("too little").code, "MEMORY_LIMIT");
    assert_eq!(load(needed).expect("enough").memory.total, needed);
    let options = LoadOptions { memory_limit: Some(1000), ..LoadOptions::default() };
    refused_with(&Reply::new(model::tiny()), options);
}

#[test]
fn load_options_that_cannot_be() {
    let default = LoadOptions::default;
    for (option, options) in [
        ("device", LoadOptions { device: Some("tpu".into()), ..default() }),
        ("contextLength", LoadOptions { context_length: Some(0), ..default() }),
        ("threads", LoadOptions { threads: Some(Threads::Count(0)), ..default() }),
    ] {
        let mut host = Host::new();
        let id = host.start_load(options);
        let error = host.watch.end(id).expect("an end").as_ref().expect_err("impossible");
        assert_eq!(
            (error.code.as_str(), detail(error, "option")),
            ("INVALID_OPTION", json!(option))
        );
        assert!(error.message.contains(option) && host.reading.is_none());
        host.load(&Reply::new(model::tiny()), default()).expect("a good model");
    }
    let mut host = Host::new();
    let id = host.start_load(LoadOptions { device: Some("webgpu".into()), ..default() });
    let error = host.watch.end(id).expect("an end").as_ref().expect_err("no GPU");
    assert_eq!(error.code, "DEVICE_UNAVAILABLE");
    assert!(error.hint.is_some());
    for device in ["auto", "cpu"] {
        let options = LoadOptions { device: Some(device.into()), ..default() };
        let mut host = Host::new();
        let model = host.load(&Reply::new(model::tiny()), options).expect("a model");
        assert_eq!(model.device, "cpu");
    }
}

#[test]
fn without_a_model_every_request_is_answered() {
    let mut host = Host::new();
    let code = |answer: Result<Outcome, ErrorInfo>| answer.expect_err("no model").code;
    for loading in [false, true] {
        if loading {
            host.start_load(LoadOptions::default());
        }
        let text = |id| Request::Tokenize {
            id,
            model: 1,
            text: "ab".into(),
            add_special: true,
            parse_special: true,
        };
        assert_eq!(code(host.ask(text)), "MODEL_NOT_LOADED");
        assert_eq!(
            code(host.ask(|id| Request::Metrics { id, model: 1, profile: false })),
            "MODEL_NOT_LOADED"
        );
        let error = host.try_generate(raw("ab"), greedy(2)).expect_err("no model");
        assert_eq!(error.code, "MODEL_NOT_LOADED");
        host.grant(1, 5);
        assert!(!host.run(1.0));
    }
}
