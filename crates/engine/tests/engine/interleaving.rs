//! Any order of chunks, lost, late and doubled reports, requests and budgets: every request ends
//! exactly once and no answer is mixed with another.

use crate::host::{Host, greedy, ids};
use crate::model::{self, tokens};
use proptest::prelude::*;
use sidestage_engine::protocol::{
    Completion, FinishReason, GenerateOptions, LoadOptions, Outcome, Request,
};
use std::cell::RefCell;
use std::collections::HashMap;

/// What a page, a network or a clock may do next.
#[derive(Clone, Debug)]
enum Deed {
    Load,
    /// The source answers: once, twice, or for a reading that is over.
    Opened {
        late: bool,
    },
    Chunk(usize),
    Closed {
        late: bool,
    },
    Failed {
        late: bool,
    },
    Generate(Wish),
    Abort(usize),
    Grant(usize, u32),
    Tokenize,
    Metrics,
    Dispose,
    Run(f64),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Wish {
    prompt: usize,
    max_tokens: u32,
    credits: Option<u32>,
    cache: bool,
}

impl Wish {
    fn prompt(self) -> Vec<u32> {
        // 1 to 240 tokens, some of which begin alike.
        let more = tokens(&format!("{}", self.prompt), 1 + self.prompt * 40);
        if self.prompt.is_multiple_of(2) { more } else { [tokens("alike", 30), more].concat() }
    }

    fn options(self) -> GenerateOptions {
        GenerateOptions { cache_prompt: Some(self.cache), ..greedy(self.max_tokens) }
    }
}

fn wishes() -> impl Strategy<Value = Wish> {
    let credits = prop_oneof![Just(None), (0..20_u32).prop_map(Some)];
    (0..6_usize, 0..20_u32, credits, any::<bool>()).prop_map(
        |(prompt, max_tokens, credits, cache)| Wish { prompt, max_tokens, credits, cache },
    )
}

fn deeds() -> impl Strategy<Value = Deed> {
    prop_oneof![
        2 => Just(Deed::Load),
        2 => any::<bool>().prop_map(|late| Deed::Opened { late }),
        4 => prop_oneof![1..2000_usize, 1..400_000_usize].prop_map(Deed::Chunk),
        1 => any::<bool>().prop_map(|late| Deed::Closed { late }),
        1 => any::<bool>().prop_map(|late| Deed::Failed { late }),
        8 => wishes().prop_map(Deed::Generate),
        4 => (0..100_usize).prop_map(Deed::Abort),
        4 => (0..100_usize, 0..10_u32).prop_map(|(which, count)| Deed::Grant(which, count)),
        1 => Just(Deed::Tokenize),
        1 => Just(Deed::Metrics),
        1 => Just(Deed::Dispose),
        12 => prop_oneof![Just(0.0), 0.0..0.3, 0.0..20.0].prop_map(Deed::Run),
    ]
}

/// A page that remembers what it asked for.
struct Page {
    host: Host,
    /// The reading that goes on, and bytes of the file that it has brought: a server without ranges
    /// begins each with the first.
    sent: (Option<u32>, usize),
    ids: Vec<u32>,
    wishes: HashMap<u32, Wish>,
}

impl Page {
    fn does(&mut self, deed: Deed) {
        let host = &mut self.host;
        // A reading that was there before, or one that never was.
        let stream =
            |late: bool| if late { Some(host.fetched.len() as u32 / 2) } else { host.reading };
        match deed {
            Deed::Load => {
                self.ids.push(host.start_load(LoadOptions::default()));
            }
            Deed::Opened { late } => {
                if let Some(stream) = stream(late) {
                    let length = Some(model::tiny().len() as u64);
                    host.completion(Completion::opened(stream, length));
                }
            }
            Deed::Chunk(size) => {
                if let Some(stream) = host.reading {
                    if self.sent.0 != Some(stream) {
                        self.sent = (Some(stream), 0);
                    }
                    let file = &model::tiny()[self.sent.1..];
                    self.sent.1 += host.feed(stream, &file[..size.min(file.len())]);
                }
            }
            Deed::Closed { late } => {
                if let Some(stream) = stream(late) {
                    host.completion(Completion::Closed { stream });
                }
            }
            Deed::Failed { late } => {
                if let Some(stream) = stream(late) {
                    host.completion(Completion::Failed {
                        stream,
                        message: "broken".into(),
                        refused: false,
                    });
                }
            }
            Deed::Generate(wish) => {
                let (prompt, options) = (ids(wish.prompt()), wish.options());
                let id = host.start_with(prompt, options, wish.credits);
                self.ids.push(id);
                self.wishes.insert(id, wish);
            }
            Deed::Abort(which) => {
                if let Some(&id) = self.ids.get(which % (self.ids.len() + 1)) {
                    host.abort(id);
                }
            }
            Deed::Grant(which, count) => {
                if let Some(&id) = self.ids.get(which % (self.ids.len() + 1)) {
                    host.grant(id, count);
                }
            }
            Deed::Tokenize => {
                let text = "any text".to_owned();
                // It is answered at once, whatever goes on.
                let _ = host.ask(|id| Request::Tokenize {
                    id,
                    model: 1,
                    text,
                    add_special: true,
                    parse_special: true,
                });
            }
            Deed::Metrics => {
                let _ = host.ask(|id| Request::Metrics { id, model: 1, profile: false });
            }
            Deed::Dispose => {
                let answer = host.ask(|id| Request::Dispose { id, model: 1 });
                assert!(matches!(answer, Ok(Outcome::Disposed)));
                assert!(host.watch.open().is_empty(), "dispose settles everything");
            }
            Deed::Run(budget) => {
                host.run(budget);
            }
        }
    }

