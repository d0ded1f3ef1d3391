use super::FolderError;
use super::config::{Config, feature, problem};
use super::metadata::Keys;
use super::names::*;
use serde_json::{Value, json};

/// How models of one class of `transformers` become GGUF: a row.
#[derive(Debug)]
pub(super) struct Architecture {
    /// `architectures[0]`.
    classes: &'static [&'static str],
    /// `general.architecture`.
    pub(super) gguf: &'static str,
    /// The class's values where `config.json` has none.
    pub(super) defaults: &'static [(&'static str, f64)],
    /// Its tensors.
    pub(super) tensors: &'static [&'static [Name]],
    /// Whether output and embedding are one matrix where `tie_word_embeddings` is absent.
    pub(super) tied: bool,
    /// Whether the weights of norms are those of the file and 1.
    pub(super) norms_less_one: bool,
    /// Which layers see a window only, where `layer_types` is absent.
    pub(super) windows: Windows,
    /// Whether `rope.dimension_count` is written.
    pub(super) says_rotated: bool,
    /// What `hidden_act` and its synonyms may say.
    pub(super) activations: &'static [&'static str],
    /// Checks what has no key, and writes keys that only this architecture has.
    pub(super) own: fn(&Config, &mut Keys) -> Result<(), FolderError>,
}

/// Which layers see the latest positions only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Windows {
    /// None: the class does not read `sliding_window`.
    Never,
    /// All, if there is a `sliding_window`.
    All,
    /// Those from `max_window_layers` on, if `use_sliding_window` is true.
    Late,
    /// All but each so-manieth.
    AllBut(u64),
}

fn nothing(_: &Config, _: &mut Keys) -> Result<(), FolderError> {
    Ok(())
}

/// Llama without the permutation.
const USUAL: Architecture = Architecture {
    classes: &[],
    gguf: "",
    defaults: &[],
    tensors: &[DECODER, SEPARATE, FEED_FORWARD_NORM, GATED],
    tied: false,
    norms_less_one: false,
    windows: Windows::Never,
    says_rotated: false,
    activations: &["silu"],
    own: nothing,
};

const PERMUTED: Architecture = Architecture {
    tensors: &[DECODER, PERMUTED_HEADS, FEED_FORWARD_NORM, GATED],
    says_rotated: true,
    ..USUAL
};

const GEMMA: Architecture = Architecture {
    tied: true,
    norms_less_one: true,
    defaults: &[("head_dim", 256.0), ("rms_norm_eps", 1e-6)],
    activations: &["gelu_pytorch_tanh", "gelu"],
    ..USUAL
};

/// What the encoders have in common.
const ENCODER: Architecture = Architecture {
    gguf: "bert",
    defaults: &[("layer_norm_eps", 1e-12)],
    activations: &["gelu"],
    own: bert,
    ..USUAL
};

