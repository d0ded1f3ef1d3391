//! Folders of Hugging Face: a real one beside the GGUF file of the same weights, and what is
//! refused. Every family is compared in `crates/miniatures` and `crates/lm`.

use serde_json::{Value, json};
use sidestage_formats::Manifest;
use sidestage_formats::gguf::Gguf;
use sidestage_formats::huggingface::{Folder, FolderError, GenerationDefaults};
use sidestage_formats::safetensors::{Progress, SafetensorsHeader, SafetensorsReader};
use sidestage_tensor::DType;
use std::path::Path;

fn config(change: Value) -> Vec<u8> {
    let mut config = json!({
        "architectures": ["LlamaForCausalLM"], "hidden_size": 64, "num_hidden_layers": 2,
        "num_attention_heads": 4, "num_key_value_heads": 2, "intermediate_size": 96,
        "max_position_embeddings": 128, "hidden_act": "silu", "rms_norm_eps": 1e-5,
    });
    config.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
    serde_json::to_vec(&config).unwrap()
}

fn folder(change: Value) -> Result<Folder, FolderError> {
    Folder::read(&config(change), None, None)
}

/// A header with tensors of these types and shapes.
fn header(tensors: &[(&str, &str, &[u64])]) -> SafetensorsHeader {
    let mut entries = serde_json::Map::new();
    let mut at = 0;
    for (name, dtype, shape) in tensors {
        let size = if *dtype == "F32" { 4 } else { 2 };
        let end = at + size * shape.iter().product::<u64>();
        let entry = json!({ "dtype": dtype, "shape": shape, "data_offsets": [at, end] });
        entries.insert((*name).into(), entry);
        at = end;
    }
    read(&[&[0; 8][..], Value::Object(entries).to_string().as_bytes()].concat())
}

fn read(file: &[u8]) -> SafetensorsHeader {
    let mut file = file.to_vec();
    if file.starts_with(&[0; 8]) {
        let length = (file.len() - 8) as u64;
        file[..8].copy_from_slice(&length.to_le_bytes());
    }
    match SafetensorsReader::new().push(&file).unwrap() {
        Progress::Done { header, .. } => header,
        Progress::NeedMore { .. } => panic!("the header is cut"),
    }
}

fn manifest(
    change: Value,
    tensors: &[(&str, &str, &[u64])],
    dtype: Option<DType>,
) -> Result<Manifest, FolderError> {
    Manifest::huggingface(&folder(change)?, vec![header(tensors)], dtype)
}

/// The whole of a real folder: names, shapes, order of rows, metadata.
#[test]
fn stories_are_the_same_from_both_formats() {
    let Some(root) = std::env::var_os("SIDESTAGE_TESTDATA") else {
        println!("left out: SIDESTAGE_TESTDATA is not set");
        return;
    };
    let root = Path::new(&root).join("lm");
    let get = |name: &str| std::fs::read(root.join(name)).expect("a file of the test data");
    let file = get("stories260K-F32.gguf");
    let gguf = Gguf::parse(&file).unwrap();
    let weights = get("stories260K-hf/model.safetensors");
    let (config, generation) =
        (get("stories260K-hf/config.json"), get("stories260K-hf/generation_config.json"));
    let folder = Folder::read(&config, Some(&generation), None).unwrap();
    assert_eq!(folder.files(), ["model.safetensors"]);
    let manifest = Manifest::huggingface(&folder, vec![read(&weights)], None).unwrap();
    assert_eq!(manifest.ends, [weights.len() as u64]);
    let (mut same, mut compared) = (0, 0);
    for (key, value) in manifest.metadata.iter().filter(|(key, _)| !key.starts_with("tokenizer")) {
        same += usize::from(gguf.metadata.get(key).is_none_or(|theirs| {
            theirs.as_integer() == value.as_integer() && theirs.as_str() == value.as_str()
        }));
        compared += 1;
    }
    assert!(same == compared && compared >= 10, "{same} of {compared}");
    for part in &manifest.parts {
        let weight = &manifest.weights.as_slice()[part.weight as usize];
        let theirs = gguf.tensors.get(&weight.name).expect("a tensor of both");
        assert_eq!(theirs.extents, weight.extents, "{}", weight.name);
        let row = part.width as usize * 4;
        for index in 0..part.rows {
            let ours = &weights[part.offset as usize + index as usize * row..][..row];
            let to = theirs.offset as usize + part.order.target(index) as usize * row;
            assert_eq!(ours, &file[to..][..row], "row {index} of {}", weight.name);
        }
    }
    assert_eq!(manifest.weights.len(), gguf.tensors.len());
}

