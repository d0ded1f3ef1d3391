//! Loads from a hub and a cache: what is asked, what is kept, what is used again.

use crate::model;
use serde_json::json;
use sidestage_engine::protocol::{
    CacheEntry, Completion, Effect, ErrorInfo, Event, LoadOptions, Method, ModelInfo, ModelSource,
    Origin, Outcome, Request,
};
use sidestage_engine::{Engine, TextRoom};
use sidestage_pool::Pool;
use sidestage_text::wire::Server;
use std::cell::Cell;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

type Call = Box<dyn FnMut(u32, &[u8]) -> Result<Vec<u8>, Vec<u8>>>;

const HUB: &str = "https://huggingface.co";
const COMMIT: &str = "0123456789012345678901234567890123456789";

/// A network, and a cache that outlives engines.
#[derive(Clone, Default)]
struct World {
    files: BTreeMap<String, Vec<u8>>,
    cache: BTreeMap<String, (Vec<u8>, Option<CacheEntry>)>,
    /// The pages that follow those at these URLs.
    next: BTreeMap<String, String>,
    offline: bool,
    /// What was asked of the network, in order.
    asked: Vec<String>,
    /// After so many bytes of a URL its file is another one, once.
    turns: Option<(String, usize, Vec<u8>)>,
}

impl World {
    /// A hub with one repository.
    fn hub(files: &[(&str, &[u8])]) -> Self {
        let mut world = Self::default();
        let api = format!("{HUB}/api/models/o/r");
        let commit = json!({ "sha": COMMIT }).to_string();
        world.files.insert(format!("{api}/revision/main"), commit.into());
        let tree: Vec<_> = files
            .iter()
            .map(|(path, bytes)| json!({ "type": "file", "path": path, "size": bytes.len() }))
            .collect();
        let tree = json!(tree).to_string();
        world.files.insert(format!("{api}/tree/{COMMIT}?recursive=true"), tree.into());
        for (path, bytes) in files {
            world.files.insert(format!("{HUB}/o/r/resolve/{COMMIT}/{path}"), bytes.to_vec());
        }
        world
    }

    fn load(&mut self, url: &str, options: LoadOptions) -> Result<ModelInfo, ErrorInfo> {
        self.asked.clear();
        let mut server = Server::new();
        let call: Call = Box::new(move |op, message| server.call(op, message));
        let time = Cell::new(0.0);
        let clock = Box::new(move || time.replace(time.get() + 1.0));
        let mut engine = Engine::new(TextRoom::new(call, || None), clock, Arc::new(Pool::inline()));
        let source = ModelSource::Url { url: url.into() };
        engine.request(Request::Load { id: 1, source, options });
        let mut effects = VecDeque::new();
        loop {
            effects.extend(engine.take_effects());
            let Some(effect) = effects.pop_front() else { panic!("no end: {:?}", self.asked) };
            match effect {
                Effect::Post { event: Event::Done { outcome, .. } } => match outcome {
                    Outcome::Loaded { model } => return Ok(*model),
                    other => panic!("{other:?}"),
                },
                Effect::Post { event: Event::Error { error, .. } } => return Err(error),
                Effect::Lookup { key, .. } => {
                    let entry = self.cache.get(&key).and_then(|(bytes, entry)| {
                        let bytes = bytes.len() as u64;
                        Some(CacheEntry { bytes, ..entry.clone()? })
                    });
                    engine.completion(Completion::Found { key, entry, busy: false });
                }
                Effect::Record { key, entry } => {
                    self.cache.entry(key).or_default().1 = Some(entry);
                }
                Effect::Drop { key } => drop(self.cache.remove(&key)),
                fetch @ Effect::Fetch { .. } => self.serve(&fetch, &mut engine),
                _ => {}
            }
        }
    }

