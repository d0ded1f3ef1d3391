//! Tiny models with random weights, of any family, as values and as GGUF files.

use sidestage_formats::gguf::{GgufWriter, Value};
use sidestage_tensor::DType;

/// The sizes and habits of a model.
#[derive(Clone, Debug)]
pub(crate) struct Shape {
    pub(crate) family: &'static str,
    pub(crate) layers: usize,
    pub(crate) width: usize,
    pub(crate) heads: usize,
    pub(crate) kv_heads: usize,
    pub(crate) head_dim: usize,
    pub(crate) feed_forward: usize,
    pub(crate) vocab: usize,
    pub(crate) context: usize,
    pub(crate) rope_base: f32,
    /// Linear rope scaling.
    pub(crate) rope_divisor: Option<f32>,
    /// Whether the file has Llama 3's `rope_freqs.weight`.
    pub(crate) rope_factors: bool,
    /// YaRN by this factor, from a context of 24.
    pub(crate) yarn: Option<f32>,
    /// Whether the file has LongRoPE's two lists of factors, from a context of this many positions.
    pub(crate) longrope: Option<usize>,
    /// Values of a head that are rotated; `None`: all.
    pub(crate) rotated: Option<usize>,
    pub(crate) window: Option<usize>,
    /// Experts, and how many of them a position takes.
    pub(crate) experts: Option<(usize, usize)>,
    /// Whether attention and feed-forward part take the same input, in families that have both.
    pub(crate) parallel: bool,
    /// Whether the embedding is also the output matrix.
    pub(crate) tied: bool,
    pub(crate) seed: u64,
}

pub(crate) const EPSILON: f32 = 1e-5;

impl Shape {
    /// Two layers of width 64.
    pub(crate) fn new(family: &'static str) -> Self {
        Self {
            family,
            layers: 2,
            width: 64,
            heads: 4,
            kv_heads: 2,
            head_dim: 16,
            feed_forward: 96,
            vocab: 320,
            context: 256,
            rope_base: 10_000.0,
            rope_divisor: None,
            rope_factors: false,
            yarn: None,
            longrope: None,
            rotated: None,
            window: None,
            experts: None,
            parallel: true,
            tied: true,
            seed: 1,
        }
    }

    /// Whether values are normalised to mean 0 and variance 1.
    pub(crate) fn layer_norms(&self) -> bool {
        let classic = ["gpt2", "gptneox", "phi2", "falcon", "starcoder2", "stablelm"];
        classic.contains(&self.family)
    }

    /// Whether a layer has a convolution in place of attention.
    pub(crate) fn convolves(&self, layer: usize) -> bool {
        self.family == "lfm2" && layer.is_multiple_of(2)
    }

    fn kv_heads_of_layers(&self) -> Value {
        if self.family != "lfm2" {
            return Value::from(self.kv_heads as u32);
        }
        let heads = |layer| if self.convolves(layer) { 0 } else { self.kv_heads as u32 };
        Value::from((0..self.layers).map(heads).collect::<Vec<u32>>())
    }

