//! Several requests at once: in turn, never mixed, each ended when its page wants.

use crate::host::{Host, SLICE, greedy, ids};
use crate::model::tokens;
use sidestage_engine::protocol::{FinishReason, GenerateOptions, Generated};

/// Long enough for more than one step.
fn long_prompt() -> Vec<u32> {
    tokens("long", 220)
}

fn alone(prompt: &[u32], options: GenerateOptions) -> Generated {
    Host::tiny().generate(ids(prompt.to_vec()), options)
}

#[test]
fn requests_are_answered_in_turn() {
    let mut host = Host::tiny();
    let prompts: Vec<Vec<u32>> = (0..5).map(|i| tokens(&format!("{i}"), 10 + 30 * i)).collect();
    let started: Vec<u32> =
        prompts.iter().map(|prompt| host.start(ids(prompt.clone()), greedy(9))).collect();
    host.run_out();
    let mut ends = host.watch.events.iter().filter_map(|event| match event {
        sidestage_engine::protocol::Event::Done { id, .. } => Some(*id),
        _ => None,
    });
    assert_eq!(ends.next(), Some(1), "the load");
    assert!(ends.eq(started.iter().copied()));
    for (id, prompt) in started.iter().zip(&prompts) {
        let found = host.answer(*id).expect("an answer");
        assert_eq!(found.text, alone(prompt, greedy(9)).text);
    }
}

#[test]
fn abort_in_the_queue() {
    let mut host = Host::tiny();
    let first = host.start(ids(tokens("a", 30)), greedy(20));
    let second = host.start(ids(tokens("b", 30)), greedy(20));
    let third = host.start(ids(tokens("c", 30)), greedy(20));
    host.run(SLICE);
    host.abort(second);
    host.run(0.0);
    let result = host.answer(second).expect("it has ended before its turn");
    assert_eq!((result.finish_reason, result.text.as_str()), (FinishReason::Abort, ""));
    assert_eq!((result.usage.prompt_tokens, result.usage.completion_tokens), (30, 0));
    assert!(result.timings.prefill_tokens_per_second.is_none());
    host.abort(second);
    host.abort(999);
    host.run_out();
    for (id, name) in [(first, "a"), (third, "c")] {
        let found = host.answer(id).expect("an answer");
        assert_eq!(found.text, alone(&tokens(name, 30), greedy(20)).text);
    }
}

#[test]
fn abort_in_the_prompt() {
    for slices in [0, 1, 2, 3, 5, 8] {
        let mut host = Host::tiny();
        let id = host.start(ids(long_prompt()), greedy(20));
        (0..slices).for_each(|_| assert!(host.run(0.0)));
        host.abort(id);
        // At the next look, whatever is under way.
        assert!(!host.run(0.0));
        let result = host.answer(id).expect("an end");
        assert_eq!((result.finish_reason, result.tokens.len()), (FinishReason::Abort, 0));
        assert_eq!(result.usage.prompt_tokens, 220);
        let next = host.generate(ids(long_prompt()), greedy(5));
        assert_eq!(next.text, alone(&long_prompt(), greedy(5)).text);
    }
}

#[test]
fn abort_in_the_answer() {
    let prompt = tokens("a", 30);
    let whole = alone(&prompt, greedy(100));
    let mut host = Host::tiny();
    for at_least in [1, 5, 20, 60] {
        let id = host.start(ids(prompt.clone()), greedy(100));
        while host.events(id).count() < at_least {
            assert!(host.run(0.1));
        }
        host.abort(id);
        assert!(!host.run(0.0));
        let result = host.answer(id).expect("an end");
        assert_eq!(result.finish_reason, FinishReason::Abort);
        assert_eq!(result.tokens.len(), at_least);
        assert_eq!(result.tokens, whole.tokens[..at_least]);
        let same = host.generate(ids(prompt.clone()), greedy(100));
        assert_eq!(same.text, whole.text);
    }
    // Too late: the answer keeps its reason.
    let id = host.start(ids(prompt), greedy(1));
    while host.events(id).count() == 0 {
        assert!(host.run(0.0));
    }
    host.abort(id);
    host.run_out();
    assert_eq!(host.answer(id).expect("an end").finish_reason, FinishReason::Length);
}

#[test]
fn credits_hold_an_answer_back() {
    let prompt = tokens("a", 30);
    let mut host = Host::tiny();
    let id = host.start_with(ids(prompt.clone()), greedy(20), Some(0));
    assert!(!host.run(1000.0));
    assert_eq!(host.events(id).count(), 0);
    for granted in 1..=20 {
        host.grant(id, 1);
        host.run_out();
        let deltas = host.events(id).count() - usize::from(host.watch.end(id).is_some());
        assert_eq!(deltas, granted);
    }
    assert_eq!(host.answer(id).expect("an end").text, alone(&prompt, greedy(20)).text);
}

#[test]
fn a_paused_request_keeps_nobody_waiting() {
    let (a, b) = (tokens("a", 100), tokens("b", 150));
    let to_the_end = || GenerateOptions { max_tokens: None, ignore_eos: true, ..greedy(0) };
    let mut host = Host::tiny();
    // Both want the whole cache; the first stops in the middle because its page does not read.
    let first = host.start_with(ids(a.clone()), to_the_end(), Some(30));
    let second = host.start_with(ids(b.clone()), to_the_end(), Some(1000));
    let third = host.start(ids(tokens("c", 5)), greedy(5));
    host.run_out();
    assert_eq!(host.events(first).count(), 30);
    assert_eq!(host.answer(second).expect("an end").text, alone(&b, to_the_end()).text);
    assert_eq!(host.answer(third).expect("an end").tokens.len(), 5);
    // Its own place was given away meanwhile; it goes on as if nothing had been.
    host.grant(first, 1000);
    host.run_out();
    assert_eq!(host.answer(first).expect("an end").text, alone(&a, to_the_end()).text);
}

#[test]
fn readers_that_take_turns() {
    let prompts: Vec<Vec<u32>> = (0..4).map(|i| tokens(&format!("{i}"), 40 + 20 * i)).collect();
    let to_the_end = || GenerateOptions { max_tokens: None, ignore_eos: true, ..greedy(0) };
    let mut host = Host::tiny();
    let all: Vec<u32> = prompts
        .iter()
        .map(|prompt| host.start_with(ids(prompt.clone()), to_the_end(), Some(0)))
        .collect();
    while !host.watch.open().is_empty() {
        for &id in &all {
            host.grant(id, 17);
            host.run_out();
        }
    }
    for (id, prompt) in all.iter().zip(&prompts) {
        let found = host.answer(*id).expect("an answer");
        assert_eq!(found.text, alone(prompt, to_the_end()).text);
        assert_eq!(found.usage.total_tokens, 257);
    }
}
