//! Vocabularies from broken and hostile files: an error that says what is wrong, never a panic.

use sidestage_text::{StreamOptions, TextStream, Tokenizer, TokenizerSpec};

fn byte_pairs() -> TokenizerSpec {
    TokenizerSpec {
        model: "gpt2".into(),
        pre: Some("gpt-2".into()),
        tokens: vec!["a", "b", "ab", "<|end|>"].into(),
        token_types: vec![1, 1, 1, 3],
        merges: vec!["a b"].into(),
        ..TokenizerSpec::default()
    }
}

fn sentence_piece() -> TokenizerSpec {
    TokenizerSpec {
        model: "llama".into(),
        tokens: vec!["<unk>", "<s>", "</s>", "▁", "a"].into(),
        token_types: vec![2, 3, 3, 1, 1],
        scores: vec![0.0; 5],
        ..TokenizerSpec::default()
    }
}

fn refusal(spec: TokenizerSpec) -> (String, String) {
    let error = Tokenizer::new(spec).expect_err("it must be refused");
    (error.code().to_owned(), error.to_string())
}

#[test]
fn refusals_say_what_is_wrong() {
    let of = |pre: &str| TokenizerSpec { pre: Some(pre.into()), ..byte_pairs() };
    let cases = [
        (TokenizerSpec { model: "hybriddna".into(), ..byte_pairs() }, "UNSUPPORTED", "hybriddna"),
        (TokenizerSpec { model: String::new(), ..byte_pairs() }, "UNSUPPORTED", "\"\""),
        (of("brand-new"), "UNSUPPORTED", "brand-new"),
        (TokenizerSpec { pre: None, ..byte_pairs() }, "INVALID", "tokenizer.ggml.pre"),
        (TokenizerSpec { tokens: Default::default(), ..byte_pairs() }, "INVALID", "no tokens"),
        (TokenizerSpec { merges: Default::default(), ..byte_pairs() }, "INVALID", "no merges"),
        (TokenizerSpec { merges: vec!["a c"].into(), ..byte_pairs() }, "INVALID", "\"c\""),
        (TokenizerSpec { merges: vec!["b a"].into(), ..byte_pairs() }, "INVALID", "\"ba\""),
        (TokenizerSpec { merges: vec!["ab"].into(), ..byte_pairs() }, "INVALID", "pair"),
        (TokenizerSpec { merges: vec![""].into(), ..byte_pairs() }, "INVALID", "pair"),
        (TokenizerSpec { merges: vec!["a "].into(), ..byte_pairs() }, "INVALID", "pair"),
        (TokenizerSpec { bos: Some(4), ..byte_pairs() }, "INVALID", "bos token is 4"),
        (TokenizerSpec { eos: Some(u32::MAX), ..byte_pairs() }, "INVALID", "eos token"),
        (TokenizerSpec { eot: Some(9), ..byte_pairs() }, "INVALID", "eot token is 9"),
        (TokenizerSpec { add_bos: Some(true), ..byte_pairs() }, "INVALID", "BOS"),
        (TokenizerSpec { token_types: vec![1], ..byte_pairs() }, "INVALID", "token types"),
        (TokenizerSpec { scores: vec![0.0], ..sentence_piece() }, "INVALID", "scores"),
        (
            TokenizerSpec {
                tokens: vec!["a".repeat(5000)].into(),
                token_types: vec![4],
                ..sentence_piece()
            },
            "INVALID",
            "longer than",
        ),
    ];
    for (spec, code, part) in cases {
        let (got, message) = refusal(spec);
        assert_eq!(got, format!("TOKENIZER_{code}"), "{message}");
        assert!(message.contains(part), "{message:?} does not say {part:?}");
    }
}

#[test]
fn odd_but_usable() {
    let nan = TokenizerSpec {
        tokens: vec!["<unk>", "<s>", "</s>", "▁", "a", "▁a", "aa", ""].into(),
        token_types: vec![2, 3, 3, 1, 1, 1, 1, 99],
        scores: vec![0.0, 0.0, 0.0, 0.0, 0.0, f32::NAN, f32::NEG_INFINITY, f32::INFINITY],
        ..sentence_piece()
    };
    let tokenizer = Tokenizer::new(nan).unwrap();
    let ids = tokenizer.encode("aaaa b", true, true).unwrap();
    assert_eq!(ids[0], 1);
    assert!(ids.contains(&0), "b is unknown: {ids:?}");

    // Bytes that are not UTF-8 in tokens, in both kinds.
    let torn = TokenizerSpec {
        tokens: vec![&b"\xFF"[..], b"a", b"\xC3"].into(),
        token_types: Vec::new(),
        merges: vec![&b"a \xFF"[..]].into(),
        ..byte_pairs()
    };
    assert_eq!(refusal(torn.clone()).0, "TOKENIZER_INVALID");
    let torn = TokenizerSpec { model: "llama".into(), ..torn };
    let tokenizer = Tokenizer::new(torn).unwrap();
    assert_eq!(tokenizer.decode(&[0, 1, 2], false), "\u{FFFD}a\u{FFFD}");
}

