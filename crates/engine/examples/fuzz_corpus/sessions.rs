//! What loads from hubs, URLs, folders and caches look like, whole and disturbed.

mod folders;
mod refusals;
mod requests;

use crate::session::{Session, World};
use crate::{Seeds, model};
use requests::generate;
use serde_json::json;
use sidestage_engine::protocol::{CacheEntry, Completion, GenerateOptions, LoadOptions};
use std::collections::BTreeMap;
use std::error::Error;

const HUB: &str = "https://huggingface.co";
const COMMIT: &str = "0123456789012345678901234567890123456789";
const URL: &str = "https://h/m.gguf";

/// All of them.
pub(crate) fn all() -> Result<Seeds, Box<dyn Error>> {
    let mut seeds = Seeds::new();
    hubs(&mut seeds);
    urls(&mut seeds);
    faults(&mut seeds);
    caches(&mut seeds);
    folders::all(&mut seeds)?;
    refusals::all(&mut seeds);
    requests::all(&mut seeds);
    Ok(seeds)
}

fn with(cache: &str) -> LoadOptions {
    LoadOptions { cache: Some(cache.into()), ..LoadOptions::default() }
}

fn defaults() -> LoadOptions {
    LoadOptions::default()
}

/// One file at [`URL`].
fn one() -> World {
    let files = BTreeMap::from([(URL.into(), model("llama"))]);
    World { files, version: "\"v1\"".into(), ..World::default() }
}

/// A hub with one repository.
fn hub(files: &[(&str, Vec<u8>)], sha256: Option<&str>) -> World {
    let mut world = World { version: "\"v1\"".into(), ..World::default() };
    let api = format!("{HUB}/api/models/o/r");
    let commit = json!({ "sha": COMMIT }).to_string();
    world.files.insert(format!("{api}/revision/main"), commit.into());
    let entry = |(path, bytes): &(&str, Vec<u8>)| {
        let size = bytes.len();
        match sha256.filter(|_| path.ends_with("gguf")) {
            Some(sha) => json!({ "type": "file", "path": path, "size": 9,
                "lfs": { "oid": sha, "size": size } }),
            None => json!({ "type": "file", "path": path, "size": size }),
        }
    };
    let tree: Vec<_> = files.iter().map(entry).collect();
    world.files.insert(tree_url(), json!(tree).to_string().into());
    for (path, bytes) in files {
        world.files.insert(format!("{HUB}/o/r/resolve/{COMMIT}/{path}"), bytes.clone());
    }
    world
}

fn tree_url() -> String {
    format!("{HUB}/api/models/o/r/tree/{COMMIT}?recursive=true")
}

