//! What a page asks of a model, and options that are wrong.

use super::defaults;
use crate::session::{Session, World};
use crate::{Seeds, model};
use serde_json::json;
use sidestage_engine::protocol::{GenerateOptions, LoadOptions, Prompt, Request, Segment, Threads};

/// A prompt of text, streamed.
pub(super) fn generate(session: &mut Session, text: &str, options: GenerateOptions) {
    let segments = vec![Segment::Text { text: text.into() }];
    let prompt = Prompt::Segments { segments, raw: false };
    session.ask(|id| Request::Generate { id, model: 1, prompt, options, credits: None });
    session.run(3);
}

pub(super) fn all(seeds: &mut Seeds) {
    let chat = World { held: vec![("m.gguf".into(), model("chat"))], ..World::default() };
    let mut session = Session::new(chat.clone());
    session.load_held(defaults());
    session.serve();
    session.ask(|id| Request::Metrics { id, model: 1, profile: true });
    let text = || "ab <s> \u{e9}1".to_owned();
    let (add_special, parse_special) = (true, true);
    session.ask(|id| Request::Tokenize { id, model: 1, text: text(), add_special, parse_special });
    session.ask(|id| Request::Detokenize { id, model: 1, tokens: vec![1, 5, 6, 99] });
    for messages in [json!([{ "role": "user", "content": "ab" }]), json!(3)] {
        session.ask(|id| Request::ApplyChatTemplate {
            id,
            model: 1,
            messages,
            tools: Some(json!([{ "name": "f" }])),
            chat_template_options: Some(json!({ "enable_thinking": false })),
            add_generation_prompt: true,
        });
    }
    session.ask(|id| Request::Hello { protocol: id, build: String::new(), wasm_url: None });
    let options = GenerateOptions {
        max_tokens: Some(4),
        temperature: Some(0.7),
        top_k: Some(5),
        top_p: Some(0.9),
        min_p: Some(0.01),
        repetition_penalty: Some(1.1),
        frequency_penalty: Some(0.1),
        presence_penalty: Some(0.1),
        logit_bias: vec![(5, 2.0)],
        seed: Some(7),
        stop_sequences: vec!["ba".into()],
        stop_tokens: vec![3],
        ignore_eos: true,
        stream: true,
        ..GenerateOptions::default()
    };
    generate(&mut session, "ab", options.clone());
    generate(&mut session, "ab", GenerateOptions { cache_prompt: Some(false), ..options.clone() });
    for wrong in [
        GenerateOptions { temperature: Some(-1.0), ..GenerateOptions::default() },
        GenerateOptions { top_p: Some(0.0), ..GenerateOptions::default() },
        GenerateOptions { logit_bias: vec![(99, 1.0)], ..GenerateOptions::default() },
        GenerateOptions { repetition_penalty: Some(0.0), ..GenerateOptions::default() },
        GenerateOptions { stop_sequences: vec![String::new()], ..GenerateOptions::default() },
        GenerateOptions { max_tokens: Some(0), ..GenerateOptions::default() },
    ] {
        generate(&mut session, "ab", wrong);
    }
    generate(&mut session, "", GenerateOptions::default());
    generate(&mut session, &"ab".repeat(99), GenerateOptions::default());
    session.ask(|id| Request::Metrics { id, model: 1, profile: true });
    session.ask(|id| Request::Metrics { id, model: 1, profile: false });
    session.end("requests", seeds);

    // Several at once: one waits for credits, one is aborted, the others take turns.
    let mut session = Session::new(chat.clone());
    session.load_held(LoadOptions { kv_type: Some("f32".into()), ..defaults() });
    session.serve();
    for credits in [None, Some(1), None, Some(0)] {
        let prompt =
            Prompt::Segments { segments: vec![Segment::Ids { ids: vec![1; 20] }], raw: true };
        let options = GenerateOptions { stream: true, ..GenerateOptions::default() };
        session.ask(|id| Request::Generate { id, model: 1, prompt, options, credits });
    }
    session.run(1);
    session.ask(|_| Request::Abort { id: 4, model: 1 });
    session.run(3);
    session.ask(|_| Request::Credit { id: 3, model: 1, count: 9 });
    session.ask(|_| Request::Credit { id: 5, model: 1, count: 9 });
    session.run(3);
    session.end("turns", seeds);

    let mut session = Session::new(chat);
    let text = |text: &str| Some(text.to_owned());
    for options in [
        LoadOptions { device: text("webgpu"), ..defaults() },
        LoadOptions { device: text("abacus"), ..defaults() },
        LoadOptions { context_length: Some(0), ..defaults() },
        LoadOptions { threads: Some(Threads::Count(0)), ..defaults() },
        LoadOptions { kv_type: text("q9"), ..defaults() },
        LoadOptions { dtype: text("q9"), ..defaults() },
        LoadOptions { cache: text("often"), ..defaults() },
        LoadOptions { hub_url: text("ftp://h"), ..defaults() },
        LoadOptions { context_length: Some(u32::MAX), device: text("auto"), ..defaults() },
        LoadOptions { context_length: Some(16), kv_type: text("f32"), ..defaults() },
    ] {
        session.load_held(options.clone());
        session.load("hf:o/r", options);
        session.serve();
        session.dispose();
    }
    session.end("options", seeds);
}
