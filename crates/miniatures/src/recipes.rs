//! Sizes and habits of each model. Names and shapes are those of `transformers`.

mod classic;

use crate::VOCABULARY;
use serde_json::{Value, json};
use sidestage_tensor::DType;

/// What a model is made from.
pub(crate) struct Recipe {
    pub(crate) name: &'static str,
    pub(crate) config: Value,
    pub(crate) tensors: Vec<(String, Vec<usize>, Init)>,
    /// The type of the weights in the files.
    pub(crate) dtype: DType,
    /// Files of weights.
    pub(crate) files: usize,
}

/// Random numbers of a tensor.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Init {
    /// What keeps the size of what is multiplied, times this.
    Matrix(f32),
    /// A middle and a spread.
    Around(f32, f32),
}

const VOCAB: usize = VOCABULARY as usize;
const WIDTH: usize = 64;
const INNER: usize = 96;
const LAYERS: usize = 4;
const HEADS: usize = 4;
const KV_HEADS: usize = 2;
const HEAD: usize = WIDTH / HEADS;

/// Norms: not 1, so that a forgotten one is seen.
const NORM: Init = Init::Around(1.0, 0.2);
const NORM_LESS_ONE: Init = Init::Around(0.0, 0.2);
const BIAS: Init = Init::Around(0.0, 0.2);
/// Scores that make some positions count for more than others.
const SHARP: Init = Init::Matrix(1.6);
const PLAIN: Init = Init::Matrix(1.0);
const EMBEDDING: Init = Init::Around(0.0, 1.0);

impl Recipe {
    fn new(name: &'static str, class: &str, config: Value) -> Self {
        let mut all = json!({
            "architectures": [class],
            "vocab_size": VOCAB,
            "hidden_size": WIDTH,
            "intermediate_size": INNER,
            "num_hidden_layers": LAYERS,
            "num_attention_heads": HEADS,
            "num_key_value_heads": KV_HEADS,
            "max_position_embeddings": 128,
            "bos_token_id": 1,
            "eos_token_id": 2,
            "torch_dtype": "float32",
        });
        if let (Value::Object(all), Value::Object(config)) = (&mut all, config) {
            all.extend(config);
            all.retain(|_, value| value != "absent");
        }
        Self { name, config: all, tensors: Vec::new(), dtype: DType::F32, files: 1 }
    }

    fn add(&mut self, name: impl Into<String>, extents: &[usize], init: Init) {
        self.tensors.push((name.into(), extents.into(), init));
    }

    /// A matrix from `from` to `to` values, with a bias or without.
    fn linear(&mut self, name: &str, to: usize, from: usize, init: Init, bias: bool) {
        self.add(format!("{name}.weight"), &[to, from], init);
        if bias {
            self.add(format!("{name}.bias"), &[to], BIAS);
        }
    }

    fn norm(&mut self, name: &str, width: usize, bias: bool) {
        self.add(format!("{name}.weight"), &[width], NORM);
        if bias {
            self.add(format!("{name}.bias"), &[width], BIAS);
        }
    }

    fn layers(&self) -> usize {
        self.config["num_hidden_layers"].as_u64().unwrap_or(LAYERS as u64) as usize
    }
}

/// How a model of the usual build differs from Llama.
struct Usual {
    head: usize,
    kv_heads: usize,
    /// Biases of queries, keys and values; of the output; of the feed-forward part.
    biases: [bool; 3],
    norm_bias: bool,
    norms: &'static [&'static str],
    /// Norms of queries and keys, of these widths.
    head_norms: Option<(usize, usize)>,
    norm: Init,
    tied: bool,
    inner: Inner,
}

#[derive(Clone, Copy)]
enum Inner {
    Gated,
    Qwen,
    Mixtral,
    Starcoder,
}

const EXPERTS: usize = 6;
const EXPERT_INNER: usize = 32;

const BEFORE: &[&str] = &["input_layernorm", "post_attention_layernorm"];
const AFTER: &[&str] = &["post_attention_layernorm", "post_feedforward_layernorm"];
const AROUND: &[&str] = &[
    "input_layernorm",
    "post_attention_layernorm",
    "pre_feedforward_layernorm",
    "post_feedforward_layernorm",
];

