//! The headers that every answer carries.

use crate::error::CliError;
use axum::http::{HeaderMap, HeaderName, HeaderValue, header};

/// Where the page may fetch models from, besides its own server: the hub and the hosts that it
/// redirects to.
const MODEL_HOSTS: &str = "https://huggingface.co https://*.huggingface.co https://*.hf.co";

pub(super) struct Headers {
    pairs: Vec<(HeaderName, HeaderValue)>,
}

impl Headers {
    /// `isolated`: with COOP and COEP. `hosts`: more origins for `connect-src`.
    ///
    /// # Errors
    /// [`CliError::Argument`] for a host that would end or widen the policy.
    pub(super) fn new(isolated: bool, hosts: &[String]) -> Result<Self, CliError> {
        let mut connect = MODEL_HOSTS.to_owned();
        for host in hosts {
            if !is_origin(host) {
                let problem = format!("{host:?} is no origin like https://models.example");
                return Err(CliError::Argument { name: "--allow-host", problem });
            }
            connect.push(' ');
            connect.push_str(host);
        }
        // 'wasm-unsafe-eval' must be in the worker's own answer, so every answer has one policy.
        let policy = format!(
            "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self'; \
             connect-src 'self' {connect}; style-src 'self'; img-src 'self' data:; object-src 'none'; \
             base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
        );
        let policy = HeaderValue::from_str(&policy)
            .map_err(|e| CliError::Argument { name: "--allow-host", problem: e.to_string() })?;
        let fixed = HeaderValue::from_static;
        let mut pairs = vec![
            (header::CONTENT_SECURITY_POLICY, policy),
            (header::X_CONTENT_TYPE_OPTIONS, fixed("nosniff")),
            (header::REFERRER_POLICY, fixed("no-referrer")),
            // Files change under a developer's hands: ask each time, answered by 304.
            (header::CACHE_CONTROL, fixed("no-cache")),
            (HeaderName::from_static("cross-origin-resource-policy"), fixed("same-origin")),
        ];
        if isolated {
            pairs.push((
                HeaderName::from_static("cross-origin-opener-policy"),
                fixed("same-origin"),
            ));
            pairs.push((
                HeaderName::from_static("cross-origin-embedder-policy"),
                fixed("require-corp"),
            ));
        }
        Ok(Self { pairs })
    }

    /// Adds them to an answer.
    pub(super) fn apply(&self, to: &mut HeaderMap) {
        for (name, value) in &self.pairs {
            to.insert(name.clone(), value.clone());
        }
    }
}

/// `http://host` or `https://host:port`, nothing else: neither quotes nor spaces nor semicolons.
fn is_origin(text: &str) -> bool {
    let host = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    host.is_some_and(|host| {
        !host.is_empty()
            && host.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._:*[]".contains(&b))
    })
}

/// The media type of a file, by its name's ending.
pub(super) fn media_type(name: &str) -> &'static str {
    let ending = name.rsplit_once('.').map_or("", |(_, ending)| ending);
    match ending.to_ascii_lowercase().as_str() {
        "html" => "text/html; charset=utf-8",
        "js" | "mjs" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "json" | "map" => "application/json",
        "webmanifest" => "application/manifest+json",
        // Streaming compilation refuses any other type, even with parameters.
        "wasm" => "application/wasm",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "jpg" | "jpeg" => "image/jpeg",
        "webp" => "image/webp",
        "ico" => "image/x-icon",
        "woff2" => "font/woff2",
        "txt" | "md" | "ts" => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::{Headers, is_origin, media_type};

    #[test]
    fn origins_cannot_widen_the_policy() {
        assert!(is_origin("https://models.example:8443"));
        assert!(is_origin("http://127.0.0.1:8080"));
        for bad in [
            "https://a; script-src *",
            "https://a b",
            "'unsafe-eval'",
            "*",
            "https://",
            "data:",
            "https://a/b",
        ] {
            assert!(!is_origin(bad), "{bad}");
            assert!(Headers::new(true, &[bad.to_owned()]).is_err(), "{bad}");
        }
    }

    #[test]
    fn wasm_has_its_exact_type() {
        assert_eq!(media_type("a.b.wasm"), "application/wasm");
        assert_eq!(media_type("m.gguf"), "application/octet-stream");
        assert!(media_type("x.MJS").starts_with("text/javascript"));
    }
}
