//! Which of a repository's files are the model for this device.

use std::collections::BTreeMap;
use std::fmt;

/// What a machine gives at most where nobody says otherwise: all that wasm can address.
const MOST_MEMORY: u64 = 4 << 30;

/// Types of weights as file names say them, the one most wanted first: 4 bits lose little and are
/// read fast; more bits are larger and slower, fewer lose much.
const TYPES: &[&str] = &[
    "Q4_K_M",
    "Q4_0",
    "Q4_K_S",
    "Q4_K_XL",
    "Q4_K_L",
    "Q4_K",
    "IQ4_NL",
    "IQ4_XS",
    "Q4_1",
    "MXFP4",
    "MXFP4_MOE",
    "NVFP4",
    "Q5_K_M",
    "Q5_K_S",
    "Q5_K_XL",
    "Q5_K_L",
    "Q5_K",
    "Q5_0",
    "Q5_1",
    "Q6_K",
    "Q6_K_XL",
    "Q6_K_L",
    "Q8_0",
    "Q8_K_XL",
    "Q3_K_L",
    "Q3_K_XL",
    "Q3_K_M",
    "IQ3_M",
    "IQ3_S",
    "Q3_K_S",
    "Q3_K",
    "IQ3_XS",
    "IQ3_XXS",
    "Q2_K_L",
    "Q2_K_XL",
    "Q2_K",
    "IQ2_M",
    "Q2_K_S",
    "IQ2_S",
    "IQ2_XS",
    "IQ2_XXS",
    "TQ2_0",
    "TQ1_0",
    "IQ1_M",
    "IQ1_S",
    "BF16",
    "F16",
    "FP16",
    "F32",
    "FP32",
];

/// Layouts for single processors that llama.cpp wrote for a while and no longer reads.
const GONE: &[&str] = &["Q4_0_4_4", "Q4_0_4_8", "Q4_0_8_8"];

/// Parts of names of GGUF files that are no language model of their own.
const NO_MODELS: &[&str] = &["mmproj", "imatrix", "lora", "adapter", "vocab", "draft", "mtp"];

/// The files of one model, and why these.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choice {
    /// Paths: one GGUF file, all files of a split in order, or of a Hugging Face folder
    /// `config.json`, the index of its weights if it has one, and the weights.
    pub files: Vec<String>,
    /// Bytes of these files.
    pub bytes: u64,
    /// A sentence for people.
    pub why: String,
}

/// A GGUF model: one file or all of a split.
struct Gguf<'a> {
    paths: Vec<&'a str>,
    bytes: u64,
    /// Place in [`TYPES`]; none where the name does not say it.
    rank: Option<usize>,
}

/// The best model for a CPU among `files` (paths and sizes in bytes), within `memory_limit` bytes:
/// a GGUF file, else safetensors at the top of the listing. `None`: there is no model.
///
/// If no file fits, the smallest one is chosen, so that the error tells by how much.
pub fn choose(files: &[(&str, u64)], memory_limit: Option<u64>) -> Option<Choice> {
    let limit = memory_limit.unwrap_or(MOST_MEMORY).min(MOST_MEMORY);
    let models = ggufs(files);
    if models.is_empty() {
        return folder(files);
    }
    let fitting: Vec<&Gguf<'_>> = models.iter().filter(|model| fits(model.bytes, limit)).collect();
    // A name without a type is as good as the middle of the table: nothing is known.
    let wanted = |model: &&&Gguf<'_>| {
        let rank = model.rank.unwrap_or(TYPES.len() / 2);
        (rank, model.paths[0].len(), model.paths[0].to_owned())
    };
    let best = fitting.iter().min_by_key(wanted).copied();
    let chosen = best.or_else(|| models.iter().min_by_key(|model| model.bytes))?;
    let name = chosen.paths[0];
    let size = Size(chosen.bytes);
    let parts = match chosen.paths.len() {
        1 => String::new(),
        count => format!(" and the {} behind it", Many(count - 1, "file")),
    };
    let what = match chosen.rank {
        Some(rank) => format!("weights of type {}", TYPES[rank]),
        None => "weights of a type that its name does not say".into(),
    };
    let of = match (models.len(), fitting.len()) {
        (1, 1) => "the only GGUF model there".into(),
        (1, _) => format!("the only GGUF model there, though it may not fit into {}", Size(limit)),
        (all, 0) => {
            format!("the smallest of {all} GGUF models, none of which fits into {}", Size(limit))
        }
        (all, some) if all == some => format!("the best for a CPU of {all} GGUF models"),
        (all, some) => {
            format!(
                "the best for a CPU of the {some} of {all} GGUF models that fit into {}",
                Size(limit)
            )
        }
    };
    Some(Choice {
        files: chosen.paths.iter().map(|path| (*path).to_owned()).collect(),
        bytes: chosen.bytes,
        why: format!("{name}{parts} ({size}): {what}, {of}"),
    })
}

