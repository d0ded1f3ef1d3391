//! The real server, over real sockets.
#![allow(clippy::disallowed_methods, reason = "tests run natively only")]

#[allow(dead_code, reason = "each test program uses a part of it")]
mod program;
mod server;

use program::Folder;
use server::Server;
use std::fs;

fn site() -> Folder {
    let folder = Folder::new();
    folder.write("index.html", "<!doctype html>page");
    folder.write("app.js", "export {}");
    folder.write("engine.wasm", "\0asm");
    folder.write("models/m.gguf", "0123456789");
    folder.write("sub/index.html", "sub page");
    folder.write("with space.txt", "spaced");
    folder.write(".hidden", "secret");
    folder
}

#[test]
fn types_and_bodies() {
    let folder = site();
    let server = Server::start(&[folder.arg()]);
    for (path, media, body) in [
        ("/", "text/html; charset=utf-8", "<!doctype html>page"),
        ("/app.js", "text/javascript; charset=utf-8", "export {}"),
        ("/app.js?v=1", "text/javascript; charset=utf-8", "export {}"),
        ("/engine.wasm", "application/wasm", "\0asm"),
        ("/models/m.gguf", "application/octet-stream", "0123456789"),
        ("/sub/", "text/html; charset=utf-8", "sub page"),
        ("/with%20space.txt", "text/plain; charset=utf-8", "spaced"),
    ] {
        let answer = server.get(path, &[]);
        assert_eq!((answer.status, answer.body.as_str()), (200, body), "{path}");
        assert_eq!(answer.header("content-type"), Some(media), "{path}");
        assert_eq!(
            answer.header("content-length"),
            Some(body.len().to_string().as_str()),
            "{path}"
        );
    }
}

#[test]
fn every_answer_is_guarded() {
    let folder = site();
    let server = Server::start(&[folder.arg()]);
    for path in ["/", "/app.js", "/missing"] {
        let answer = server.get(path, &[]);
        for (name, value) in [
            ("cross-origin-opener-policy", "same-origin"),
            ("cross-origin-embedder-policy", "require-corp"),
            ("cross-origin-resource-policy", "same-origin"),
            ("x-content-type-options", "nosniff"),
        ] {
            assert_eq!(answer.header(name), Some(value), "{path} {name}");
        }
        let policy = answer.header("content-security-policy").expect("a policy");
        let directives: Vec<&str> = policy.split("; ").collect();
        for directive in [
            "default-src 'self'",
            "script-src 'self' 'wasm-unsafe-eval'",
            "worker-src 'self'",
            "object-src 'none'",
            "base-uri 'none'",
            "frame-ancestors 'none'",
        ] {
            assert!(directives.contains(&directive), "{path}: {directive} in {policy}");
        }
        for word in ["unsafe-inline", "'unsafe-eval'", "blob:", "script-src *"] {
            assert!(!policy.contains(word), "{path}: {word} in {policy}");
        }
    }
}

#[test]
fn isolation_can_be_left_out_and_hosts_added() {
    let folder = site();
    let args = [
        folder.arg(),
        "--no-isolation".into(),
        "--allow-host".into(),
        "https://models.example".into(),
    ];
    let server = Server::start(&args);
    let answer = server.get("/", &[]);
    assert_eq!(answer.header("cross-origin-opener-policy"), None);
    assert_eq!(answer.header("cross-origin-embedder-policy"), None);
    let policy = answer.header("content-security-policy").expect("a policy");
    let connect = policy.split("; ").find(|d| d.starts_with("connect-src ")).expect("connect-src");
    assert!(
        connect.starts_with("connect-src 'self' ") && connect.contains(" https://models.example"),
        "{connect}"
    );
}

