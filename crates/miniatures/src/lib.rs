//! A tiny model with random weights for each family, for tests: in the form in which Hugging Face's
//! `transformers` reads it, with every habit of the family that a configuration can switch on.
//!
//! Nothing is stored but the recipe: [`all`] makes the same bytes everywhere. `goldens.json` beside
//! this crate's source holds the logits that `transformers` computes for them, and `goldens.py`
//! makes it: `cargo run -p sidestage-miniatures --example write -- DIR`, then
//! `python goldens.py DIR goldens.json`.

mod gguf;
mod goldens;
mod random;
mod recipes;
mod safetensors;

pub use gguf::gguf;
pub use goldens::{Golden, goldens};

use random::Random;
use recipes::{Init, Recipe};

/// Tokens in each model's vocabulary.
pub const VOCABULARY: u32 = 96;

/// Tokens in [`Model::tokens`]: more than windows and original contexts have, and than two pages
/// of the cache.
pub const TOKENS: usize = 75;

/// A folder of `transformers`.
#[derive(Clone, Debug)]
pub struct Model {
    /// Its name, as `gemma2`; variants of a family have one more part, as `llama-yarn`.
    pub name: &'static str,
    /// `config.json`.
    pub config: Vec<u8>,
    /// `model.safetensors.index.json`, if there are several files of weights.
    pub index: Option<Vec<u8>>,
    /// Names and bytes of the files of weights.
    pub files: Vec<(String, Vec<u8>)>,
}

impl Model {
    /// The tokens whose logits are in the goldens, the same for all models.
    pub fn tokens() -> Vec<u32> {
        let mut random = Random::new("tokens");
        (0..TOKENS).map(|_| random.below(VOCABULARY)).collect()
    }

    fn new(recipe: &Recipe) -> Self {
        let tensors: Vec<safetensors::Tensor> = recipe
            .tensors
            .iter()
            .map(|(name, extents, init)| {
                let mut random = Random::new(&format!("{}/{name}", recipe.name));
                let values = init.values(&mut random, extents);
                safetensors::Tensor::new(name, recipe.dtype, extents, &values)
            })
            .collect();
        let (index, files) = safetensors::files(&tensors, recipe.files);
        let config = serde_json::to_vec_pretty(&recipe.config).unwrap_or_default();
        Self { name: recipe.name, config, index, files }
    }
}

/// All models.
pub fn all() -> Vec<Model> {
    recipes::all().iter().map(Model::new).collect()
}

/// The model of this name.
pub fn model(name: &str) -> Option<Model> {
    recipes::all().iter().find(|recipe| recipe.name == name).map(Model::new)
}

impl Init {
    fn values(self, random: &mut Random, extents: &[usize]) -> Vec<f32> {
        let (middle, spread) = match self {
            // A sum over the innermost extent keeps its size.
            Self::Matrix(gain) => {
                (0.0, gain / (extents.last().copied().unwrap_or(1) as f32).sqrt())
            }
            Self::Around(middle, spread) => (middle, spread),
        };
        let count = extents.iter().product();
        (0..count).map(|_| middle + spread * random.normal()).collect()
    }
}
