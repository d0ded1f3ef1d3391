//! The cache in other types than `f32`.

use crate::goldens::evaluate;
use crate::steps::{decoder_of, error};
use crate::tiny::{Random, Shape};
use sidestage_lm::{Decoder, DecoderOptions, KvType, LmError};
use sidestage_pool::Pool;

fn shape() -> Shape {
    Shape { head_dim: 32, layers: 6, window: Some(40), ..Shape::new("gemma3") }
}

fn decoder(shape: &Shape, kv_type: KvType) -> Result<Decoder, LmError> {
    let options = DecoderOptions { context_length: None, kv_type };
    decoder_of(&shape.model().file(Vec::new()), options)
}

fn tokens() -> Vec<u32> {
    let mut random = Random::new(11, "cache");
    (0..200).map(|_| random.below(320) as u32).collect()
}

#[test]
fn what_is_rounded_is_near_and_smaller() {
    let run = |kv_type| {
        let mut decoder = decoder(&shape(), kv_type).expect("a model");
        evaluate(&mut decoder, &Pool::inline(), &tokens(), 128, false);
        (decoder.logits(0).to_vec(), decoder.cache_bytes())
    };
    let (exact, bytes) = run(KvType::F32);
    // Of 32 values: 128 bytes, 64, and 32 with a scale of two.
    for (kv_type, least, most, of_128) in
        [(KvType::F16, 1e-6, 1e-3, 64), (KvType::Q8_0, 1e-4, 2e-2, 34)]
    {
        let (logits, smaller) = run(kv_type);
        let error = error(&logits, exact.iter().map(|logit| f64::from(*logit)));
        assert!((least..most).contains(&error), "{kv_type:?}: {error}");
        assert_eq!(smaller * 128, bytes * of_128, "{kv_type:?}");
    }
}

#[test]
fn bits_depend_on_nothing_but_the_tokens() {
    let (tokens, pool) = (tokens(), Pool::native(3));
    for kv_type in [KvType::F16, KvType::Q8_0] {
        let mut decoder = decoder(&shape(), kv_type).expect("a model");
        evaluate(&mut decoder, &Pool::inline(), &tokens, 128, false);
        let expected = decoder.logits(0).to_vec();
        for chunk in [128, 7, 1] {
            evaluate(&mut decoder, &pool, &tokens, chunk, true);
            assert!(decoder.logits(0) == expected, "{kv_type:?}: chunks of {chunk} differ");
        }
    }
}

#[test]
fn heads_that_do_not_divide_into_blocks_are_refused() {
    let refused = decoder(&Shape::new("llama"), KvType::Q8_0).expect_err("heads of 16");
    assert_eq!(refused, LmError::KvType { kv_type: KvType::Q8_0, head_dim: 16 });
    assert_eq!(refused.code(), "INVALID_OPTION");
}
