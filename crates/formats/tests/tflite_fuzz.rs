//! The fuzz target's corpus, and real files with seeded damage, under the target's own checks.

#[path = "../../../fuzz/check/peak.rs"]
mod peak;
#[path = "../../../fuzz/check/random.rs"]
mod random;
#[path = "../../../fuzz/check/tflite.rs"]
mod tflite;

use random::Random;
use std::path::Path;

#[test]
fn the_corpus_passes() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus/tflite");
    let mut files = 0;
    for entry in std::fs::read_dir(folder).expect("the corpus") {
        let path = entry.expect("an entry").path();
        println!("{}", path.display());
        tflite::check(&std::fs::read(path).expect("a file of the corpus"));
        files += 1;
    }
    assert!(files >= 8, "{files} files");
}

#[test]
fn damaged_files_are_read_or_refused() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus/tflite");
    let mut random = Random(0x5eed);
    let (mut read, mut refused) = (0, 0);
    for entry in std::fs::read_dir(folder).expect("the corpus") {
        let mut file = std::fs::read(entry.expect("an entry").path()).expect("a file");
        for round in 0..400 {
            let flips: Vec<_> =
                (0..1 + round % 3).map(|_| random.below(file.len().min(8192) * 8)).collect();
            flips.iter().for_each(|bit| file[bit / 8] ^= 1 << (bit % 8));
            match sidestage_formats::tflite::read(&file) {
                Ok(_) => read += 1,
                Err(_) => refused += 1,
            }
            tflite::check(&file);
            flips.iter().for_each(|bit| file[bit / 8] ^= 1 << (bit % 8));
        }
        for _ in 0..100 {
            tflite::check(&file[..random.below(file.len())]);
        }
    }
    assert!(read > 0 && refused > 0, "{read} are read, {refused} refused");
}