    fn serve(&mut self, fetch: &Effect, engine: &mut Engine<TextRoom<Call>>) {
        let Effect::Fetch { stream, from, offset, keep, method, .. } = fetch else { return };
        let (stream, offset) = (*stream, *offset as usize);
        let url = match from {
            Origin::Cache { key } => {
                let bytes = self.cache[key].0.clone();
                engine.completion(Completion::opened(stream, None));
                deliver(engine, stream, &bytes[offset..]);
                return engine.completion(Completion::Closed { stream });
            }
            Origin::Url { url } => url.clone(),
            Origin::Held { .. } => panic!("nothing is held"),
        };
        let what = if *method == Method::Head { "HEAD " } else { "" };
        self.asked.push(format!("{what}{}", url.strip_prefix(HUB).unwrap_or(&url)));
        if self.offline {
            return engine.completion(Completion::Failed {
                stream,
                message: "offline".into(),
                refused: true,
            });
        }
        let found = self.files.get(&url).cloned();
        let status = if found.is_none() { 404 } else { 200 + if offset > 0 { 6 } else { 0 } };
        let mut bytes = found.unwrap_or_default();
        let length = (status != 404).then_some(bytes.len() as u64);
        engine.completion(Completion::Opened {
            stream,
            status,
            content_type: None,
            length,
            start: None,
            validator: length.map(|length| format!("\"{length}\"")),
            retry_after_ms: None,
            next: self.next.get(&url).cloned(),
            kept: keep.is_some() && status != 404,
        });
        if *method == Method::Get && status != 404 {
            let turn = self.turns.take_if(|turn| turn.0 == url);
            if let Some((_, at, new)) = turn {
                bytes.truncate(at);
                self.files.insert(url, new);
            }
            if let Some(key) = keep {
                let kept = &mut self.cache.entry(key.clone()).or_default().0;
                let from = kept.len().max(offset).min(bytes.len());
                kept.extend_from_slice(&bytes[from..]);
            }
            deliver(engine, stream, &bytes[offset.min(bytes.len())..]);
        }
        engine.completion(Completion::Closed { stream });
    }
}

fn deliver(engine: &mut Engine<TextRoom<Call>>, stream: u32, mut bytes: &[u8]) {
    while !bytes.is_empty() {
        let window = engine.window(stream, bytes.len().min(30_000));
        if window.is_empty() {
            return;
        }
        let count = window.len();
        window.copy_from_slice(&bytes[..count]);
        engine.wrote(stream, count);
        bytes = &bytes[count..];
    }
}

fn with(cache: &str) -> LoadOptions {
    LoadOptions { cache: Some(cache.into()), ..LoadOptions::default() }
}

#[test]
fn a_repository_is_loaded_once_and_then_from_the_cache() {
    let size = model::tiny().len() as u64;
    let mut world = World::hub(&[("README.md", b"hi"), ("m-Q4_0.gguf", model::tiny())]);
    let first = world.load("hf:o/r", LoadOptions::default()).expect("a model");
    assert!(first.choice.is_some(), "{first:?}");
    assert_eq!(first.files, ["m-Q4_0.gguf"]);
    assert!(first.downloaded_bytes >= size && first.cached_bytes == 0);
    assert_eq!(world.asked.len(), 3, "{:?}", world.asked);

    let second = world.load("hf:o/r", LoadOptions::default()).expect("a model");
    assert_eq!(world.asked, ["/api/models/o/r/revision/main"]);
    assert!(second.cached_bytes >= size && second.downloaded_bytes < 100);

    // Without a network the commit that was seen last is used.
    world.offline = true;
    world.load("hf:o/r", LoadOptions::default()).expect("a model");
    for mode in ["force-cache", "only-if-cached"] {
        world.load("hf:o/r", with(mode)).expect("a model");
        assert!(world.asked.is_empty(), "{mode}: {:?}", world.asked);
    }
    let error = world.load("hf:o/r", with("no-store")).expect_err("offline");
    assert_eq!(error.code, "NETWORK_ERROR");
    world.cache.clear();
    let error = world.load("hf:o/r", with("only-if-cached")).expect_err("nothing is kept");
    assert_eq!(error.code, "NOT_CACHED");
    let error = world.load("hf:o/r", with("often")).expect_err("no mode");
    assert_eq!(error.code, "INVALID_OPTION");
}

