//! Every family, and every habit a file can ask for, against the naive model.

use crate::reference;
use crate::steps::{decoder, error, evaluate};
use crate::tiny::{Random, Shape};

fn tokens(count: usize, vocab: usize) -> Vec<u32> {
    let mut random = Random::new(7, "tokens");
    (0..count).map(|_| random.below(vocab) as u32).collect()
}

/// Evaluates more positions than two pages hold.
fn check(what: &str, shape: &Shape) {
    let model = shape.model();
    let tokens = tokens(75, shape.vocab);
    let expected = reference::logits(&model, &tokens);
    let mut decoder = decoder(&model.file(Vec::new())).expect(what);
    let found = evaluate(&mut decoder, &tokens);
    let errors = found.iter().zip(&expected).map(|(a, b)| error(a, b.iter().copied()));
    let worst = errors.enumerate().max_by(|a, b| a.1.total_cmp(&b.1)).expect("positions");
    println!("{what}: {:.1e} of the largest logit at position {}", worst.1, worst.0);
    assert!(worst.1 < 2e-5, "{what}: {worst:?}");
}

/// How far the models' logits are apart; a habit that changes nothing is not tested by `check`.
fn apart(a: &Shape, b: &Shape) -> f64 {
    let tokens = tokens(75, a.vocab);
    let last = |shape: &Shape| {
        let mut decoder = decoder(&shape.model().file(Vec::new())).expect("a model");
        evaluate(&mut decoder, &tokens).pop().expect("positions")
    };
    error(&last(a), last(b).into_iter().map(f64::from))
}

#[test]
fn llama_is_the_naive_model() {
    check("llama", &Shape::new("llama"));
    check("an output matrix of its own", &Shape { tied: false, ..Shape::new("llama") });
    check("a key head for each head", &Shape { kv_heads: 4, ..Shape::new("llama") });
    check("one key head", &Shape { kv_heads: 1, ..Shape::new("llama") });
}

#[test]
fn qwen2_has_biases_and_rotates_halves() {
    let shape = Shape { rope_base: 1e6, ..Shape::new("qwen2") };
    check("qwen2", &shape);
    check("qwen2 with its own output", &Shape { tied: false, ..shape });
}

#[test]
fn qwen3_has_norms_of_heads_and_heads_of_any_width() {
    let shape = Shape { rope_base: 1e6, head_dim: 32, ..Shape::new("qwen3") };
    check("qwen3", &shape);
    check("qwen3 with narrow heads", &Shape { head_dim: 8, heads: 6, kv_heads: 3, ..shape });
}

#[test]
fn rotary_angles_follow_the_file() {
    let plain = Shape::new("llama");
    let factors = Shape { rope_factors: true, ..plain.clone() };
    check("rope_freqs.weight", &factors);
    assert!(apart(&plain, &factors) > 0.01);
    let linear = Shape { rope_divisor: Some(4.0), ..plain.clone() };
    check("linear scaling", &linear);
    assert!(apart(&plain, &linear) > 0.01);
    check(
        "both, halves",
        &Shape { rope_factors: true, rope_divisor: Some(2.5), ..Shape::new("qwen3") },
    );
}

#[test]
fn a_sliding_window_hides_what_is_older() {
    let plain = Shape::new("llama");
    // Within a page, at a page's edge, over pages.
    for window in [1, 7, 32, 33, 70] {
        let shape = Shape { window: Some(window), ..plain.clone() };
        check(&format!("window of {window}"), &shape);
        assert!(apart(&plain, &shape) > 1e-3, "a window of {window} changes nothing");
    }
    let all = Shape { window: Some(75), ..plain.clone() };
    assert_eq!(apart(&plain, &all), 0.0);
}