const ARCHITECTURES: &[Architecture] = &[
    Architecture {
        classes: &["LlamaForCausalLM"],
        gguf: "llama",
        defaults: &[("rms_norm_eps", 1e-6)],
        ..PERMUTED
    },
    Architecture {
        classes: &["MistralForCausalLM"],
        gguf: "llama",
        defaults: &[
            ("rms_norm_eps", 1e-6),
            ("num_key_value_heads", 8.0),
            ("sliding_window", 4096.0),
        ],
        windows: Windows::All,
        ..PERMUTED
    },
    Architecture {
        classes: &["MixtralForCausalLM"],
        gguf: "llama",
        defaults: &[("rms_norm_eps", 1e-5), ("num_key_value_heads", 8.0)],
        tensors: &[DECODER, PERMUTED_HEADS, FEED_FORWARD_NORM, MIXTRAL_EXPERTS],
        windows: Windows::All,
        ..PERMUTED
    },
    Architecture {
        classes: &["SmolLM3ForCausalLM"],
        gguf: "smollm3",
        defaults: &[("rms_norm_eps", 1e-6), ("rope_theta", 2e6)],
        tied: true,
        windows: Windows::Late,
        own: smollm3,
        ..PERMUTED
    },
    Architecture {
        classes: &["GraniteForCausalLM"],
        gguf: "granite",
        defaults: &[("rms_norm_eps", 1e-6)],
        own: granite,
        ..PERMUTED
    },
    Architecture {
        classes: &["Qwen2ForCausalLM"],
        gguf: "qwen2",
        defaults: &[("rms_norm_eps", 1e-6), ("max_window_layers", 28.0)],
        windows: Windows::Late,
        ..USUAL
    },
    Architecture {
        classes: &["Qwen3ForCausalLM"],
        gguf: "qwen3",
        defaults: &[("rms_norm_eps", 1e-6), ("head_dim", 128.0), ("max_window_layers", 28.0)],
        tensors: &[DECODER, SEPARATE, HEAD_NORMS, FEED_FORWARD_NORM, GATED],
        windows: Windows::Late,
        ..USUAL
    },
    Architecture {
        classes: &["Qwen3MoeForCausalLM"],
        gguf: "qwen3moe",
        defaults: &[("rms_norm_eps", 1e-6), ("max_window_layers", 28.0)],
        tensors: &[DECODER, SEPARATE, HEAD_NORMS, FEED_FORWARD_NORM, QWEN_EXPERTS],
        windows: Windows::Late,
        own: qwen3moe,
        ..USUAL
    },
    Architecture {
        classes: &["Olmo2ForCausalLM"],
        gguf: "olmo2",
        defaults: &[("rms_norm_eps", 1e-5)],
        tensors: &[DECODER, SEPARATE, HEAD_NORMS, NORMS_AFTER, GATED],
        ..USUAL
    },
    // llama.cpp has one architecture for both; windows and YaRN are the third's.
    Architecture {
        classes: &["Olmo3ForCausalLM"],
        gguf: "olmo2",
        defaults: &[("rms_norm_eps", 1e-5), ("sliding_window", 4096.0)],
        tensors: &[DECODER, SEPARATE, HEAD_NORMS, NORMS_AFTER, GATED],
        windows: Windows::AllBut(4),
        ..USUAL
    },
    Architecture {
        classes: &["Lfm2ForCausalLM"],
        gguf: "lfm2",
        defaults: &[("norm_eps", 1e-5), ("rope_theta", 1e6), ("conv_L_cache", 3.0)],
        tensors: &[SEPARATE, LFM2],
        tied: true,
        own: lfm2,
        ..USUAL
    },
    Architecture {
        classes: &["Phi3ForCausalLM"],
        gguf: "phi3",
        defaults: &[("rms_norm_eps", 1e-5), ("original_max_position_embeddings", 4096.0)],
        tensors: &[DECODER, PHI3],
        windows: Windows::All,
        says_rotated: true,
        ..USUAL
    },
    Architecture { classes: &["GemmaForCausalLM"], gguf: "gemma", ..GEMMA },
    Architecture {
        classes: &["Gemma2ForCausalLM"],
        gguf: "gemma2",
        defaults: &[
            ("head_dim", 256.0),
            ("rms_norm_eps", 1e-6),
            ("query_pre_attn_scalar", 256.0),
            ("sliding_window", 4096.0),
            ("attn_logit_softcapping", 50.0),
            ("final_logit_softcapping", 30.0),
        ],
        tensors: &[DECODER, SEPARATE, NORMS_AROUND, GATED],
        windows: Windows::AllBut(2),
        own: gemma2,
        ..GEMMA
    },
    Architecture {
        classes: &["Gemma3ForCausalLM", "Gemma3ForConditionalGeneration"],
        gguf: "gemma3",
        defaults: &[
            ("num_attention_heads", 8.0),
            ("num_key_value_heads", 4.0),
            ("head_dim", 256.0),
            ("max_position_embeddings", 131_072.0),
            ("rms_norm_eps", 1e-6),
            ("query_pre_attn_scalar", 256.0),
            ("sliding_window", 4096.0),
            ("rope_theta", 1e6),
            ("rope_local_base_freq", 1e4),
        ],
        tensors: &[DECODER, SEPARATE, HEAD_NORMS, NORMS_AROUND, GATED],
        windows: Windows::AllBut(6),
        own: gemma3,
        ..GEMMA
    },
    Architecture {
        classes: &["StableLmForCausalLM", "StableLMEpochForCausalLM"],
        gguf: "stablelm",
        defaults: &[("partial_rotary_factor", 0.25), ("layer_norm_eps", 1e-5)],
        tensors: &[DECODER, SEPARATE, STACKED_HEAD_NORMS, FEED_FORWARD_NORM, GATED],
        says_rotated: true,
        own: stablelm,
        ..USUAL
    },
    Architecture {
        classes: &["PhiForCausalLM"],
        gguf: "phi2",
        defaults: &[("partial_rotary_factor", 0.5), ("layer_norm_eps", 1e-5)],
        tensors: &[DECODER, SEPARATE, PHI],
        says_rotated: true,
        activations: &["gelu_new", "gelu_pytorch_tanh"],
        own: phi,
        ..USUAL
    },
    Architecture {
        classes: &["Starcoder2ForCausalLM"],
        gguf: "starcoder2",
        defaults: &[("norm_epsilon", 1e-5), ("num_key_value_heads", 2.0)],
        tensors: &[DECODER, SEPARATE, FEED_FORWARD_NORM, STARCODER],
        tied: true,
        windows: Windows::All,
        activations: &["gelu_pytorch_tanh", "gelu_new"],
        ..USUAL
    },
    Architecture {
        classes: &["GPT2LMHeadModel"],
        gguf: "gpt2",
        defaults: &[("layer_norm_epsilon", 1e-5)],
        tensors: &[GPT2],
        tied: true,
        activations: &["gelu_new", "gelu_pytorch_tanh"],
        own: gpt2,
        ..USUAL
    },
    Architecture {
        classes: &["GPTNeoXForCausalLM"],
        gguf: "gptneox",
        defaults: &[("rotary_pct", 0.25), ("layer_norm_eps", 1e-5)],
        tensors: &[GPT_NEOX],
        says_rotated: true,
        activations: &["gelu"],
        own: gptneox,
        ..USUAL
    },
    Architecture {
        classes: &["FalconForCausalLM", "RWForCausalLM"],
        gguf: "falcon",
        defaults: &[("max_position_embeddings", 2048.0), ("layer_norm_epsilon", 1e-5)],
        tensors: &[FALCON],
        tied: true,
        activations: &["gelu"],
        own: falcon,
        ..USUAL
    },
    Architecture {
        classes: &[
            "BertModel",
            "BertForMaskedLM",
            "RobertaModel",
            "RobertaForMaskedLM",
            "XLMRobertaModel",
            "XLMRobertaForMaskedLM",
            "CamembertModel",
            "CamembertForMaskedLM",
        ],
        tensors: &[BERT],
        ..ENCODER
    },
    Architecture {
        classes: &["DistilBertModel", "DistilBertForMaskedLM"],
        tensors: &[DISTILBERT],
        ..ENCODER
    },
];

