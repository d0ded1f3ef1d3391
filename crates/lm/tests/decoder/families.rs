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

#[test]
fn the_classics_are_the_naive_model() {
    let wide = |family| Shape { kv_heads: 4, ..Shape::new(family) };
    check("gpt2", &wide("gpt2"));
    check("starcoder2", &Shape::new("starcoder2"));
    check("phi2", &Shape { rotated: Some(6), tied: false, ..wide("phi2") });
    let neox = Shape { rotated: Some(4), tied: false, ..wide("gptneox") };
    check("gptneox", &neox);
    let sequential = Shape { parallel: false, ..neox.clone() };
    check("gptneox, one part after the other", &sequential);
    assert!(apart(&neox, &sequential) > 0.01);
    check("falcon", &Shape { kv_heads: 1, ..Shape::new("falcon") });
    check("falcon with two norms", &Shape { parallel: false, ..Shape::new("falcon") });
    let stable = Shape { rotated: Some(4), tied: false, ..Shape::new("stablelm") };
    check("stablelm with norms of heads, parallel", &stable);
    check("stablelm", &Shape { parallel: false, ..stable });
}

#[test]
fn the_later_ones_are_the_naive_model() {
    check("phi3", &Shape::new("phi3"));
    check(
        "phi3 with a window",
        &Shape { window: Some(20), rotated: Some(12), ..Shape::new("phi3") },
    );
    check("granite", &Shape::new("granite"));
    check("olmo2", &Shape { tied: false, ..Shape::new("olmo2") });
    let layers = |family, layers| Shape { layers, tied: false, ..Shape::new(family) };
    check("smollm3", &layers("smollm3", 5));
    let windows = Shape { window: Some(20), yarn: Some(4.0), ..layers("olmo2", 4) };
    check("olmo3, as olmo2 with windows", &windows);
    assert!(apart(&windows, &Shape { window: None, ..windows.clone() }) > 1e-3);
}

#[test]
fn convolutions_are_the_naive_model() {
    check("lfm2", &Shape { layers: 4, ..Shape::new("lfm2") });
}

#[test]
fn gemma_is_the_naive_model() {
    check("gemma", &Shape { head_dim: 32, ..Shape::new("gemma") });
    let second = Shape { window: Some(20), layers: 3, ..Shape::new("gemma2") };
    check("gemma2", &second);
    assert!(apart(&second, &Shape { window: Some(21), ..second.clone() }) > 1e-4);
    let third = Shape {
        window: Some(20),
        layers: 7,
        rope_base: 1e6,
        rope_divisor: Some(8.0),
        ..Shape::new("gemma3")
    };
    check("gemma3", &third);
    check("gemma3 without windows", &Shape { window: None, ..third });
}

#[test]
fn experts_are_the_naive_model() {
    let eight = Shape { experts: Some((8, 3)), ..Shape::new("qwen3moe") };
    check("qwen3moe", &eight);
    check("llama with experts", &Shape { experts: Some((4, 2)), ..Shape::new("llama") });
    check("one expert of many", &Shape { experts: Some((5, 1)), ..eight.clone() });
    check("all of them", &Shape { experts: Some((3, 3)), ..eight });
}

#[test]
fn contexts_are_extended() {
    let plain = Shape::new("llama");
    let yarn = Shape { yarn: Some(8.0), ..plain.clone() };
    check("yarn", &yarn);
    assert!(apart(&plain, &yarn) > 0.01);
    check(
        "yarn of a part of a head",
        &Shape { rotated: Some(8), yarn: Some(4.0), ..Shape::new("qwen2") },
    );
    // The context decides, not the position: all positions of a conversation are rotated alike.
    let long = Shape { longrope: Some(40), ..Shape::new("phi3") };
    let short = Shape { longrope: Some(256), ..long.clone() };
    check("longrope, long", &long);
    check("longrope, short", &short);
    assert!(apart(&long, &short) > 0.01);
}

#[test]
fn layers_may_have_sizes_of_their_own() {
    let mut model = Shape { kv_heads: 4, ..Shape::new("llama") }.model();
    let expected = {
        let mut decoder = decoder(&model.file(Vec::new())).expect("a model");
        evaluate(&mut decoder, &tokens(40, 320))
    };
    // The second layer gets a fifth and sixth head and 32 more values inside that change nothing.
    model.widen("blk.1.attn_q.weight", 64, 96, 64);
    model.widen("blk.1.attn_k.weight", 64, 96, 64);
    model.widen("blk.1.attn_v.weight", 64, 96, 64);
    model.lengthen("blk.1.attn_output.weight", 64, 96);
    model.widen("blk.1.ffn_gate.weight", 96, 128, 64);
    model.widen("blk.1.ffn_up.weight", 96, 128, 64);
    model.lengthen("blk.1.ffn_down.weight", 96, 128);
    let list = |key: &str, values: [u32; 2]| (format!("llama.{key}"), values.to_vec().into());
    let file = model.file(vec![
        list("attention.head_count", [4, 6]),
        list("attention.head_count_kv", [4, 6]),
        list("feed_forward_length", [96, 128]),
    ]);
    let mut decoder = decoder(&file).expect("a model");
    let found = evaluate(&mut decoder, &tokens(40, 320));
    for (found, expected) in found.iter().zip(&expected) {
        let error = error(found, expected.iter().map(|&logit| f64::from(logit)));
        assert!(error < 1e-5, "{error}");
    }
}
