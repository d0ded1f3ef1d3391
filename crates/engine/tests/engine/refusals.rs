//! Memory that is refused is an error of one request; the engine goes on.

use crate::host::{Host, Reply, greedy, ids};
use crate::model::{self, tokens};
use crate::scarcity::with_at_most;
use sidestage_engine::protocol::LoadOptions;

#[test]
fn a_model_without_room() {
    let (mut host, reply) = (Host::new(), Reply::new(model::tiny()));
    let load = |host: &mut Host| host.load(&reply, LoadOptions::default());
    let error = with_at_most(100_000, || load(&mut host)).expect_err("no room");
    assert_eq!(error.code, "OUT_OF_MEMORY");
    assert!(error.hint.is_some());
    assert_eq!(error.detail.expect("figures")["bytes"], 328_960);
    assert_eq!(host.reading, None);
    load(&mut host).expect("room again");
    host.generate(ids([5]), greedy(3));
}

#[test]
fn a_conversation_without_room() {
    // Pages of 4096 bytes.
    let host = || {
        let (mut host, options) = (Host::new(), LoadOptions::default());
        let options = LoadOptions { kv_type: Some("f32".into()), ..options };
        host.load(&Reply::new(model::tiny()), options).expect("the tiny model");
        host
    };
    let expected = host().generate(ids(tokens("a", 100)), greedy(9));
    let mut host = host();
    host.watch.reserve(1000);
    // The cache's pages are the only large things an answer needs.
    let refused = with_at_most(4000, || host.try_generate(ids(tokens("a", 100)), greedy(9)));
    assert_eq!(refused.expect_err("no room").code, "OUT_OF_MEMORY");
    assert_eq!(host.generate(ids(tokens("a", 100)), greedy(9)).text, expected.text);
    // A longer one takes the place of the one that is held, and still has no room.
    let refused = with_at_most(4000, || host.try_generate(ids(tokens("b", 200)), greedy(9)));
    assert_eq!(refused.expect_err("no room").code, "OUT_OF_MEMORY");
    // As long a one has.
    let found = with_at_most(4000, || host.try_generate(ids(tokens("a", 100)), greedy(9)));
    assert_eq!(found.expect("an answer").text, expected.text);
}
