use crate::{Hub, StoreError};

/// The host of `hf:` sources where the app names no other.
pub const DEFAULT_HUB: &str = "https://huggingface.co";

/// A model's place on the network.
///
/// ```
/// use sidestage_store::Source;
/// let Source::Hub(hub) = Source::parse("hf:owner/repo/model-Q4_0.gguf@v1", None)? else { panic!() };
/// assert_eq!(
///     hub.file_url("v1", "model-Q4_0.gguf"),
///     "https://huggingface.co/owner/repo/resolve/v1/model-Q4_0.gguf"
/// );
/// # Ok::<(), sidestage_store::StoreError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// A repository of the hub, or something in it.
    Hub(Hub),
    /// A file, or a folder if it ends with a slash: an absolute URL, or a relative one as it was
    /// given.
    Url(String),
}

impl Source {
    /// Reads a source: an `http:`, `https:` or relative URL, which is taken as it is, or
    /// `hf:owner/repo[/path][@revision]`. The last `@` begins the revision, so a file whose name
    /// has one needs a revision too.
    ///
    /// `hub` is the base URL for `hf:`; [`DEFAULT_HUB`] if `None`.
    ///
    /// # Errors
    /// [`StoreError::SourceInvalid`].
    pub fn parse(text: &str, hub: Option<&str>) -> Result<Self, StoreError> {
        let text = text.trim();
        let invalid = |reason: String| StoreError::SourceInvalid { source: shown(text), reason };
        if text.is_empty() {
            return Err(invalid("it is empty".into()));
        }
        if text.chars().any(char::is_control) {
            return Err(invalid("it holds a control character".into()));
        }
        let parsed = match scheme(text).map(|scheme| scheme.to_ascii_lowercase()).as_deref() {
            None => Ok(Self::Url(text.to_owned())),
            Some("http" | "https") => web_url(text).map(|()| Self::Url(text.to_owned())),
            Some("hf") => {
                Hub::parse(&text["hf:".len()..], hub.unwrap_or(DEFAULT_HUB)).map(Self::Hub)
            }
            Some("blob" | "data" | "file") => {
                Err("pass the File, the Blob or the bytes themselves instead of a URL".into())
            }
            Some(other) => Err(format!("the scheme {other:?} is not supported")),
        };
        parsed.map_err(invalid)
    }
}

/// The scheme of a URL (RFC 3986, section 3.1), if it has one.
pub(crate) fn scheme(text: &str) -> Option<&str> {
    let (scheme, _) = text.split_once(':')?;
    let mut chars = scheme.chars();
    let first = chars.next().is_some_and(|c| c.is_ascii_alphabetic());
    (first && chars.all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c))).then_some(scheme)
}

/// Checks the part of an absolute URL that `fetch` is strict about.
pub(crate) fn web_url(url: &str) -> Result<(), String> {
    let after = url.split_once("://").map_or("", |(_, after)| after);
    let host = after.split(['/', '?', '#']).next().unwrap_or("");
    if host.contains('@') {
        return Err("it holds a user name or a password, which fetch refuses".into());
    }
    if host.is_empty() { Err("it names no host".into()) } else { Ok(()) }
}

/// The last segment of the path, decoded where that gives plain text, or the whole URL if there is
/// none.
pub fn file_name(url: &str) -> String {
    let path = url.split(['?', '#']).next().unwrap_or(url);
    let name = path.rsplit('/').next().filter(|name| !name.is_empty()).unwrap_or(url);
    match decode(name) {
        Some(text) if !text.chars().any(char::is_control) => text,
        _ => name.to_owned(),
    }
}

/// Undoes percent-encoding; `None` if the result is not UTF-8.
fn decode(text: &str) -> Option<String> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        let digit = |at: usize| after.get(at).and_then(|&byte| char::from(byte).to_digit(16));
        match (first, digit(0), digit(1)) {
            (b'%', Some(high), Some(low)) => {
                out.push((high * 16 + low) as u8);
                rest = &after[2..];
            }
            _ => {
                out.push(*first);
                rest = after;
            }
        }
    }
    String::from_utf8(out).ok()
}

