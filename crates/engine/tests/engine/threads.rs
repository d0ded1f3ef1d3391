//! `threads: "auto"`: measured once, remembered, and without a trace in the answer.

use crate::host::{Host, Reply, greedy, ids};
use crate::model::{self, tokens};
use sidestage_engine::protocol::{
    LoadOptions, Metrics, ModelInfo, Outcome, Request, Threads, ThreadsFigure,
};

fn auto(measured: Option<ThreadsFigure>) -> LoadOptions {
    LoadOptions { threads: Some(Threads::AUTO), measured, ..LoadOptions::default() }
}

fn load(threads: usize, options: LoadOptions) -> (Host, ModelInfo) {
    let mut host = Host::with_threads(threads);
    let info = host.load(&Reply::new(model::tiny()), options).expect("a model");
    (host, info)
}

fn metrics(host: &mut Host) -> Metrics {
    let answer = host.ask(|id| Request::Metrics { id, model: 1, profile: false });
    let Ok(Outcome::Metrics { metrics }) = answer else { panic!("{answer:?}") };
    metrics
}

#[test]
fn it_is_measured_once_and_the_text_is_the_same() {
    let prompt = || ids(tokens("threads", 150));
    let expected = Host::tiny().generate(prompt(), greedy(20));

    let (mut host, info) = load(3, auto(None));
    let reason = info.threads_reason.clone().expect("a reason");
    assert!(reason.starts_with(&format!("measured: {} of 3 (1 took", info.threads)), "{reason}");
    let first = metrics(&mut host);
    assert_eq!(first.threads, info.threads);
    assert!(first.measure_ms > 0.0 && first.measure_ms < 51.0, "{}", first.measure_ms);
    assert!(first.load_ms >= first.measure_ms);
    let figure = host.remembered.clone().expect("a figure");
    assert_eq!((figure.threads, figure.of, figure.sure), (info.threads, 3, info.threads == 3));
    assert_eq!(host.generate(prompt(), greedy(20)).tokens, expected.tokens);

    // The clock of this world only knows how often it is looked at: say that two are faster.
    let known = ThreadsFigure { threads: 2, sure: true, ..figure };
    let (mut host, info) = load(3, auto(Some(known.clone())));
    assert_eq!((info.threads, metrics(&mut host).measure_ms), (2, 0.0));
    assert_eq!(info.threads_reason.as_deref(), Some("measured at an earlier load: 2 of 3"));
    assert_eq!(host.remembered, None);
    assert_eq!(host.generate(prompt(), greedy(20)).tokens, expected.tokens);

    // Of another model.
    let (mut host, _) = load(3, auto(Some(ThreadsFigure { model: "other".into(), ..known })));
    assert!(metrics(&mut host).measure_ms > 0.0 && host.remembered.is_some());
}

#[test]
fn fewer_threads_than_there_are_are_measured_twice() {
    // A thread more changes nothing in this world, so one is chosen.
    let (host, _) = load(3, auto(None));
    let first = host.remembered.expect("a figure");
    assert_eq!((first.threads, first.sure), (1, false));
    let (mut host, info) = load(3, auto(Some(first.clone())));
    assert!(metrics(&mut host).measure_ms > 0.0);
    assert_eq!(host.remembered, Some(ThreadsFigure { sure: true, ..first.clone() }));
    assert_eq!(info.threads, 1);
    // Had the first found more, that would stand.
    let more = ThreadsFigure { threads: 2, ..first };
    let (host, info) = load(3, auto(Some(more.clone())));
    assert_eq!(host.remembered, Some(ThreadsFigure { sure: true, ..more }));
    assert_eq!(info.threads, 2);
}

#[test]
fn what_was_measured_is_about_the_weights() {
    let (host, _) = load(2, auto(None));
    let tiny = host.remembered.expect("a figure").model;
    let (again, _) = load(2, auto(None));
    assert_eq!(again.remembered.expect("a figure").model, tiny);
    let other = LoadOptions { kv_type: Some("f32".into()), ..auto(None) };
    assert_ne!(load(2, other).0.remembered.expect("a figure").model, tiny);
}

#[test]
fn numbers_are_taken_as_they_are() {
    for threads in [None, Some(Threads::Count(2))] {
        let (mut host, info) = load(2, LoadOptions { threads, ..LoadOptions::default() });
        assert_eq!((info.threads, info.threads_reason), (2, None));
        assert_eq!((metrics(&mut host).measure_ms, host.remembered), (0.0, None));
    }
    let (mut host, info) = load(1, auto(None));
    assert_eq!((info.threads, metrics(&mut host).threads), (1, 1));
}

#[test]
fn a_machine_on_which_every_look_at_the_clock_takes_long_keeps_the_default() {
    let mut host = Host::with_threads(4);
    host.tick(60.0);
    let info = host.load(&Reply::new(model::tiny()), auto(None)).expect("a model");
    assert_eq!(info.threads, 3, "nothing is known, so it is the default");
    assert!(info.threads_reason.expect("a reason").contains("too slow"));
    assert_eq!(host.remembered, None);
}
