use crate::{Looks, StoreError};

/// One reading of a model from its first byte to its last: judges what the host reports.
///
/// The host's reports arrive in this order: [`Download::opened`], any number of
/// [`Download::received`], [`Download::closed`]; or [`Download::failed`] instead of any of them.
#[derive(Clone, Debug)]
pub struct Download {
    url: String,
    content_type: Option<String>,
    promised: Option<u64>,
    opened: bool,
    received: u64,
    /// The first bytes, until they are known to be a model's.
    head: Vec<u8>,
}

const MAGIC: &[u8] = b"GGUF";

impl Download {
    /// A reading of `url` (for messages; a file's name will do).
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            content_type: None,
            promised: None,
            opened: false,
            received: 0,
            head: Vec::new(),
        }
    }

    /// The server answered: HTTP status (200 for what is not HTTP), `Content-Type`, and the length
    /// of the file where it is known.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], [`StoreError::AccessDenied`], [`StoreError::Http`];
    /// [`StoreError::NotAModel`] for a web page.
    pub fn opened(
        &mut self,
        status: u16,
        content_type: Option<&str>,
        length: Option<u64>,
    ) -> Result<(), StoreError> {
        let url = || self.url.clone();
        match status {
            200..=299 => {}
            404 | 410 => return Err(StoreError::NotFound { url: url(), status }),
            401 | 403 => return Err(StoreError::AccessDenied { url: url(), status }),
            _ => return Err(StoreError::Http { url: url(), status }),
        }
        self.content_type = content_type.map(str::to_owned);
        let mime = content_type.and_then(|of| of.split(';').next()).unwrap_or("").trim();
        if ["text/html", "application/xhtml+xml"].iter().any(|of| mime.eq_ignore_ascii_case(of)) {
            return Err(self.not_a_model(Looks::Html));
        }
        self.opened = true;
        self.promised = length;
        Ok(())
    }

    /// The next bytes of the file, in order. Only the first ones are looked at.
    ///
    /// # Errors
    /// [`StoreError::NotAModel`], as soon as the bytes cannot be a model's.
    pub fn received(&mut self, bytes: &[u8]) -> Result<(), StoreError> {
        if self.received < MAGIC.len() as u64 {
            let room = Looks::ENOUGH - self.head.len();
            self.head.extend_from_slice(&bytes[..bytes.len().min(room)]);
            if !self.head.starts_with(MAGIC) && self.head.len() >= MAGIC.len() {
                return Err(self.not_a_model(Looks::of(&self.head)));
            }
        }
        self.received = self.received.saturating_add(bytes.len() as u64);
        Ok(())
    }

    /// The file ended. `needed` is the length that the model's header promises, once it is known.
    /// More bytes than that are not an error: files may be padded.
    ///
    /// # Errors
    /// [`StoreError::Truncated`]; [`StoreError::NotAModel`] if there were fewer bytes than a
    /// model's first four, but all that were promised.
    pub fn closed(&self, needed: Option<u64>) -> Result<(), StoreError> {
        let expected = self.promised.max(needed).unwrap_or(0);
        if self.received < expected {
            let (url, received) = (self.url.clone(), self.received);
            return Err(StoreError::Truncated { url, expected, received });
        }
        if self.received < MAGIC.len() as u64 {
            return Err(self.not_a_model(Looks::of(&self.head)));
        }
        Ok(())
    }

    /// The error to report when the host could not connect, or the connection broke.
    pub fn failed(&self, message: impl Into<String>) -> StoreError {
        let received = self.opened.then_some(self.received);
        StoreError::Network { url: self.url.clone(), message: message.into(), received }
    }

    /// The length of the file, if the server gave one.
    pub fn promised(&self) -> Option<u64> {
        self.promised
    }

    /// Bytes that have come.
    pub fn bytes(&self) -> u64 {
        self.received
    }

    fn not_a_model(&self, looks: Looks) -> StoreError {
        let (url, content_type) = (self.url.clone(), self.content_type.clone());
        StoreError::NotAModel { url, looks, content_type }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Detail;

    const URL: &str = "https://example.org/m.gguf";

    fn opened(length: Option<u64>) -> Download {
        let mut download = Download::new(URL);
        download.opened(200, Some("application/octet-stream"), length).expect("a success");
        download
    }

    #[test]
    fn each_status_has_its_code() {
        for (status, code) in [
            (404, "NOT_FOUND"),
            (410, "NOT_FOUND"),
            (401, "ACCESS_DENIED"),
            (403, "ACCESS_DENIED"),
            (0, "HTTP_ERROR"),
            (304, "HTTP_ERROR"),
            (400, "HTTP_ERROR"),
            (416, "HTTP_ERROR"),
            (429, "HTTP_ERROR"),
            (500, "HTTP_ERROR"),
            (503, "HTTP_ERROR"),
        ] {
            // The status says more than the type of the page that comes with it.
            let error = Download::new(URL).opened(status, Some("text/html"), None);
            let error = error.expect_err("no success");
            assert_eq!(error.code(), code, "{status}");
            assert!(error.to_string().contains(&status.to_string()), "{error}");
            assert!(error.to_string().contains(URL) && !error.hint().is_empty());
            assert!(error.detail().contains(&("status", Detail::Number(status.into()))));
        }
        for status in [200, 203, 206] {
            assert_eq!(Download::new(URL).opened(status, None, None), Ok(()), "{status}");
        }
    }

    #[test]
    fn a_page_is_not_a_model() {
        for (content_type, refused) in [
            ("text/html", true),
            ("Text/HTML; charset=utf-8", true),
            ("application/xhtml+xml", true),
            ("application/octet-stream", false),
            ("binary/octet-stream", false),
            ("text/plain", false),
            ("", false),
        ] {
            let result = Download::new(URL).opened(200, Some(content_type), Some(10));
            assert_eq!(result.is_err(), refused, "{content_type}");
            if let Err(error) = result {
                assert_eq!(error.code(), "NOT_A_MODEL");
                let detail = ("contentType", Detail::Text(content_type.into()));
                assert!(error.detail().contains(&detail), "{error:?}");
            }
        }
    }

    #[test]
    fn first_bytes_that_are_no_model_are_named() {
        for (bytes, part) in [
            (&b"<!doctype html>"[..], "an HTML page"),
            (b"PK\x03\x04\x14\0", "a ZIP archive"),
            (b"version https://git-lfs.github.com/spec/v1\n", "a Git LFS pointer"),
            (b"\x80\x02}q\0.", "a Python pickle"),
            (b"\x10\0\0\0\0\0\0\0{\"a\":", "a safetensors file"),
            (b"Not found", "plain text"),
        ] {
            let error = opened(None).received(bytes).expect_err(part);
            assert_eq!(error.code(), "NOT_A_MODEL");
            assert!(error.to_string().contains(part), "{error}");
        }
    }

    #[test]
    fn the_first_bytes_may_come_one_by_one() {
        let mut good = opened(Some(6));
        for byte in b"GGUF\x03\0" {
            assert_eq!(good.received(&[*byte]), Ok(()));
        }
        assert_eq!(good.closed(None), Ok(()));
        let mut bad = opened(None);
        let results: Vec<bool> =
            b"GGUX".iter().map(|byte| bad.received(&[*byte]).is_ok()).collect();
        assert_eq!(results, [true, true, true, false]);
    }

    #[test]
    fn what_was_promised_must_come() {
        let file = b"GGUF0123456789";
        for (promised, needed, came, expected) in [
            (Some(14), Some(14), 14, None),
            (Some(14), Some(10), 14, None),
            (None, Some(10), 14, None),
            (None, None, 14, None),
            (Some(20), Some(10), 14, Some(20)),
            (None, Some(20), 14, Some(20)),
            (Some(14), Some(20), 14, Some(20)),
            (Some(14), None, 0, Some(14)),
            (Some(14), None, 3, Some(14)),
        ] {
            let mut download = opened(promised);
            download.received(&file[..came]).expect("a model");
            let result = download.closed(needed);
            let received = came as u64;
            let truncated = expected.map(|expected| StoreError::Truncated {
                url: URL.into(),
                expected,
                received,
            });
            assert_eq!(result.err(), truncated, "{promised:?} {needed:?} {came}");
        }
    }

    #[test]
    fn an_empty_or_tiny_file_is_not_a_model() {
        let error = opened(Some(0)).closed(None).expect_err("empty");
        assert!(error.to_string().ends_with("looks like an empty file"), "{error}");
        let mut tiny = opened(None);
        tiny.received(b"ok\n").expect("too early to tell");
        assert_eq!(tiny.closed(None).expect_err("tiny").code(), "NOT_A_MODEL");
    }

    #[test]
    fn a_failure_says_whether_there_was_an_answer() {
        let none = Download::new(URL).failed("Failed to fetch");
        assert_eq!(none.code(), "NETWORK_ERROR");
        assert!(none.hint().contains("CORS"), "{}", none.hint());
        let mut some = opened(Some(10));
        some.received(b"GGUF\x03").expect("a model");
        let broken = some.failed("network error");
        assert_eq!(broken.to_string(), format!("{URL} broke off after 5 bytes: network error"));
        assert!(!broken.hint().contains("CORS"));
        assert!(broken.detail().contains(&("received", Detail::Number(5))));
    }
}