    /// All reports come and all credits are granted.
    fn ends(&mut self) {
        while self.host.reading.is_some() {
            self.does(Deed::Opened { late: false });
            self.does(Deed::Chunk(usize::MAX));
            self.does(Deed::Closed { late: false });
        }
        for &id in &self.ids {
            self.host.grant(id, 1000);
        }
        self.host.run_out();
    }

    fn check(&self) {
        assert!(self.host.watch.open().is_empty(), "every request has ended");
        for (&id, &wish) in &self.wishes {
            let found = match self.host.answer(id) {
                Ok(found) => found,
                Err(error) => {
                    let known = ["MODEL_NOT_LOADED", "MODEL_DISPOSED"];
                    assert!(known.contains(&error.code.as_str()), "{error:?}");
                    continue;
                }
            };
            let (tokens, text) = alone(wish);
            assert!(wish.cache || found.usage.cached_tokens == 0);
            if found.finish_reason == FinishReason::Abort {
                assert!(tokens.starts_with(&found.tokens));
            } else {
                assert_eq!((found.tokens, found.text), (tokens, text));
            }
        }
    }
}

/// The tokens and text of a wish when nothing else goes on.
fn alone(wish: Wish) -> (Vec<u32>, String) {
    thread_local! {
        static KNOWN: RefCell<HashMap<Wish, (Vec<u32>, String)>> = RefCell::default();
    }
    let wish = Wish { credits: None, cache: false, ..wish };
    KNOWN.with_borrow_mut(|known| {
        let generate = || {
            let result = Host::tiny().generate(ids(wish.prompt()), wish.options());
            (result.tokens, result.text)
        };
        known.entry(wish).or_insert_with(generate).clone()
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_request_ends_once_and_no_answer_is_mixed(
        loaded in prop::bool::weighted(0.8),
        deeds in prop::collection::vec(deeds(), 1..60),
    ) {
        let host = if loaded { Host::tiny() } else { Host::new() };
        let mut page = Page { host, sent: (None, 0), ids: Vec::new(), wishes: HashMap::new() };
        for deed in deeds {
            page.does(deed);
        }
        page.ends();
        page.check();
    }
}
