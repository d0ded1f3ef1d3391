//! Families that are not built as Llama is, and Phi 3, whose matrices are fused.

use super::*;

pub(super) fn phi() -> Vec<Recipe> {
    let phi3 = |name, config| {
        let mut recipe = Recipe::new(name, "Phi3ForCausalLM", config);
        recipe.config["model_type"] = "phi3".into();
        recipe.config["hidden_act"] = "silu".into();
        recipe.config["rms_norm_eps"] = 1e-5.into();
        recipe.config["pad_token_id"] = 0.into();
        recipe.config["rope_theta"] = 10000.0.into();
        recipe.config["tie_word_embeddings"] = false.into();
        recipe.add("model.embed_tokens.weight", &[VOCAB, WIDTH], EMBEDDING);
        for layer in 0..LAYERS {
            let of = |part: &str| format!("model.layers.{layer}.{part}");
            for norm in BEFORE {
                recipe.norm(&of(norm), WIDTH, false);
            }
            let fused = (HEADS + 2 * KV_HEADS) * HEAD;
            recipe.linear(&of("self_attn.qkv_proj"), fused, WIDTH, SHARP, false);
            recipe.linear(&of("self_attn.o_proj"), WIDTH, WIDTH, PLAIN, false);
            recipe.linear(&of("mlp.gate_up_proj"), 2 * INNER, WIDTH, PLAIN, false);
            recipe.linear(&of("mlp.down_proj"), WIDTH, INNER, PLAIN, false);
        }
        recipe.norm("model.norm", WIDTH, false);
        recipe.linear("lm_head", VOCAB, WIDTH, Init::Matrix(2.0), false);
        recipe
    };
    let factors = |step: f64| (0..HEAD / 2).map(|at| 1.0 + step * at as f64).collect::<Vec<_>>();
    let longrope = |original: u32| {
        json!({ "sliding_window": null, "original_max_position_embeddings": original,
            "rope_scaling": { "type": "longrope", "long_factor": factors(0.7),
                "short_factor": factors(0.1) } })
    };
    let mut phi = Recipe::new(
        "phi",
        "PhiForCausalLM",
        json!({ "model_type": "phi", "hidden_act": "gelu_new", "layer_norm_eps": 1e-5,
            "partial_rotary_factor": 0.5, "rope_theta": 10000.0, "tie_word_embeddings": false,
            "num_key_value_heads": HEADS }),
    );
    phi.add("model.embed_tokens.weight", &[VOCAB, WIDTH], EMBEDDING);
    for layer in 0..LAYERS {
        let of = |part: &str| format!("model.layers.{layer}.{part}");
        phi.norm(&of("input_layernorm"), WIDTH, true);
        phi.linear(&of("self_attn.q_proj"), WIDTH, WIDTH, SHARP, true);
        phi.linear(&of("self_attn.k_proj"), WIDTH, WIDTH, SHARP, true);
        phi.linear(&of("self_attn.v_proj"), WIDTH, WIDTH, PLAIN, true);
        phi.linear(&of("self_attn.dense"), WIDTH, WIDTH, PLAIN, true);
        phi.linear(&of("mlp.fc1"), INNER, WIDTH, PLAIN, true);
        phi.linear(&of("mlp.fc2"), WIDTH, INNER, PLAIN, true);
    }
    phi.norm("model.final_layernorm", WIDTH, true);
    phi.linear("lm_head", VOCAB, WIDTH, Init::Matrix(2.0), true);
    vec![
        phi,
        phi3("phi3", json!({ "sliding_window": 16, "original_max_position_embeddings": 128 })),
        phi3("phi3-longrope", longrope(32)),
        phi3("phi3-longrope-short", longrope(96)),
    ]
}

