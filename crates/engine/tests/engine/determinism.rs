//! The same seed gives the same text, whatever happens around it.

use crate::host::{Host, Reply, ids};
use crate::model::{self, tokens};
use sidestage_engine::protocol::{GenerateOptions, LoadOptions};

fn seeded(seed: u64) -> GenerateOptions {
    GenerateOptions {
        max_tokens: Some(40),
        temperature: Some(1.5),
        top_k: Some(0),
        seed: Some(seed),
        stream: true,
        ignore_eos: true,
        ..GenerateOptions::default()
    }
}

/// Prompts in more than one step, so that threads, chunks and slices all take part.
fn prompt() -> Vec<u32> {
    tokens("prompt", 180)
}

#[test]
fn threads_slices_reuse_and_pauses_do_not_show() {
    let expected = Host::tiny().generate(ids(prompt()), seeded(5));
    for threads in [1, 2, 3] {
        let mut host = Host::with_threads(threads);
        let file = Reply::new(model::tiny());
        let info = host.load(&file, LoadOptions::default()).expect("a model");
        assert_eq!(info.threads as usize, threads);
        for budget in [0.0, 0.03, 1.0, 1e6] {
            for credits in [None, Some(1), Some(7)] {
                for cache_prompt in [None, Some(false)] {
                    let options = GenerateOptions { cache_prompt, ..seeded(5) };
                    let id = host.start_with(ids(prompt()), options, credits);
                    while host.watch.end(id).is_none() {
                        if !host.run(budget) {
                            host.grant(id, 3);
                        }
                    }
                    let found = host.answer(id).expect("an answer");
                    assert_eq!(found.tokens, expected.tokens, "{threads} {budget} {credits:?}");
                    assert_eq!(found.text, expected.text);
                }
            }
        }
    }
}

#[test]
fn seeds_differ() {
    let mut host = Host::tiny();
    let mut texts: Vec<String> =
        (0..8).map(|seed| host.generate(ids(prompt()), seeded(seed)).text).collect();
    texts.push(host.generate(ids(prompt()), seeded((1 << 53) - 1)).text);
    texts.sort();
    texts.dedup();
    assert_eq!(texts.len(), 9);
    // Without a seed two answers differ.
    let options = GenerateOptions { seed: None, ..seeded(0) };
    let first = host.generate(ids(prompt()), options.clone());
    assert_ne!(first.tokens, host.generate(ids(prompt()), options).tokens);
}

#[test]
fn greedy_needs_no_seed() {
    let greedy = || GenerateOptions { temperature: Some(0.0), seed: None, ..seeded(0) };
    let mut host = Host::tiny();
    let first = host.generate(ids(prompt()), greedy());
    assert_eq!(host.generate(ids(prompt()), greedy()).tokens, first.tokens);
}
