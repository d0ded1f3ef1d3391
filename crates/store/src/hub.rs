use crate::source::{scheme, shown, web_url};
use crate::{DEFAULT_HUB, StoreError};
use serde_json::Value;
use std::fmt;

/// Files of a listing that are read at most: more than any model has.
pub const MOST_FILES: usize = 100_000;

/// A repository of a hub that speaks Hugging Face's API, or a file or folder in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hub {
    /// The base URL, without a slash at its end.
    pub base: String,
    /// Who owns the repository.
    pub owner: String,
    /// The repository's name.
    pub repo: String,
    /// A file's or folder's path in it; empty: the repository as a whole.
    pub path: String,
    /// A branch, a tag or a commit.
    pub revision: String,
}

impl Hub {
    /// Reads `owner/repo[/path][@revision]`.
    pub(crate) fn parse(text: &str, hub: &str) -> Result<Self, String> {
        let base = hub.trim().trim_end_matches('/');
        if matches!(scheme(base), Some("http" | "https")) {
            web_url(base)
                .map_err(|reason| format!("of the base URL {:?}: {reason}", shown(base)))?;
        } else if scheme(base).is_some() {
            return Err(format!("the base URL {base:?} is neither http: nor https:"));
        }
        let (path, revision) = text.rsplit_once('@').unwrap_or((text, "main"));
        if revision.is_empty() {
            return Err("the revision after @ is empty".into());
        }
        // A folder may be written with a slash at its end.
        let path = match path.matches('/').count() {
            0..=2 => path,
            _ => path.strip_suffix('/').unwrap_or(path),
        };
        let segments: Vec<&str> = path.split('/').collect();
        if segments.len() < 2 {
            return Err(
                "it should be hf:owner/repo or hf:owner/repo/file, with @revision at the end"
                    .into(),
            );
        }
        for segment in segments.iter().copied().chain(revision.split('/')) {
            match segment {
                "" => return Err("a part between two slashes is empty".into()),
                "." | ".." => return Err(format!("it holds {segment:?} as a part of the path")),
                _ => {}
            }
        }
        Ok(Self {
            base: base.to_owned(),
            owner: segments[0].to_owned(),
            repo: segments[1].to_owned(),
            path: segments[2..].join("/"),
            revision: revision.to_owned(),
        })
    }

    /// Where the hub tells which commit the revision is.
    pub fn revision_url(&self) -> String {
        format!("{}/revision/{}", self.api(), encode(&self.revision))
    }

    /// Where the hub lists a commit's files.
    pub fn tree_url(&self, commit: &str) -> String {
        format!("{}/tree/{}?recursive=true", self.api(), encode(commit))
    }

    /// A file's URL.
    pub fn file_url(&self, revision: &str, path: &str) -> String {
        let path: Vec<String> = path.split('/').map(encode).collect();
        let (owner, repo) = (encode(&self.owner), encode(&self.repo));
        format!("{}/{owner}/{repo}/resolve/{}/{}", self.base, encode(revision), path.join("/"))
    }

    /// The key under which a file is kept.
    pub fn file_key(&self, revision: &str, path: &str) -> String {
        format!("hf/{}@{revision}/{path}", self.name())
    }

    /// The key under which a page of the list of the revision's files is kept; the first is 0.
    pub fn listing_key(&self, page: usize) -> String {
        let page = if page == 0 { String::new() } else { format!("?{page}") };
        format!("hf-api/{}@{}{page}", self.name(), self.revision)
    }

    /// Whether a URL that the hub names is its own, so that it may be asked with the same token.
    pub fn is_own(&self, url: &str) -> bool {
        url.strip_prefix(&self.base).is_some_and(|path| path.starts_with('/'))
    }

    /// Whether the revision is a commit already.
    pub fn is_commit(&self) -> bool {
        self.revision.len() == 40 && self.revision.bytes().all(|byte| byte.is_ascii_hexdigit())
    }

    fn api(&self) -> String {
        format!("{}/api/models/{}/{}", self.base, encode(&self.owner), encode(&self.repo))
    }

    fn name(&self) -> String {
        let host = match self.base.as_str() {
            DEFAULT_HUB => "",
            other => &format!("{}/", other.split_once("://").map_or(other, |(_, rest)| rest)),
        };
        format!("{host}{}/{}", self.owner, self.repo)
    }
}

impl fmt::Display for Hub {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "hf:{}/{}", self.owner, self.repo)?;
        let path = if self.path.is_empty() { "" } else { &format!("/{}", self.path) };
        let revision = if self.revision == "main" { "" } else { &format!("@{}", self.revision) };
        write!(f, "{path}{revision}")
    }
}

/// A file of a listing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Its path in the repository or folder.
    pub path: String,
    /// Its size.
    pub bytes: u64,
    /// Its SHA-256, for the large files for which the hub says so.
    pub sha256: Option<String>,
}

/// The commit in the answer to [`Hub::revision_url`].
///
/// # Errors
/// [`StoreError::ListingInvalid`].
pub fn read_commit(json: &[u8]) -> Result<String, StoreError> {
    let value: Value = serde_json::from_slice(json)
        .map_err(|error| invalid(format!("the hub's answer is no JSON: {error}")))?;
    match value.get("sha").and_then(Value::as_str) {
        Some(sha) if !sha.is_empty() && sha.bytes().all(|byte| byte.is_ascii_alphanumeric()) => {
            Ok(sha.to_owned())
        }
        _ => Err(invalid("the hub's answer names no commit".into())),
    }
}

