//! What must hold for any files of a Hugging Face folder and any text. The fuzz target runs it on new
//! inputs, a test of `crates/engine` on the corpus.

use crate::peak;
use sidestage_text::wire::{Client, Server};
use sidestage_text::{StreamOptions, TextError};

/// An input is a text, `tokenizer.json` and `tokenizer_config.json`, parted by zero bytes, which
/// JSON has none of.
pub(crate) fn check(input: &[u8]) {
    let mut parts = input.splitn(3, |byte| *byte == 0);
    let text = String::from_utf8_lossy(parts.next().unwrap_or_default()).into_owned();
    let tokenizer = parts.next().unwrap_or_default();
    let config = parts.next().unwrap_or(b"{}");
    let ((), bytes) = peak::of(|| {
        let mut server = Server::new();
        let mut client = Client(|op, message: &[u8]| server.call(op, message));
        let files = [("tokenizer.json", tokenizer), ("tokenizer_config.json", config)];
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
