//! The corpora of the fuzz targets `load`, `protocol`, `tokenizer`, `tokenizer_json` and `template`,
//! under the targets' own checks; and their seeds with seeded damage.

#[path = "../../../fuzz/check/host.rs"]
mod host;
#[path = "../../../fuzz/check/load.rs"]
mod load;
#[path = "../../../fuzz/check/peak.rs"]
mod peak;
#[path = "../../../fuzz/check/protocol.rs"]
mod protocol;
#[path = "../../../fuzz/check/template.rs"]
mod template;
#[path = "../../../fuzz/check/tokenizer.rs"]
mod tokenizer;
#[path = "../../../fuzz/check/tokenizer_json.rs"]
mod tokenizer_json;

use std::path::{Path, PathBuf};

/// The files of a corpus in the order of their names, and whether each is a seed: what a search
/// found is named by its hash.
fn corpus(name: &str) -> Vec<(bool, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus").join(name);
    let entries = std::fs::read_dir(folder).expect("the corpus");
    let mut paths: Vec<_> = entries.map(|entry| entry.expect("an entry").path()).collect();
    paths.sort();
    assert!(paths.len() >= 8, "{} files", paths.len());
    let file = |path: &PathBuf| {
        let seed = path.file_name().is_none_or(|name| name.len() < 40);
        (seed, std::fs::read(path).expect("a file of the corpus"))
    };
    paths.iter().map(file).collect()
}

/// Every file as it is, and the seeds with a few flipped bits, so many times.
fn replay(name: &str, rounds: u64, check: fn(&[u8])) {
    for (seed, mut input) in corpus(name) {
        check(&input);
        let rounds = if seed { rounds } else { 0 };
        let mut state = 0x5eed_u64;
        for round in 0..rounds {
            let flips: Vec<usize> = (0..1 + round % 3)
                .map(|_| {
                    state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                    (state >> 33) as usize % (8 * input.len())
                })
                .collect();
            flips.iter().for_each(|bit| input[bit / 8] ^= 1 << (bit % 8));
            check(&input);
            flips.iter().for_each(|bit| input[bit / 8] ^= 1 << (bit % 8));
        }
    }
}

#[test]
fn models_load_or_are_refused() {
    replay("load", 60, load::check);
}

#[test]
fn messages_are_answered_once() {
    replay("protocol", 60, protocol::check);
}

#[test]
fn vocabularies_open_or_are_refused() {
    replay("tokenizer", 60, tokenizer::check);
}

#[test]
fn tokenizer_files_open_or_are_refused() {
    replay("tokenizer_json", 60, tokenizer_json::check);
}

#[test]
fn templates_render_or_are_refused() {
    replay("template", 60, template::check);
}