pub(super) fn gpt() -> Vec<Recipe> {
    let mut gpt2 = Recipe::new(
        "gpt2",
        "GPT2LMHeadModel",
        json!({ "model_type": "gpt2", "activation_function": "gelu_new", "n_positions": 128, "n_ctx": 128,
            "n_embd": WIDTH, "n_layer": LAYERS, "n_head": HEADS, "layer_norm_epsilon": 1e-5,
            "num_hidden_layers": "absent", "hidden_size": "absent",
            "num_attention_heads": "absent", "num_key_value_heads": "absent",
            "intermediate_size": "absent", "max_position_embeddings": "absent" }),
    );
    gpt2.add("transformer.wte.weight", &[VOCAB, WIDTH], EMBEDDING);
    gpt2.add("transformer.wpe.weight", &[128, WIDTH], Init::Around(0.0, 0.5));
    for layer in 0..LAYERS {
        let of = |part: &str| format!("transformer.h.{layer}.{part}");
        gpt2.norm(&of("ln_1"), WIDTH, true);
        gpt2.norm(&of("ln_2"), WIDTH, true);
        // Columns: what a `Conv1D` stores.
        for (part, from, to, gain) in [
            ("attn.c_attn", WIDTH, 3 * WIDTH, 1.6),
            ("attn.c_proj", WIDTH, WIDTH, 1.0),
            ("mlp.c_fc", WIDTH, 4 * WIDTH, 1.0),
            ("mlp.c_proj", 4 * WIDTH, WIDTH, 1.0),
        ] {
            let spread = gain / (from as f32).sqrt();
            gpt2.add(of(&format!("{part}.weight")), &[from, to], Init::Around(0.0, spread));
            gpt2.add(of(&format!("{part}.bias")), &[to], BIAS);
        }
    }
    gpt2.norm("transformer.ln_f", WIDTH, true);
    vec![
        gpt2,
        gpt_neox("gptneox", true),
        gpt_neox("gptneox-sequential", false),
        falcon("falcon", false),
        falcon("falcon-grouped", true),
    ]
}

fn gpt_neox(name: &'static str, parallel: bool) -> Recipe {
    let mut recipe = Recipe::new(
        name,
        "GPTNeoXForCausalLM",
        json!({ "model_type": "gpt_neox", "hidden_act": "gelu", "layer_norm_eps": 1e-5,
            "rotary_pct": 0.25, "rotary_emb_base": 10000, "use_parallel_residual": parallel,
            "tie_word_embeddings": false, "num_key_value_heads": "absent" }),
    );
    recipe.add("gpt_neox.embed_in.weight", &[VOCAB, WIDTH], EMBEDDING);
    for layer in 0..LAYERS {
        let of = |part: &str| format!("gpt_neox.layers.{layer}.{part}");
        for norm in BEFORE {
            recipe.norm(&of(norm), WIDTH, true);
        }
        recipe.linear(&of("attention.query_key_value"), 3 * WIDTH, WIDTH, SHARP, true);
        recipe.linear(&of("attention.dense"), WIDTH, WIDTH, PLAIN, true);
        recipe.linear(&of("mlp.dense_h_to_4h"), INNER, WIDTH, PLAIN, true);
        recipe.linear(&of("mlp.dense_4h_to_h"), WIDTH, INNER, PLAIN, true);
    }
    recipe.norm("gpt_neox.final_layer_norm", WIDTH, true);
    recipe.linear("embed_out", VOCAB, WIDTH, Init::Matrix(2.0), false);
    recipe
}

fn falcon(name: &'static str, grouped: bool) -> Recipe {
    let kv_heads = if grouped { KV_HEADS } else { 1 };
    let mut recipe = Recipe::new(
        name,
        "FalconForCausalLM",
        json!({ "model_type": "falcon", "activation": "gelu", "layer_norm_epsilon": 1e-5,
            "alibi": false, "bias": grouped, "multi_query": true, "parallel_attn": true,
            "new_decoder_architecture": grouped, "num_kv_heads": kv_heads,
            "rope_theta": 10000.0, "num_key_value_heads": "absent",
            "intermediate_size": "absent" }),
    );
    recipe.add("transformer.word_embeddings.weight", &[VOCAB, WIDTH], EMBEDDING);
    for layer in 0..LAYERS {
        let of = |part: &str| format!("transformer.h.{layer}.{part}");
        let norms: &[&str] = if grouped { &["ln_attn", "ln_mlp"] } else { &["input_layernorm"] };
        for norm in norms {
            recipe.norm(&of(norm), WIDTH, true);
        }
        let fused = (HEADS + 2 * kv_heads) * HEAD;
        recipe.linear(&of("self_attention.query_key_value"), fused, WIDTH, SHARP, grouped);
        recipe.linear(&of("self_attention.dense"), WIDTH, WIDTH, PLAIN, grouped);
        recipe.linear(&of("mlp.dense_h_to_4h"), 4 * WIDTH, WIDTH, PLAIN, grouped);
        recipe.linear(&of("mlp.dense_4h_to_h"), WIDTH, 4 * WIDTH, PLAIN, grouped);
    }
    recipe.norm("transformer.ln_f", WIDTH, true);
    recipe
}
