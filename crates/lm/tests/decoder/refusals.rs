//! Memory that is refused is an error, and what was there before it stays as it was.

use crate::scarcity::with_at_most;
use crate::steps::{decoder, evaluate, go_on, row};
use crate::tiny::Shape;
use sidestage_formats::gguf::Gguf;
use sidestage_lm::{Decoder, DecoderOptions, DecoderPlan, KvType, LmError};

/// One page of one layer's keys: 32 positions of 32 floats.
const PAGE_BYTES: usize = 32 * 32 * 4;

const OPTIONS: DecoderOptions = DecoderOptions { context_length: None, kv_type: KvType::F32 };

#[test]
fn weights_and_scratch() {
    let file = Shape::new("llama").model().file(Vec::new());
    let gguf = Gguf::parse(&file).expect("a header");
    let plan = || DecoderPlan::new(&gguf.metadata, &gguf.tensors, OPTIONS).expect("a plan");
    let refused = with_at_most(100_000, || plan().allocate(None));
    assert!(matches!(refused, Err(LmError::Refused { what: "weights", bytes: 328_960 })));
    let weights = plan().allocate(None).expect("room");
    let refused = with_at_most(100_000, || Decoder::new(plan(), weights));
    assert!(matches!(refused, Err(LmError::Refused { what: "scratch", .. })));
}

#[test]
fn pages_of_the_cache() {
    let file = Shape::new("llama").model().file(Vec::new());
    let mut decoder = decoder(&file).expect("a model");
    let tokens: Vec<u32> = (0..80).map(|at| at * 3).collect();
    let expected = evaluate(&mut decoder, &tokens);
    // Only the pages of the first text are there now: three.
    let had = decoder.cache_bytes();
    assert_eq!(had, 3 * 4 * PAGE_BYTES);
    let sequence = decoder.cache().create();
    let mut found = go_on(&mut decoder, sequence, 0, &tokens[..60]);
    let fork = decoder.cache().fork(sequence, 60);
    for _ in 0..3 {
        // The fork's last page is shared and must be copied: the third page, then a fourth.
        let mut begin = |sequence, position| {
            let rows = [row(sequence, position, tokens[position])];
            with_at_most(PAGE_BYTES - 1, || decoder.begin(&rows))
        };
        assert_eq!(begin(fork, 60), Ok(()));
        let bytes = 4 * PAGE_BYTES as u64;
        assert_eq!(begin(fork, 64), Err(LmError::Refused { what: "KV cache", bytes }));
    }
    assert_eq!(decoder.cache_bytes(), had);
    decoder.cache().remove(fork);
    found.extend(go_on(&mut decoder, sequence, 60, &tokens[60..]));
    assert!(found == expected);
    // When there is memory again, more than before can be held.
    let other = decoder.cache().create();
    assert!(go_on(&mut decoder, other, 0, &tokens) == expected);
    assert_eq!(decoder.cache_bytes(), 2 * had);
}