/// The files in the answer to [`Hub::tree_url`], by path.
///
/// # Errors
/// [`StoreError::ListingInvalid`].
pub fn read_listing(json: &[u8]) -> Result<Vec<Listed>, StoreError> {
    let value: Value = serde_json::from_slice(json)
        .map_err(|error| invalid(format!("the hub's list of files is no JSON: {error}")))?;
    let Some(entries) = value.as_array() else {
        return Err(invalid("the hub's list of files is no list".into()));
    };
    let text = |entry: &Value, name: &str| entry.get(name)?.as_str().map(str::to_owned);
    let files = entries
        .iter()
        .take(MOST_FILES)
        .filter(|entry| entry.get("type").and_then(Value::as_str) == Some("file"));
    let mut listed: Vec<Listed> = files
        .filter_map(|entry| {
            let lfs = entry.get("lfs").filter(|lfs| lfs.is_object());
            let size = |of: &Value| of.get("size").and_then(Value::as_u64);
            let sha256 = lfs
                .and_then(|lfs| text(lfs, "oid"))
                .map(|oid| oid.strip_prefix("sha256:").unwrap_or(&oid).to_ascii_lowercase());
            let is_sha256 =
                |oid: &String| oid.len() == 64 && oid.bytes().all(|byte| byte.is_ascii_hexdigit());
            Some(Listed {
                path: text(entry, "path")?,
                bytes: lfs.and_then(size).or_else(|| size(entry))?,
                sha256: sha256.filter(is_sha256),
            })
        })
        .collect();
    listed.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(listed)
}

fn invalid(problem: String) -> StoreError {
    StoreError::ListingInvalid { file: "the hub".into(), problem }
}

/// Percent-encodes all but the unreserved characters of RFC 3986, slashes included: a revision is
/// one segment of the URL even if it is `refs/pr/1`.
pub(crate) fn encode(segment: &str) -> String {
    let mut out = String::with_capacity(segment.len());
    for byte in segment.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(byte.into());
        } else {
            out.push('%');
            for digit in [byte >> 4, byte & 15] {
                out.push(char::from(b"0123456789ABCDEF"[usize::from(digit)]));
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Source;

    fn hub(text: &str, base: Option<&str>) -> Hub {
        match Source::parse(text, base) {
            Ok(Source::Hub(hub)) => hub,
            other => panic!("{text}: {other:?}"),
        }
    }

    #[test]
    fn a_repository_has_urls_and_keys() {
        let whole = hub("hf:o/r", None);
        assert_eq!((whole.path.as_str(), whole.revision.as_str()), ("", "main"));
        assert_eq!(whole.revision_url(), "https://huggingface.co/api/models/o/r/revision/main");
        assert_eq!(
            whole.tree_url("abc"),
            "https://huggingface.co/api/models/o/r/tree/abc?recursive=true"
        );
        assert_eq!(whole.file_key("abc", "a/b c.gguf"), "hf/o/r@abc/a/b c.gguf");
        assert_eq!(whole.listing_key(0), "hf-api/o/r@main");
        assert!(!whole.is_commit());
        let other = hub("hf:o/r/dir/@refs/pr/1", Some("http://localhost:80/hub/"));
        assert_eq!((other.path.as_str(), other.revision.as_str()), ("dir", "refs/pr/1"));
        assert_eq!(other.listing_key(1), "hf-api/localhost:80/hub/o/r@refs/pr/1?1");
        assert_eq!(
            other.revision_url(),
            "http://localhost:80/hub/api/models/o/r/revision/refs%2Fpr%2F1"
        );
        assert!(other.is_own("http://localhost:80/hub/api?cursor=1"));
        assert!(
            !other.is_own("http://localhost:80/hubs") && !other.is_own("http://elsewhere/hub/")
        );
        assert!(hub(&format!("hf:o/r@{}", "0a".repeat(20)), None).is_commit());
    }

    /// The form of `GET /api/models/{repo}/tree/{revision}?recursive=true` of huggingface.co.
    #[test]
    fn listings_are_read() {
        let sha = "ab".repeat(32);
        let json = format!(
            r#"[{{"type":"directory","oid":"1","size":0,"path":"onnx"}},
            {{"type":"file","oid":"2","size":135,"path":"m.gguf","lfs":
             {{"oid":"{sha}","size":668000000,"pointerSize":134}}}},
            {{"type":"file","oid":"3","size":7,"path":"config.json"}},
            {{"type":"file","oid":"4","path":"no size"}}]"#
        );
        let listed = read_listing(json.as_bytes()).expect("a listing");
        let paths: Vec<_> = listed.iter().map(|of| (of.path.as_str(), of.bytes)).collect();
        assert_eq!(paths, [("config.json", 7), ("m.gguf", 668_000_000)]);
        assert_eq!((&listed[0].sha256, &listed[1].sha256), (&None, &Some(sha)));
        let commit = read_commit(br#"{"id":"o/r","sha":"0123abcd","siblings":[]}"#);
        assert_eq!(commit.as_deref(), Ok("0123abcd"));
        for bad in ["", "{}", "[1", r#"{"sha":"../x"}"#, r#"{"sha":""}"#, "null"] {
            assert_eq!(read_commit(bad.as_bytes()).expect_err(bad).code(), "MODEL_INVALID");
            assert_eq!(read_listing(bad.as_bytes()).expect_err(bad).code(), "MODEL_INVALID");
        }
    }
}