#[test]
fn matrices_keep_their_type_or_take_the_one_that_is_wanted() {
    let tensors: &[(&str, &str, &[u64])] = &[
        ("model.embed_tokens.weight", "BF16", &[96, 64]),
        ("model.norm.weight", "BF16", &[64]),
        ("model.layers.0.mlp.down_proj.weight", "F32", &[64, 100]),
        ("model.layers.0.mlp.up_proj.weight", "F16", &[96, 64]),
        ("model.layers.0.self_attn.rotary_emb.inv_freq", "F32", &[8]),
    ];
    let types = |dtype| {
        let manifest = manifest(json!({}), tensors, dtype).unwrap();
        let get = |name| manifest.weights.get(name).unwrap().dtype;
        ["token_embd.weight", "output_norm.weight", "blk.0.ffn_down.weight", "blk.0.ffn_up.weight"]
            .map(get)
    };
    let (f32, f16, bf16, q8_0) = (DType::F32, DType::F16, DType::BF16, DType::Q8_0);
    assert_eq!(types(None), [bf16, f32, f32, f16]);
    // Rows of 100 are no whole blocks.
    assert_eq!(types(Some(q8_0)), [q8_0, f32, f16, q8_0]);
    assert_eq!(types(Some(f32)), [f32, f32, f32, f32]);
    // Nor are those of 64 of a K type, of which each has its own that will do.
    assert_eq!(types(Some(DType::Q4_K)), [DType::Q5_0, f32, f16, DType::Q5_0]);
    assert_eq!(types(Some(DType::Q5_K))[0], DType::Q5_1);
    assert_eq!(types(Some(DType::Q6_K))[0], q8_0);
    let refused = manifest(json!({}), tensors, Some(DType::Q2_K)).unwrap_err();
    assert_eq!((refused.code(), refused.to_string().contains("Q2_K")), ("INVALID_OPTION", true));
}

#[test]
fn rows_of_whole_blocks_take_k_types() {
    let tensors: &[(&str, &str, &[u64])] = &[
        ("model.layers.0.mlp.down_proj.weight", "BF16", &[64, 512]),
        ("model.layers.0.mlp.up_proj.weight", "BF16", &[96, 64]),
    ];
    let manifest = manifest(json!({}), tensors, Some(DType::Q6_K)).unwrap();
    let types: Vec<DType> = manifest.weights.iter().map(|weight| weight.dtype).collect();
    assert_eq!(types, [DType::Q6_K, DType::Q8_0]);
}

