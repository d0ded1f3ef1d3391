//! Bits do not depend on threads, chunks or stops, in any family.

use crate::goldens::evaluate;
use crate::quantized::quantized;
use crate::steps::decoder;
use crate::tiny::{Random, Shape};
use sidestage_pool::Pool;
use sidestage_tensor::DType;

fn shapes() -> Vec<Shape> {
    let every = sidestage_lm::FAMILIES.iter().map(|family| Shape {
        // Enough work that threads share it.
        feed_forward: 256,
        kv_heads: if family.name == "gpt2" { 4 } else { 2 },
        layers: if family.name == "gemma3" { 6 } else { 4 },
        window: (family.windows.full_every.is_some() || family.name == "phi3").then_some(40),
        experts: (family.name == "qwen3moe").then_some((6, 2)),
        longrope: (family.name == "phi3").then_some(64),
        yarn: (family.name == "qwen2").then_some(4.0),
        ..Shape::new(family.name)
    });
    every.collect()
}

#[test]
fn bits_depend_on_nothing_but_the_tokens() {
    for shape in shapes() {
        check(shape.family, &shape.model().file(Vec::new()));
    }
}

/// In the first chunk no row wants logits: the output matrix is multiplied with nothing.
#[test]
fn nor_do_those_of_quantised_weights() {
    for dtype in [DType::F16, DType::Q8_0, DType::Q4_0, DType::Q5_1] {
        for family in ["llama", "qwen3moe"] {
            let experts = (family == "qwen3moe").then_some((6, 2));
            let shape = Shape { feed_forward: 256, experts, ..Shape::new(family) };
            check(&format!("{family} {dtype}"), &quantized(&mut shape.model(), dtype));
        }
    }
}

fn check(name: &str, file: &[u8]) {
    let mut random = Random::new(11, "bits");
    let tokens: Vec<u32> = (0..200).map(|_| random.below(320) as u32).collect();
    let pool = Pool::native(3);
    let mut decoder = decoder(file).expect(name);
    evaluate(&mut decoder, &Pool::inline(), &tokens, 128, false);
    let expected = decoder.logits(0).to_vec();
    assert!(expected.iter().all(|logit| logit.is_finite()), "{name}");
    for (chunk, stopping) in [(128, true), (7, true), (1, false)] {
        evaluate(&mut decoder, &pool, &tokens, chunk, stopping);
        let same = decoder.logits(0) == expected;
        assert!(same, "{name}: three threads, chunks of {chunk} differ");
    }
}