impl Architecture {
    /// Whether it makes vectors of texts.
    pub(super) fn is_encoder(&self) -> bool {
        self.gguf == ENCODER.gguf
    }

    /// The row of a configuration.
    pub(super) fn of(config: &Config) -> Result<&'static Self, FolderError> {
        let Some(Value::String(class)) = config.list("architectures")?.and_then(<[_]>::first)
        else {
            return Err(FolderError::NoArchitecture);
        };
        if let Some(scheme) = config.get("quantization_config") {
            return Err(feature("quantization_config", scheme));
        }
        ARCHITECTURES
            .iter()
            .find(|row| row.classes.contains(&class.as_str()))
            .ok_or_else(|| FolderError::Architecture { name: class.clone() })
    }

    /// Key and value heads.
    pub(super) fn kv_heads(&self, config: &Config) -> Result<u64, FolderError> {
        let heads = config.heads()?;
        let stated = ["num_key_value_heads", "n_kv_heads", "num_kv_heads", "n_head_kv"];
        let kv_heads = match self.gguf {
            // `num_kv_heads` is written by all and read by the newer ones.
            "falcon" if config.flag("new_decoder_architecture")? != Some(true) => {
                if config.flag("multi_query")? == Some(false) { heads } else { 1 }
            }
            _ => config.count(&stated)?.unwrap_or(heads),
        };
        if kv_heads == 0 || !heads.is_multiple_of(kv_heads) {
            return Err(problem("num_key_value_heads", "does not divide the heads"));
        }
        Ok(kv_heads)
    }
}

fn smollm3(config: &Config, _: &mut Keys) -> Result<(), FolderError> {
    // llama.cpp's architecture has no key for it: each fourth layer is not rotated.
    if let Some(layers) = config.list("no_rope_layers")? {
        let rotated = |(layer, rotated): (usize, &Value)| {
            rotated.as_u64() == Some(u64::from((layer + 1) % 4 != 0))
        };
        if !layers.iter().enumerate().all(rotated) {
            return Err(feature("no_rope_layers", &Value::Array(layers.into())));
        }
    }
    config.only("no_rope_layer_interval", &json!(4))
}

fn granite(config: &Config, keys: &mut Keys) -> Result<(), FolderError> {
    for (theirs, ours) in [
        ("attention_multiplier", "attention.scale"),
        ("embedding_multiplier", "embedding_scale"),
        ("residual_multiplier", "residual_scale"),
        ("logits_scaling", "logit_scale"),
    ] {
        keys.float(ours, config.number(&[theirs])?.unwrap_or(1.0));
    }
    Ok(())
}

fn qwen3moe(config: &Config, keys: &mut Keys) -> Result<(), FolderError> {
    config.only("decoder_sparse_step", &json!(1))?;
    config.only("mlp_only_layers", &json!([]))?;
    keys.count("expert_feed_forward_length", config.size(&["moe_intermediate_size"])?)?;
    keys.put("expert_weights_norm", config.flag("norm_topk_prob")?.unwrap_or(false));
    Ok(())
}

