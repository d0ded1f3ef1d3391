//! `sidestage serve`: a file server that knows the headers a page with wasm threads needs.

mod answer;
mod headers;
mod path;
mod range;
mod site;

use crate::args::ServeArgs;
use crate::error::CliError;
use axum::Router;
use headers::Headers;
use path::encode;
use site::{Mount, Site};
use std::io::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::net::TcpListener;

pub(crate) fn run(args: &ServeArgs) -> Result<(), CliError> {
    let mut mounts = mounts(args)?;
    let mut hosts: Vec<String> = args.allow_host.clone();
    let mut query = String::new();
    if let Some(model) = &args.model {
        let url = match origin(model) {
            Some(origin) => {
                hosts.push(origin);
                model.clone()
            }
            None if model.starts_with("hf:") => model.clone(),
            None => {
                let mount = Mount::file(Path::new(model))?;
                let url = mount.url();
                mounts.push(mount);
                url
            }
        };
        query = format!("?model={}", encode(&url));
    }
    let headers = Headers::new(!args.no_isolation, &hosts)?;
    let site = Arc::new(Site::new(mounts, headers, args.host.is_loopback()));
    let wanted = SocketAddr::new(args.host, args.port);
    let unavailable = |error| CliError::Listen { address: wanted.to_string(), error };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(unavailable)?;
    runtime.block_on(async {
        let listener = TcpListener::bind(wanted).await.map_err(unavailable)?;
        let bound = listener.local_addr().map_err(unavailable)?;
        let address = format!("http://{bound}/{query}");
        // The line that scripts wait for: the port is bound, so a request now is answered.
        let mut out = std::io::stdout();
        writeln!(out, "Sidestage is at {address}")
            .and_then(|()| out.flush())
            .map_err(CliError::output)?;
        if args.open {
            open(&address);
        }
        let service = Router::new().fallback(answer::answer).with_state(site);
        axum::serve(listener, service).await.map_err(unavailable)
    })
}

/// What is served, the first that has a file wins.
fn mounts(args: &ServeArgs) -> Result<Vec<Mount>, CliError> {
    let checkout = checkout();
    let mut mounts = Vec::new();
    match &args.dir {
        Some(dir) => mounts.push(Mount::folder("/", dir)?),
        None => {
            let page: Vec<PathBuf> = checkout.iter().map(|c| c.join("apps/chat/dist")).collect();
            let built = page.iter().find(|dir| dir.join("index.html").is_file());
            let Some(dir) = built else { return Err(CliError::NoPage { looked: page }) };
            mounts.push(Mount::folder("/", dir)?);
        }
    }
    for text in &args.mount {
        mounts.push(Mount::parse(text)?);
    }
    // A folder of the user's own finds the engine and the model in the box too.
    for root in &checkout {
        let engine = root.join("packages/sidestage/dist");
        if engine.is_dir() {
            mounts.push(Mount::folder("/sidestage/", &engine)?);
        }
        let boxed = root.join("models/box/box.gguf");
        if boxed.is_file() {
            mounts.push(Mount::named("/models/box.gguf", &boxed)?);
        }
    }
    Ok(mounts)
}

/// Where a checkout may be: around this program (`target/release/sidestage`), else here.
fn checkout() -> Vec<PathBuf> {
    let program = std::env::current_exe().and_then(|file| file.canonicalize()).ok();
    let around = program.as_deref().and_then(|file| file.ancestors().nth(3)).map(Path::to_path_buf);
    let here = std::env::current_dir().ok();
    let mut roots: Vec<PathBuf> = around.into_iter().chain(here).collect();
    roots.dedup();
    roots
}

/// `https://host:port` of a web address; `None` for anything else.
fn origin(address: &str) -> Option<String> {
    let (scheme, rest) = address.split_once("://")?;
    let host = rest.split(['/', '?', '#']).next().filter(|host| !host.is_empty())?;
    matches!(scheme, "http" | "https").then(|| format!("{scheme}://{host}"))
}

/// Opens the default browser, where there is one; the address is printed anyway.
fn open(address: &str) {
    let (program, first): (&str, &[&str]) = match std::env::consts::OS {
        "macos" => ("open", &[]),
        "windows" => ("cmd", &["/C", "start", ""]),
        _ => ("xdg-open", &[]),
    };
    if std::process::Command::new(program).args(first).arg(address).spawn().is_err() {
        eprintln!("{program} could not be started; open the address above yourself.");
    }
}

#[cfg(test)]
mod tests {
    use super::origin;

    #[test]
    fn origins() {
        assert_eq!(
            origin("https://a.example:8080/m.gguf?x#y").as_deref(),
            Some("https://a.example:8080")
        );
        assert_eq!(origin("hf:owner/repo/file.gguf"), None);
        assert_eq!(origin("models/box.gguf"), None);
        assert_eq!(origin("file:///etc/passwd"), None);
        assert_eq!(origin("https://"), None);
    }
}
