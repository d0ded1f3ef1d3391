//! Metadata that cannot be are errors that name the key.

use crate::steps::{decoder, evaluate};
use crate::tiny::Shape;
use sidestage_formats::gguf::Value;
use sidestage_lm::LmError;

fn refused(shape: &Shape, key: &str, value: impl Into<Value>) -> LmError {
    let key = format!("{}.{key}", shape.family);
    let error = decoder(&shape.model().file(vec![(key.clone(), value.into())])).map(|_| ());
    let error = error.expect_err(&key);
    assert!(error.to_string().contains(&key), "{key}: {error}");
    error
}

#[test]
fn impossible_sizes_are_named() {
    let llama = Shape::new("llama");
    for (key, values) in [
        ("attention.head_count", vec![vec![4, 4, 4], vec![4, 0], vec![4, u32::MAX]]),
        ("attention.head_count_kv", vec![vec![2], vec![3, 2], vec![0, 2]]),
        ("feed_forward_length", vec![vec![], vec![96, 0]]),
    ] {
        for value in values {
            assert_eq!(refused(&llama, key, value).code(), "MODEL_INVALID");
        }
    }
    let window = Shape { window: Some(8), ..llama.clone() };
    refused(&window, "attention.sliding_window_pattern", vec![true]);
    refused(&window, "attention.sliding_window_pattern", vec![1u32, 0, 1]);
    refused(&window, "attention.sliding_window_pattern", "LLG");
    refused(&llama, "rope.freq_base", -1.0f32);
    refused(&llama, "attention.scale", f32::NAN);
    let yarn = Shape { yarn: Some(4.0), ..llama.clone() };
    refused(&yarn, "rope.scaling.factor", 0.0f32);
    refused(&llama, "rope.scaling.type", "dynamic");
    let experts = Shape { experts: Some((4, 2)), ..llama };
    refused(&experts, "expert_used_count", 5u32);
    refused(&experts, "expert_count", 1u32 << 20);
    assert_eq!(refused(&experts, "expert_gating_func", 2u32).code(), "MODEL_UNSUPPORTED");
    assert_eq!(refused(&experts, "expert_weights_scale", 2.5f32).code(), "MODEL_UNSUPPORTED");
    assert_eq!(refused(&experts, "expert_shared_count", 1u32).code(), "MODEL_UNSUPPORTED");
}

#[test]
fn windows_are_told_in_three_ways() {
    let windows = Shape { window: Some(8), layers: 4, ..Shape::new("llama") };
    let tokens: Vec<u32> = (0..30).map(|at| at * 7 % 320).collect();
    let last = |shape: &Shape, pattern: Option<Value>| {
        let more = pattern.map(|v| ("llama.attention.sliding_window_pattern".to_owned(), v));
        let file = shape.model().file(more.into_iter().collect());
        evaluate(&mut decoder(&file).expect("a model"), &tokens).pop().expect("logits")
    };
    let every_second = last(&windows, Some(2u32.into()));
    assert!(last(&windows, Some(vec![true, false, true, false].into())) == every_second);
    assert!(last(&windows, Some(vec![1u32, 0, 1, 0].into())) == every_second);
    // Without a pattern this family has a window in all layers, which 0 says too.
    let all = last(&windows, None);
    assert!(all != every_second && last(&windows, Some(0u32.into())) == all);
    let none = last(&Shape { window: None, ..windows.clone() }, None);
    assert!(none != every_second && last(&windows, Some(1u32.into())) == none);
}

#[test]
fn missing_tensors_are_named() {
    for family in sidestage_lm::FAMILIES {
        let kv_heads = if family.name == "gpt2" { 4 } else { 2 };
        let experts = (family.name == "qwen3moe").then_some((4, 2));
        let shape = Shape { kv_heads, experts, layers: 1, ..Shape::new(family.name) };
        let model = shape.model();
        decoder(&model.file(Vec::new())).expect(family.name);
        for (at, tensor) in model.tensors.iter().enumerate() {
            let mut other = model.clone();
            other.tensors[at].extents.iter_mut().for_each(|extent| *extent += 1);
            let count = other.tensors[at].extents.iter().product::<u64>();
            other.tensors[at].values.resize(count as usize, 0.5);
            assert!(decoder(&other.file(Vec::new())).is_err(), "another {}", tensor.name);
            // Without these a model is another one.
            let optional = ["bias", "attn_q_norm", "attn_k_norm", "ffn_gate_inp"];
            if optional.iter().any(|part| tensor.name.contains(part)) {
                continue;
            }
            other.tensors.remove(at);
            let error = decoder(&other.file(Vec::new())).map(|_| ()).expect_err(&tensor.name);
            assert!(matches!(error, LmError::MissingTensor { .. }), "{}: {error}", tensor.name);
        }
    }
}