/// Models that also see keep the language model's values and tensors one level deeper.
#[test]
fn the_language_model_of_one_that_sees_is_found() {
    let config = json!({ "architectures": ["Gemma3ForConditionalGeneration"],
        "vision_config": { "hidden_size": 1152 }, "eos_token_id": [1, 106],
        "text_config": { "hidden_size": 64, "num_hidden_layers": 6, "intermediate_size": 96,
            "model_type": "gemma3_text", "sliding_window": 32,
            "rope_scaling": { "factor": 8.0, "rope_type": "linear" } } });
    let folder = Folder::read(&serde_json::to_vec(&config).unwrap(), None, None).unwrap();
    assert_eq!(
        (folder.architecture(), folder.defaults().eos.as_slice()),
        ("gemma3", &[1, 106][..])
    );
    let tensors = header(&[
        ("vision_tower.vision_model.embeddings.patch_embedding.weight", "BF16", &[8, 8]),
        ("multi_modal_projector.mm_soft_emb_norm.weight", "BF16", &[8]),
        ("language_model.model.embed_tokens.weight", "BF16", &[96, 64]),
        ("model.language_model.layers.0.input_layernorm.weight", "BF16", &[64]),
    ]);
    let manifest = Manifest::huggingface(&folder, vec![tensors], None).unwrap();
    let names: Vec<&str> = manifest.weights.iter().map(|weight| weight.name.as_str()).collect();
    assert_eq!(names, ["token_embd.weight", "blk.0.attn_norm.weight"]);
    assert_eq!(manifest.parts[1].add, 1.0);
    let number = |key: &str| manifest.metadata.get_f32(&format!("gemma3.{key}")).unwrap().unwrap();
    let count = |key: &str| manifest.metadata.get_u64(&format!("gemma3.{key}")).unwrap().unwrap();
    assert_eq!((count("context_length"), count("attention.key_length")), (131_072, 256));
    assert_eq!((count("attention.head_count"), count("attention.head_count_kv")), (8, 4));
    assert_eq!((number("rope.freq_base"), number("rope.freq_base_swa")), (1e6, 1e4));
    let windows = manifest.metadata.get_bools("gemma3.attention.sliding_window_pattern");
    assert_eq!(windows, Ok(Some(&[true, true, true, true, true, false][..])));
}

/// As `openai-community/gpt2` has them: without `transformer.`, with the mask.
#[test]
fn tensors_of_a_model_saved_without_its_head_are_found() {
    let change = json!({ "architectures": ["GPT2LMHeadModel"], "hidden_act": "gelu_new",
        "num_key_value_heads": 4, "n_inner": null });
    let tensors: &[(&str, &str, &[u64])] = &[
        ("wte.weight", "F32", &[96, 64]),
        ("h.0.attn.bias", "F32", &[1, 1, 8, 8]),
        ("h.0.attn.c_attn.weight", "F32", &[64, 192]),
        ("h.0.attn.c_attn.bias", "F32", &[192]),
        ("h.1.ln_1.weight", "F32", &[64]),
    ];
    let manifest = manifest(change, tensors, None).unwrap();
    let weights: Vec<(&str, &[u64])> =
        manifest.weights.iter().map(|weight| (weight.name.as_str(), &weight.extents[..])).collect();
    let expected: [(&str, &[u64]); 4] = [
        ("token_embd.weight", &[96, 64]),
        ("blk.0.attn_qkv.weight", &[192, 64]),
        ("blk.0.attn_qkv.bias", &[192]),
        ("blk.1.attn_norm.weight", &[64]),
    ];
    assert_eq!(weights, expected);
    assert!(manifest.parts[1].transposed);
}

#[test]
fn a_tied_head_is_read_once() {
    let tensors: &[(&str, &str, &[u64])] =
        &[("model.embed_tokens.weight", "BF16", &[96, 64]), ("lm_head.weight", "BF16", &[96, 64])];
    let names = |change| manifest(change, tensors, None).unwrap().weights.len();
    assert_eq!(names(json!({ "tie_word_embeddings": true })), 1);
    assert_eq!(names(json!({ "tie_word_embeddings": false })), 2);
    assert_eq!(names(json!({})), 2);
    let gemma = json!({ "architectures": ["GemmaForCausalLM"], "hidden_act": "gelu" });
    assert_eq!(names(gemma), 1);
}

