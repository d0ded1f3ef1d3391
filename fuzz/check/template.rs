//! What must hold for any chat template. The fuzz target runs it on new inputs, a test of
//! `crates/engine` on the corpus.

use sidestage_text::{Now, render};

/// The longest template: what a template may cost grows with it, and chance needs no more.
const LONGEST: usize = 4096;

/// An input is a template.
pub(crate) fn check(input: &[u8]) {
    let template = String::from_utf8_lossy(&input[..input.len().min(LONGEST)]);
    let context = serde_json::json!({
        "messages": [
            { "role": "system", "content": "Be brief." },
            { "role": "user", "content": "Caf\u{e9} <b>'\"\\\n\u{1f600}" },
            { "role": "assistant", "content": null, "tool_calls": [
                { "type": "function", "function": { "name": "add", "arguments": { "a": 1, "b": 2.5 } } },
            ] },
            { "role": "tool", "content": [{ "type": "text", "text": "3.5" }], "ok": true },
        ],
        "tools": [{ "type": "function", "function": { "name": "add", "parameters": {} } }],
    });
    let now = Now { unix_seconds: 1_700_000_000, utc_offset_minutes: 60 };
    let variables = [("bos_token".to_owned(), "<s>".to_owned())];
    let first = render(&template, &variables, &context, true, Some(now));
    match &first {
        Ok(text) => assert!(text.len() <= 16 << 20),
        Err(error) => {
            assert!(["TEMPLATE_INVALID", "TEMPLATE_FAILED"].contains(&error.code()), "{error:?}");
            assert!(!error.to_string().is_empty());
        }
    }
    assert_eq!(render(&template, &variables, &context, true, Some(now)), first);
}
