//! The prefix of the last conversation is kept: counted right, and without a trace in the text.

use crate::host::{Host, greedy, ids};
use crate::model::tokens;
use sidestage_engine::protocol::{GenerateOptions, Generated};

fn fresh(options: GenerateOptions) -> GenerateOptions {
    GenerateOptions { cache_prompt: Some(false), ..options }
}

/// Generates with the prefix that is held, and compares with a host that holds none.
fn check(host: &mut Host, prompt: &[u32], cached: u32) -> Generated {
    let options = GenerateOptions { temperature: Some(0.7), seed: Some(3), ..greedy(10) };
    let found = host.generate(ids(prompt.to_vec()), options.clone());
    assert_eq!(found.usage.cached_tokens, cached, "of {}", prompt.len());
    let alone = Host::tiny().generate(ids(prompt.to_vec()), fresh(options));
    assert_eq!(alone.usage.cached_tokens, 0);
    assert_eq!((&found.tokens, &found.text), (&alone.tokens, &alone.text));
    found
}

#[test]
fn the_longest_common_prefix_is_reused() {
    let mut host = Host::tiny();
    let start = tokens("start", 60);
    let first = check(&mut host, &start, 0);
    // The same again: the last token is evaluated for its logits.
    let again = check(&mut host, &start, 59);
    assert_eq!(first.tokens, again.tokens);
    // A conversation that goes on. The last token of an answer was never evaluated.
    let longer = [&start[..], &first.tokens, &tokens("more", 5)].concat();
    check(&mut host, &longer, 69);
    // Others, which part at, before and after the edge of a page, or at once.
    for (kept, more) in [(64, 20), (31, 50), (33, 3), (32, 1), (1, 100), (0, 40)] {
        let parted = [&longer[..kept], &[319 - longer[kept]], &tokens("else", more)].concat();
        check(&mut host, &parted, kept as u32);
        check(&mut host, &longer, kept as u32);
    }
    // A beginning of what is held.
    check(&mut host, &longer[..40], 39);
}

#[test]
fn reuse_can_be_turned_off() {
    let mut host = Host::tiny();
    let start = tokens("start", 60);
    host.generate(ids(start.clone()), greedy(5));
    let off = host.generate(ids(start.clone()), fresh(greedy(5)));
    assert_eq!(off.usage.cached_tokens, 0);
    // Its conversation is the one that is held now.
    let on = host.generate(ids(start), greedy(5));
    assert_eq!((on.usage.cached_tokens, on.tokens), (59, off.tokens));
}

#[test]
fn refused_and_aborted_requests_leave_a_right_prefix() {
    let mut host = Host::tiny();
    let start = tokens("start", 200);
    check(&mut host, &start[..100], 0);
    host.try_generate(ids([5000]), greedy(5)).expect_err("not in the vocabulary");
    // Aborted while it waits: what is held stays held.
    let waiting = host.start(ids(tokens("other", 50)), greedy(5));
    host.abort(waiting);
    host.run_out();
    check(&mut host, &start[..100], 99);
    // Aborted in its prompt, in the middle of a step: whole steps are kept.
    let running = host.start(ids(start.clone()), fresh(greedy(5)));
    (0..3).for_each(|_| assert!(host.run(SHORT)));
    host.abort(running);
    host.run_out();
    check(&mut host, &start, 0);
    let running = host.start(ids(start.clone()), fresh(greedy(5)));
    while !matches!(host.watch.text(running).len(), 1..) {
        assert!(host.run(SHORT));
    }
    host.abort(running);
    host.run_out();
    check(&mut host, &start, 199);
}

/// A few nodes.
const SHORT: f64 = 0.05;
