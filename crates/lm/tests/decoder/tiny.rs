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
    pub(crate) window: Option<usize>,
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
            window: None,
            tied: true,
            seed: 1,
        }
    }

    /// What such a file says of itself.
    pub(crate) fn metadata(&self) -> Vec<(String, Value)> {
        let size = |value: usize| Value::from(value as u32);
        let mut pairs = vec![
            ("embedding_length", size(self.width)),
            ("block_count", size(self.layers)),
            ("feed_forward_length", size(self.feed_forward)),
            ("attention.head_count", size(self.heads)),
            ("attention.head_count_kv", size(self.kv_heads)),
            ("attention.layer_norm_rms_epsilon", Value::from(EPSILON)),
            ("context_length", size(self.context)),
            ("rope.freq_base", Value::from(self.rope_base)),
        ];
        if self.head_dim * self.heads != self.width {
            pairs.push(("attention.key_length", size(self.head_dim)));
            pairs.push(("attention.value_length", size(self.head_dim)));
        }
        if let Some(window) = self.window {
            pairs.push(("attention.sliding_window", size(window)));
        }
        if let Some(divisor) = self.rope_divisor {
            pairs.push(("rope.scaling.type", "linear".into()));
            pairs.push(("rope.scaling.factor", divisor.into()));
        }
        let named = |(key, value)| (format!("{}.{key}", self.family), value);
        let name = ("general.architecture".to_owned(), Value::from(self.family));
        std::iter::once(name).chain(pairs.into_iter().map(named)).collect()
    }

    /// A model of this shape.
    pub(crate) fn model(&self) -> Model {
        let Self { width, heads, kv_heads, head_dim, feed_forward, vocab, .. } = *self;
        let (q, kv) = (heads * head_dim, kv_heads * head_dim);
        let mut model = Model { shape: self.clone(), tensors: Vec::new() };
        model.matrix("token_embd", vocab, width, 4.0);
        for layer in 0..self.layers {
            let name = |part: &str| format!("blk.{layer}.{part}");
            model.norm(&name("attn_norm"), width);
            // Strong enough that attention looks at some positions more than at others.
            model.matrix(&name("attn_q"), q, width, 2.0);
            model.matrix(&name("attn_k"), kv, width, 2.0);
            model.matrix(&name("attn_v"), kv, width, 1.0);
            match self.family {
                "qwen2" => {
                    for (part, size) in [("attn_q", q), ("attn_k", kv), ("attn_v", kv)] {
                        model.vector(&format!("{}.bias", name(part)), size, 0.0, 0.7);
                    }
                }
                "qwen3" => {
                    model.norm(&name("attn_q_norm"), head_dim);
                    model.norm(&name("attn_k_norm"), head_dim);
                }
                _ => {}
            }
            model.matrix(&name("attn_output"), width, q, 1.0);
            model.norm(&name("ffn_norm"), width);
            model.matrix(&name("ffn_gate"), feed_forward, width, 1.0);
            model.matrix(&name("ffn_up"), feed_forward, width, 1.0);
            model.matrix(&name("ffn_down"), width, feed_forward, 1.0);
        }
        model.norm("output_norm", width);
        if !self.tied {
            model.matrix("output", vocab, width, 1.0);
        }
        if self.rope_factors {
            model.vector("rope_freqs.weight", head_dim / 2, 4.5, 3.5);
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

    /// As a GGUF file of F32 weights, with more metadata than the shape's.
    pub(crate) fn file(&self, more: Vec<(String, Value)>) -> Vec<u8> {
        let mut writer = GgufWriter::new();
        for (key, value) in self.shape.metadata().into_iter().chain(more) {
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

    fn matrix(&mut self, name: &str, n: usize, k: usize, gain: f32) {
        // Uniform values of this spread give outputs of the inputs' size.
        let spread = gain * (3.0 / k as f32).sqrt();
        self.push(&format!("{name}.weight"), vec![n as u64, k as u64], 0.0, spread);
    }

    fn norm(&mut self, name: &str, n: usize) {
        self.vector(&format!("{name}.weight"), n, 1.0, 0.3);
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