#[test]
fn a_list_of_files_in_pages_is_read_to_its_end() {
    let mut world = World::hub(&[("README.md", b"hi"), ("m-Q4_0.gguf", model::tiny())]);
    let page = |path: &str, bytes: usize| {
        json!([{ "type": "file", "path": path, "size": bytes }]).to_string().into_bytes()
    };
    let first = format!("{HUB}/api/models/o/r/tree/{COMMIT}?recursive=true");
    let (second, third) = (format!("{first}&cursor=2"), format!("{first}&cursor=3"));
    world.files.insert(first.clone(), page("README.md", 2));
    world.files.insert(second.clone(), page("m-Q4_0.gguf", model::tiny().len()));
    world.files.insert(third.clone(), page("z.txt", 1));
    world.next.extend([(first, second.clone()), (second, third.clone())]);
    // No page of another server is asked for, for it would be told the token.
    world.next.insert(third, "https://example.org/api".into());
    world.load("hf:o/r", LoadOptions::default()).expect("a model");
    assert_eq!(world.asked.len(), 5, "{:?}", world.asked);
    world.load("hf:o/r", LoadOptions::default()).expect("a model");
    assert_eq!(world.asked, ["/api/models/o/r/revision/main"], "all pages are kept");
    world.offline = true;
    world.load("hf:o/r", LoadOptions::default()).expect("a model");
    world.load("hf:o/r", with("only-if-cached")).expect("a model");
    world.cache.retain(|key, _| !key.ends_with("?1"));
    let error = world.load("hf:o/r", with("only-if-cached")).expect_err("half a list");
    assert_eq!(error.code, "NOT_CACHED");
}

#[test]
fn a_small_file_that_is_broken_is_not_kept() {
    let files: &[(&str, &[u8])] =
        &[("config.json", b"{"), ("model.safetensors", b""), ("tokenizer.json", b"{}")];
    let mut world = World::hub(files);
    let error = world.load("hf:o/r", LoadOptions::default()).expect_err("no JSON");
    assert_eq!(error.code, "MODEL_INVALID");
    let kept: Vec<_> = world.cache.keys().filter(|key| key.ends_with(".json")).collect();
    assert!(kept.is_empty(), "{kept:?}");
}

#[test]
fn a_url_is_asked_whether_it_has_changed() {
    let url = "https://example.org/m.gguf";
    let mut world = World::default();
    world.files.insert(url.into(), model::tiny().to_vec());
    world.load(url, LoadOptions::default()).expect("a model");
    world.load(url, LoadOptions::default()).expect("a model");
    assert_eq!(world.asked, [format!("HEAD {url}")]);
    let longer = [model::tiny(), &[0; 64]].concat();
    world.files.insert(url.into(), longer.clone());
    world.load(url, LoadOptions::default()).expect("a model");
    assert_eq!(world.asked, [format!("HEAD {url}"), url.to_owned()]);
    assert_eq!(world.cache[&format!("url/{url}")].0, longer, "the end is kept too");
}

#[test]
fn a_folder_that_nobody_lists_comes_from_the_cache() {
    let model = sidestage_miniatures::model("llama").expect("a model");
    let url = "https://example.org/r/";
    let mut world = World::default();
    world.files.insert(format!("{url}config.json"), model.config);
    let files = model.files.into_iter();
    world.files.extend(files.map(|(name, bytes)| (format!("{url}{name}"), bytes)));
    world.load(url, LoadOptions::default()).expect("a model");
    world.load(url, with("only-if-cached")).expect("a model");
    assert!(world.asked.is_empty(), "{:?}", world.asked);
    world.offline = true;
    world.load(url, LoadOptions::default()).expect("a model");
    world.cache.retain(|key, _| !key.ends_with("config.json"));
    let error = world.load(url, LoadOptions::default()).expect_err("half a folder");
    assert_eq!(error.code, "NETWORK_ERROR");
    let error = world.load(url, with("only-if-cached")).expect_err("half a folder");
    assert_eq!(error.code, "NOT_CACHED");
}

#[test]
fn a_file_that_changes_is_begun_anew_once() {
    let url = "https://example.org/m.gguf";
    let mut world = World::default();
    world.files.insert(url.into(), [model::tiny(), &[0; 64]].concat());
    world.turns = Some((url.into(), 200_000, model::tiny().to_vec()));
    world.load(url, LoadOptions::default()).expect("a model");
    assert_eq!(world.asked.len(), 3, "{:?}", world.asked);
    assert_eq!(world.cache[&format!("url/{url}")].0, model::tiny());
}

#[test]
fn a_hub_that_names_no_model_is_an_error() {
    let mut world = World::hub(&[("README.md", b"hi")]);
    let code = |error: Result<ModelInfo, ErrorInfo>| error.expect_err("no model").code;
    assert_eq!(code(world.load("hf:o/r", LoadOptions::default())), "MODEL_INCOMPLETE");
    assert_eq!(code(world.load("hf:o/r/m.gguf", LoadOptions::default())), "NOT_FOUND");
    assert_eq!(code(world.load("hf:o/other", LoadOptions::default())), "NOT_FOUND");
}