#[test]
fn ranges() {
    let folder = site();
    let server = Server::start(&[folder.arg()]);
    let part = |range: &str| server.get("/models/m.gguf", &[("Range", range)]);
    for (range, body, content_range) in [
        ("bytes=0-3", "0123", "bytes 0-3/10"),
        ("bytes=7-", "789", "bytes 7-9/10"),
        ("bytes=-2", "89", "bytes 8-9/10"),
        ("bytes=5-500", "56789", "bytes 5-9/10"),
    ] {
        let answer = part(range);
        assert_eq!((answer.status, answer.body.as_str()), (206, body), "{range}");
        assert_eq!(answer.header("content-range"), Some(content_range), "{range}");
    }
    let answer = part("bytes=10-");
    assert_eq!((answer.status, answer.header("content-range")), (416, Some("bytes */10")));
    assert_eq!(part("bytes=3-1").body, "0123456789");
    let whole = server.get("/models/m.gguf", &[]);
    assert_eq!(whole.header("accept-ranges"), Some("bytes"));
    let etag = whole.header("etag").expect("a tag");
    let continued = [("Range", "bytes=8-"), ("If-Range", etag)];
    assert_eq!(server.get("/models/m.gguf", &continued).body, "89");
    let stale = [("Range", "bytes=8-"), ("If-Range", "\"old\"")];
    assert_eq!(server.get("/models/m.gguf", &stale).status, 200);
}

#[test]
fn tags_save_the_body_until_the_file_changes() {
    let folder = site();
    let server = Server::start(&[folder.arg()]);
    let first = server.get("/app.js", &[]);
    let etag = first.header("etag").expect("a tag").to_owned();
    let again = server.get("/app.js", &[("If-None-Match", &format!("\"x\", W/{etag}"))]);
    assert_eq!((again.status, again.body.as_str()), (304, ""));
    assert_eq!(again.header("etag"), Some(etag.as_str()));
    assert_eq!(again.header("cross-origin-embedder-policy"), Some("require-corp"));
    folder.write("app.js", "export const changed = 1");
    let changed = server.get("/app.js", &[("If-None-Match", &etag)]);
    assert_eq!((changed.status, changed.body.as_str()), (200, "export const changed = 1"));
}

#[test]
fn nothing_outside_the_folder_is_served() {
    let outside = Folder::new();
    outside.write("secret.txt", "secret");
    let folder = site();
    #[cfg(unix)]
    {
        use std::os::unix::fs::symlink;
        symlink(outside.path().join("secret.txt"), folder.path().join("link.txt")).expect("a link");
        symlink(outside.path(), folder.path().join("linked")).expect("a link");
        symlink("app.js", folder.path().join("inside.js")).expect("a link");
    }
    let server = Server::start(&[folder.arg()]);
    let name =
        outside.path().file_name().and_then(|n| n.to_str()).expect("a plain name").to_owned();
    for path in [
        "/link.txt".to_owned(),
        "/linked/secret.txt".to_owned(),
        format!("/../{name}/secret.txt"),
        format!("/%2e%2e/{name}/secret.txt"),
        format!("/..%2f{name}%2fsecret.txt"),
        format!("/sub/../../{name}/secret.txt"),
        format!("/..%5c{name}%5csecret.txt"),
        format!("//{}", outside.path().join("secret.txt").display()),
        "/.hidden".to_owned(),
        "/%2ehidden".to_owned(),
        "/etc/passwd".to_owned(),
        "//etc/passwd".to_owned(),
        "/%00".to_owned(),
        "/%".to_owned(),
    ] {
        let answer = server.get(&path, &[]);
        assert_eq!(answer.status, 404, "{path}");
        assert!(!answer.body.contains("secret"), "{path}");
    }
    #[cfg(unix)]
    assert_eq!(server.get("/inside.js", &[]).body, "export {}");
}

#[test]
fn folders_need_their_slash_and_files_have_none() {
    let folder = site();
    let server = Server::start(&[folder.arg()]);
    let answer = server.get("/sub?q=1", &[]);
    assert_eq!((answer.status, answer.header("location")), (308, Some("/sub/?q=1")));
    assert_eq!(server.get("/app.js/", &[]).status, 404);
    assert_eq!(server.get("/models/", &[]).status, 404);
}

