//! Models of several files: split ones and folders.

use super::requests::generate;
use super::{defaults, hub, with};
use crate::session::{Session, World};
use crate::tiny::{Model, Shape, Tensor};
use crate::{Seeds, pieces, small};
use serde_json::json;
use sidestage_engine::protocol::{
    GenerateOptions, HeldFile, LoadOptions, ModelSource, Prompt, Request,
};
use sidestage_formats::gguf::Value;
use std::collections::BTreeMap;
use std::error::Error;

/// A weight's name, extents and values.
pub(super) type Named = (String, Vec<u64>, Vec<f32>);

pub(super) fn all(seeds: &mut Seeds) -> Result<(), Box<dyn Error>> {
    splits(seeds);
    folders(seeds);
    families(seeds)
}

fn splits(seeds: &mut Seeds) {
    let shape = Shape { tied: false, ..small("llama") };
    let whole = shape.model();
    let (first, second) = whole.tensors.split_at(6);
    let part = |tensors: &[Tensor], number: u16| {
        let part = Model { shape: shape.clone(), tensors: tensors.to_vec() };
        let key = |name: &str, value: Value| (format!("split.{name}"), value);
        let count = whole.tensors.len() as i32;
        let mut more = vec![
            key("no", number.into()),
            key("count", 2_u16.into()),
            key("tensors.count", count.into()),
        ];
        more.extend(if number == 0 { pieces() } else { Vec::new() });
        part.file(more)
    };
    let files =
        [("m-00001-of-00002.gguf", part(first, 0)), ("m-00002-of-00002.gguf", part(second, 1))];
    let mut world = World { version: "\"v1\"".into(), ..World::default() };
    for (name, bytes) in &files {
        world.files.insert(format!("https://h/{name}?t=1"), bytes.clone());
        world.held.push(((*name).into(), bytes.clone()));
    }
    let mut session = Session::new(world.clone());
    session.load("https://h/m-00002-of-00002.gguf?t=1", defaults());
    session.serve();
    session.dispose();
    session.load("https://h/m-00001-of-00002.gguf?t=1", with("force-cache"));
    session.serve();
    session.end("split", seeds);
    let mut session = Session::new(world.clone());
    session.load_held(defaults());
    session.serve();
    generate(&mut session, "a b", GenerateOptions::default());
    session.dispose();
    session.world.held.swap(0, 1);
    session.load_held(defaults());
    session.serve();
    session.dispose();
    session.world.held.pop();
    session.load_held(defaults());
    session.serve();
    session.end("split_held", seeds);
    let mut session = Session::new(world);
    session.load("https://h/m-00001-of-00002.gguf?t=1", defaults());
    session.serve_one(None);
    session.serve_one(Some(600));
    session.serve_one(Some(700));
    session.world.version = "\"v2\"".into();
    session.serve();
    session.end("split_changed", seeds);
}

/// `config.json` of such a llama.
pub(super) fn config(shape: &Shape) -> String {
    json!({
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "vocab_size": shape.vocab,
        "hidden_size": shape.width,
        "intermediate_size": shape.feed_forward,
        "num_hidden_layers": shape.layers,
        "num_attention_heads": shape.heads,
        "num_key_value_heads": shape.kv_heads,
        "max_position_embeddings": shape.context,
        "rms_norm_eps": 1e-5,
        "tie_word_embeddings": true,
        "bos_token_id": 9,
        "eos_token_id": [9],
    })
    .to_string()
}

/// Type of the weights, names and values.
pub(super) fn safetensors(dtype: &str, tensors: &[Named]) -> Vec<u8> {
    let mut header = serde_json::Map::new();
    header.insert("__metadata__".into(), json!({ "format": "pt" }));
    let mut bytes: Vec<u8> = Vec::new();
    for (name, extents, values) in tensors {
        let from = bytes.len();
        for value in values {
            match dtype {
                "F32" => bytes.extend(value.to_le_bytes()),
                "F16" => bytes.extend(half::f16::from_f32(*value).to_le_bytes()),
                _ => bytes.extend(half::bf16::from_f32(*value).to_le_bytes()),
            }
        }
        let offsets = [from, bytes.len()];
        let of = json!({ "dtype": dtype, "shape": extents, "data_offsets": offsets });
        header.insert(name.clone(), of);
    }
    let header = json!(header).to_string();
    [&(header.len() as u64).to_le_bytes()[..], header.as_bytes(), &bytes].concat()
}

