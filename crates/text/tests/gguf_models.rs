//! The kinds of vocabularies that GGUF files have besides those with vectors: what their rules say of
//! vocabularies small enough to work out by hand.

use sidestage_text::{Tokenizer, TokenizerSpec};

fn ids(spec: TokenizerSpec, text: &str) -> Vec<u32> {
    let tokenizer = Tokenizer::new(spec).unwrap();
    let ids = tokenizer.encode(text, false, false).unwrap();
    let printed = tokenizer.decode(&ids, false);
    assert!(printed == text || printed.contains('\u{FFFD}'), "{printed:?} of {text:?}");
    ids
}

#[test]
fn rwkv_takes_the_longest_token() {
    let spec = TokenizerSpec {
        model: "rwkv".into(),
        tokens: vec!["<s>", "a", "ab", "b", "abc", r"\n", r"\xe4\xbd", r"\xa0", r"\\"].into(),
        token_types: vec![3, 1, 1, 1, 1, 1, 1, 1, 1],
        ..TokenizerSpec::default()
    };
    assert_eq!(ids(spec.clone(), "abcab"), [4, 2]);
    assert_eq!(ids(spec.clone(), "b\na你\\"), [3, 5, 1, 6, 7, 8]);
    let error = Tokenizer::new(spec).unwrap().encode("z", false, false).unwrap_err();
    assert_eq!(error.code(), "PROMPT_INVALID");
}

#[test]
fn plamo_2_takes_the_cheapest_way() {
    let mut tokens: Vec<String> = (0..256).map(|byte| format!("<0x{byte:02X}>")).collect();
    let mut token_types = vec![6; 256];
    let mut scores = vec![0.0; 256];
    for (token, score) in [("a", -5.0), ("b", -5.0), ("ab", -7.0), ("abc", -100.0), ("c", -1.0)] {
        tokens.push(token.into());
        token_types.push(1);
        scores.push(score);
    }
    let spec = TokenizerSpec {
        model: "plamo2".into(),
        tokens: tokens.into(),
        token_types,
        scores,
        ..TokenizerSpec::default()
    };
    assert_eq!(ids(spec.clone(), "abc"), [258, 260]);
    assert_eq!(ids(spec, "baé"), [257, 256, 0xC3, 0xA9]);
}

#[test]
fn gemma_4_merges_characters() {
    let spec = TokenizerSpec {
        model: "gemma4".into(),
        tokens: vec!["<bos>", "▁", "a", "b", "▁a", "\n", "\n\n", "<0xC3>", "<0xA9>"].into(),
        token_types: vec![3, 1, 1, 1, 1, 1, 1, 6, 6],
        merges: vec!["▁ a"].into(),
        bos: Some(0),
        ..TokenizerSpec::default()
    };
    assert_eq!(ids(spec.clone(), "b a\n\né"), [3, 4, 6, 7, 8]);
    let tokenizer = Tokenizer::new(spec).unwrap();
    assert_eq!(tokenizer.encode("a", true, false).unwrap(), [0, 2]);
}

#[test]
fn t5_takes_the_likeliest_way() {
    let spec = TokenizerSpec {
        model: "t5".into(),
        tokens: vec!["<pad>", "</s>", "<unk>", "▁", "▁a", "b", "▁ab", "a"].into(),
        token_types: vec![3, 3, 2, 1, 1, 1, 1, 1],
        scores: vec![0.0, 0.0, 0.0, -2.0, -3.0, -3.0, -5.5, -4.0],
        add_space_prefix: Some(true),
        remove_extra_whitespaces: Some(true),
        ..TokenizerSpec::default()
    };
    let tokenizer = Tokenizer::new(spec).unwrap();
    assert_eq!(tokenizer.encode("ab  a", false, false).unwrap(), [6, 4]);
    assert_eq!(tokenizer.encode("xya", true, false).unwrap(), [3, 2, 7, 1]);
    assert_eq!(tokenizer.decode(&[6, 4], false), "ab a");
}

#[test]
fn white_space_parts_words_and_goes() {
    let spec = TokenizerSpec {
        model: "whitespace".into(),
        tokens: vec!["a", "b", "ab"].into(),
        merges: vec!["a b"].into(),
        lowercase: Some(true),
        ..TokenizerSpec::default()
    };
    let tokenizer = Tokenizer::new(spec).unwrap();
    assert_eq!(tokenizer.encode("A B\tab", false, false).unwrap(), [0, 1, 2]);
}
