//! What must hold for any files of a Hugging Face folder and any text. The fuzz target runs it on new
//! inputs, a test of `crates/engine` on the corpus.

use crate::peak;
use sidestage_text::wire::{Client, Server};
use sidestage_text::{StreamOptions, TextError};

/// An input is a text and the files of a folder, parted by zero bytes.
pub(crate) fn check(input: &[u8]) {
    let (text, files) = folder(input);
    let ((), bytes) = peak::of(|| {
        let mut server = Server::new();
        let mut client = Client(|op, message: &[u8]| server.call(op, message));
        match client.open_files(&files) {
            Ok(()) => write_and_read(&mut client, &text),
            Err(TextError::Remote { code, message }) => {
                let known = ["TOKENIZER_INVALID", "TOKENIZER_UNSUPPORTED"];
                assert!(known.contains(&code.as_str()), "{code}: {message}");
            }
            Err(error) => panic!("{error}"),
        }
    });
    assert!(bytes <= 4000 * input.len() + (48 << 20), "{bytes} bytes for {}", input.len());
}

/// First come the text, `tokenizer.json` (there is none where it is empty) and
/// `tokenizer_config.json`, then small files, each after a byte that names it. `tokenizer.model` is
/// the last: it alone may hold zero bytes.
fn folder(input: &[u8]) -> (String, Vec<(&'static str, &[u8])>) {
    let mut rest = input;
    let mut part = || {
        let end = rest.iter().position(|byte| *byte == 0).unwrap_or(rest.len());
        let part = &rest[..end];
        rest = rest.get(end + 1..).unwrap_or_default();
        part
    };
    let text = String::from_utf8_lossy(part()).into_owned();
    let mut files = vec![("tokenizer.json", part()), ("tokenizer_config.json", part())];
    while let Some((name, bytes)) = rest.split_first() {
        let name = match name {
            b'm' => "tokenizer.model",
            b's' => "special_tokens_map.json",
            b'g' => "generation_config.json",
            b'c' => "config.json",
            b't' => "chat_template.json",
            b'j' => "chat_template.jinja",
            _ => "additional_chat_templates/tool_use.jinja",
        };
        let end = if name == "tokenizer.model" { None } else { bytes.iter().position(|b| *b == 0) };
        let end = end.unwrap_or(bytes.len());
        files.push((name, &bytes[..end]));
        rest = bytes.get(end + 1..).unwrap_or_default();
    }
    files.retain(|(_, bytes)| !bytes.is_empty());
    (text, files)
}

fn write_and_read<F>(client: &mut Client<F>, text: &str)
where
    F: FnMut(u32, &[u8]) -> Result<Vec<u8>, Vec<u8>>,
{
    let info = client.info().expect("an open vocabulary");
    assert!(
        info.end_tokens.iter().chain(&info.bos).chain(&info.eos).all(|id| *id < info.vocab_size)
    );
    let mut ids = match client.encode(text, true, true) {
        Ok(ids) => ids,
        Err(TextError::Remote { code, .. }) => {
            assert_eq!(code, "PROMPT_INVALID");
            Vec::new()
        }
        Err(error) => panic!("{error}"),
    };
    assert!(ids.iter().all(|id| *id < info.vocab_size));
    ids.extend((0..=info.vocab_size).take(300));
    client.decode(&ids, false).expect("any ids have a text");
    let stream = client.stream_open(&StreamOptions::default()).expect("a stream");
    for id in ids {
        client.push(stream, id).expect("an open stream");
    }
    client.finish(stream).expect("an open stream");
}
