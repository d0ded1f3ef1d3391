//! Writes the seeds of the GGUF fuzz target: `cargo run -p sidestage-formats --example gguf_corpus
//! -- fuzz/corpus/gguf`.

#[path = "../tests/samples/mod.rs"]
mod samples;

fn main() -> std::io::Result<()> {
    let folder =
        std::env::args_os().nth(1).ok_or_else(|| std::io::Error::other("which folder?"))?;
    let folder = std::path::PathBuf::from(folder);
    std::fs::create_dir_all(&folder)?;
    let good =
        [2, 3].map(|version| (format!("everything_{version}"), samples::everything(version)));
    let broken = samples::broken().into_iter().map(|(name, file, ..)| (name.to_owned(), file));
    for (at, (name, file)) in good.into_iter().chain(broken).enumerate() {
        // The two bytes before the file choose the chunks.
        let input = [&(at as u16).to_le_bytes()[..], &file].concat();
        std::fs::write(folder.join(name), input)?;
    }
    Ok(())
}
