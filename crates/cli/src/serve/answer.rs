//! One request, one answer.

use super::headers::media_type;
use super::range::{Wanted, wanted};
use super::site::{Found, Site};
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::response::Response;
use std::fs::Metadata;
use std::io::SeekFrom;
use std::path::Path;
use std::sync::Arc;
use std::time::UNIX_EPOCH;
use tokio::fs::File;
use tokio::io::{AsyncReadExt, AsyncSeekExt};
use tokio_util::io::ReaderStream;

/// Bytes read from a file at a time: large enough that a model's download is not slowed by calls.
const CHUNK: usize = 256 * 1024;

pub(super) async fn answer(State(site): State<Arc<Site>>, request: Request) -> Response {
    let (head, _) = request.into_parts();
    let mut response = decide(&site, &head).await;
    site.headers.apply(response.headers_mut());
    response
}

async fn decide(site: &Site, request: &Parts) -> Response {
    if site.local && !names_this_machine(request) {
        return plain(
            StatusCode::FORBIDDEN,
            "this server answers to its own machine's names only\n",
        );
    }
    if !matches!(request.method, Method::GET | Method::HEAD) {
        let mut response = plain(StatusCode::METHOD_NOT_ALLOWED, "GET and HEAD only\n");
        set(&mut response, header::ALLOW, "GET, HEAD");
        return response;
    }
    match site.find(request.uri.path()) {
        Found::File(path) => file(&path, request).await,
        Found::Folder => {
            let mut response = plain(StatusCode::PERMANENT_REDIRECT, "");
            // A path of more than one leading slash would name another host.
            let path = request.uri.path().trim_start_matches('/');
            let query = request.uri.query().map(|q| format!("?{q}")).unwrap_or_default();
            set(&mut response, header::LOCATION, &format!("/{path}/{query}"));
            response
        }
        Found::Nothing => plain(StatusCode::NOT_FOUND, "not found\n"),
    }
}

async fn file(path: &Path, request: &Parts) -> Response {
    let opened = async {
        let file = File::open(path).await?;
        let metadata = file.metadata().await?;
        Ok::<_, std::io::Error>((file, metadata))
    };
    let Ok((mut file, metadata)) = opened.await else {
        return plain(StatusCode::NOT_FOUND, "not found\n");
    };
    let asked = |name: HeaderName| request.headers.get(name).and_then(|v| v.to_str().ok());
    let etag = etag(&metadata);
    if asked(header::IF_NONE_MATCH).is_some_and(|known| matches_tag(known, &etag)) {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        set(&mut response, header::ETAG, &etag);
        return response;
    }
    // A part of a file that has changed since would not fit what the asker holds.
    let same = asked(header::IF_RANGE).is_none_or(|known| known == etag);
    let range = asked(header::RANGE).filter(|_| same);
    let length = metadata.len();
    let mut response = match wanted(range, length) {
        Wanted::Nothing => {
            let mut response = plain(StatusCode::RANGE_NOT_SATISFIABLE, "no such bytes\n");
            set(&mut response, header::CONTENT_RANGE, &format!("bytes */{length}"));
            return response;
        }
        Wanted::Whole => body(file, length, &request.method),
        Wanted::Part { first, last } => {
            if file.seek(SeekFrom::Start(first)).await.is_err() {
                return plain(StatusCode::INTERNAL_SERVER_ERROR, "the file cannot be read\n");
            }
            let mut response = body(file, last - first + 1, &request.method);
            *response.status_mut() = StatusCode::PARTIAL_CONTENT;
            set(&mut response, header::CONTENT_RANGE, &format!("bytes {first}-{last}/{length}"));
            response
        }
    };
    let name = path.file_name().map(|name| name.to_string_lossy()).unwrap_or_default();
    set(&mut response, header::CONTENT_TYPE, media_type(&name));
    set(&mut response, header::ACCEPT_RANGES, "bytes");
    set(&mut response, header::ETAG, &etag);
    response
}

fn body(file: File, length: u64, method: &Method) -> Response {
    let body = match *method {
        Method::HEAD => Body::empty(),
        _ => Body::from_stream(ReaderStream::with_capacity(file.take(length), CHUNK)),
    };
    let mut response = Response::new(body);
    set(&mut response, header::CONTENT_LENGTH, &length.to_string());
    response
}

/// A file's tag changes with its length or its time of change: hashing a model at each request would
/// cost more than sending it.
fn etag(metadata: &Metadata) -> String {
    let changed = metadata.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
    format!("\"{:x}-{:x}\"", metadata.len(), changed.map_or(0, |time| time.as_nanos()))
}

/// Whether an `If-None-Match` names this tag, weakly compared.
fn matches_tag(header: &str, etag: &str) -> bool {
    header
        .split(',')
        .map(str::trim)
        .any(|tag| tag == "*" || tag.strip_prefix("W/").unwrap_or(tag) == etag)
}

/// Whether the request was addressed to this machine. A foreign page can let its own name resolve to
/// the loopback address; its requests still carry that name.
fn names_this_machine(request: &Parts) -> bool {
    let host = host(&request.headers);
    host.is_some_and(|host| {
        let name = match host.strip_prefix('[') {
            Some(rest) => rest.split(']').next().unwrap_or_default(),
            None => host.split(':').next().unwrap_or_default(),
        };
        let local = name.eq_ignore_ascii_case("localhost")
            || name.to_ascii_lowercase().ends_with(".localhost");
        local || name.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
    })
}

fn host(headers: &HeaderMap) -> Option<&str> {
    headers.get(header::HOST)?.to_str().ok()
}

fn plain(status: StatusCode, text: &'static str) -> Response {
    let mut response = Response::new(Body::from(text));
    *response.status_mut() = status;
    set(&mut response, header::CONTENT_TYPE, "text/plain; charset=utf-8");
    response
}

/// Sets a header; a value that no header may have (a path with odd bytes) is left out.
fn set(response: &mut Response, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        response.headers_mut().insert(name, value);
    }
}
