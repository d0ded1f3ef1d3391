//! Writes the seeds of the fuzz target `safetensors`: `cargo run -p sidestage-miniatures --example
//! corpus -- fuzz/corpus/safetensors`.

use sidestage_miniatures::model;
use std::path::PathBuf;

/// One of each habit.
const SEEDS: [&str; 13] = [
    "llama-llama3",
    "llama-yarn",
    "mixtral",
    "smollm3",
    "granite",
    "qwen2",
    "qwen3moe",
    "gemma2",
    "gemma3",
    "phi3-longrope",
    "gpt2",
    "falcon-grouped",
    "stablelm-parallel",
];

fn main() -> std::io::Result<()> {
    let folder =
        std::env::args_os().nth(1).ok_or_else(|| std::io::Error::other("which folder?"))?;
    let folder = PathBuf::from(folder);
    std::fs::create_dir_all(&folder)?;
    for (at, name) in SEEDS.iter().enumerate() {
        let model = model(name).ok_or_else(|| std::io::Error::other("which model?"))?;
        let file = &model.files[0].1;
        let length = file.first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes)) as usize;
        // A byte that chooses chunks and type, the configuration, a zero, the header.
        let seed = (at * 11 % 256) as u8 & !64;
        let input = [&[seed], model.config.as_slice(), &[0], &file[..8 + length]].concat();
        std::fs::write(folder.join(name), input)?;
    }
    Ok(())
}
