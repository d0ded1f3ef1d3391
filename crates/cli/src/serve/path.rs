//! Paths of requests, as the names of files.

use std::path::PathBuf;

/// The relative file path of a request's path (`/a/b%20c`), or `None` if no file can have it: bad
/// escapes, `.` and `..` however written, hidden names, and the characters that mean something to a
/// file system.
pub(super) fn decode(path: &str) -> Option<PathBuf> {
    let mut file = PathBuf::new();
    for segment in path.strip_prefix('/')?.split('/') {
        let name = unescape(segment)?;
        // An empty name is a doubled or trailing slash; a leading dot is `.`, `..` or hidden.
        if name.starts_with('.') || name.contains(['/', '\\', ':', '\0']) {
            return None;
        }
        file.push(name);
    }
    Some(file)
}

/// `%20` to a space, and so on; `None` for what is no escape or no UTF-8.
fn unescape(text: &str) -> Option<String> {
    let mut bytes = text.bytes();
    let mut out = Vec::with_capacity(text.len());
    while let Some(byte) = bytes.next() {
        if byte != b'%' {
            out.push(byte);
            continue;
        }
        let mut digit = || char::from(bytes.next()?).to_digit(16);
        let (high, low) = (digit()?, digit()?);
        out.push((high * 16 + low) as u8);
    }
    String::from_utf8(out).ok()
}

/// A text as a part of a URL's query.
pub(super) fn encode(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~/".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::{decode, encode};
    use std::path::Path;

    #[test]
    fn plain_and_escaped_names() {
        assert_eq!(decode("/").as_deref(), Some(Path::new("")));
        assert_eq!(decode("/a/b%20c.js").as_deref(), Some(Path::new("a/b c.js")));
        assert_eq!(decode("/%C3%A4").as_deref(), Some(Path::new("ä")));
    }

    #[test]
    fn nothing_leaves_the_root() {
        for path in [
            "/..",
            "/../x",
            "/a/../../x",
            "/%2e%2e/x",
            "/.%2E/x",
            "/a/%2e./x",
            "/..%2fx",
            "/%2e%2e%2fx",
            "/..%5cx",
            "/a%5c..%5cx",
            "/.git/config",
            "/a/.env",
            "/%00",
            "/a%00.js",
            "/C:/x",
            "/%",
            "/%4",
            "/%zz",
            "/%ff",
            "relative",
            "",
        ] {
            assert_eq!(decode(path), None, "{path}");
        }
    }

    #[test]
    fn encodes_for_a_query() {
        assert_eq!(encode("https://a/b?c=d&e"), "https%3A//a/b%3Fc%3Dd%26e");
    }
}
