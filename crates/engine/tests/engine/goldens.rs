//! `stories260K` answers through the engine as its goldens say.

use crate::host::{Host, Reply, greedy, ids, raw};
use crate::model;
use serde_json::Value;
use sidestage_engine::protocol::{FinishReason, LoadOptions, Timings};
use std::path::Path;

fn json(path: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(path).expect("goldens")).expect("JSON")
}

fn list(value: &Value) -> Vec<u32> {
    value.as_array().expect("ids").iter().map(|id| id.as_u64().expect("an id") as u32).collect()
}

/// The goldens are of caches that round nothing.
fn exact() -> LoadOptions {
    LoadOptions { kv_type: Some("f32".into()), ..LoadOptions::default() }
}

fn sane(timings: &Timings) {
    let Timings { load_ms, queue_ms, time_to_first_token_ms, .. } = *timings;
    assert!(load_ms > 0.0 && queue_ms >= 0.0, "{timings:?}");
    assert!(time_to_first_token_ms > queue_ms, "{timings:?}");
    let speeds = [timings.prefill_tokens_per_second, timings.decode_tokens_per_second];
    assert!(speeds.iter().flatten().all(|speed| *speed > 0.0 && speed.is_finite()), "{timings:?}");
}

#[test]
fn prompts_as_text_give_the_golden_text() {
    let Some(folder) = model::data() else { return };
    let goldens = json(&folder.join("stories260K-goldens.json"));
    for quant in ["F32", "F16", "BF16"] {
        let file = format!("stories260K-{quant}.gguf");
        let mut host = Host::new();
        let bytes = std::fs::read(folder.join(&file)).expect("a model");
        let info = host.load(&Reply::new(&bytes), exact()).expect("a model");
        assert_eq!((info.architecture.as_str(), info.weight_type.as_str()), ("llama", quant));
        assert_eq!((info.vocab_size, info.context_length), (512, 512));
        assert!(info.has_tokenizer && !info.has_chat_template);
        for run in goldens["files"][&file]["runs"].as_array().expect("runs") {
            let (prompt, expected) = (list(&run["prompt_ids"]), list(&run["generated_ids"]));
            let text = run["prompt"].as_str().expect("a prompt");
            let result = host.generate(raw(text), greedy(expected.len() as u32));
            assert_eq!(result.tokens, expected, "{file}: {text}");
            assert_eq!(Some(result.text.as_str()), run["generated_text"].as_str());
            assert_eq!(result.finish_reason, FinishReason::Length);
            assert_eq!(result.usage.prompt_tokens as usize, prompt.len());
            assert_eq!(result.usage.completion_tokens as usize, expected.len());
            sane(&result.timings);
            assert!(result.timings.prefill_tokens_per_second.is_some());
            assert!(result.timings.decode_tokens_per_second.is_some());
        }
    }
}

#[test]
fn the_story_of_llama2_c() {
    let Some(folder) = model::data() else { return };
    let golden = json(&folder.join("stories260K-karpathy-golden.json"));
    let bytes = std::fs::read(folder.join("stories260K-F32.gguf")).expect("a model");
    let mut host = Host::new();
    host.load(&Reply::new(&bytes), exact()).expect("a model");
    let expected = list(&golden["generated_ids"]);
    let result = host.generate(ids(list(&golden["prompt_ids"])), greedy(expected.len() as u32));
    assert_eq!(result.tokens, expected);
    // llama2.c does not print the space that begins the first word.
    assert_eq!(result.text.strip_prefix(' '), golden["text"].as_str());
}

#[test]
fn quantised_models_tell_a_story_too() {
    let Some(folder) = model::data() else { return };
    for quant in ["Q8_0", "Q4_0", "Q4_1", "Q5_0", "Q5_1"] {
        let bytes =
            std::fs::read(folder.join(format!("stories260K-{quant}.gguf"))).expect("a model");
        let mut host = Host::new();
        let info = host.load(&Reply::new(&bytes), LoadOptions::default()).expect("a model");
        assert_eq!(info.weight_type, quant);
        let result = host.generate(raw("Once upon a time"), greedy(20));
        assert!(result.text.starts_with(", there was a little "), "{quant}: {}", result.text);
    }
}

#[test]
fn a_cache_of_halves_tells_the_same_story() {
    let Some(folder) = model::data() else { return };
    let golden = json(&folder.join("stories260K-karpathy-golden.json"));
    let bytes = std::fs::read(folder.join("stories260K-F32.gguf")).expect("a model");
    let expected = list(&golden["generated_ids"]);
    let whole = Host::new().load(&Reply::new(&bytes), exact()).expect("a model");
    let mut host = Host::new();
    let half = host.load(&Reply::new(&bytes), LoadOptions::default()).expect("a model");
    assert_eq!(2 * half.memory.kv_cache, whole.memory.kv_cache);
    let result = host.generate(ids(list(&golden["prompt_ids"])), greedy(expected.len() as u32));
    assert_eq!(result.tokens, expected);
}

#[test]
fn caches_that_cannot_be_are_refused() {
    let Some(folder) = model::data() else { return };
    let bytes = std::fs::read(folder.join("stories260K-F32.gguf")).expect("a model");
    // Its heads have 8 values, a block of Q8_0 32.
    for kv_type in ["q8_0", "q4_0", ""] {
        let options = LoadOptions { kv_type: Some(kv_type.into()), ..LoadOptions::default() };
        let error = Host::new().load(&Reply::new(&bytes), options).expect_err(kv_type);
        assert_eq!(error.code, "INVALID_OPTION", "{}", error.message);
        assert_eq!(error.detail.expect("detail")["option"], "kvType");
    }
}
