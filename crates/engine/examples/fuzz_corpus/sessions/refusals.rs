//! What readers and choosers refuse, one thing after the other: most ends of most branches.

use super::folders::{Named, config, safetensors, theirs};
use super::{COMMIT, HUB, URL, defaults, one, tree_url, with};
use crate::session::{Session, World};
use crate::tiny::Shape;
use crate::{Seeds, model, pieces, small};
use serde_json::{Value as Json, json};
use sidestage_engine::protocol::{
    CacheEntry, Completion, GenerateOptions, HeldFile, LoadOptions, ModelSource, Prompt, Request,
    Segment,
};
use sidestage_formats::gguf::{Array, Value};

pub(super) fn all(seeds: &mut Seeds) {
    sources(seeds);
    choices(seeds);
    broken_caches(seeds);
    configurations(seeds);
    headers(seeds);
    split_headers(seeds);
    kinds(seeds);
    prompts(seeds);
}

fn sources(seeds: &mut Seeds) {
    let mut session = Session::new(World::default());
    let long = format!("https://me:secret@h/{}", "x".repeat(300));
    for source in [
        "a\u{1}b",
        "blob:x",
        "https://u@h/m.gguf",
        "https://",
        &long,
        "?model=1",
        "m%20%C3%A9.gguf",
        "%ff",
        "https://h/a b/?x#y",
        "m-00001-of-00003.gguf",
        "m-00004-of-00003.gguf",
        "hf:o/r//x",
        "hf:o/r/x@refs/pr/1",
    ] {
        session.load(source, LoadOptions { cache_key: Some("k".into()), ..defaults() });
        session.fail(true);
        session.fail(true);
        session.dispose();
    }
    session.load("hf:o/r", LoadOptions { hub_url: Some("http://u@h".into()), ..defaults() });
    session.end("sources", seeds);
}