/// The weights of a llama under the names of `transformers`.
pub(super) fn theirs(shape: &Shape) -> Vec<Named> {
    let names = [
        ("token_embd.", "model.embed_tokens."),
        ("output_norm.", "model.norm."),
        ("blk.", "model.layers."),
        (".attn_norm.", ".input_layernorm."),
        (".attn_q.", ".self_attn.q_proj."),
        (".attn_k.", ".self_attn.k_proj."),
        (".attn_v.", ".self_attn.v_proj."),
        (".attn_output.", ".self_attn.o_proj."),
        (".ffn_norm.", ".post_attention_layernorm."),
        (".ffn_gate.", ".mlp.gate_proj."),
        (".ffn_up.", ".mlp.up_proj."),
        (".ffn_down.", ".mlp.down_proj."),
    ];
    let tensors = shape.model().tensors;
    let name = |ours: &str| names.iter().fold(ours.to_owned(), |n, (a, b)| n.replace(a, b));
    tensors.into_iter().map(|tensor| (name(&tensor.name), tensor.extents, tensor.values)).collect()
}

/// The weights of a GPT-2 under the names of `transformers`.
fn by_columns(shape: &Shape) -> Vec<Named> {
    let names = [
        ("token_embd.", "wte."),
        ("position_embd.", "wpe."),
        ("output_norm.", "ln_f."),
        ("blk.", "h."),
        (".attn_norm.", ".ln_1."),
        (".attn_qkv.", ".attn.c_attn."),
        (".attn_output.", ".attn.c_proj."),
        (".ffn_norm.", ".ln_2."),
        (".ffn_up.", ".mlp.c_fc."),
        (".ffn_down.", ".mlp.c_proj."),
    ];
    let tensors = shape.model().tensors.into_iter();
    let renamed = tensors.map(|mut tensor| {
        let ours = format!("transformer.{}", tensor.name);
        let name = names.iter().fold(ours, |name, (a, b)| name.replace(a, b));
        if name.contains(".c_") {
            tensor.extents.reverse();
        }
        (name, tensor.extents, tensor.values)
    });
    renamed.collect()
}

