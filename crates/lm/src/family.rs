use sidestage_ops::{Gelu, RopeStyle};

/// What distinguishes one transformer family from another, as far as its files do not say it.
/// Sizes, biases, norms of queries and keys, fused, tied or missing matrices, scales and rotary
/// factors are read from the file.
#[derive(Clone, Copy, Debug)]
pub struct Family {
    /// `general.architecture`.
    pub name: &'static str,
    /// How values are normalised.
    pub norm: Norm,
    /// Where they are.
    pub placement: NormPlacement,
    /// How a layer's two parts are joined.
    pub residual: Residual,
    /// Inside the feed-forward part.
    pub activation: Activation,
    /// How positions are told.
    pub positions: Positions,
    /// Every so many layers one has no rotary positions.
    pub unrotated_every: Option<usize>,
    /// Sliding windows.
    pub windows: Windows,
    /// Whether embeddings are multiplied by the square root of the width.
    pub scaled_embeddings: bool,
    /// Scores are divided by the square root of a head's width, but in models of this many layers
    /// by that of the width for each head.
    pub shared_scale_layers: Option<usize>,
}

/// How values are normalised.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Norm {
    /// By the root mean square.
    Rms,
    /// To mean 0 and variance 1.
    Layer,
}

/// Where a layer's attention and feed-forward part have norms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NormPlacement {
    /// Of what they take.
    Before,
    /// Of what they give.
    After,
    /// Of both.
    Both,
}

/// How attention and feed-forward part of a layer are joined.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Residual {
    /// The second takes the sum of the layer's input and the first.
    Sequential,
    /// Both take the layer's input after one norm.
    Shared,
    /// Both take the layer's input, each after a norm of its own, or as [`Residual::Sequential`],
    /// if `use_parallel_residual` says no.
    Stated,
    /// As [`Residual::Shared`] where the feed-forward part has no norm, else sequential.
    ByNorm,
}

/// What stands inside the feed-forward part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Activation {
    /// `silu(gate) * up`, of two products.
    SwiGlu,
    /// `gelu(gate) * up`, of two products.
    GeGlu,
    /// `gelu(up)`.
    Gelu(Gelu),
}

/// How the model is told positions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Positions {
    /// Queries and keys are rotated; the style says which values of a head together.
    Rotary(RopeStyle),
    /// A vector for each position is added to the embedding (`position_embd.weight`).
    Learned,
}

/// Sliding windows where the file does not describe them.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Windows {
    /// Positions seen without `attention.sliding_window`; `None`: all.
    pub size: Option<usize>,
    /// Every so many layers one sees all positions; `None`: none does.
    pub full_every: Option<usize>,
    /// The rotary positions of windowed layers.
    pub rope: WindowRope,
}

/// The rotary positions of layers with a window.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum WindowRope {
    /// As those of the others.
    Same,
    /// Without scaling, on the same base unless the file has `rope.freq_base_swa`.
    Unscaled,
    /// Without scaling, on this base unless the file has `rope.freq_base_swa`.
    Base(f32),
}

/// Norms before, SwiGLU, pairs of halves: what most families are.
const USUAL: Family = Family {
    name: "",
    norm: Norm::Rms,
    placement: NormPlacement::Before,
    residual: Residual::Sequential,
    activation: Activation::SwiGlu,
    positions: Positions::Rotary(RopeStyle::Neox),
    unrotated_every: None,
    windows: Windows { size: None, full_every: None, rope: WindowRope::Same },
    scaled_embeddings: false,
    shared_scale_layers: None,
};

/// Converters permute the queries and keys of these, so that neighbours are pairs.
const PERMUTED: Family = Family { positions: Positions::Rotary(RopeStyle::Norm), ..USUAL };

/// Layer norms and a plain product after a GELU.
const CLASSIC: Family =
    Family { norm: Norm::Layer, activation: Activation::Gelu(Gelu::Tanh), ..USUAL };

/// Gemma's first.
const GEMMA: Family = Family { activation: Activation::GeGlu, scaled_embeddings: true, ..USUAL };

/// The families there are. A family is a row.
pub const FAMILIES: &[Family] = &[
    // Also Mistral, Mixtral, SmolLM2, Yi and others that are converted as Llama.
    Family { name: "llama", ..PERMUTED },
    Family { name: "smollm3", unrotated_every: Some(4), ..PERMUTED },
    Family { name: "granite", ..PERMUTED },
    Family { name: "qwen2", ..USUAL },
    Family { name: "qwen3", ..USUAL },
    Family { name: "qwen3moe", ..USUAL },
    // Some layers have convolutions, which the files tell.
    Family { name: "lfm2", ..USUAL },
    Family { name: "phi3", ..USUAL },
    // OLMo 3 is converted as OLMo 2, with windows.
    Family {
        name: "olmo2",
        placement: NormPlacement::After,
        windows: Windows { size: None, full_every: Some(4), rope: WindowRope::Unscaled },
        ..USUAL
    },
    Family { name: "gemma", ..GEMMA },
    Family {
        name: "gemma2",
        placement: NormPlacement::Both,
        windows: Windows { size: Some(4096), full_every: Some(2), rope: WindowRope::Same },
        shared_scale_layers: Some(46),
        ..GEMMA
    },
    Family {
        name: "gemma3",
        placement: NormPlacement::Both,
        windows: Windows { size: None, full_every: Some(6), rope: WindowRope::Base(10_000.0) },
        shared_scale_layers: Some(62),
        ..GEMMA
    },
    Family { name: "gpt2", positions: Positions::Learned, ..CLASSIC },
    Family { name: "starcoder2", ..CLASSIC },
    Family { name: "phi2", residual: Residual::Shared, ..CLASSIC },
    Family {
        name: "gptneox",
        residual: Residual::Stated,
        activation: Activation::Gelu(Gelu::Exact),
        ..CLASSIC
    },
    Family {
        name: "falcon",
        residual: Residual::Shared,
        activation: Activation::Gelu(Gelu::Exact),
        ..CLASSIC
    },
    Family { name: "stablelm", norm: Norm::Layer, residual: Residual::ByNorm, ..USUAL },
];

/// The families of encoders: every position sees all others, and what comes out is no token but a vector
/// for each position. Norms are those of the sums of a part and what it took.
pub const ENCODERS: &[Family] = &[
    // Also RoBERTa, XLM-RoBERTa, MiniLM, BGE, E5 and others that are converted as BERT.
    Family {
        name: "bert",
        positions: Positions::Learned,
        activation: Activation::Gelu(Gelu::Exact),
        ..CLASSIC
    },
];

impl Family {
    /// The family of this name, of decoders or encoders.
    pub fn find(name: &str) -> Option<&'static Self> {
        FAMILIES.iter().chain(ENCODERS).find(|family| family.name == name)
    }

    /// Whether it is one of [`ENCODERS`].
    pub fn is_encoder(&self) -> bool {
        ENCODERS.iter().any(|family| family.name == self.name)
    }
}
