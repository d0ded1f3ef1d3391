//! The course of a load that goes well, and of one that is ended.

use crate::host::{Host, Reply, URL, greedy, ids, raw};
use crate::model;
use sidestage_engine::protocol::{
    Completion, Event, HeldFile, LoadOptions, Metrics, ModelSource, Outcome, Request,
};

fn held(name: &str, size: u64) -> ModelSource {
    ModelSource::Held { files: vec![HeldFile { name: name.into(), size }] }
}

#[test]
fn a_model_comes_in_chunks_of_any_size() {
    let expected = Host::tiny().generate(raw("ab"), greedy(8));
    for chunk in [1, 7, 1000, 65_536, 65_537, usize::MAX] {
        let mut host = Host::new();
        let reply = Reply { chunk, ..Reply::new(model::tiny()) };
        let info = host.load(&reply, LoadOptions::default()).expect("a model");
        assert_eq!(info.parameters, 82_240, "in chunks of {chunk}");
        assert_eq!(host.generate(raw("ab"), greedy(8)).tokens, expected.tokens);
        assert_eq!(host.reading, None, "the reading was cancelled");
    }
}

#[test]
fn progress_counts_bytes_and_ends_with_ready() {
    let mut host = Host::new();
    host.tick(20.0);
    let id = host.start_load(LoadOptions::default());
    let reply = Reply { chunk: 1000, ..Reply::new(model::tiny()) };
    host.serve(&reply);
    let progress: Vec<_> = host
        .events(id)
        .filter_map(|event| match event {
            Event::Progress { progress, .. } => Some(progress),
            _ => None,
        })
        .collect();
    assert!(progress.len() > 10, "{} reports", progress.len());
    let length = model::tiny().len() as u64;
    assert!(progress.iter().all(|of| of.total_bytes == Some(length) && of.file == "m.gguf"));
    assert!(progress[1..].iter().all(|of| of.bytes_per_second > 0.0));
    let phases: Vec<&str> = progress.iter().map(|of| of.phase.as_str()).collect();
    assert_eq!(phases[phases.len() - 3..], ["download", "prepare", "ready"]);
    assert_eq!(progress.last().map(|of| of.loaded_bytes), Some(length));
}

#[test]
fn what_lies_after_the_weights_is_not_needed() {
    let mut host = Host::new();
    let padded = [model::tiny(), &[0; 100_000]].concat();
    host.load(&Reply::new(&padded), LoadOptions::default()).expect("a model");
    // No length at all, as with a compressed transfer.
    let mut host = Host::new();
    let reply = Reply { length: None, content_type: None, ..Reply::new(&padded) };
    host.load(&reply, LoadOptions::default()).expect("a model");
}

#[test]
fn reports_may_be_lost_late_or_doubled() {
    let file = model::tiny();
    let opened = |stream| Completion::opened(stream, Some(file.len() as u64));
    let mut host = Host::new();
    let id = host.start_load(LoadOptions::default());
    let stream = host.reading.expect("a reading");
    // Bytes without an answer could be anything's: they are not taken, and asked for again.
    assert_eq!(host.feed(stream, &file[..10_000]), 0);
    let stream = host.reading.filter(|again| *again != stream).expect("another reading");
    host.completion(opened(stream));
    host.feed(stream, &file[..10_000]);
    // Reports of readings that never were.
    host.completion(Completion::Closed { stream: stream + 1 });
    host.completion(Completion::Failed { stream: 0, message: "no".into(), refused: false });
    assert_eq!(host.feed(stream + 1, &file[..10]), 0);
    host.completion(opened(stream));
    host.completion(opened(stream));
    host.feed(stream, &file[10_000..]);
    assert!(matches!(host.watch.end(id), Some(Ok(Outcome::Loaded { .. }))));
    // After the end.
    host.completion(opened(stream));
    host.completion(Completion::Failed { stream, message: "no".into(), refused: false });
    assert_eq!(host.feed(stream, &file[..10]), 0);
    host.generate(raw("ab"), greedy(2));
}

#[test]
fn an_aborted_load_ends_at_once() {
    let mut host = Host::new();
    for bytes in [0, 10, 5000, 200_000] {
        let id = host.start_load(LoadOptions::default());
        let stream = host.reading.expect("a reading");
        host.feed(stream, &model::tiny()[..bytes]);
        host.abort(id + 100);
        assert!(host.watch.end(id).is_none());
        host.abort(id);
        let error = host.watch.end(id).expect("an end").as_ref().expect_err("aborted");
        assert_eq!(error.code, "ABORTED");
        assert_eq!(host.reading, None, "the reading was cancelled");
        assert_eq!(host.feed(stream, model::tiny()), 0);
    }
    host.load(&Reply::new(model::tiny()), LoadOptions::default()).expect("a model");
}