/// Scores are divided by the root of a number that need not be a head's width.
fn query_scale(config: &Config, keys: &mut Keys) -> Result<(), FolderError> {
    match config.number(&["query_pre_attn_scalar"])? {
        Some(scalar) if scalar > 0.0 => {
            keys.float("attention.scale", 1.0 / scalar.sqrt());
            Ok(())
        }
        _ => Err(problem("query_pre_attn_scalar", "is missing or not above 0")),
    }
}

fn gemma2(config: &Config, keys: &mut Keys) -> Result<(), FolderError> {
    for key in ["attn_logit_softcapping", "final_logit_softcapping"] {
        if let Some(cap) = config.number(&[key])? {
            keys.float(key, cap);
        }
    }
    query_scale(config, keys)
}

fn gemma3(config: &Config, keys: &mut Keys) -> Result<(), FolderError> {
    config.only("attn_logit_softcapping", &Value::Null)?;
    config.only("use_bidirectional_attention", &json!(false))?;
    if let Some(cap) = config.number(&["final_logit_softcapping"])? {
        keys.float("final_logit_softcapping", cap);
    }
    query_scale(config, keys)
}

/// Layers without keys are convolutions.
fn lfm2(config: &Config, keys: &mut Keys) -> Result<(), FolderError> {
    config.only("conv_bias", &json!(false))?;
    let kv_heads = config.size(&["num_key_value_heads"])?;
    let kv_heads =
        u32::try_from(kv_heads).map_err(|_| problem("num_key_value_heads", "is too large"))?;
    let layers = config.layers()?;
    let attends: Vec<bool> = match (config.list("layer_types")?, config.list("full_attn_idxs")?) {
        (Some(types), _) => types
            .iter()
            .map(|kind| match kind.as_str() {
                Some("full_attention") => Ok(true),
                Some("conv") => Ok(false),
                _ => Err(feature("layer_types", kind)),
            })
            .collect::<Result<_, _>>()?,
        (None, Some(list)) => {
            (0..layers).map(|layer| list.iter().any(|at| at.as_u64() == Some(layer))).collect()
        }
        (None, None) => vec![true; layers as usize],
    };
    if attends.len() as u64 != layers {
        return Err(problem("layer_types", "has not one entry for each layer"));
    }
    let heads: Vec<u32> =
        attends.iter().map(|attends| if *attends { kv_heads } else { 0 }).collect();
    keys.put("attention.head_count_kv", heads);
    keys.count("shortconv.l_cache", config.size(&["conv_L_cache"])?)?;
    let mut inner = config.size(&["block_ff_dim", "intermediate_size"])? as f64;
    if config.flag("block_auto_adjust_ff_dim")?.unwrap_or(true) {
        // Two thirds, times a factor, up to the next multiple.
        let factor = config.number(&["block_ffn_dim_multiplier"])?.unwrap_or(1.0);
        let multiple = config.count(&["block_multiple_of"])?.unwrap_or(256).max(1) as f64;
        inner = ((2.0 * inner / 3.0).floor() * factor).floor();
        inner = (inner / multiple).ceil() * multiple;
    }
    keys.count("feed_forward_length", inner as u64)
}

fn stablelm(config: &Config, keys: &mut Keys) -> Result<(), FolderError> {
    let parallel = config.flag("use_parallel_residual")?.unwrap_or(false);
    keys.put("use_parallel_residual", parallel);
    Ok(())
}

fn phi(config: &Config, _: &mut Keys) -> Result<(), FolderError> {
    config.only("qk_layernorm", &json!(false))
}

fn gpt2(config: &Config, _: &mut Keys) -> Result<(), FolderError> {
    config.only("scale_attn_weights", &json!(true))?;
    config.only("scale_attn_by_inverse_layer_idx", &json!(false))?;
    config.only("add_cross_attention", &json!(false))
}

fn gptneox(config: &Config, keys: &mut Keys) -> Result<(), FolderError> {
    let parallel = config.flag("use_parallel_residual")?.unwrap_or(true);
    keys.put("use_parallel_residual", parallel);
    Ok(())
}

fn falcon(config: &Config, keys: &mut Keys) -> Result<(), FolderError> {
    config.only("alibi", &json!(false))?;
    config.only("parallel_attn", &json!(true))?;
    keys.put("tensor_data_layout", "jploski");
    Ok(())
}

fn bert(config: &Config, keys: &mut Keys) -> Result<(), FolderError> {
    let positions = config.size(&["max_position_embeddings"])?;
    match positions.checked_sub(config.unused_positions()?) {
        Some(positions @ 1..) => keys.count("context_length", positions)?,
        _ => return Err(problem("max_position_embeddings", "leaves none for a text")),
    }
    config.only("position_embedding_type", &json!("absolute"))?;
    config.only("is_decoder", &json!(false))
}
