//! Encoders: texts to vectors, in slices, one request after the other.

use crate::graphs::{field, node, number};
use crate::host::{Files, Host, Reply, SLICE, greedy, raw};
use crate::model;
use serde_json::{Value as Json, json};
use sidestage_engine::protocol::{
    EmbedOptions, ErrorInfo, LoadOptions, Outcome, Request, RunValue, Segment,
};
use sidestage_formats::{TensorInfo, gguf::Gguf};
use sidestage_kernels::dequantize_row;
use sidestage_tensor::DType;
use std::fs;

const FILE: &str = "all-MiniLM-L6-v2-KMIX.gguf";

/// A host with the encoder, and Hugging Face's vectors.
fn encoder() -> Option<(Host, Json)> {
    let data = model::data()?.join("../embed");
    let mut host = Host::with_threads(2);
    let file = fs::read(data.join(FILE)).expect("the model");
    let reply = Reply { chunk: 1 << 20, ..Reply::new(&file) };
    let info = host.load(&reply, LoadOptions::default()).expect("an encoder");
    assert_eq!((info.architecture.as_str(), info.context_length), ("bert", 512));
    assert!(info.has_tokenizer && info.warnings.is_empty(), "{:?}", info.warnings);
    let text = fs::read_to_string(data.join("all-MiniLM-L6-v2-reference.json"));
    Some((host, serde_json::from_str(&text.expect("the reference")).expect("JSON")))
}

fn start(host: &mut Host, input: Vec<Segment>, options: EmbedOptions) -> u32 {
    host.send(|id| Request::Embed { id, model: 1, input, options })
}

fn text(text: &str) -> Segment {
    Segment::Text { text: text.into() }
}

/// The vectors of a request that has ended, and the numbers of tokens.
fn vectors(host: &mut Host, id: u32) -> Result<(Vec<Vec<f32>>, Vec<i32>), ErrorInfo> {
    let outputs = match host.watch.end(id).expect("the request has ended").clone()? {
        Outcome::Ran { outputs, .. } => outputs,
        other => panic!("{other:?} is no answer"),
    };
    let names: Vec<&str> = outputs.iter().map(|output| output.name.as_str()).collect();
    assert_eq!(names, ["embeddings", "tokens"]);
    let mut bytes = outputs.iter().map(|output| match &output.value {
        RunValue::Tensor { shape, buffer, .. } => {
            let bytes = host.buffers().bytes(*buffer).to_vec();
            host.buffers().free(*buffer);
            (bytes, shape.clone())
        }
        other => panic!("{other:?}"),
    });
    let ((values, shape), (tokens, _)) = (bytes.next().expect("two"), bytes.next().expect("two"));
    let values: Vec<f32> =
        values.as_chunks().0.iter().map(|four| f32::from_le_bytes(*four)).collect();
    let tokens = tokens.as_chunks().0.iter().map(|four| i32::from_le_bytes(*four)).collect();
    Ok((values.chunks((shape[1] as usize).max(1)).map(<[f32]>::to_vec).collect(), tokens))
}

fn embed(
    host: &mut Host,
    input: Vec<Segment>,
    options: EmbedOptions,
) -> Result<(Vec<Vec<f32>>, Vec<i32>), ErrorInfo> {
    let id = start(host, input, options);
    host.run_out();
    vectors(host, id)
}

fn dot(a: &[f32], b: &[f32]) -> f64 {
    a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum()
}

fn floats(list: &Json) -> Vec<f32> {
    let list = list.as_array().expect("numbers").iter();
    list.map(|value| value.as_f64().expect("a number") as f32).collect()
}

#[test]
fn texts_become_the_vectors_of_hugging_face() {
    let Some((mut host, reference)) = encoder() else { return };
    let items = reference["items"].as_array().expect("texts");
    let input: Vec<Segment> =
        items.iter().map(|item| text(item["text"].as_str().expect("text"))).collect();
    let (all, tokens) = embed(&mut host, input, EmbedOptions::default()).expect("vectors");
    for (at, item) in items.iter().enumerate() {
        let ids: Vec<u32> = item["input_ids"]
            .as_array()
            .expect("ids")
            .iter()
            .map(|id| id.as_u64().expect("an id") as u32)
            .collect();
        let expected = floats(&reference["gguf"][FILE]["embeddings"][at]);
        let near = dot(&all[at], &expected) / dot(&expected, &expected).sqrt();
        assert!(near >= 0.999, "{near}: {}", item["text"]);
        assert_eq!(tokens[at] as usize, ids.len(), "{}", item["text"]);
        // Its tokens alone, in another request: the same bits.
        let input = vec![Segment::Ids { ids }];
        let (alone, _) = embed(&mut host, input, EmbedOptions::default()).expect("a vector");
        assert!(alone[0] == all[at], "{}", item["text"]);
    }
    let id = host.send(|id| Request::Metrics { id, model: 1, profile: false });
    let metrics = match host.watch.end(id).expect("an answer").clone().expect("figures") {
        Outcome::Metrics { metrics } => metrics,
        other => panic!("{other:?}"),
    };
    assert_eq!((metrics.requests, metrics.open_requests), (1 + items.len() as u32, 0));
    assert!(metrics.run_ms > 0.0 && metrics.prompt_tokens > 200);
}