    /// What such a file says of itself.
    pub(crate) fn metadata(&self) -> Vec<(String, Value)> {
        let size = |value: usize| Value::from(value as u32);
        let epsilon = match self.layer_norms() {
            true => "attention.layer_norm_epsilon",
            false => "attention.layer_norm_rms_epsilon",
        };
        let mut pairs = vec![
            ("embedding_length", size(self.width)),
            ("block_count", size(self.layers)),
            ("feed_forward_length", size(self.feed_forward)),
            ("attention.head_count", size(self.heads)),
            ("attention.head_count_kv", self.kv_heads_of_layers()),
            (epsilon, Value::from(EPSILON)),
            ("context_length", size(self.context)),
            ("rope.freq_base", Value::from(self.rope_base)),
        ];
        if self.head_dim * self.heads != self.width {
            pairs.push(("attention.key_length", size(self.head_dim)));
            pairs.push(("attention.value_length", size(self.head_dim)));
        }
        if let Some(rotated) = self.rotated {
            pairs.push(("rope.dimension_count", size(rotated)));
        }
        if let Some(window) = self.window {
            pairs.push(("attention.sliding_window", size(window)));
        }
        if let Some(divisor) = self.rope_divisor {
            pairs.push(("rope.scaling.type", "linear".into()));
            pairs.push(("rope.scaling.factor", divisor.into()));
        }
        if let Some(factor) = self.yarn {
            pairs.push(("rope.scaling.type", "yarn".into()));
            pairs.push(("rope.scaling.factor", factor.into()));
            pairs.push(("rope.scaling.original_context_length", size(24)));
            pairs.push(("rope.scaling.yarn_beta_fast", 4.0f32.into()));
        }
        if let Some(original) = self.longrope {
            pairs.push(("rope.scaling.original_context_length", size(original)));
            pairs.push(("rope.scaling.attn_factor", 1.25f32.into()));
        }
        if let Some((count, used)) = self.experts {
            pairs.push(("expert_count", size(count)));
            pairs.push(("expert_used_count", size(used)));
        }
        match self.family {
            "gptneox" => pairs.push(("use_parallel_residual", self.parallel.into())),
            "gemma2" => {
                pairs.push(("attn_logit_softcapping", 2.0f32.into()));
                pairs.push(("final_logit_softcapping", 3.0f32.into()));
            }
            "lfm2" => pairs.push(("shortconv.l_cache", size(3))),
            "granite" => {
                pairs.push(("attention.scale", 0.4f32.into()));
                pairs.push(("embedding_scale", 3.0f32.into()));
                pairs.push(("residual_scale", 0.3f32.into()));
                pairs.push(("logit_scale", 2.5f32.into()));
            }
            _ => {}
        }
        let named = |(key, value)| (format!("{}.{key}", self.family), value);
        let name = ("general.architecture".to_owned(), Value::from(self.family));
        std::iter::once(name).chain(pairs.into_iter().map(named)).collect()
    }

    /// A model of this shape.
    pub(crate) fn model(&self) -> Model {
        let Self { width, vocab, head_dim, .. } = *self;
        let mut model = Model { shape: self.clone(), tensors: Vec::new() };
        // Gemma's are multiplied by the square root of the width, 8.
        let gain = if self.family.starts_with("gemma") { 0.5 } else { 4.0 };
        model.matrix("token_embd", vocab, width, gain);
        if self.family == "gpt2" {
            model.matrix("position_embd", self.context, width, 2.0);
        }
        for layer in 0..self.layers {
            model.attention(layer);
            model.feed_forward(layer);
        }
        model.norm(if self.family == "lfm2" { "token_embd_norm" } else { "output_norm" }, width);
        if !self.tied {
            model.matrix("output", vocab, width, 1.0);
        }
        if self.family == "phi2" {
            model.vector("output.bias", vocab, 0.0, 0.7);
        }
        let pairs = self.rotated.unwrap_or(head_dim) / 2;
        if self.rope_factors {
            model.vector("rope_freqs.weight", pairs, 4.5, 3.5);
        }
        if self.longrope.is_some() {
            model.vector("rope_factors_short.weight", pairs, 1.5, 0.5);
            model.vector("rope_factors_long.weight", pairs, 6.0, 2.0);
        }
        model
    }
}

/// A model's weights.
#[derive(Clone, Debug)]
pub(crate) struct Model {
    pub(crate) shape: Shape,
    pub(crate) tensors: Vec<Tensor>,
}

/// One weight; extents outermost first.
#[derive(Clone, Debug)]
pub(crate) struct Tensor {
    pub(crate) name: String,
    pub(crate) extents: Vec<u64>,
    pub(crate) values: Vec<f32>,
}

impl Model {
    /// The values of a weight.
    #[allow(dead_code, reason = "only some tests look into a model")]
    pub(crate) fn get(&self, name: &str) -> Option<&[f32]> {
        let tensor = self.tensors.iter().find(|tensor| tensor.name == name)?;
        Some(&tensor.values)
    }