const LLAMA: Usual = Usual {
    head: HEAD,
    kv_heads: KV_HEADS,
    biases: [false; 3],
    norm_bias: false,
    norms: BEFORE,
    head_norms: None,
    norm: NORM,
    tied: false,
    inner: Inner::Gated,
};

impl Recipe {
    fn usual(mut self, usual: &Usual) -> Self {
        let Usual { head, kv_heads, biases, norm, norm_bias, .. } = *usual;
        self.add("model.embed_tokens.weight", &[VOCAB, WIDTH], EMBEDDING);
        for layer in 0..self.layers() {
            let of = |part: &str| format!("model.layers.{layer}.{part}");
            for name in usual.norms {
                self.add(of(&format!("{name}.weight")), &[WIDTH], norm);
                if norm_bias {
                    self.add(of(&format!("{name}.bias")), &[WIDTH], BIAS);
                }
            }
            self.linear(&of("self_attn.q_proj"), HEADS * head, WIDTH, SHARP, biases[0]);
            self.linear(&of("self_attn.k_proj"), kv_heads * head, WIDTH, SHARP, biases[0]);
            self.linear(&of("self_attn.v_proj"), kv_heads * head, WIDTH, PLAIN, biases[0]);
            self.linear(&of("self_attn.o_proj"), WIDTH, HEADS * head, PLAIN, biases[1]);
            if let Some((q, k)) = usual.head_norms {
                self.add(of("self_attn.q_norm.weight"), &[q], norm);
                self.add(of("self_attn.k_norm.weight"), &[k], norm);
            }
            match usual.inner {
                Inner::Gated => {
                    self.linear(&of("mlp.gate_proj"), INNER, WIDTH, PLAIN, biases[2]);
                    self.linear(&of("mlp.up_proj"), INNER, WIDTH, PLAIN, biases[2]);
                    self.linear(&of("mlp.down_proj"), WIDTH, INNER, PLAIN, biases[2]);
                }
                Inner::Starcoder => {
                    self.linear(&of("mlp.c_fc"), INNER, WIDTH, PLAIN, biases[2]);
                    self.linear(&of("mlp.c_proj"), WIDTH, INNER, PLAIN, biases[2]);
                }
                Inner::Qwen => {
                    self.linear(&of("mlp.gate"), EXPERTS, WIDTH, PLAIN, false);
                    self.experts(&of("mlp.experts"), ["gate_proj", "up_proj", "down_proj"]);
                }
                Inner::Mixtral => {
                    self.linear(&of("block_sparse_moe.gate"), EXPERTS, WIDTH, PLAIN, false);
                    self.experts(&of("block_sparse_moe.experts"), ["w1", "w3", "w2"]);
                }
            }
        }
        self.add("model.norm.weight", &[WIDTH], norm);
        if norm_bias {
            self.add("model.norm.bias", &[WIDTH], BIAS);
        }
        if !usual.tied {
            self.linear("lm_head", VOCAB, WIDTH, Init::Matrix(2.0), false);
        }
        self.config["tie_word_embeddings"] = usual.tied.into();
        self
    }

    fn experts(&mut self, name: &str, [gate, up, down]: [&str; 3]) {
        for expert in 0..EXPERTS {
            self.linear(&format!("{name}.{expert}.{gate}"), EXPERT_INNER, WIDTH, PLAIN, false);
            self.linear(&format!("{name}.{expert}.{up}"), EXPERT_INNER, WIDTH, PLAIN, false);
            self.linear(&format!("{name}.{expert}.{down}"), WIDTH, EXPERT_INNER, PLAIN, false);
        }
    }
}

/// Every model there is.
pub(crate) fn all() -> Vec<Recipe> {
    let mut all = llama();
    all.extend(qwen());
    all.extend(gemma());
    all.extend(classic::phi());
    all.extend(classic::gpt());
    all.extend(others());
    all
}