/// Names of tensors' parts in a GGUF file, and in a folder.
type Names = [(&'static str, &'static str)];

const BERT: &Names = &[
    ("token_embd_norm", "embeddings.LayerNorm"),
    ("token_embd", "embeddings.word_embeddings"),
    ("position_embd", "embeddings.position_embeddings"),
    ("token_types", "embeddings.token_type_embeddings"),
    ("blk", "encoder.layer"),
    ("attn_output_norm", "attention.output.LayerNorm"),
    ("attn_output", "attention.output.dense"),
    ("attn_q", "attention.self.query"),
    ("attn_k", "attention.self.key"),
    ("attn_v", "attention.self.value"),
    ("layer_output_norm", "output.LayerNorm"),
    ("ffn_up", "intermediate.dense"),
    ("ffn_down", "output.dense"),
];

const DISTILBERT: &Names = &[
    ("token_embd_norm", "embeddings.LayerNorm"),
    ("token_embd", "embeddings.word_embeddings"),
    ("position_embd", "embeddings.position_embeddings"),
    ("blk", "transformer.layer"),
    ("attn_output_norm", "sa_layer_norm"),
    ("attn_output", "attention.out_lin"),
    ("attn_q", "attention.q_lin"),
    ("attn_k", "attention.k_lin"),
    ("attn_v", "attention.v_lin"),
    ("layer_output_norm", "output_layer_norm"),
    ("ffn_up", "ffn.lin1"),
    ("ffn_down", "ffn.lin2"),
];

