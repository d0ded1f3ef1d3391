//! What must hold for any vocabulary and any text. The fuzz target runs it on new inputs, a test of
//! `crates/engine` on the corpus.

use crate::peak;
use sidestage_text::wire::{Client, Server, op};
use sidestage_text::{StreamOptions, StringList, TextError, TokenizerSpec};

/// Ways to cut text before byte-level BPE; the last one is none.
const PRE: [&str; 8] =
    ["gpt-2", "qwen2", "llama-bpe", "falcon", "smollm", "deepseek-llm", "default", "?"];

/// An input is a byte of options, then parts that begin with their length (two bytes): the text,
/// then either the message that opens a vocabulary, or tokens, merges, types and scores.
pub(crate) fn check(input: &[u8]) {
    let Some((&options, mut rest)) = input.split_first() else { return };
    let text = String::from_utf8_lossy(part(&mut rest)).into_owned();
    let ((), bytes) = peak::of(|| {
        let mut server = Server::new();
        let opened = if options & 1 == 0 {
            server.call(op::OPEN, rest)
        } else {
            let spec = spec(options, &mut rest);
            let message = rmp_serde::to_vec_named(&spec).expect("a spec is plain data");
            server.call(op::OPEN, &message)
        };
        let mut client = Client(|op, message: &[u8]| server.call(op, message));
        if opened.is_ok() {
            write_and_read(&mut client, &text);
        } else {
            assert!(client.info().is_err(), "nothing is open");
        }
    });
    assert!(bytes <= 2000 * input.len() + (8 << 20), "{bytes} bytes for {}", input.len());
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
    assert_eq!(client.encode(text, true, true).unwrap_or_default(), ids, "the same again");
    // Every token once, and one that there is none of.
    ids.extend((0..=info.vocab_size).take(500));
    let whole = client.decode(&ids, false).expect("any ids have a text");
    let options =
        StreamOptions { at_text_start: true, split_reasoning: false, ..Default::default() };
    assert_eq!(stream(client, &ids, &options), whole, "in pieces as in one");
    let stops = vec![text.chars().take(3).collect(), "b".into()];
    let options = StreamOptions { stops: stops.clone(), split_reasoning: false, ..options };
    let stopped = stream(client, &ids, &options);
    assert!(whole.starts_with(&stopped), "{stopped:?} is no beginning of {whole:?}");
    assert!(stops.iter().all(|stop: &String| stop.is_empty() || !stopped.contains(stop)));
    stream(client, &ids, &StreamOptions { in_reasoning: true, ..Default::default() });
}

/// The text that a stream gives, piece by piece.
fn stream<F>(client: &mut Client<F>, ids: &[u32], options: &StreamOptions) -> String
where
    F: FnMut(u32, &[u8]) -> Result<Vec<u8>, Vec<u8>>,
{
    let stream = client.stream_open(options).expect("a stream");
    let mut text = String::new();
    for &id in ids {
        let delta = client.push(stream, id).expect("an open stream");
        text += &delta.text;
        if delta.stopped.is_some() {
            break;
        }
    }
    text + &client.finish(stream).expect("an open stream").text
}

/// A vocabulary that is more often a good one than chance makes.
fn spec(options: u8, rest: &mut &[u8]) -> TokenizerSpec {
    let lines = |part: &[u8]| -> StringList { part.split(|byte| *byte == b'\n').collect() };
    let sentence_piece = options & 2 != 0;
    let (tokens, merges) = (lines(part(rest)), lines(part(rest)));
    let numbers =
        |part: &[u8]| -> Vec<i32> { part.iter().map(|byte| i32::from(*byte % 8)).collect() };
    let (token_types, scores) = (numbers(part(rest)), numbers(part(rest)));
    TokenizerSpec {
        model: if sentence_piece { "llama" } else { "gpt2" }.into(),
        pre: Some(PRE[usize::from(options >> 2 & 7)].into()),
        unk: (options & 32 != 0).then_some(0),
        bos: (options & 64 != 0).then_some(0),
        eos: (options & 64 != 0).then_some(0),
        add_space_prefix: (options & 128 != 0).then_some(false),
        add_bos: (options & 64 == 0).then_some(false),
        tokens,
        merges,
        token_types,
        scores: scores.into_iter().map(|score| score as f32).collect(),
        ..TokenizerSpec::default()
    }
}

fn part<'b>(rest: &mut &'b [u8]) -> &'b [u8] {
    let Some((length, after)) = rest.split_first_chunk() else { return std::mem::take(rest) };
    let (part, after) = after.split_at(after.len().min(u16::from_le_bytes(*length).into()));
    *rest = after;
    part
}
