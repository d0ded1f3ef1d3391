use sidestage_ops::RopeStyle;

/// What distinguishes one transformer family from another. Everything else (sizes, biases, norms
/// of queries and keys, tied embeddings, rotary factors) is read from the file.
#[derive(Clone, Copy, Debug)]
pub struct Family {
    /// `general.architecture`.
    pub name: &'static str,
    /// Which values of a head are rotated together in files of this family.
    pub rope: RopeStyle,
}

/// The families there are. A family is a row.
pub const FAMILIES: &[Family] = &[
    // Also Mistral, SmolLM2, Yi and others that are converted as Llama. Its files hold queries and
    // keys permuted, so that neighbours are pairs.
    Family { name: "llama", rope: RopeStyle::Norm },
    Family { name: "qwen2", rope: RopeStyle::Neox },
    Family { name: "qwen3", rope: RopeStyle::Neox },
];

impl Family {
    /// The family of this name.
    pub fn find(name: &str) -> Option<&'static Self> {
        FAMILIES.iter().find(|family| family.name == name)
    }
}