fn llama() -> Vec<Recipe> {
    let recipe = |name, class, config| {
        let mut recipe = Recipe::new(name, class, config);
        recipe.config["hidden_act"] = "silu".into();
        recipe.config["rms_norm_eps"] = 1e-5.into();
        recipe
    };
    let llama = |name, config| {
        let mut recipe = recipe(name, "LlamaForCausalLM", config);
        recipe.config["model_type"] = "llama".into();
        recipe
    };
    let llama3 = json!({ "rope_theta": 10000.0, "head_dim": 24, "rope_scaling": {
        "rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
        "original_max_position_embeddings": 64 } });
    let linear = json!({ "rope_theta": 10000.0,
        "rope_scaling": { "type": "linear", "factor": 4.0 } });
    let yarn = json!({ "torch_dtype": "bfloat16", "rope_theta": 10000.0, "rope_scaling": {
        "rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 32 } });
    vec![
        llama("llama", json!({ "attention_bias": true, "mlp_bias": true, "rope_theta": 5000.0 }))
            .usual(&Usual { biases: [true; 3], ..LLAMA }),
        llama("llama-llama3", llama3).usual(&Usual { head: 24, tied: true, ..LLAMA }),
        Recipe { dtype: DType::F16, ..llama("llama-linear", linear).usual(&LLAMA) },
        Recipe { dtype: DType::BF16, files: 3, ..llama("llama-yarn", yarn).usual(&LLAMA) },
        recipe(
            "mistral",
            "MistralForCausalLM",
            json!({ "model_type": "mistral", "sliding_window": 16, "rope_theta": 10000.0 }),
        )
        .usual(&LLAMA),
        recipe(
            "mixtral",
            "MixtralForCausalLM",
            json!({ "model_type": "mixtral", "sliding_window": null, "num_local_experts": EXPERTS,
                "num_experts_per_tok": 2, "intermediate_size": EXPERT_INNER,
                "rope_theta": 10000.0 }),
        )
        .usual(&Usual { inner: Inner::Mixtral, ..LLAMA }),
        recipe(
            "smollm3",
            "SmolLM3ForCausalLM",
            json!({ "model_type": "smollm3", "num_hidden_layers": 5, "rope_theta": 10000.0,
                "no_rope_layers": [1, 1, 1, 0, 1], "pad_token_id": 0 }),
        )
        .usual(&Usual { tied: true, ..LLAMA }),
        recipe(
            "granite",
            "GraniteForCausalLM",
            json!({ "model_type": "granite", "attention_multiplier": 0.4, "rope_theta": 10000.0,
                "embedding_multiplier": 3.0, "residual_multiplier": 0.6, "logits_scaling": 1.7 }),
        )
        .usual(&Usual { tied: true, ..LLAMA }),
    ]
}

fn qwen() -> Vec<Recipe> {
    let recipe = |name, class, config| {
        let mut recipe = Recipe::new(name, class, config);
        recipe.config["hidden_act"] = "silu".into();
        recipe.config["rms_norm_eps"] = 1e-6.into();
        recipe
    };
    let qwen2 = Usual { biases: [true, false, false], ..LLAMA };
    let qwen3 = Usual { head: 24, head_norms: Some((24, 24)), ..LLAMA };
    vec![
        recipe(
            "qwen2",
            "Qwen2ForCausalLM",
            json!({ "model_type": "qwen2", "rope_theta": 1e6, "use_sliding_window": true,
                "sliding_window": 16, "max_window_layers": 2 }),
        )
        .usual(&Usual { tied: true, ..qwen2 }),
        recipe(
            "qwen2-yarn",
            "Qwen2ForCausalLM",
            json!({ "model_type": "qwen2", "rope_theta": 10000.0, "use_sliding_window": false,
                "sliding_window": 16, "max_window_layers": 2, "rope_scaling": {
                "type": "yarn", "factor": 4.0, "original_max_position_embeddings": 32,
                "beta_fast": 16.0, "beta_slow": 2.0, "attention_factor": 1.3 } }),
        )
        .usual(&qwen2),
        recipe(
            "qwen3",
            "Qwen3ForCausalLM",
            json!({ "model_type": "qwen3", "rope_theta": 1e6, "head_dim": 24,
                "use_sliding_window": false }),
        )
        .usual(&Usual { tied: true, ..qwen3 }),
        recipe(
            "qwen3moe",
            "Qwen3MoeForCausalLM",
            json!({ "model_type": "qwen3_moe", "rope_theta": 1e6, "head_dim": 24,
                "num_experts": EXPERTS, "num_experts_per_tok": 3, "norm_topk_prob": true,
                "moe_intermediate_size": EXPERT_INNER, "decoder_sparse_step": 1,
                "mlp_only_layers": [], "use_sliding_window": false }),
        )
        .usual(&Usual { inner: Inner::Qwen, ..qwen3 }),
        recipe(
            "qwen3moe-unnormalized",
            "Qwen3MoeForCausalLM",
            json!({ "model_type": "qwen3_moe", "rope_theta": 1e6, "head_dim": 24,
                "num_experts": EXPERTS, "num_experts_per_tok": 2, "norm_topk_prob": false,
                "moe_intermediate_size": EXPERT_INNER, "decoder_sparse_step": 1,
                "mlp_only_layers": [], "use_sliding_window": false }),
        )
        .usual(&Usual { inner: Inner::Qwen, ..qwen3 }),
    ]
}

fn gemma() -> Vec<Recipe> {
    let gemma = Usual { head: 24, norm: NORM_LESS_ONE, tied: true, ..LLAMA };
    let recipe = |name, class, config| {
        let mut recipe = Recipe::new(name, class, config);
        recipe.config["hidden_activation"] = "gelu_pytorch_tanh".into();
        recipe.config["rms_norm_eps"] = 1e-6.into();
        recipe.config["head_dim"] = 24.into();
        recipe.config["pad_token_id"] = 0.into();
        recipe
    };
    vec![
        recipe(
            "gemma",
            "GemmaForCausalLM",
            json!({ "model_type": "gemma", "num_key_value_heads": 1, "rope_theta": 10000.0 }),
        )
        .usual(&Usual { kv_heads: 1, ..gemma }),
        recipe(
            "gemma2",
            "Gemma2ForCausalLM",
            json!({ "model_type": "gemma2", "rope_theta": 10000.0, "sliding_window": 16,
                "query_pre_attn_scalar": 10, "attn_logit_softcapping": 2.5,
                "final_logit_softcapping": 3.0 }),
        )
        .usual(&Usual { norms: AROUND, ..gemma }),
        recipe(
            "gemma3",
            "Gemma3ForCausalLM",
            json!({ "model_type": "gemma3_text", "rope_theta": 100000.0, "sliding_window": 16,
                "rope_local_base_freq": 1000.0, "num_hidden_layers": 6,
                "sliding_window_pattern": 3, "query_pre_attn_scalar": 10,
                "layer_types": ["sliding_attention", "sliding_attention", "full_attention",
                    "sliding_attention", "sliding_attention", "full_attention"],
                "rope_scaling": { "rope_type": "linear", "factor": 4.0 } }),
        )
        .usual(&Usual { norms: AROUND, head_norms: Some((24, 24)), ..gemma }),
    ]
}

fn others() -> Vec<Recipe> {
    let recipe = |name, class, config| Recipe::new(name, class, config);
    let stablelm = json!({ "model_type": "stablelm", "hidden_act": "silu",
        "layer_norm_eps": 1e-5, "partial_rotary_factor": 0.25, "rope_theta": 10000.0,
        "use_qkv_bias": true, "use_parallel_residual": false, "qk_layernorm": false });
    // The larger sister: one norm for both parts, and one for each head.
    let parallel = json!({ "model_type": "stablelm", "hidden_act": "silu",
        "layer_norm_eps": 1e-5, "partial_rotary_factor": 0.25, "rope_theta": 10000.0,
        "use_qkv_bias": false, "use_parallel_residual": true, "qk_layernorm": true });
    let mut parallel = recipe("stablelm-parallel", "StableLmForCausalLM", parallel).usual(&Usual {
        norms: &["input_layernorm"],
        norm_bias: true,
        ..LLAMA
    });
    for layer in 0..LAYERS {
        for (which, heads) in [("q", HEADS), ("k", KV_HEADS)] {
            for head in 0..heads {
                let norm = format!("self_attn.{which}_layernorm.norms.{head}.weight");
                parallel.add(format!("model.layers.{layer}.{norm}"), &[HEAD], NORM);
            }
        }
    }
    vec![
        recipe("stablelm", "StableLmForCausalLM", stablelm).usual(&Usual {
            biases: [true, false, false],
            norm_bias: true,
            ..LLAMA
        }),
        parallel,
        recipe(
            "olmo2",
            "Olmo2ForCausalLM",
            json!({ "model_type": "olmo2", "hidden_act": "silu", "rms_norm_eps": 1e-5,
                "rope_theta": 10000.0, "pad_token_id": 0 }),
        )
        .usual(&Usual {
            norms: AFTER,
            head_norms: Some((HEADS * HEAD, KV_HEADS * HEAD)),
            ..LLAMA
        }),
        recipe(
            "olmo3",
            "Olmo3ForCausalLM",
            json!({ "model_type": "olmo3", "hidden_act": "silu", "rms_norm_eps": 1e-5,
                "rope_theta": 500000.0, "pad_token_id": 0, "sliding_window": 16,
                "rope_scaling": { "rope_type": "yarn", "factor": 4.0,
                    "original_max_position_embeddings": 32 } }),
        )
        .usual(&Usual {
            norms: AFTER,
            head_norms: Some((HEADS * HEAD, KV_HEADS * HEAD)),
            ..LLAMA
        }),
        lfm2(),
        recipe(
            "starcoder2",
            "Starcoder2ForCausalLM",
            json!({ "model_type": "starcoder2", "hidden_act": "gelu_pytorch_tanh",
                "norm_epsilon": 1e-5, "use_bias": true, "sliding_window": 16,
                "rope_theta": 10000.0 }),
        )
        .usual(&Usual {
            biases: [true; 3],
            norm_bias: true,
            tied: true,
            inner: Inner::Starcoder,
            ..LLAMA
        }),
    ]
}

fn lfm2() -> Recipe {
    // 224 * 2 / 3 is 149, and a multiple of 32 from there on 160.
    let mut recipe = Recipe::new(
        "lfm2",
        "Lfm2ForCausalLM",
        json!({ "model_type": "lfm2", "norm_eps": 1e-5, "rope_theta": 10000.0, "conv_L_cache": 3,
            "conv_bias": false, "block_auto_adjust_ff_dim": true, "block_ff_dim": 224,
            "block_multiple_of": 32, "block_ffn_dim_multiplier": 1.0, "pad_token_id": 0,
            "intermediate_size": 224, "tie_word_embeddings": true,
            "layer_types": ["conv", "full_attention", "conv", "full_attention"] }),
    );
    let inner = 160;
    recipe.add("model.embed_tokens.weight", &[VOCAB, WIDTH], EMBEDDING);
    for layer in 0..LAYERS {
        let of = |part: &str| format!("model.layers.{layer}.{part}");
        recipe.norm(&of("operator_norm"), WIDTH, false);
        recipe.norm(&of("ffn_norm"), WIDTH, false);
        if layer.is_multiple_of(2) {
            recipe.add(of("conv.conv.weight"), &[WIDTH, 1, 3], Init::Matrix(1.6));
            recipe.linear(&of("conv.in_proj"), 3 * WIDTH, WIDTH, PLAIN, false);
            recipe.linear(&of("conv.out_proj"), WIDTH, WIDTH, PLAIN, false);
        } else {
            recipe.linear(&of("self_attn.q_proj"), WIDTH, WIDTH, SHARP, false);
            recipe.linear(&of("self_attn.k_proj"), KV_HEADS * HEAD, WIDTH, SHARP, false);
            recipe.linear(&of("self_attn.v_proj"), KV_HEADS * HEAD, WIDTH, PLAIN, false);
            recipe.linear(&of("self_attn.out_proj"), WIDTH, WIDTH, PLAIN, false);
            recipe.norm(&of("self_attn.q_layernorm"), HEAD, false);
            recipe.norm(&of("self_attn.k_layernorm"), HEAD, false);
        }
        recipe.linear(&of("feed_forward.w1"), inner, WIDTH, PLAIN, false);
        recipe.linear(&of("feed_forward.w3"), inner, WIDTH, PLAIN, false);
        recipe.linear(&of("feed_forward.w2"), WIDTH, inner, PLAIN, false);
    }
    recipe.norm("model.embedding_norm", WIDTH, false);
    recipe
}