fn sha256(bytes: &[u8]) -> String {
    use sha2::{Digest, Sha256};
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn hubs(seeds: &mut Seeds) {
    let file = model("llama");
    let world = hub(&[("README.md", b"hi".to_vec()), ("m-Q4_0.gguf", file.clone())], None);
    let mut session = Session::new(world.clone());
    session.load("hf:o/r", defaults());
    session.serve();
    // From the cache, for a commit never changes; then without a network.
    session.dispose();
    session.load("hf:o/r", defaults());
    session.serve();
    generate(&mut session, "ab", GenerateOptions { stream: true, ..GenerateOptions::default() });
    session.dispose();
    session.load("hf:o/r", defaults());
    session.fail(true);
    session.serve();
    for mode in ["only-if-cached", "force-cache", "no-store"] {
        session.dispose();
        session.load("hf:o/r", with(mode));
        match mode {
            "no-store" => session.fail(true),
            _ => session.serve(),
        }
    }
    session.end("hub_again", seeds);

    let sum = sha256(&file);
    let mut session = Session::new(hub(&[("m.gguf", file.clone())], Some(&sum)));
    session.load("hf:o/r/m.gguf@main", defaults());
    session.serve_some(2);
    session.serve_one(Some(2000));
    session.serve();
    session.end("hub_checked", seeds);
    let mut session = Session::new(hub(&[("m.gguf", file.clone())], Some(&sum.replace('0', "1"))));
    session.load("hf:o/r", LoadOptions { hub_token: Some("t".into()), ..defaults() });
    session.serve();
    session.end("hub_mismatch", seeds);

    let page = |path: &str, size: usize| {
        json!([{ "type": "file", "path": path, "size": size }]).to_string().into_bytes()
    };
    let mut world = world;
    let (second, third) = (tree_url() + "&cursor=2", tree_url() + "&cursor=3");
    world.files.insert(tree_url(), page("README.md", 2));
    world.files.insert(second.clone(), page("m-Q4_0.gguf", file.len()));
    world.files.insert(third.clone(), page("z.txt", 1));
    world.next.extend([(tree_url(), second.clone()), (second, third.clone())]);
    world.next.insert(third, "https://example.org/api".into());
    let mut session = Session::new(world);
    session.load("hf:o/r", defaults());
    session.serve();
    session.dispose();
    session.load("hf:o/r", with("only-if-cached"));
    session.serve();
    session.end("hub_pages", seeds);

    // No API: the file's URL is made from its name.
    let mut world = World { version: "\"v1\"".into(), ..World::default() };
    let url = "http://localhost/hub/o/r/resolve/main/a/m.gguf";
    world.files.insert(url.into(), file.clone());
    let mut session = Session::new(world);
    let hub_url = Some("http://localhost/hub/".into());
    session.load("hf:o/r/a/m.gguf", LoadOptions { hub_url, ..defaults() });
    session.serve();
    for source in ["hf:o/r", "hf:o/r/x.bin@v1", "hf:o", "hf:o/../r", "hf:o/r@", "ftp://h/m", ""] {
        session.dispose();
        session.load(source, defaults());
        session.serve();
    }
    let commit = format!("hf:o/r/m.gguf@{COMMIT}");
    for answer in [&b"{}"[..], b"[{}", br#"{"sha":"../x"}"#, br#"[{"type":"file"}]"#] {
        for source in ["hf:o/r", "hf:o/r/m.gguf", &commit] {
            session.dispose();
            session.load(source, defaults());
            session.opened(200, None, None, None);
            session.feed(answer);
            session.close();
            session.serve();
        }
    }
    for status in [401, 429] {
        session.dispose();
        session.load("hf:o/r", defaults());
        session.opened(status, None, None, None);
        session.serve();
    }
    session.end("hub_without_api", seeds);

    let names = [
        "model-Q4_K_M.gguf",
        "model-Q8_0.gguf",
        "model-Q4_0_4_4.gguf",
        "mmproj-f16.gguf",
        "Q5_K_M/model-00001-of-00002.gguf",
        "Q5_K_M/model-00002-of-00002.gguf",
        "BF16/model-00001-of-00002.gguf",
        "config.json",
        "model.safetensors",
        "onnx/config.json",
    ];
    let listing: Vec<_> = names.iter().map(|name| (*name, file.clone())).collect();
    let mut session = Session::new(hub(&listing, None));
    for source in ["hf:o/r", "hf:o/r/Q5_K_M/", "hf:o/r/BF16", "hf:o/r/onnx", "hf:o/r/no.gguf"] {
        session.load(source, defaults());
        session.serve_some(2);
        session.dispose();
    }
    session.end("hub_choice", seeds);
}

fn urls(seeds: &mut Seeds) {
    let mut session = Session::new(one());
    session.load(URL, LoadOptions { cache_key: Some("k".into()), ..defaults() });
    session.serve();
    session.dispose();
    // The same version still, then another one.
    session.load(URL, LoadOptions { cache_key: Some("k".into()), ..defaults() });
    session.serve();
    session.dispose();
    session.world.version = "W/\"v2\"".into();
    session.load(URL, LoadOptions { cache_key: Some("k".into()), ..defaults() });
    session.serve();
    session.end("url_again", seeds);

    let mut session = Session::new(one());
    session.load(URL, defaults());
    session.serve_one(Some(500));
    session.serve_one(Some(2000));
    session.serve();
    session.end("url_cut", seeds);

    // What was kept of a load that was ended is where the next begins.
    let mut session = Session::new(one());
    session.load(URL, defaults());
    session.serve_one(Some(2500));
    session.dispose();
    session.load(URL, defaults());
    session.serve();
    session.end("url_resumed", seeds);

    let mut session = Session::new(World { whole_only: true, ..one() });
    session.load(URL, defaults());
    session.serve_one(Some(2500));
    session.serve();
    session.end("url_no_ranges", seeds);

    let mut session = Session::new(one());
    session.load(URL, defaults());
    session.serve_one(Some(2500));
    session.world.version = "\"v2\"".into();
    session.serve();
    session.end("url_changed", seeds);

    // A part from another place than asked for, a range that cannot be.
    let length = model("llama").len();
    let mut session = Session::new(one());
    session.load(URL, defaults());
    session.serve_one(Some(1000));
    session.opened(206, Some(length), Some(7), None);
    session.serve_one(Some(1500));
    session.serve();
    session.dispose();
    session.load(URL, with("reload"));
    session.serve_one(Some(1000));
    session.opened(416, Some(length), None, None);
    session.serve();
    session.dispose();
    // All of it is here, and nobody has said so.
    session.load(URL, with("no-store"));
    session.opened(200, None, None, None);
    session.feed(&model("llama"));
    session.fail(false);
    session.opened(416, Some(length), None, None);
    session.end("url_wrong_place", seeds);

    // More bytes than the weights need, and no length.
    let mut session = Session::new(one());
    session.load(URL, defaults());
    session.opened(200, None, None, None);
    session.feed(&model("llama"));
    session.feed(&[0; 400]);
    session.close();
    session.dispose();
    session.load(URL, with("reload"));
    session.opened(200, Some(length + 300), None, None);
    session.feed(&model("llama"));
    session.feed(&[0; 200]);
    session.fail(false);
    session.end("url_longer", seeds);
}

/// Answers that are no model.
fn faults(seeds: &mut Seeds) {
    let mut session = Session::new(one());
    for status in [404, 410, 401, 403, 418] {
        session.load(URL, defaults());
        session.opened(status, None, None, None);
    }
    for status in [429, 408, 503] {
        session.load(URL, defaults());
        session.opened(status, None, None, None);
        session.opened(status, None, None, None);
        session.serve();
        session.dispose();
        // Until its patience is at its end.
        session.load(URL, with("no-store"));
        (0..6).for_each(|_| session.opened(status, None, None, None));
    }
    session.end("statuses", seeds);

    let mut session = Session::new(one());
    session.load(URL, defaults());
    session.fail(true);
    session.load(URL, defaults());
    (0..3).for_each(|_| session.fail(false));
    for (length, head) in [
        (None, &b""[..]),
        (Some(0), b""),
        (Some(3), b"GGU"),
        (None, b"<!DOCTYPE html><p>no such file</p>"),
        (None, b"<?xml version=\"1.0\"?><Error/>"),
        (None, b"version https://git-lfs.github.com/spec/v1"),
        (None, b"PK\x03\x04 and so on"),
        (None, b"{\"error\":\"no\"}"),
        (None, b"\x80\x04\x95\0\0\0\0\0\0"),
        (Some(20), b"GGUF\x03\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"),
        (None, b"GGUF\x03\0\0\0\x01\0\0\0"),
        (None, b"GGUF\0\0\0\x03\0\0\0\0"),
        (Some(9), b"too long for its length"),
    ] {
        session.load(URL, defaults());
        session.opened(200, length, None, None);
        session.feed(head);
        session.close();
        session.dispose();
    }
    session.load(URL, defaults());
    session.answer(&Completion::Opened {
        stream: 0,
        status: 200,
        content_type: Some("text/html; charset=utf-8".into()),
        length: None,
        start: None,
        validator: None,
        retry_after_ms: None,
        next: None,
        kept: true,
    });
    session.end("no_models", seeds);

    let mut session = Session::new(one());
    session.load(URL, defaults());
    session.opened(200, Some(model("llama").len() - 8), None, None);
    session.feed(&model("llama"));
    session.load(URL, defaults());
    session.opened(200, None, None, None);
    session.feed(&model("llama")[..3000]);
    session.close();
    session.load(URL, defaults());
    session.opened(200, None, None, None);
    session.feed(&model("llama")[..300]);
    session.close();
    session.end("truncated", seeds);

    let mut session = Session::new(one());
    session.load(URL, defaults());
    session.opened(200, None, None, None);
    session.feed(&model("llama")[..1500]);
    session.answer(&Completion::NotKept {
        key: String::new(),
        code: "QUOTA_EXCEEDED".into(),
        message: "full".into(),
    });
    session.feed(&model("llama")[1500..]);
    session.close();
    session.end("not_kept", seeds);
}

/// A cache that says what it likes, and one that others use too.
fn caches(seeds: &mut Seeds) {
    let length = model("llama").len() as u64;
    let entry = CacheEntry {
        source: URL.into(),
        url: URL.into(),
        file: "m.gguf".into(),
        bytes: length,
        length: Some(length),
        validator: Some("\"v1\"".into()),
        complete: true,
        ..CacheEntry::default()
    };
    let mut session = Session::new(one());
    session.load(URL, defaults());
    session.found(None, true);
    session.found(Some(entry.clone()), false);
    session.serve_one(None);
    session.opened(200, Some(length as usize), None, None);
    session.feed(&model("llama"));
    session.close();
    session.end("cache_shared", seeds);

    // What it said is there is not, or comes to an end too early.
    let mut session = Session::new(one());
    for mode in ["default", "force-cache", "only-if-cached", "reload"] {
        for bytes in [0, 900, length, length + 1] {
            session.load(URL, with(mode));
            let complete = bytes == length;
            session.found(Some(CacheEntry { bytes, complete, ..entry.clone() }), false);
            if mode == "default" && complete {
                session.serve_one(None);
            }
            session.opened(200, None, None, None);
            session.feed(&model("llama")[..400]);
            session.fail(false);
            session.opened(404, None, None, None);
            session.dispose();
        }
    }
    session.end("cache_lies", seeds);

    let file = model("llama");
    let sum = sha256(&file);
    let listed = hub(&[("m.gguf", file.clone())], Some(&sum));
    let mut session = Session::new(listed);
    session.load("hf:o/r", defaults());
    session.serve_some(2);
    session.found(Some(CacheEntry { bytes: 700, complete: false, ..entry.clone() }), false);
    session.opened(200, None, None, None);
    // The part that is kept is another file's, as the sum shows.
    session.feed(&[&file[..699], b"x"].concat());
    session.close();
    session.serve();
    session.end("cache_wrong", seeds);
}