/// The encoder as a folder of Hugging Face, with the values of its blocks. A model of this kind does the
/// same with them, but for the types of tokens: all texts are of the first one, so that its vector can be
/// part of each word's.
fn folder(kind: &str) -> Option<Files> {
    let names = if kind == "distilbert" { DISTILBERT } else { BERT };
    let data = model::data()?.join("../embed");
    let file = fs::read(data.join(FILE)).expect("the model");
    let gguf = Gguf::parse(&file).expect("a GGUF file");
    let (mut header, mut body) = (serde_json::Map::new(), Vec::new());
    let mut add = |name: String, dtype: &str, extents: &[u64], bytes: &[u8]| {
        let offsets = [body.len(), body.len() + bytes.len()];
        let info = json!({ "dtype": dtype, "shape": extents, "data_offsets": offsets });
        header.insert(name, info);
        body.extend_from_slice(bytes);
    };
    let values = |info: &TensorInfo| {
        let bytes = &file[info.offset as usize..info.end() as usize];
        let mut values = vec![0.0; info.elements() as usize];
        dequantize_row(info.dtype, bytes, &mut values);
        values
    };
    let types = gguf.tensors.get("token_types.weight").expect("types of tokens");
    let mut first_type = values(types);
    first_type.truncate(types.extents[1] as usize);
    for info in gguf.tensors.iter() {
        let parts = info.name.split('.').map(|part| {
            let known = names.iter().find(|(ours, _)| *ours == part);
            known.map_or(part, |(_, theirs)| theirs)
        });
        let mut name = parts.collect::<Vec<_>>().join(".");
        if kind == "roberta" {
            name.insert_str(0, "roberta.");
        }
        let as_bytes = |values: &[f32]| -> Vec<u8> {
            values.iter().flat_map(|value| value.to_le_bytes()).collect()
        };
        match (kind, info.name.as_str()) {
            ("distilbert", "token_types.weight") => continue,
            ("roberta", "token_types.weight") => {
                add(name, "F32", &[1, first_type.len() as u64], &as_bytes(&first_type));
                continue;
            }
            ("distilbert" | "roberta", "position_embd.weight") => {
                let (mut values, mut extents) = (values(info), info.extents.clone());
                if kind == "roberta" {
                    // That of the padding, and those before it.
                    values.splice(..0, vec![9.0; 2 * first_type.len()]);
                    extents[0] += 2;
                } else {
                    let each = values.chunks_exact_mut(first_type.len());
                    each.for_each(|row| row.iter_mut().zip(&first_type).for_each(|(x, y)| *x += y));
                }
                add(name, "F32", &extents, &as_bytes(&values));
                continue;
            }
            _ => {}
        }
        let bytes = &file[info.offset as usize..info.end() as usize];
        if info.dtype == DType::F32 {
            add(name, "F32", &info.extents, bytes);
            continue;
        }
        let halves = values(info);
        let halves = halves.iter().flat_map(|value| half::f16::from_f32(*value).to_le_bytes());
        add(name, "F16", &info.extents, &halves.collect::<Vec<u8>>());
    }
    // Of no use to an encoder.
    add("embeddings.position_ids".into(), "I64", &[1, 2], &[0; 16]);
    add("pooler.dense.weight".into(), "F32", &[1, 1], &[0; 4]);
    if kind != "bert" {
        add("lm_head.dense.weight".into(), "F32", &[1, 1], &[0; 4]);
        add("vocab_transform.weight".into(), "F32", &[1, 1], &[0; 4]);
    }
    let header = Json::Object(header).to_string();
    let length = (header.len() as u64).to_le_bytes();
    let weights = [&length[..], header.as_bytes(), &body].concat();
    let pooling = br#"{"pooling_mode_cls_token": true, "pooling_mode_mean_tokens": false}"#;
    let mut files: Files = vec![
        ("model.safetensors".into(), weights),
        ("1_Pooling/config.json".into(), pooling.to_vec()),
    ];
    for name in ["tokenizer.json", "tokenizer_config.json"] {
        files.push((name.into(), fs::read(data.join(name)).expect("a file")));
    }
    let config = match kind {
        "distilbert" => json!({
            "architectures": ["DistilBertModel"], "model_type": kind, "activation": "gelu",
            "dim": 384, "hidden_dim": 1536, "n_heads": 12, "n_layers": 6, "vocab_size": 30_522,
            "max_position_embeddings": 512, "pad_token_id": 0, "sinusoidal_pos_embds": false,
        }),
        _ => {
            let config = fs::read(data.join("config.json")).expect("the configuration");
            let mut config: Json = serde_json::from_slice(&config).expect("JSON");
            if kind == "roberta" {
                config["architectures"] = json!(["RobertaForMaskedLM"]);
                config["model_type"] = json!(kind);
                config["max_position_embeddings"] = json!(514);
                config["pad_token_id"] = json!(1);
                config["type_vocab_size"] = json!(1);
            }
            config
        }
    };
    files.push(("config.json".into(), config.to_string().into_bytes()));
    Some(files)
}

#[test]
fn a_folder_gives_the_vectors_of_its_weights() {
    for kind in ["bert", "roberta", "distilbert"] {
        let Some(files) = folder(kind) else { return };
        of_folder(files);
    }
}

fn of_folder(files: Files) {
    let mut host = Host::with_threads(2);
    let info = host.load_files(files, LoadOptions::default()).expect("an encoder");
    let words = [info.format.as_str(), info.architecture.as_str(), info.weight_type.as_str()];
    assert_eq!(words, ["safetensors", "bert", "F16"]);
    assert_eq!((info.context_length, info.vocab_size), (512, 30_522));
    assert!(info.has_tokenizer && info.warnings.is_empty(), "{:?}", info.warnings);
    let path = model::data().expect("data").join("../embed/all-MiniLM-L6-v2-reference.json");
    let reference = fs::read(path).expect("the reference");
    let reference: Json = serde_json::from_slice(&reference).expect("JSON");
    let items = reference["items"].as_array().expect("texts");
    let input = || -> Vec<Segment> {
        items.iter().map(|item| text(item["text"].as_str().expect("text"))).collect()
    };
    let pooled = |how: &str| EmbedOptions { pooling: Some(how.into()), ..EmbedOptions::default() };
    let (all, _) = embed(&mut host, input(), pooled("mean")).expect("vectors");
    for (at, item) in items.iter().enumerate() {
        let expected = floats(&reference["gguf"][FILE]["embeddings"][at]);
        let near = dot(&all[at], &expected) / dot(&expected, &expected).sqrt();
        assert!(near >= 0.9999, "{near}: {}", item["text"]);
    }
    // As the folder says it.
    let (usual, _) = embed(&mut host, input(), EmbedOptions::default()).expect("vectors");
    assert_eq!(usual, embed(&mut host, input(), pooled("cls")).expect("vectors").0);
    assert_ne!(usual, all);
}

