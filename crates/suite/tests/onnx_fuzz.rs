//! The fuzz target's corpus, and the same files with seeded damage, under the target's own checks.

#[path = "../../../fuzz/check/onnx.rs"]
mod onnx;
#[path = "../../../fuzz/check/peak.rs"]
mod peak;
#[path = "../../../fuzz/check/random.rs"]
mod random;

use random::Random;
use std::path::Path;

fn corpus() -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus/onnx");
    let entries = std::fs::read_dir(folder).expect("the corpus");
    let mut paths: Vec<_> = entries.map(|entry| entry.expect("an entry").path()).collect();
    paths.sort();
    paths.iter().map(|path| std::fs::read(path).expect("a file of the corpus")).collect()
}

#[test]
fn the_corpus_passes() {
    let files = corpus();
    assert!(files.len() >= 100, "{} files", files.len());
    files.iter().for_each(|file| onnx::check(file));
}

#[test]
fn damaged_files_are_run_or_refused() {
    let mut random = Random(0x5eed);
    for mut file in corpus() {
        for round in 0..20 {
            let flips: Vec<_> = (0..1 + round % 3).map(|_| random.below(file.len() * 8)).collect();
            flips.iter().for_each(|bit| file[bit / 8] ^= 1 << (bit % 8));
            onnx::check(&file);
            flips.iter().for_each(|bit| file[bit / 8] ^= 1 << (bit % 8));
        }
        onnx::check(&file[..random.below(file.len())]);
    }
}