/// What a repository with such files is taken to be.
fn choices(seeds: &mut Seeds) {
    let folder = |shards: usize| {
        let shard = move |at| (format!("model-0000{at}-of-0000{shards}.safetensors"), 100);
        [("config.json".to_owned(), 9)].into_iter().chain((1..=shards).map(shard))
    };
    let named = |list: &[(&str, u64)]| -> Vec<(String, u64)> {
        list.iter().map(|(name, bytes)| ((*name).to_owned(), *bytes)).collect()
    };
    let mut session = Session::new(World { version: "\"v\"".into(), ..World::default() });
    for listing in [
        named(&[("a-Q4_K_M.gguf", 9_000_000), ("b-Q8_0.gguf", 20_000_000), ("c-q4_0.gguf", 8)]),
        named(&[("a-Q4_K_M.gguf", 9 << 40), ("b-IQ1_S.gguf", 8 << 40)]),
        named(&[("model.gguf", 9 << 40)]),
        named(&[("a.gguf", 1), ("b.gguf", 2)]),
        named(&[("a-00001-of-00002.gguf", 1)]),
        folder(2).collect(),
        folder(0).collect(),
        named(&[("config.json", 2), ("pytorch_model.bin", 5)]),
        named(&[("config.json", 2), ("model.safetensors.index.json", 2), ("x.safetensors", 3)]),
    ] {
        let entry =
            |(path, size): &(String, u64)| json!({ "type": "file", "path": path, "size": size });
        let listing = json!(listing.iter().map(entry).collect::<Vec<_>>()).to_string();
        session
            .world
            .files
            .insert(format!("{HUB}/api/models/o/r/revision/main"), br#"{"sha":"0a"}"#.to_vec());
        session.world.files.insert(tree_url().replace(COMMIT, "0a"), listing.into());
        session.load("hf:o/r", with("no-store"));
        session.serve_some(2);
        session.feed(b"{}");
        session.dispose();
    }
    session.load("hf:o/r/config.json", with("no-store"));
    session.serve_some(2);
    session.end("choices", seeds);
}

/// Caches that break off, and entries of other files.
fn broken_caches(seeds: &mut Seeds) {
    let file = model("llama");
    let length = file.len() as u64;
    let entry = CacheEntry {
        source: URL.into(),
        url: URL.into(),
        bytes: length,
        length: Some(length),
        complete: true,
        ..CacheEntry::default()
    };
    let mut session = Session::new(one());
    let begin = |session: &mut Session, mode: &str, entry: &CacheEntry| {
        session.dispose();
        session.load(URL, with(mode));
        session.found(Some(entry.clone()), false);
    };
    // No answer, an answer that is no use, and bytes that end too early.
    begin(&mut session, "force-cache", &entry);
    session.close();
    session.serve();
    begin(&mut session, "force-cache", &entry);
    session.feed(&file[..9]);
    begin(&mut session, "force-cache", &entry);
    session.open();
    session.feed(&file[..2000]);
    session.close();
    session.serve();
    begin(&mut session, "only-if-cached", &entry);
    session.open();
    session.fail(false);
    begin(&mut session, "only-if-cached", &CacheEntry { length: None, ..entry.clone() });
    session.open();
    session.feed(&file);
    session.close();
    // Nobody answers whether it is the same file still.
    begin(&mut session, "default", &entry);
    session.fail(false);
    session.open();
    session.feed(&file);
    begin(&mut session, "default", &entry);
    session.close();
    session.serve();
    // Its length is another one.
    begin(&mut session, "default", &entry);
    session.opened(200, Some(5), None, None);
    session.serve();
    session.end("cache_breaks", seeds);

    // The last bytes are here, and the cache takes them, or does not.
    let not_kept = Completion::NotKept {
        key: String::new(),
        code: "CACHE_FAILED".into(),
        message: "no".into(),
    };
    let mut session = Session::new(one());
    for end in 0..4 {
        session.load(URL, with("reload"));
        session.opened(200, Some(file.len() + if end < 2 { 0 } else { 50 }), None, None);
        session.feed(&file);
        match end {
            0 | 2 => session.answer(&not_kept),
            1 => session.fail(false),
            _ => {
                session.feed(&[0; 20]);
                session.answer(&not_kept);
            }
        }
        session.dispose();
    }
    session.end("cache_refuses", seeds);

    // It changes twice.
    let mut session = Session::new(one());
    session.load(URL, defaults());
    for version in ["\"v2\"", "\"v3\"", "\"v4\""] {
        session.serve_one(Some(900));
        session.world.version = version.into();
    }
    session.serve();
    session.end("changes_twice", seeds);
}

/// A folder of these two files, of which the second is said to be long.
fn folder(session: &mut Session, config: &Json, weights: &[u8]) {
    let names = ["config.json", "model.safetensors"];
    let bytes = [config.to_string().into(), weights.to_vec()];
    session.world.held = names.map(str::to_owned).into_iter().zip(bytes).collect();
    let sizes = [session.world.held[0].1.len() as u64, 1 << 20];
    let file = |(name, size): (&str, u64)| HeldFile { name: name.into(), size };
    let files = names.into_iter().zip(sizes).map(file).collect();
    let source = ModelSource::Held { files };
    session.ask(|id| Request::Load { id, source, options: defaults() });
    session.serve();
    session.dispose();
}

fn header(text: &str) -> Vec<u8> {
    [&(text.len() as u64).to_le_bytes()[..], text.as_bytes()].concat()
}

/// Configurations that are wrong in one place.
fn configurations(seeds: &mut Seeds) {
    let llama: Json = serde_json::from_str(&config(&small("llama"))).unwrap_or_default();
    let with = |base: &Json, more: Json| {
        let mut all = base.clone();
        if let (Json::Object(all), Json::Object(more)) = (&mut all, more) {
            all.extend(more);
            all.retain(|_, value| value != "absent");
        }
        all
    };
    let mut session = Session::new(World::default());
    for wrong in [
        json!({ "architectures": "absent" }),
        json!({ "architectures": [] }),
        json!({ "hidden_act": "sin" }),
        json!({ "hidden_size": 0 }),
        json!({ "hidden_size": "eight" }),
        json!({ "num_hidden_layers": "absent" }),
        json!({ "num_hidden_layers": 1.5 }),
        json!({ "num_attention_heads": 0 }),
        json!({ "num_key_value_heads": 3 }),
        json!({ "head_dim": 0 }),
        json!({ "head_dim": 4_000_000_000_u64 }),
        json!({ "tie_word_embeddings": 3 }),
        json!({ "rope_theta": "much" }),
        json!({ "rope_theta": -1 }),
        json!({ "rope_parameters": 3 }),
        json!({ "rope_parameters": { "rope_type": "default", "rope_theta": 500.0 } }),
        json!({ "rope_scaling": { "rope_type": "spiral" } }),
        json!({ "rope_scaling": { "rope_type": 3 } }),
        json!({ "rope_scaling": { "type": "linear" } }),
        json!({ "rope_scaling": { "type": "dynamic", "factor": 2.0 } }),
        json!({ "rope_scaling": { "rope_type": "yarn", "factor": 4.0, "truncate": false } }),
        json!({ "rope_scaling": { "rope_type": "yarn", "factor": 4.0, "mscale": 1.0,
            "mscale_all_dim": 0.5, "original_max_position_embeddings": 16 } }),
        json!({ "rope_scaling": { "rope_type": "longrope", "short_factor": [1.0] } }),
        json!({ "rope_scaling": { "rope_type": "longrope", "short_factor": [1.0],
            "long_factor": [1.0, 2.0, 3.0], "original_max_position_embeddings": 16 } }),
        json!({ "rope_scaling": { "rope_type": "llama3", "factor": 8.0 } }),
        json!({ "quantization_config": { "quant_method": "gptq" } }),
        json!({ "quantization_config": { "why": "x".repeat(100) } }),
        json!({ "partial_rotary_factor": 7 }),
        json!({ "bos_token_id": "one", "eos_token_id": ["two"] }),
        json!({ "text_config": { "hidden_size": 16 } }),
    ] {
        folder(&mut session, &with(&llama, wrong), &header("{}"));
    }
    session.end("config_llama", seeds);
    let mut session = Session::new(World::default());
    for (family, wrong) in [
        ("gemma3", json!({ "layer_types": ["sliding_attention"] })),
        ("gemma3", json!({ "layer_types": [3, 3, 3, 3, 3, 3] })),
        ("gemma3", json!({ "layer_types": "absent", "sliding_window": "absent" })),
        ("gemma3", json!({ "query_pre_attn_scalar": 0 })),
        (
            "gemma3",
            json!({ "rope_scaling": "absent", "rope_parameters": {
            "sliding_attention": { "rope_type": "default", "rope_theta": 1000.0 },
            "full_attention": { "rope_type": "linear", "factor": 4.0, "rope_theta": 1e5 } } }),
        ),
        (
            "gemma3",
            json!({ "rope_parameters": {
            "sliding_attention": { "rope_type": "yarn" }, "full_attention": 3 } }),
        ),
        ("gemma3", json!({ "rope_parameters": { "full_attention": {} } })),
        ("gemma2", json!({ "final_logit_softcapping": 30.0, "sliding_window": "absent" })),
        ("smollm3", json!({ "no_rope_layers": [0, 1, 1, 1] })),
        ("smollm3", json!({ "no_rope_layers": [1, 1, 1, 1] })),
        ("lfm2", json!({ "layer_types": "absent", "full_attn_idxs": [1, 3] })),
        ("lfm2", json!({ "layer_types": "absent", "full_attn_idxs": "absent" })),
        ("lfm2", json!({ "layer_types": ["conv"] })),
        ("lfm2", json!({ "layer_types": ["conv", "mamba", "conv", "conv"] })),
        ("qwen2", json!({ "use_sliding_window": true, "max_window_layers": 2 })),
        ("qwen3moe", json!({ "num_experts": 0 })),
        ("qwen3moe", json!({ "decoder_sparse_step": 2 })),
        ("phi3-longrope", json!({ "original_max_position_embeddings": "absent" })),
        ("falcon", json!({ "alibi": true })),
    ] {
        let Some(family) = sidestage_miniatures::model(family) else { continue };
        let base: Json = serde_json::from_slice(&family.config).unwrap_or_default();
        folder(&mut session, &with(&base, wrong), &header("{}"));
    }
    session.end("config_families", seeds);
}

/// Headers of safetensors files that are wrong in one place.
fn headers(seeds: &mut Seeds) {
    let shape = small("llama");
    let llama: Json = serde_json::from_str(&config(&shape)).unwrap_or_default();
    let good = theirs(&shape);
    let mut session = Session::new(World::default());
    let change = |at: usize, deed: &dyn Fn(&mut Named)| {
        let mut all = good.clone();
        deed(&mut all[at]);
        safetensors("F32", &all)
    };
    for weights in [
        change(1, &|of| of.0 = "model.layers.0.mlp.more.weight".into()),
        change(1, &|of| of.0 = "model.layers.7.mlp.up_proj.weight".into()),
        change(1, &|of| of.0 = "model.layers.0.self_attn.rotary_emb.inv_freq".into()),
        change(2, &|of| of.1.push(1)),
        change(2, &|of| of.1 = vec![4, 4]),
        change(2, &|of| of.1 = vec![1 << 40, 1 << 40]),
        change(3, &|of| of.2.truncate(3)),
    ] {
        let end = 8 + weights.first_chunk().map_or(0, |of| u64::from_le_bytes(*of)) as usize;
        folder(&mut session, &llama, &weights[..end.min(weights.len())]);
    }
    for text in [
        "{",
        r#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[4,0]}}"#,
        r#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"b":{"dtype":"F32","shape":[1],"data_offsets":[2,6]}}"#,
        r#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}"#,
        r#"{"lm_head.weight":{"dtype":"I64","shape":[1],"data_offsets":[0,8]}}"#,
        r#"{"lm_head.weight":{"dtype":"I32","shape":[1],"data_offsets":[0,4]}}"#,
        r#"{"lm_head.weight":{"dtype":"I16","shape":[1],"data_offsets":[0,2]}}"#,
        r#"{"lm_head.weight":{"dtype":"I8","shape":[1],"data_offsets":[0,1]}}"#,
        r#"{"lm_head.weight":{"dtype":"F8_E4M3","shape":[1],"data_offsets":[0,1]}}"#,
        r#"{"lm_head.weight":{"dtype":"F64","shape":[1],"data_offsets":[0,8]}}"#,
        r#"{"a":[]}"#,
        "{} ",
    ] {
        folder(&mut session, &llama, &header(text));
    }
    for length in [0, 1, 1 << 60, 4000_u64] {
        folder(&mut session, &llama, &[&length.to_le_bytes()[..], b"{\"a\":3}"].concat());
    }
    session.end("headers", seeds);
}

/// Parts of split models that do not belong together.
fn split_headers(seeds: &mut Seeds) {
    let part = |no: Option<u16>, count: u16, tensors: i32| {
        let key = |name: &str, value: Value| (format!("split.{name}"), value);
        let split = no.map(|no| {
            [key("no", no.into()), key("count", count.into()), key("tensors.count", tensors.into())]
        });
        let mut all = small("llama").model();
        all.tensors.truncate(1 + usize::from(no.unwrap_or(0)));
        all.file(split.into_iter().flatten().collect())
    };
    let names = ["m-00001-of-00002.gguf", "m-00002-of-00002.gguf"];
    let mut session = Session::new(World::default());
    for parts in [
        [part(None, 0, 0), part(Some(1), 2, 3)],
        [part(Some(0), 2, 3), part(None, 0, 0)],
        [part(Some(0), 2, 3), part(Some(1), 3, 3)],
        [part(Some(0), 2, 3), part(Some(0), 2, 3)],
        [part(Some(0), 2, 3), part(Some(7), 2, 3)],
        [part(Some(0), 3, 3), part(Some(1), 3, 3)],
        [part(Some(0), 2, 9), part(Some(1), 2, 9)],
        [part(Some(0), 2, 3), part(Some(1), 2, 3)],
    ] {
        session.world.held = names.iter().map(|name| (*name).to_owned()).zip(parts).collect();
        session.load_held(defaults());
        session.serve();
        session.dispose();
    }
    // One alone that says it is a part.
    session.world.held = vec![("m.gguf".into(), part(Some(1), 2, 3))];
    session.load_held(defaults());
    session.serve();
    session.end("split_headers", seeds);
}

/// Metadata of every kind.
fn kinds(seeds: &mut Seeds) {
    let values: Vec<Value> = vec![
        Value::U8(1),
        Value::I8(-1),
        Value::U16(1),
        Value::I16(-1),
        Value::U64(1),
        Value::I64(-1),
        Value::F64(0.5),
        Value::Array(Array::U8(vec![1, 2])),
        Value::Array(Array::I8(vec![1, 2])),
        Value::Array(Array::U16(vec![1, 2])),
        Value::Array(Array::I16(vec![1, 2])),
        Value::Array(Array::U64(vec![1, 2])),
        Value::Array(Array::I64(vec![1, 2])),
        Value::Array(Array::F64(vec![1.0])),
        Value::Array(Array::Bool(vec![true, false])),
        Value::Array(Array::Array(vec![Array::U8(vec![1]), Array::Array(vec![Array::I8(vec![])])])),
    ];
    let mut more = pieces();
    more.extend(values.into_iter().enumerate().map(|(at, value)| (format!("x.{at}"), value)));
    let mut session = Session::new(World::default());
    session.world.held = vec![("m.gguf".into(), small("llama").model().file(more))];
    session.load_held(LoadOptions { dtype: Some("q8_0".into()), ..defaults() });
    session.serve();
    session.end("kinds", seeds);
    // A key of the family with a value of another kind.
    let mut session = Session::new(World::default());
    for value in [Value::from("x"), Value::from(u32::MAX)] {
        for key in ["embedding_length", "block_count", "attention.head_count", "rope.freq_base"] {
            let shape = Shape { tied: true, ..small("llama") };
            let mut few = shape.model();
            few.tensors.truncate(2);
            let file = few.file(vec![(format!("llama.{key}"), value.clone())]);
            session.world.held = vec![("m.gguf".into(), file)];
            session.load_held(defaults());
            session.serve();
            session.dispose();
        }
    }
    session.end("keys", seeds);
}

fn prompts(seeds: &mut Seeds) {
    let mut session = Session::new(World::default());
    session.world.held = vec![("m.gguf".into(), model("chat"))];
    // Hardly room for the model.
    for memory_limit in [100, 27_800] {
        session.load_held(LoadOptions { memory_limit: Some(memory_limit), ..defaults() });
        session.serve();
        for length in [20, 60, 60] {
            let ids = vec![1 + length % 7; length as usize];
            let prompt = Prompt::Segments { segments: vec![Segment::Ids { ids }], raw: true };
            let options = GenerateOptions { ignore_eos: true, ..GenerateOptions::default() };
            session.ask(|id| Request::Generate { id, model: 1, prompt, options, credits: Some(2) });
        }
        session.run(4);
        (0..4).for_each(|back| {
            let id = session.last() - back;
            session.ask(|_| Request::Credit { id, model: 1, count: 5 });
        });
        session.run(4);
        session.dispose();
    }
    session.load_held(defaults());
    session.serve();
    let text = |text: String| Segment::Text { text };
    for segments in [
        vec![],
        vec![text(String::new())],
        vec![Segment::Ids { ids: vec![12] }],
        vec![text("ab".repeat(2000))],
        vec![text("ab".into()), Segment::Ids { ids: vec![3] }],
    ] {
        let prompt = Prompt::Segments { segments, raw: true };
        let options = GenerateOptions { stop_tokens: vec![2], ..GenerateOptions::default() };
        session.ask(|id| Request::Generate { id, model: 1, prompt, options, credits: None });
        session.run(2);
    }
    for options in [
        GenerateOptions { stop_tokens: vec![99], ..GenerateOptions::default() },
        GenerateOptions {
            stop_sequences: vec!["a".into(), "b".into()],
            ..GenerateOptions::default()
        },
    ] {
        let prompt = Prompt::Segments { segments: vec![text("ab".into())], raw: true };
        session.ask(|id| Request::Generate { id, model: 1, prompt, options, credits: None });
        session.run(3);
    }
    session.end("prompts", seeds);
}