    /// Adds rows of zeros to a matrix of rows of `k`.
    #[allow(dead_code, reason = "only some tests change a model")]
    pub(crate) fn widen(&mut self, name: &str, from: usize, to: usize, k: usize) {
        let tensor = self.tensors.iter_mut().find(|tensor| tensor.name == name).expect(name);
        assert_eq!(tensor.extents, [from as u64, k as u64]);
        tensor.extents[0] = to as u64;
        tensor.values.resize(to * k, 0.0);
    }

    /// Adds random values to the end of each row of a matrix.
    #[allow(dead_code, reason = "only some tests change a model")]
    pub(crate) fn lengthen(&mut self, name: &str, from: usize, to: usize) {
        let mut random = Random::new(self.shape.seed, "more");
        let tensor = self.tensors.iter_mut().find(|tensor| tensor.name == name).expect(name);
        assert_eq!(tensor.extents[1], from as u64);
        tensor.extents[1] = to as u64;
        let longer = tensor.values.chunks(from).flat_map(|row| {
            let more: Vec<f32> = (from..to).map(|_| random.signed()).collect();
            row.iter().copied().chain(more)
        });
        tensor.values = longer.collect();
    }

    /// As a GGUF file of F32 weights, with more metadata than the shape's, or other values.
    pub(crate) fn file(&self, more: Vec<(String, Value)>) -> Vec<u8> {
        let mut writer = GgufWriter::new();
        let replaced = |key: &str| more.iter().any(|(other, _)| other == key);
        let mut pairs = self.shape.metadata();
        pairs.retain(|(key, _)| !replaced(key));
        for (key, value) in pairs.into_iter().chain(more) {
            writer = writer.metadata(key, value);
        }
        for tensor in &self.tensors {
            writer = writer.tensor(&tensor.name, DType::F32, &tensor.extents);
        }
        let mut body = writer.begin(Vec::new()).expect("a good header");
        for tensor in &self.tensors {
            let bytes: Vec<u8> = tensor.values.iter().flat_map(|v| v.to_le_bytes()).collect();
            body.write(&bytes).expect("the tensor's bytes");
        }
        body.finish().expect("a whole file")
    }

    fn attention(&mut self, layer: usize) {
        let Shape { family, width, heads, kv_heads, head_dim, .. } = self.shape;
        let (q, kv) = (heads * head_dim, kv_heads * head_dim);
        let name = |part: &str| format!("blk.{layer}.{part}");
        if family != "olmo2" {
            self.norm(&name("attn_norm"), width);
        }
        if family == "falcon" && !self.shape.parallel {
            self.norm(&name("attn_norm_2"), width);
        }
        if self.shape.convolves(layer) {
            self.matrix(&name("shortconv.in_proj"), 3 * width, width, 1.0);
            self.matrix(&name("shortconv.conv"), width, 3, 1.0);
            self.matrix(&name("shortconv.out_proj"), width, width, 1.0);
            return;
        }
        let biased = ["qwen2", "stablelm", "gpt2", "gptneox", "phi2", "starcoder2"];
        let biased = biased.contains(&family);
        let fused = ["gpt2", "gptneox", "falcon", "phi2", "phi3"].contains(&family);
        // Strong enough that attention looks at some positions more than at others.
        let parts: &[(&str, usize, f32)] = match fused {
            true => &[("attn_qkv", q + 2 * kv, 2.0)],
            false => &[("attn_q", q, 2.0), ("attn_k", kv, 2.0), ("attn_v", kv, 1.0)],
        };
        for (part, size, gain) in parts {
            self.matrix(&name(part), *size, width, *gain);
            if biased {
                self.vector(&format!("{}.bias", name(part)), *size, 0.0, 0.7);
            }
        }
        match family {
            "qwen3" | "qwen3moe" | "gemma3" | "lfm2" => {
                self.vector(&name("attn_q_norm.weight"), head_dim, 1.0, 0.3);
                self.vector(&name("attn_k_norm.weight"), head_dim, 1.0, 0.3);
            }
            "olmo2" => {
                self.vector(&name("attn_q_norm.weight"), q, 1.0, 0.3);
                self.vector(&name("attn_k_norm.weight"), kv, 1.0, 0.3);
            }
            "stablelm" if self.shape.parallel => {
                let shape = |heads: usize| vec![heads as u64, head_dim as u64];
                self.push(&name("attn_q_norm.weight"), shape(heads), 1.0, 0.3);
                self.push(&name("attn_k_norm.weight"), shape(kv_heads), 1.0, 0.3);
            }
            _ => {}
        }
        self.matrix(&name("attn_output"), width, q, 1.0);
        if biased && !["qwen2", "stablelm"].contains(&family) {
            self.vector(&name("attn_output.bias"), width, 0.0, 0.7);
        }
        if ["gemma2", "gemma3", "olmo2"].contains(&family) {
            self.norm(&name("post_attention_norm"), width);
        }
    }