#[test]
fn one_engine_holds_one_model() {
    let mut host = Host::new();
    let first = host.start_load(LoadOptions::default());
    let busy = |host: &mut Host| {
        let source = held("other.gguf", 1);
        let options = LoadOptions::default();
        let error = host.ask(|id| Request::Load { id, source, options }).expect_err("busy");
        assert_eq!(error.code, "MODEL_BUSY");
    };
    busy(&mut host);
    host.serve(&Reply::new(model::tiny()));
    assert!(matches!(host.watch.end(first), Some(Ok(_))));
    busy(&mut host);
    host.generate(raw("ab"), greedy(2));
}

#[test]
fn dispose_settles_everything_and_makes_room() {
    let mut host = Host::new();
    let dispose = |host: &mut Host| host.ask(|id| Request::Dispose { id, model: 1 });
    let load = host.start_load(LoadOptions::default());
    host.feed(host.reading.expect("a reading"), &model::tiny()[..50_000]);
    assert!(matches!(dispose(&mut host), Ok(Outcome::Disposed)));
    assert_eq!(host.watch.end(load).expect("an end").as_ref().unwrap_err().code, "MODEL_DISPOSED");
    host.load(&Reply::new(model::tiny()), LoadOptions::default()).expect("a model");
    // One in the middle of its answer, one waiting, one paused.
    let running = host.start(ids(1..50), greedy(100));
    let waiting = host.start(ids(1..50), greedy(100));
    let paused = host.start_with(ids(1..50), greedy(100), Some(0));
    (0..10).for_each(|_| assert!(host.run(0.3)));
    assert!(!host.watch.text(running).is_empty());
    assert!(matches!(dispose(&mut host), Ok(Outcome::Disposed)));
    for id in [running, waiting, paused] {
        let error = host.watch.end(id).expect("an end").as_ref().expect_err("disposed");
        assert_eq!(error.code, "MODEL_DISPOSED");
    }
    assert!(!host.run(1.0));
    let gone = host.try_generate(raw("ab"), greedy(2)).expect_err("no model");
    assert_eq!(gone.code, "MODEL_NOT_LOADED");
    assert!(matches!(dispose(&mut host), Ok(Outcome::Disposed)), "twice does no harm");
    host.load(&Reply::new(model::tiny()), LoadOptions::default()).expect("a model");
    host.generate(raw("ab"), greedy(2));
}

#[test]
fn sources_become_urls_or_what_the_host_holds() {
    let hub = "https://mirror.example".to_owned();
    let api = "https://mirror.example/api/models/owner/repo/revision/main";
    let hosted = "https://mirror.example/owner/repo/resolve/main/m.gguf";
    let size = model::tiny().len() as u64;
    for (source, url) in [
        (ModelSource::Url { url: URL.into() }, Some(URL)),
        (ModelSource::Url { url: "hf:owner/repo/m.gguf".into() }, Some(hosted)),
        (held("m.gguf", size), None),
    ] {
        let mut host = Host::new();
        let options = LoadOptions { hub_url: Some(hub.clone()), ..LoadOptions::default() };
        let id = host.send(|id| Request::Load { id, source, options });
        if host.fetched[0].1.as_deref() == Some(api) {
            // A hub that has files only.
            host.serve(&Reply { status: 404, ..Reply::new(b"{}") });
        }
        assert_eq!(host.fetched.last().expect("a reading").1, url.map(str::to_owned));
        host.serve(&Reply::new(model::tiny()));
        assert!(matches!(host.watch.end(id), Some(Ok(Outcome::Loaded { .. }))));
    }
    for url in ["", "hf:owner", "ftp://example.org/m.gguf"] {
        let (source, options) = (ModelSource::Url { url: url.into() }, LoadOptions::default());
        let error = Host::new().ask(|id| Request::Load { id, source, options });
        assert_eq!(error.expect_err(url).code, "INVALID_SOURCE");
    }
}

#[test]
fn metrics_add_up() {
    let mut host = Host::tiny();
    host.generate(ids(1..41), greedy(10));
    host.generate(ids(1..61), greedy(5));
    let open = host.start_with(ids(1..5), greedy(5), Some(0));
    let answer = host.ask(|id| Request::Metrics { id, model: 1, profile: false });
    let Ok(Outcome::Metrics { metrics }) = answer else { panic!("{answer:?}") };
    let Metrics { bytes_read, memory, .. } = metrics;
    assert_eq!(bytes_read, model::tiny().len() as u64);
    assert_eq!((metrics.requests, metrics.open_requests), (2, 1));
    assert_eq!((metrics.prompt_tokens, metrics.cached_tokens), (40 + 20, 40));
    assert_eq!(metrics.completion_tokens, 15);
    assert!(metrics.load_ms > 0.0 && metrics.prefill_ms > 0.0 && metrics.decode_ms > 0.0);
    assert_eq!(memory.total, memory.weights + memory.kv_cache + memory.scratch);
    // 64 positions in two pages, keys and values of 32 halves in two layers.
    assert_eq!(memory.kv_cache, 64 * 2 * 2 * 32 * 2);
    host.grant(open, 5);
    host.run_out();
    assert_eq!(host.answer(open).expect("an answer").tokens.len(), 5);
}