fn folders(seeds: &mut Seeds) {
    let shape = small("llama");
    let tokenizer = json!({
        "version": "1.0",
        "added_tokens": [{ "id": 9, "content": "<e>", "special": true, "normalized": false }],
        "normalizer": null,
        "pre_tokenizer": { "type": "ByteLevel", "add_prefix_space": false },
        "decoder": { "type": "ByteLevel" },
        "model": {
            "type": "BPE",
            "vocab": { "a": 0, "b": 1, "\u{120}": 2, "1": 3, "ab": 4, "\u{120}a": 5, "A": 6,
                "\u{c3}": 7, "\u{a9}": 8, "c": 10, "d": 11 },
            "merges": ["a b", "\u{120} a"],
        },
    });
    let template = "{% for m in messages %}{{ m.role }} {{ m.content }}{% endfor %}";
    let parts: Vec<(&str, Vec<u8>)> = vec![
        ("config.json", config(&shape).into()),
        ("generation_config.json", br#"{"temperature":0.6,"top_p":0.9,"do_sample":true}"#.to_vec()),
        ("tokenizer.json", tokenizer.to_string().into()),
        (
            "tokenizer_config.json",
            json!({ "chat_template": template, "eos_token": "<e>" }).to_string().into(),
        ),
    ];
    let weights = theirs(&shape);
    let (first, second) = weights.split_at(5);
    let map: BTreeMap<&str, &str> = (first.iter().map(|w| (w.0.as_str(), "a.safetensors")))
        .chain(second.iter().map(|w| (w.0.as_str(), "b.safetensors")))
        .collect();
    let index = json!({ "metadata": { "total_size": 1 }, "weight_map": map }).to_string();
    let mut sharded = parts.clone();
    sharded.push(("model.safetensors.index.json", index.into()));
    sharded.push(("a.safetensors", safetensors("F32", first)));
    sharded.push(("b.safetensors", safetensors("F32", second)));
    let mut single = parts;
    single.push(("model.safetensors", safetensors("F32", &weights)));

    let mut session = Session::new(hub(&single, None));
    session.load("hf:o/r", defaults());
    session.serve();
    let messages = json!([{ "role": "user", "content": "ab" }]);
    session.ask(|id| Request::Generate {
        id,
        model: 1,
        prompt: Prompt::Messages { messages },
        options: GenerateOptions { stream: true, ..GenerateOptions::default() },
        credits: None,
    });
    session.run(3);
    session.dispose();
    session.load("hf:o/r", defaults());
    session.serve();
    session.end("folder_hub", seeds);

    // A server lists nothing: every usual name is asked for.
    let mut world = World { version: "\"v1\"".into(), ..World::default() };
    for (name, bytes) in &sharded {
        world.files.insert(format!("https://h/r/{name}"), bytes.clone());
    }
    let mut session = Session::new(world);
    session.load("https://h/r/", defaults());
    session.serve();
    session.dispose();
    session.load("https://h/r/a.safetensors", with("only-if-cached"));
    session.serve();
    session.end("folder_url", seeds);

    let held = |files: &[(&str, Vec<u8>)], folder: &str| World {
        held: files
            .iter()
            .map(|(name, bytes)| (format!("{folder}{name}"), bytes.clone()))
            .collect(),
        ..World::default()
    };
    let mut session = Session::new(held(&sharded, "r/"));
    session.load_held(LoadOptions { dtype: Some("f16".into()), ..defaults() });
    session.serve();
    generate(&mut session, "ab", GenerateOptions::default());
    session.end("folder_held", seeds);

    // Rows of 32, so that they can be quantised.
    let wide = Shape { width: 32, heads: 2, head_dim: 16, feed_forward: 32, ..shape.clone() };
    for (name, from, to) in [("folder_q8_0", "BF16", "q8_0"), ("folder_q4_0", "F16", "q4_0")] {
        let mut session = Session::new(held(
            &[
                ("config.json", config(&wide).into()),
                ("model.safetensors", safetensors(from, &theirs(&wide))),
            ],
            "",
        ));
        session.load_held(LoadOptions { dtype: Some(to.into()), ..defaults() });
        session.serve();
        session.end(name, seeds);
    }

    // Norms less one, and matrices that lie by columns.
    let gemma = small("gemma");
    let head = config(&gemma)
        .replace("LlamaFor", "GemmaFor")
        .replace("\"model_type\":\"llama\"", "\"model_type\":\"gemma\",\"head_dim\":4");
    let gpt2 = Shape { kv_heads: 2, feed_forward: 32, ..small("gpt2") };
    let columns = json!({ "architectures": ["GPT2LMHeadModel"], "model_type": "gpt2",
        "vocab_size": 12, "n_embd": 8, "n_layer": 1, "n_head": 2, "n_positions": 64,
        "layer_norm_epsilon": 1e-5, "activation_function": "gelu_new" });
    for (name, config, weights) in [
        ("folder_gemma", head, theirs(&gemma)),
        ("folder_gpt2", columns.to_string(), by_columns(&gpt2)),
    ] {
        let weights = safetensors("F32", &weights);
        let files = [("config.json", config.into()), ("model.safetensors", weights)];
        let mut session = Session::new(held(&files, ""));
        session.load_held(defaults());
        session.serve();
        session.end(name, seeds);
    }

    // Something is missing, is no JSON, or is about something else.
    let mut session = Session::new(held(&sharded, ""));
    for at in 0..sharded.len() {
        session.world = held(&sharded, "");
        session.world.held.remove(at);
        session.load_held(defaults());
        session.serve_some(at.min(2));
        session.dispose();
    }
    for (at, text) in [
        (0, "{"),
        (0, "[]"),
        (0, r#"{"architectures":["NoSuchModel"]}"#),
        (1, "3"),
        (2, r#"{"model":{"type":"BPE"}}"#),
        (4, r#"{"weight_map":{"x":"../../y"}}"#),
        (4, r#"{"weight_map":{}}"#),
        (5, "\u{10}\0\0\0\0\0\0\0{\"x\":3}         "),
        (5, "GGUF"),
    ] {
        session.world = held(&sharded, "");
        session.world.held[at].1 = text.into();
        session.load_held(defaults());
        session.serve();
        session.dispose();
    }
    session.end("folder_broken", seeds);

    // Of several models, or of none.
    let mut session = Session::new(World::default());
    for names in [&["a.gguf", "b.gguf"][..], &["x.txt", "y.txt"], &[], &["model.safetensors"]] {
        session.world.held = names.iter().map(|name| ((*name).into(), b"GGUF".to_vec())).collect();
        session.load_held(defaults());
        session.serve();
        session.dispose();
    }
    session.end("held_names", seeds);
}

/// Configuration and header of a folder of each family, whose weights do not come any more.
fn families(seeds: &mut Seeds) -> Result<(), Box<dyn Error>> {
    // Those whose configurations say something of their own.
    for name in [
        "llama-llama3",
        "llama-yarn",
        "mistral",
        "smollm3",
        "granite",
        "qwen3moe",
        "gemma2",
        "gemma3",
        "phi",
        "phi3-longrope",
        "gptneox",
        "falcon-grouped",
        "stablelm-parallel",
        "olmo3",
        "lfm2",
        "starcoder2",
    ] {
        let family = sidestage_miniatures::model(name).ok_or(name)?;
        let mut held = vec![("config.json".to_owned(), family.config.clone())];
        held.extend(family.index.map(|index| ("model.safetensors.index.json".into(), index)));
        held.extend(family.files);
        let file = |(name, bytes): &(String, Vec<u8>)| {
            let (name, size) = (name.clone(), bytes.len() as u64);
            HeldFile { name, size }
        };
        let source = ModelSource::Held { files: held.iter().map(file).collect() };
        for (name, bytes) in &mut held {
            if name.ends_with(".safetensors") {
                let length: [u8; 8] = bytes.get(..8).ok_or("a header")?.try_into()?;
                bytes.truncate(8 + u64::from_le_bytes(length) as usize);
            }
        }
        let mut session = Session::new(World { held, ..World::default() });
        session.ask(|id| Request::Load { id, source, options: defaults() });
        session.serve();
        session.end(format!("family_{}", family.name), seeds);
    }
    Ok(())
}