#[test]
fn only_reading_is_possible() {
    let folder = site();
    let server = Server::start(&[folder.arg()]);
    for method in ["POST", "PUT", "DELETE", "OPTIONS"] {
        let answer = server.request(method, "/app.js", &[]);
        assert_eq!((answer.status, answer.header("allow")), (405, Some("GET, HEAD")), "{method}");
    }
    let head = server.request("HEAD", "/app.js", &[]);
    assert_eq!(
        (head.status, head.body.as_str(), head.header("content-length")),
        (200, "", Some("9"))
    );
}

#[test]
fn foreign_names_are_refused() {
    let folder = site();
    let server = Server::start(&[folder.arg()]);
    assert_eq!(server.get("/", &[("Host", "attacker.example")]).status, 403);
    assert_eq!(server.get("/", &[("Host", "127.0.0.1.attacker.example")]).status, 403);
    assert_eq!(server.get("/", &[("Host", "localhost:1234")]).status, 200);
    assert_eq!(server.get("/", &[("Host", "[::1]:1234")]).status, 200);
}

#[test]
fn a_model_of_the_users_is_named_in_the_address() {
    let folder = site();
    let model = Folder::new();
    model.write("my model.gguf", "GGUF");
    let file = model.path().join("my model.gguf");
    let server = Server::start(&[folder.arg(), "--model".into(), file.display().to_string()]);
    assert!(server.address.ends_with("/?model=models/my%20model.gguf"), "{}", server.address);
    assert_eq!(server.get("/models/my%20model.gguf", &[]).body, "GGUF");
    let url = "https://models.example/m.gguf?x=1";
    let server = Server::start(&[folder.arg(), "--model".into(), url.into()]);
    assert!(
        server.address.ends_with("/?model=https%3A//models.example/m.gguf%3Fx%3D1"),
        "{}",
        server.address
    );
    let policy = server.get("/", &[]);
    let policy = policy.header("content-security-policy").expect("a policy");
    assert!(policy.contains(" https://models.example"), "{policy}");
}

#[test]
fn mounts_lie_under_their_path() {
    let folder = site();
    let other = Folder::new();
    other.write("a.txt", "mounted");
    let server = Server::start(&[
        folder.arg(),
        "--mount".into(),
        format!("/data={}", other.path().display()),
        "--mount".into(),
        format!("/one.bin={}", other.path().join("a.txt").display()),
    ]);
    assert_eq!(server.get("/data/a.txt", &[]).body, "mounted");
    assert_eq!(server.get("/one.bin", &[]).body, "mounted");
    assert_eq!(server.get("/one.bin/x", &[]).status, 404);
    assert_eq!(server.get("/a.txt", &[]).status, 404);
}

#[test]
fn refusals_name_their_cause() {
    let folder = site();
    let failed = |args: &[&str]| program::run(&[&["serve"], args].concat(), b"");
    let missing = failed(&["/no/such/folder"]);
    assert_eq!(missing.error(), "NOT_FOUND");
    assert!(missing.stderr.starts_with("NOT_FOUND: /no/such/folder: "), "{}", missing.stderr);
    let dir = folder.arg();
    let host = failed(&[&dir, "--allow-host", "https://a; script-src *"]);
    assert_eq!(host.error(), "INVALID_OPTION");
    assert!(host.stderr.starts_with("INVALID_OPTION: --allow-host: "), "{}", host.stderr);
    let first = Server::start(&[folder.arg()]);
    let taken = failed(&[&dir, "--port", &first.port().to_string()]);
    assert!(taken.stderr.starts_with("ADDRESS_UNAVAILABLE: 127.0.0.1:"), "{}", taken.stderr);
    let typo = failed(&["--prot", "1"]);
    assert_eq!(typo.error(), "INVALID_OPTION");
    assert!(typo.stderr.contains("--port"), "{}", typo.stderr);
    drop(first);
    fs::remove_dir_all(folder.path()).expect("a folder to remove");
}