/// A source as messages show it: short, and without a password.
pub(crate) fn shown(text: &str) -> String {
    const LONGEST: usize = 200;
    let (scheme, rest) = text.split_once("://").map_or(("", text), |(scheme, rest)| (scheme, rest));
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let hidden = match rest[..end].rfind('@') {
        Some(at) if !scheme.is_empty() => format!("{scheme}://…{}", &rest[at..]),
        _ => text.to_owned(),
    };
    match hidden.char_indices().nth(LONGEST) {
        Some((cut, _)) => format!("{}…", &hidden[..cut]),
        None => hidden,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hub_sources_become_resolve_urls() {
        let hf = "https://huggingface.co";
        for (text, hub, url, file) in [
            ("hf:o/r/m.gguf", None, format!("{hf}/o/r/resolve/main/m.gguf"), "m.gguf"),
            (" HF:o/r/m.gguf ", None, format!("{hf}/o/r/resolve/main/m.gguf"), "m.gguf"),
            (
                "hf:o/r/a/b c.gguf@v1.0",
                None,
                format!("{hf}/o/r/resolve/v1.0/a/b%20c.gguf"),
                "b c.gguf",
            ),
            ("hf:o/r/m@2.gguf@main", None, format!("{hf}/o/r/resolve/main/m%402.gguf"), "m@2.gguf"),
            (
                "hf:o/r/m.gguf@refs/pr/1",
                None,
                format!("{hf}/o/r/resolve/refs%2Fpr%2F1/m.gguf"),
                "m.gguf",
            ),
            (
                "hf:o/r/é?#%2e.gguf",
                None,
                format!("{hf}/o/r/resolve/main/%C3%A9%3F%23%252e.gguf"),
                "é?#%2e.gguf",
            ),
            (
                "hf:o/r/m.gguf",
                Some("http://localhost:8080/hub/"),
                "http://localhost:8080/hub/o/r/resolve/main/m.gguf".into(),
                "m.gguf",
            ),
            ("hf:o/r/m.gguf", Some("/mirror"), "/mirror/o/r/resolve/main/m.gguf".into(), "m.gguf"),
        ] {
            let Source::Hub(hub) = Source::parse(text, hub).expect(text) else { panic!("{text}") };
            let made = hub.file_url(&hub.revision, &hub.path);
            assert_eq!((file_name(&made).as_str(), made), (file, url), "{text}");
        }
    }

    #[test]
    fn urls_pass_through() {
        for (text, file) in [
            ("https://example.org/models/m.gguf?download=true#x", "m.gguf"),
            ("HTTP://[::1]:8000/m.gguf", "m.gguf"),
            ("https://example.org", "example.org"),
            ("https://example.org/", "https://example.org/"),
            ("/models/m.gguf", "m.gguf"),
            ("../m.gguf?v=1:2", "m.gguf"),
            ("m.gguf", "m.gguf"),
            ("/a%20b%2.gguf", "a b%2.gguf"),
            ("/%ff%0a", "%ff%0a"),
            ("/%0a", "%0a"),
            ("?model=1", "?model=1"),
        ] {
            let source = Source::parse(text, None).expect(text);
            assert_eq!((source, file_name(text).as_str()), (Source::Url(text.into()), file));
        }
    }

    #[test]
    fn bad_sources_say_what_is_wrong() {
        for (text, hub, part) in [
            ("", None, "is empty"),
            ("  ", None, "is empty"),
            ("m\n.gguf", None, "control character"),
            ("hf:", None, "should be hf:owner/repo"),
            ("hf:o", None, "should be hf:owner/repo"),
            ("hf:o//m.gguf", None, "between two slashes is empty"),
            ("hf://o/r/m.gguf", None, "between two slashes is empty"),
            ("hf:o/r/", None, "between two slashes is empty"),
            ("hf:o/r/../../x/m.gguf", None, "\"..\""),
            ("hf:o/./m.gguf", None, "\".\""),
            ("hf:o/r/m.gguf@", None, "revision after @ is empty"),
            ("hf:o/r/m.gguf@a/../b", None, "\"..\""),
            ("hf:o/r/m.gguf", Some("ftp://x"), "neither http: nor https:"),
            ("hf:o/r/m.gguf", Some("https://"), "names no host"),
            ("https:m.gguf", None, "names no host"),
            ("https:///m.gguf", None, "names no host"),
            ("ftp://example.org/m.gguf", None, "\"ftp\" is not supported"),
            ("C:\\models\\m.gguf", None, "\"c\" is not supported"),
            ("javascript:alert(1)", None, "\"javascript\" is not supported"),
            ("blob:https://example.org/1", None, "the Blob"),
        ] {
            let error = Source::parse(text, hub).expect_err(text);
            assert_eq!(error.code(), "INVALID_SOURCE");
            assert!(error.to_string().contains(part), "{text}: {error}");
        }
    }

    #[test]
    fn passwords_are_not_shown() {
        for (text, hub) in [
            ("https://me:secret@example.org/m.gguf", None),
            ("hf:o/r/m.gguf", Some("https://me:secret@example.org")),
        ] {
            let error = Source::parse(text, hub).expect_err(text);
            assert!(!format!("{error} {:?}", error.detail()).contains("secret"), "{error}");
            assert!(error.to_string().contains("which fetch refuses"), "{error}");
        }
    }
}