/// A special token that ends or begins within a character must not cut a text there.
#[test]
fn control_tokens_that_are_half_a_character() {
    let torn = TokenizerSpec {
        tokens: vec![&b"<unk>"[..], b"<\xC3", b"\xA9>", b"\xC3\xA9", b"<", b">"].into(),
        token_types: vec![2, 3, 3, 1, 1, 1],
        scores: vec![0.0; 6],
        add_space_prefix: Some(false),
        ..sentence_piece()
    };
    let tokenizer = Tokenizer::new(torn).unwrap();
    assert_eq!(tokenizer.encode("<é>", false, true).unwrap(), [4, 3, 5]);
    assert_eq!(tokenizer.encode("<éé", false, true).unwrap(), [4, 3, 3]);
    assert_eq!(tokenizer.decode(&[1, 2], true), "<é>");
}

#[test]
fn what_cannot_be_expressed() {
    let tokens = vec!["▁", "a"].into();
    let spec =
        TokenizerSpec { tokens, token_types: vec![1, 1], scores: vec![], ..sentence_piece() };
    let tokenizer = Tokenizer::new(spec).unwrap();
    assert_eq!(tokenizer.encode("a", false, false).unwrap(), [0, 1]);
    let error = tokenizer.encode("a😀", false, false).unwrap_err();
    assert_eq!(error.code(), "PROMPT_INVALID");
    assert!(error.to_string().contains("😀"), "{error}");
    assert_eq!(
        Tokenizer::new(sentence_piece()).unwrap().encode("b", false, false).unwrap(),
        [3, 0]
    );
    // A byte-level vocabulary without the byte and without an unknown token leaves it out.
    let tokenizer = Tokenizer::new(byte_pairs()).unwrap();
    assert_eq!(tokenizer.encode("abz", false, false).unwrap(), [2]);
}

#[test]
fn spelt_control_tokens_stay_text_unless_asked_for() {
    let mut tokens = vec!["<unk>", "<s>", "</s>", "<", "s", ">", "<s", "▁"];
    tokens.push("/");
    let spec = TokenizerSpec {
        token_types: vec![2, 3, 3, 1, 1, 1, 1, 1, 1],
        scores: vec![0.0; 9],
        tokens: tokens.into(),
        ..sentence_piece()
    };
    let tokenizer = Tokenizer::new(spec).unwrap();
    assert_eq!(tokenizer.encode("<s>", false, true).unwrap(), [1]);
    assert_eq!(tokenizer.encode("<s>", false, false).unwrap(), [7, 6, 5]);
}

#[test]
fn ids_past_the_vocabulary() {
    let tokenizer = Tokenizer::new(byte_pairs()).unwrap();
    assert_eq!(tokenizer.decode(&[2, u32::MAX, 3, 0], false), "ab\u{FFFD}a");
    let mut stream = TextStream::new(StreamOptions::default());
    assert_eq!(stream.push(&tokenizer, 1 << 31).text, "\u{FFFD}");
}

/// Qwen's `<think>` is an ordinary added token, DeepSeek's was a control token in early files.
#[test]
fn reasoning_tags_that_are_control_tokens() {
    let spec = TokenizerSpec {
        tokens: vec!["a", "b", "ab", "<think>", "</think>", "<|im_end|>"].into(),
        token_types: vec![1, 1, 1, 3, 3, 1],
        ..byte_pairs()
    };
    let tokenizer = Tokenizer::new(spec).unwrap();
    assert_eq!(tokenizer.end_tokens(), [5]);
    let mut stream = TextStream::new(StreamOptions::default());
    let (mut text, mut reasoning) = (String::new(), String::new());
    for id in [3, 0, 4, 1, 5] {
        let delta = stream.push(&tokenizer, id);
        text += &delta.text;
        reasoning += &delta.reasoning;
    }
    let delta = stream.finish();
    assert_eq!((text + &delta.text, reasoning + &delta.reasoning), ("b".into(), "a".into()));
}

/// The same answer ten times as long takes about ten times as long, though every token could begin
/// the stop string. Were the whole answer looked at for each token, this would take hours.
#[test]
fn a_stream_is_linear() {
    let tokenizer = Tokenizer::new(byte_pairs()).unwrap();
    let stops = vec![format!("{}b", "a".repeat(1000)), "ba".into()];
    let mut stream = TextStream::new(StreamOptions { stops, ..StreamOptions::default() });
    let mut length = 0;
    for _ in 0..1_000_000 {
        length += stream.push(&tokenizer, 0).text.len();
    }
    assert_eq!(length, 999_000);
    assert_eq!(stream.finish().text.len(), 1000);
}
