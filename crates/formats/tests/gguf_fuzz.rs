//! The fuzz target's corpus, and a real header with seeded damage, under the target's own checks.

#[path = "../../../fuzz/check/gguf.rs"]
mod gguf;
#[path = "../../../fuzz/check/peak.rs"]
mod peak;
#[path = "../../../fuzz/check/random.rs"]
mod random;
mod samples;

use random::Random;
use sidestage_formats::gguf::Gguf;
use std::path::Path;

#[test]
fn the_corpus_passes() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus/gguf");
    let mut files = 0;
    for entry in std::fs::read_dir(folder).expect("the corpus") {
        let path = entry.expect("an entry").path();
        println!("{}", path.display());
        gguf::check(&std::fs::read(path).expect("a file of the corpus"));
        files += 1;
    }
    assert!(files >= samples::broken().len(), "{files} files");
}

fn damage(file: &[u8], rounds: usize) {
    let header = Gguf::parse(file).expect("a good file").data_offset as usize;
    let mut random = Random(0x5eed);
    let mut input = [&[0, 0], &file[..header]].concat();
    let mut refused = 0;
    for round in 0..rounds {
        input[0] = random.below(256) as u8;
        let flips: Vec<_> = (0..1 + round % 3).map(|_| random.below(header * 8)).collect();
        flips.iter().for_each(|bit| input[2 + bit / 8] ^= 1 << (bit % 8));
        refused += usize::from(Gguf::parse(&input[2..]).is_err());
        gguf::check(&input);
        flips.iter().for_each(|bit| input[2 + bit / 8] ^= 1 << (bit % 8));
    }
    assert!(refused > 0, "no damage was noticed");
    for _ in 0..rounds / 2 {
        gguf::check(&input[..random.below(input.len())]);
    }
}

#[test]
fn a_small_file_survives_every_flipped_bit_and_every_cut() {
    let file = samples::everything(3);
    let header = Gguf::parse(&file).expect("a good file").data_offset as usize;
    let mut input = [&[5, 1], &file[..header]].concat();
    for bit in 16..input.len() * 8 {
        input[bit / 8] ^= 1 << (bit % 8);
        gguf::check(&input);
        input[bit / 8] ^= 1 << (bit % 8);
    }
    for end in 2..input.len() {
        gguf::check(&input[..end]);
    }
}

#[test]
fn a_real_header_survives_seeded_damage() {
    let Some(root) = std::env::var_os("SIDESTAGE_TESTDATA") else {
        println!("left out: SIDESTAGE_TESTDATA is not set");
        return;
    };
    let path = Path::new(&root).join("lm/stories260K-Q8_0.gguf");
    damage(&std::fs::read(path).expect("a file of the test data"), 1000);
}