#[test]
fn what_is_not_supported_is_named() {
    for (change, named) in [
        (json!({ "architectures": ["MambaForCausalLM"] }), "MambaForCausalLM"),
        (json!({ "quantization_config": { "quant_method": "gptq" } }), "quantization_config"),
        (json!({ "hidden_act": "relu" }), "relu"),
        (json!({ "rope_scaling": { "rope_type": "wild", "factor": 2.0 } }), "wild"),
        (
            json!({ "rope_scaling": { "rope_type": "yarn", "factor": 2.0, "truncate": false } }),
            "truncate",
        ),
        (
            json!({ "architectures": ["Qwen3MoeForCausalLM"], "moe_intermediate_size": 8,
                "mlp_only_layers": [0] }),
            "mlp_only_layers",
        ),
        (
            json!({ "architectures": ["FalconForCausalLM"], "alibi": true, "hidden_act": "gelu" }),
            "alibi",
        ),
        (
            json!({ "architectures": ["SmolLM3ForCausalLM"], "no_rope_layers": [0, 1] }),
            "no_rope_layers",
        ),
        (
            json!({ "architectures": ["PhiForCausalLM"], "hidden_act": "gelu_new",
            "qk_layernorm": true }),
            "qk_layernorm",
        ),
    ] {
        let error = manifest(change, &[], None).unwrap_err();
        assert_eq!(error.code(), "MODEL_UNSUPPORTED", "{error}");
        assert!(error.to_string().contains(named), "{error}");
    }
}

#[test]
fn what_cannot_be_is_named() {
    for (change, named) in [
        (json!({ "hidden_size": 0 }), "hidden_size"),
        (json!({ "hidden_size": "64" }), "hidden_size"),
        (json!({ "num_hidden_layers": 1e9 }), "num_hidden_layers"),
        (json!({ "num_hidden_layers": null }), "num_hidden_layers"),
        (json!({ "num_key_value_heads": 3 }), "num_key_value_heads"),
        (json!({ "max_position_embeddings": -1 }), "max_position_embeddings"),
        (json!({ "rms_norm_eps": "x" }), "rms_norm_eps"),
        (json!({ "tie_word_embeddings": 1 }), "tie_word_embeddings"),
        (json!({ "rope_scaling": { "type": "linear" } }), "factor"),
        (json!({ "rope_scaling": { "type": "linear", "factor": -2.0 } }), "factor"),
        (json!({ "rope_scaling": [] }), "rope_parameters"),
        (json!({ "rope_scaling": { "type": "longrope", "short_factor": [1.0] } }), "long_factor"),
        (
            json!({ "architectures": ["Gemma2ForCausalLM"], "hidden_act": "gelu",
                "layer_types": ["full_attention"] }),
            "layer_types",
        ),
    ] {
        let error = manifest(change, &[], None).unwrap_err();
        assert_eq!(error.code(), "MODEL_INVALID", "{error}");
        assert!(error.to_string().contains(named), "{error}");
    }
    let read = |json: &[u8]| Folder::read(json, None, None).unwrap_err();
    assert_eq!(read(b"{}"), FolderError::NoArchitecture);
    let deep = [&b"{\"a\":"[..], &[b'['; 100_000]].concat();
    for bad in [&b""[..], b"[]", b"{\"a\":NaN}", b"\xff", &deep] {
        assert!(matches!(read(bad), FolderError::Json { file: "config.json", .. }));
    }
}