#[test]
fn options_say_what_comes_of_a_text() {
    let Some((mut host, _)) = encoder() else { return };
    let mut one = |options| {
        let (vectors, _) = embed(&mut host, vec![text("a small text")], options).expect("a vector");
        vectors[0].clone()
    };
    let usual = one(EmbedOptions::default());
    let plain = one(EmbedOptions { normalize: Some(false), ..EmbedOptions::default() });
    assert!((dot(&usual, &usual) - 1.0).abs() < 1e-6 && (dot(&plain, &plain) - 1.0).abs() > 0.1);
    let length = dot(&plain, &plain).sqrt() as f32;
    assert!(usual.iter().zip(&plain).all(|(a, b)| (a * length - b).abs() < 1e-5));
    let short = one(EmbedOptions { dimensions: Some(8), ..EmbedOptions::default() });
    assert!(short.len() == 8 && (dot(&short, &short) - 1.0).abs() < 1e-6);
    assert!((dot(&short, &plain[..8]) / dot(&plain[..8], &plain[..8]).sqrt() - 1.0).abs() < 1e-6);
    let first = one(EmbedOptions { pooling: Some("cls".into()), ..EmbedOptions::default() });
    let mean = one(EmbedOptions { pooling: Some("mean".into()), ..EmbedOptions::default() });
    assert!(first != usual && mean == usual);
}

#[test]
fn what_cannot_be_is_refused_by_name() {
    let Some((mut host, _)) = encoder() else { return };
    let mut code = |input: Vec<Segment>, options: EmbedOptions| {
        embed(&mut host, input, options).expect_err("a refusal").code
    };
    let usual = EmbedOptions::default;
    let best = EmbedOptions { pooling: Some("best".into()), ..usual() };
    assert_eq!(code(vec![text("a")], best), "INVALID_OPTION");
    for dimensions in [0, 385] {
        let options = EmbedOptions { dimensions: Some(dimensions), ..usual() };
        assert_eq!(code(vec![text("a")], options), "INVALID_OPTION");
    }
    assert_eq!(code(vec![Segment::Ids { ids: vec![] }], usual()), "PROMPT_EMPTY");
    assert_eq!(code(vec![Segment::Ids { ids: vec![1, 99_999] }], usual()), "PROMPT_INVALID");
    let long = "word ".repeat(600);
    assert_eq!(code(vec![text("a"), text(&long)], usual()), "CONTEXT_LENGTH_EXCEEDED");
    let cut = EmbedOptions { truncate: true, ..usual() };
    let (_, tokens) = embed(&mut host, vec![text(&long)], cut).expect("a vector");
    assert_eq!(tokens, [512]);
    assert_eq!(embed(&mut host, Vec::new(), usual()).expect("nothing").0.len(), 0);
    let error = host.try_generate(raw("Once"), greedy(1)).expect_err("no text");
    assert_eq!(error.code, "TASK_UNSUPPORTED");
    let run = |id| Request::Run { id, model: 1, inputs: Vec::new(), outputs: None, reset: false };
    assert_eq!(host.ask(run).expect_err("no graph").code, "TASK_UNSUPPORTED");
    let tokens = host.ask(|id| Request::Detokenize { id, model: 1, tokens: vec![7592] });
    assert!(matches!(tokens.expect("text"), Outcome::Text { text } if text == "hello"));
    let mut story = Host::tiny();
    let error = embed(&mut story, vec![text("a")], usual()).expect_err("no encoder");
    assert_eq!(error.code, "TASK_UNSUPPORTED");
}

#[test]
fn requests_follow_each_other_and_end_when_they_are_told() {
    let Some((mut host, _)) = encoder() else { return };
    let many = || (0..20).map(|at| text(&format!("text number {at}"))).collect::<Vec<_>>();
    let (expected, _) = embed(&mut host, many(), EmbedOptions::default()).expect("vectors");
    let [a, b, c] = [0; 3].map(|_| start(&mut host, many(), EmbedOptions::default()));
    assert!(host.run(SLICE), "there is more to do");
    host.abort(a);
    host.abort(b);
    host.run_out();
    for id in [a, b] {
        assert_eq!(vectors(&mut host, id).expect_err("aborted").code, "ABORTED");
    }
    assert!(vectors(&mut host, c).expect("vectors").0 == expected);
    let open = start(&mut host, many(), EmbedOptions::default());
    host.run(SLICE);
    host.ask(|id| Request::Dispose { id, model: 1 }).expect("an end");
    assert_eq!(vectors(&mut host, open).expect_err("gone").code, "MODEL_DISPOSED");
}