/// Files of a split, by their numbers.
type Parts<'a> = BTreeMap<u64, (&'a str, u64)>;

/// Whether weights of this size leave room for the cache and for what is being computed.
fn fits(bytes: u64, limit: u64) -> bool {
    bytes.saturating_add(bytes / 8).saturating_add(16 << 20) <= limit
}

/// All GGUF models; of splits those that are whole.
fn ggufs<'a>(files: &[(&'a str, u64)]) -> Vec<Gguf<'a>> {
    let mut splits: BTreeMap<(&str, u64), Parts<'_>> = BTreeMap::new();
    let mut models = Vec::new();
    for &(path, bytes) in files {
        let Some(stem) = path.strip_suffix(".gguf").or_else(|| path.strip_suffix(".GGUF")) else {
            continue;
        };
        let name = stem.rsplit('/').next().unwrap_or(stem);
        let words = || name.split(['-', '.', '_']).map(str::to_ascii_lowercase);
        let is = |list: &[&str]| words().any(|word| list.contains(&word.as_str()));
        if is(NO_MODELS) || GONE.iter().any(|gone| name.to_ascii_uppercase().contains(gone)) {
            continue;
        }
        match split(stem) {
            Some((base, number, count)) => {
                splits.entry((base, count)).or_default().insert(number, (path, bytes));
            }
            None => models.push(Gguf { paths: vec![path], bytes, rank: rank(stem) }),
        }
    }
    for ((base, count), parts) in splits {
        if parts.len() as u64 == count && parts.keys().copied().eq(1..=count) {
            let bytes = parts.values().fold(0, |sum: u64, part| sum.saturating_add(part.1));
            let paths = parts.into_values().map(|part| part.0).collect();
            models.push(Gguf { paths, bytes, rank: rank(base) });
        }
    }
    models
}

/// `base-00002-of-00003`: the base, the number and the count.
fn split(stem: &str) -> Option<(&str, u64, u64)> {
    let (rest, count) = stem.rsplit_once("-of-")?;
    let (base, number) = rest.rsplit_once('-')?;
    let digits = |text: &str| (text.len() == 5).then(|| text.parse().ok()).flatten();
    Some((base, digits(number)?, digits(count)?))
}

/// The type that a path names, in the file's name or, where splits have folders, in the folder's.
fn rank(stem: &str) -> Option<usize> {
    let upper = stem.to_ascii_uppercase();
    let bytes = upper.as_bytes();
    // `Q4_K` does not stand in `Q4_K_M` or `IQ4_K`, but `Q4_0` in `tiny_Q4_0`.
    let named = |name: &str| {
        upper.match_indices(name).any(|(at, _)| {
            let is_start = at == 0 || !bytes[at - 1].is_ascii_alphanumeric();
            let next = bytes.get(at + name.len());
            is_start && next.is_none_or(|b| !(b.is_ascii_alphanumeric() || *b == b'_'))
        })
    };
    TYPES.iter().position(|name| named(name))
}

/// The Hugging Face folder that the listing is.
fn folder(files: &[(&str, u64)]) -> Option<Choice> {
    let size = |wanted: &str| files.iter().find(|(path, _)| *path == wanted).map(|file| file.1);
    let config = size("config.json")?;
    let (index, single) = ("model.safetensors.index.json", "model.safetensors");
    let mut chosen = vec![("config.json", config)];
    if let Some(bytes) = size(single) {
        chosen.push((single, bytes));
    } else {
        chosen.push((index, size(index)?));
        let shard = |path: &str| {
            path.starts_with("model-") && path.ends_with(".safetensors") && !path.contains('/')
        };
        let mut shards: Vec<(&str, u64)> =
            files.iter().copied().filter(|(path, _)| shard(path)).collect();
        shards.sort_unstable();
        if shards.is_empty() {
            return None;
        }
        chosen.extend(shards);
    }
    let bytes = chosen.iter().fold(0, |sum: u64, file| sum.saturating_add(file.1));
    let weights = chosen.iter().filter(|(path, _)| path.ends_with(".safetensors")).count();
    let what = Many(weights, "safetensors file");
    let why = format!("{what} ({}): there is no GGUF model", Size(bytes));
    let files = chosen.into_iter().map(|(path, _)| path.to_owned()).collect();
    Some(Choice { files, bytes, why })
}

/// Bytes for people.
struct Size(u64);

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            bytes if bytes >= 1_000_000_000 => write!(f, "{:.1} GB", bytes as f64 / 1e9),
            bytes => write!(f, "{} MB", bytes.div_ceil(1_000_000)),
        }
    }
}

/// A number of things.
struct Many(usize, &'static str);

impl fmt::Display for Many {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(count, noun) = self;
        write!(f, "{count} {noun}{}", if *count == 1 { "" } else { "s" })
    }
}

#[cfg(test)]
mod tests;