    fn feed_forward(&mut self, layer: usize) {
        let Shape { family, width, feed_forward, parallel, experts, .. } = self.shape;
        let name = |part: &str| format!("blk.{layer}.{part}");
        let shares = ["phi2", "falcon"].contains(&family) || family == "stablelm" && parallel;
        if family != "olmo2" && !shares {
            self.norm(&name("ffn_norm"), width);
        }
        if let Some((count, _)) = experts {
            self.matrix(&name("ffn_gate_inp"), count, width, 2.0);
            for (part, n, k) in [
                ("ffn_gate_exps", feed_forward, width),
                ("ffn_up_exps", feed_forward, width),
                ("ffn_down_exps", width, feed_forward),
            ] {
                let (shape, spread) =
                    ([count, n, k].map(|dim| dim as u64), (3.0 / k as f32).sqrt());
                self.push(&format!("{}.weight", name(part)), shape.to_vec(), 0.0, spread);
            }
            return;
        }
        let plain = ["gpt2", "gptneox", "phi2", "falcon", "starcoder2"].contains(&family);
        if family == "phi3" {
            self.matrix(&name("ffn_up"), 2 * feed_forward, width, 1.0);
        } else {
            if !plain {
                self.matrix(&name("ffn_gate"), feed_forward, width, 1.0);
            }
            self.matrix(&name("ffn_up"), feed_forward, width, 1.0);
        }
        self.matrix(&name("ffn_down"), width, feed_forward, 1.0);
        if plain && family != "falcon" {
            self.vector(&name("ffn_up.bias"), feed_forward, 0.0, 0.7);
            self.vector(&name("ffn_down.bias"), width, 0.0, 0.7);
        }
        if ["gemma2", "gemma3", "olmo2"].contains(&family) {
            self.norm(&name("post_ffw_norm"), width);
        }
    }

    fn matrix(&mut self, name: &str, n: usize, k: usize, gain: f32) {
        // Uniform values of this spread give outputs of the inputs' size.
        let spread = gain * (3.0 / k as f32).sqrt();
        self.push(&format!("{name}.weight"), vec![n as u64, k as u64], 0.0, spread);
    }

    fn norm(&mut self, name: &str, n: usize) {
        self.vector(&format!("{name}.weight"), n, 1.0, 0.3);
        if self.shape.layer_norms() {
            self.vector(&format!("{name}.bias"), n, 0.0, 0.3);
        }
    }

    fn vector(&mut self, name: &str, n: usize, middle: f32, spread: f32) {
        self.push(name, vec![n as u64], middle, spread);
    }

    fn push(&mut self, name: &str, extents: Vec<u64>, middle: f32, spread: f32) {
        let count = extents.iter().product::<u64>();
        let mut random = Random::new(self.shape.seed, name);
        let values = (0..count).map(|_| middle + spread * random.signed()).collect();
        self.tensors.push(Tensor { name: name.into(), extents, values });
    }
}

/// SplitMix64, seeded by a number and a name.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64, name: &str) -> Self {
        let hash = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3);
        Self(name.bytes().fold(seed ^ 0xcbf2_9ce4_8422_2325, hash))
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// In [-1, 1).
    fn signed(&mut self) -> f32 {
        (self.next() >> 40) as f32 / (1 << 23) as f32 - 1.0
    }

    /// In `0..end`.
    #[allow(dead_code, reason = "only some tests draw indices")]
    pub(crate) fn below(&mut self, end: usize) -> usize {
        (self.next() >> 32) as usize % end
    }
}