/// An ONNX model that gives each token its row of a table: token t has `[t, 2t, 1]`. One more input.
fn table(more: &str) -> Vec<u8> {
    let port = |name: &str, dtype: u8, rank: usize| {
        let dims: Vec<u8> = (0..rank).flat_map(|_| field(1, &field(2, b"n"))).collect();
        let ty = field(1, &[number(1, dtype), field(2, &dims)].concat());
        [field(1, name.as_bytes()), field(2, &ty)].concat()
    };
    let rows = (0..512_u16).flat_map(|token| [f32::from(token), f32::from(token) * 2.0, 1.0]);
    let bytes: Vec<u8> = rows.flat_map(f32::to_le_bytes).collect();
    // 512 in two bytes.
    let dims = [vec![1 << 3, 0x80, 4], number(1, 3)].concat();
    let weight = [dims, number(2, 1), field(8, b"w"), field(9, &bytes)].concat();
    let graph = [
        node("Gather", ["w", "input_ids"], "last_hidden_state"),
        field(5, &weight),
        field(11, &port("input_ids", 7, 2)),
        field(11, &port(more, 7, 2)),
        field(12, &port("last_hidden_state", 1, 3)),
    ];
    [number(1, 8), field(7, &graph.concat()), field(8, &number(2, 17))].concat()
}

#[test]
fn graph_models_with_tokens_make_vectors_too() {
    let ids = |ids: &[u32]| Segment::Ids { ids: ids.to_vec() };
    let plain = || EmbedOptions { normalize: Some(false), ..EmbedOptions::default() };
    let pooling = br#"{"pooling_mode_cls_token": true, "pooling_mode_mean_tokens": false}"#;
    let Some(data) = model::data() else { return };
    let words = fs::read(data.join("stories260K-hf/tokenizer.json")).expect("a tokenizer");
    let alone: Files = vec![("onnx/model.onnx".into(), table("attention_mask"))];
    let mut told = alone.clone();
    told.push(("tokenizer.json".into(), words));
    told.push(("1_Pooling/config.json".into(), pooling.to_vec()));
    // The first two positions of RoBERTa are of no text.
    let config = br#"{"model_type": "roberta", "max_position_embeddings": 10, "pad_token_id": 1}"#;
    told.push(("config.json".into(), config.to_vec()));
    for (files, expected) in [(alone, [30.0, 60.0, 1.0]), (told, [10.0, 20.0, 1.0])] {
        let mut host = Host::new();
        let has_text = files.len() > 1;
        let info = host.load_files(files, LoadOptions::default()).expect("a model");
        assert_eq!((info.format.as_str(), info.has_tokenizer), ("onnx", has_text));
        assert_eq!(info.context_length, if has_text { 8 } else { 0 });
        let long: Vec<u32> = (0..9).collect();
        let found = embed(&mut host, vec![ids(&long)], plain());
        let code = found.map(|_| String::new()).unwrap_or_else(|error| error.code);
        assert_eq!(code, if has_text { "CONTEXT_LENGTH_EXCEEDED" } else { "" });
        let cut = EmbedOptions { truncate: true, ..plain() };
        let (_, tokens) = embed(&mut host, vec![ids(&long)], cut).expect("vectors");
        assert_eq!(tokens, [if has_text { 8 } else { 9 }]);
        let input = vec![ids(&[10, 20, 60]), ids(&[7])];
        let (found, tokens) = embed(&mut host, input, plain()).expect("vectors");
        assert_eq!(found, [expected, [7.0, 14.0, 1.0]]);
        assert_eq!(tokens, [3, 1]);
        let last = EmbedOptions { pooling: Some("last".into()), dimensions: Some(2), ..plain() };
        let (found, _) = embed(&mut host, vec![ids(&[1, 9])], last).expect("a vector");
        assert_eq!(found, [[9.0, 18.0]]);
        let wide = EmbedOptions { dimensions: Some(4), ..plain() };
        let error = embed(&mut host, vec![ids(&[1])], wide).expect_err("too wide");
        assert_eq!(error.code, "INVALID_OPTION");
        let found = embed(&mut host, vec![text("Once")], plain());
        let code = found.map(|_| String::new()).unwrap_or_else(|error| error.code);
        assert_eq!(code, if has_text { "" } else { "TOKENIZER_MISSING" });
    }
    let mut host = Host::new();
    let other = vec![("m.onnx".into(), table("pixels"))];
    host.load_files(other, LoadOptions::default()).expect("a model");
    let error = embed(&mut host, vec![ids(&[1])], plain()).expect_err("no encoder");
    assert_eq!(error.code, "TASK_UNSUPPORTED");
    assert!(error.message.contains("pixels"), "{}", error.message);
}
