//! Writes every model into a folder of its own below the one given, with the tokens of the goldens:
//! what `goldens.py` reads.

use sidestage_miniatures::{Model, all};
use std::path::PathBuf;

fn main() -> std::io::Result<()> {
    let Some(root) = std::env::args_os().nth(1).map(PathBuf::from) else {
        eprintln!("usage: write DIR");
        std::process::exit(2);
    };
    for model in all() {
        let folder = root.join(model.name);
        std::fs::create_dir_all(&folder)?;
        std::fs::write(folder.join("config.json"), &model.config)?;
        if let Some(index) = &model.index {
            std::fs::write(folder.join("model.safetensors.index.json"), index)?;
        }
        for (name, bytes) in &model.files {
            std::fs::write(folder.join(name), bytes)?;
        }
    }
    let tokens: Vec<String> = Model::tokens().iter().map(u32::to_string).collect();
    std::fs::write(root.join("tokens.json"), format!("[{}]", tokens.join(", ")))
}