#[test]
fn tensors_that_do_not_fit_are_named() {
    let moe = || {
        json!({ "architectures": ["MixtralForCausalLM"], "num_local_experts": 2,
        "num_experts_per_tok": 1 })
    };
    let expert = |number: u8| format!("model.layers.0.block_sparse_moe.experts.{number}.w1.weight");
    let (first, second, third) = (expert(0), expert(1), expert(2));
    let shape: &[u64] = &[96, 64];
    for (change, tensors, code, named) in [
        (
            json!({}),
            vec![("model.layers.0.self_attn.x.weight", "F32", shape)],
            "UNSUPPORTED",
            ".x.",
        ),
        (json!({}), vec![("model.norm.weight", "I16", &[64][..])], "UNSUPPORTED", "I16"),
        (json!({}), vec![("model.norm.scale", "F32", &[64][..])], "UNSUPPORTED", "scale"),
        (
            json!({}),
            vec![("model.layers.0.self_attn.q_proj.weight", "F32", &[62, 64][..])],
            "INVALID",
            "q_proj",
        ),
        (json!({}), vec![("model.norm.weight", "F32", &[0][..])], "INVALID", "model.norm"),
        (
            json!({}),
            vec![("norm.weight", "F32", &[64][..]), ("model.norm.weight", "F32", &[64])],
            "INVALID",
            "norm",
        ),
        (moe(), vec![(first.as_str(), "F32", shape)], "INCOMPLETE", "ffn_gate_exps.weight (1)"),
        (moe(), vec![(third.as_str(), "F32", shape)], "INVALID", "experts.2"),
        (
            moe(),
            vec![(first.as_str(), "F32", shape), (second.as_str(), "F32", &[95, 64])],
            "INVALID",
            "experts.1",
        ),
    ] {
        let error = manifest(change, &tensors, None).unwrap_err();
        assert_eq!(error.code(), format!("MODEL_{code}"), "{error}");
        assert!(error.to_string().contains(named), "{error}");
    }
    let headers = Manifest::huggingface(&folder(json!({})).unwrap(), Vec::new(), None);
    assert_eq!(headers, Err(FolderError::Headers { found: 0, expected: 1 }));
}

#[test]
fn an_index_names_files_of_the_folder_only() {
    let files = |map: Value| {
        let index = serde_json::to_vec(&json!({ "metadata": {}, "weight_map": map })).unwrap();
        Folder::read(&config(json!({})), None, Some(&index)).map(|folder| folder.files().to_vec())
    };
    let two = json!({ "a": "model-2.safetensors", "b": "model-1.safetensors",
        "c": "model-2.safetensors" });
    assert_eq!(files(two).unwrap(), ["model-1.safetensors", "model-2.safetensors"]);
    assert_eq!(files(json!({ "a": "x/y.safetensors" })).unwrap(), ["x/y.safetensors"]);
    for bad in [
        "../x.safetensors",
        "/x.safetensors",
        "a/%2e%2e/x.safetensors",
        "a//x.safetensors",
        "https://x.org/x.safetensors",
        "a\\x.safetensors",
        "x.safetensors?y.safetensors",
        "x.bin",
        "",
    ] {
        let error = files(json!({ "a": bad })).unwrap_err();
        assert_eq!(error, FolderError::FileName { name: bad.into() });
    }
    let bad = Folder::read(&config(json!({})), None, Some(b"{}")).unwrap_err();
    assert!(matches!(bad, FolderError::Json { file: "model.safetensors.index.json", .. }));
}

#[test]
fn defaults_are_those_of_the_makers() {
    let generation = br#"{ "do_sample": true, "temperature": 0.7, "top_p": 0.8, "top_k": 20,
        "repetition_penalty": 1.05, "eos_token_id": [7, 2], "pad_token_id": 5,
        "max_new_tokens": 9, "min_p": null, "transformers_version": "4.0" }"#;
    let own = config(json!({ "bos_token_id": 1, "eos_token_id": 2, "torch_dtype": "bfloat16" }));
    let folder = Folder::read(&own, Some(generation), None).unwrap();
    let expected = GenerationDefaults {
        do_sample: Some(true),
        temperature: Some(0.7),
        top_p: Some(0.8),
        top_k: Some(20),
        min_p: None,
        repetition_penalty: Some(1.05),
        bos: Some(1),
        eos: vec![7, 2],
        pad: Some(5),
    };
    assert_eq!(folder.defaults(), &expected);
    assert_eq!(folder.architecture(), "llama");
    let odd = br#"{ "temperature": -1, "top_k": 2.5, "top_p": "x", "eos_token_id": null }"#;
    let folder = Folder::read(&own, Some(odd), None).unwrap();
    let expected =
        GenerationDefaults { bos: Some(1), eos: vec![2], ..GenerationDefaults::default() };
    assert_eq!(folder.defaults(), &expected);
    assert!(Folder::read(&own, Some(b"nothing"), None).is_err());
}
