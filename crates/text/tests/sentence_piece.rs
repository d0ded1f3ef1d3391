//! SentencePiece's models give the ids and texts of SentencePiece itself
//! (`goldens/sentence_piece.py`), as its own files and as GGUF files.

use serde_json::{Value, json};
use sidestage_text::{Files, Tokenizer, TokenizerSpec};

fn models() -> Vec<(Value, &'static [u8])> {
    let golden = include_str!("goldens/sentence_piece.json");
    let models: Vec<Value> = serde_json::from_str(golden).unwrap();
    let files: [&[u8]; 4] = [
        include_bytes!("goldens/unigram.model"),
        include_bytes!("goldens/unigram_folded.model"),
        include_bytes!("goldens/unigram_spaces.model"),
        include_bytes!("goldens/pairs.model"),
    ];
    assert_eq!(models.len(), files.len());
    models.into_iter().zip(files).collect()
}

fn list<'v, T>(value: &'v Value, of: impl Fn(&'v Value) -> Option<T>) -> Vec<T> {
    value.as_array().unwrap().iter().map(|item| of(item).unwrap()).collect()
}

fn ids(value: &Value) -> Vec<u32> {
    list(value, |id| id.as_u64().map(|id| id as u32))
}

fn compare(model: &Value, tokenizer: &Tokenizer, wrong: &mut Vec<String>) {
    for case in model["cases"].as_array().unwrap() {
        let text = case["text"].as_str().unwrap();
        let expected = ids(&case["ids"]);
        let got = tokenizer.encode(text, false, false).unwrap();
        if got != expected {
            wrong.push(format!("{}: {text:?}: {got:?}, expected {expected:?}", model["name"]));
        }
        let decoded = tokenizer.decode(&expected, false);
        // An unknown token prints nothing here.
        let expected = case["decoded"].as_str().unwrap().replace(" \u{2047} ", "");
        if decoded != expected {
            wrong.push(format!("{}: {decoded:?}, expected {expected:?}", model["name"]));
        }
    }
}

#[test]
fn own_files() {
    let mut wrong = Vec::new();
    for (model, bytes) in models() {
        let mut files = Files::new();
        files.add("tokenizer.model", bytes).unwrap();
        compare(&model, &files.tokenizer().unwrap(), &mut wrong);
    }
    assert!(wrong.is_empty(), "{} differ\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn gguf_files() {
    let mut wrong = Vec::new();
    for (model, bytes) in models() {
        let map = ids(&model["charsmap"]);
        let spec = TokenizerSpec {
            model: if model["name"] == "pairs.model" { "llama" } else { "t5" }.into(),
            tokens: list(&model["tokens"], Value::as_str).into(),
            token_types: list(&model["types"], |id| id.as_i64().map(|id| id as i32)),
            scores: list(&model["scores"], |score| score.as_f64().map(|score| score as f32)),
            unk: Some(0),
            bos: Some(1),
            eos: Some(2),
            add_space_prefix: model["prefix"].as_bool(),
            remove_extra_whitespaces: model["merge"].as_bool(),
            charsmap: bytes[map[0] as usize..map[1] as usize].to_vec(),
            ..TokenizerSpec::default()
        };
        compare(&model, &Tokenizer::new(spec).unwrap(), &mut wrong);
    }
    assert!(wrong.is_empty(), "{} differ\n{}", wrong.len(), wrong.join("\n"));
}

/// The map in a `tokenizer.json` does what it does in SentencePiece, with a model whose ids are the normalised text's bytes.
#[test]
fn precompiled_maps() {
    let tokens = (0..256).map(|byte| format!("<0x{byte:02X}>"));
    let vocabulary: serde_json::Map<String, Value> =
        tokens.enumerate().map(|(id, token)| (token, id.into())).collect();
    let mut wrong = Vec::new();
    let mut apart = Vec::new();
    for (model, _) in models() {
        if model["base64"].is_null() {
            continue;
        }
        let file = json!({
            "added_tokens": [],
            "normalizer": { "type": "Precompiled", "precompiled_charsmap": model["base64"] },
            "model": { "type": "BPE", "vocab": vocabulary, "merges": [], "byte_fallback": true },
        });
        let mut files = Files::new();
        files.add("tokenizer.json", file.to_string().as_bytes()).unwrap();
        let tokenizer = files.tokenizer().unwrap();
        for case in model["cases"].as_array().unwrap() {
            let text = case["text"].as_str().unwrap();
            let ids = tokenizer.encode(text, false, false).unwrap();
            let bytes: Vec<u8> = ids.iter().map(|&id| id as u8).collect();
            let got = String::from_utf8(bytes).unwrap();
            if got != case["normalized"].as_str().unwrap() {
                wrong.push(format!("{text:?}: {got:?}, expected {}", case["normalized"]));
            }
            if got != case["precompiled"].as_str().unwrap() {
                apart.push(text.to_owned());
            }
        }
    }
    assert!(wrong.is_empty(), "{} differ\n{}", wrong.len(), wrong.join("\n"));
    // Hugging Face's normalizer takes the shortest match within a user-perceived character and drops
    // the rest of it: "ｶﾞ" becomes "カﾞ", "E\u{301}" folded "e". Models were trained on the longest.
    let marks = |c| matches!(c, '\u{300}'..='\u{36F}' | '\u{3099}'..='\u{309A}' | '\u{FF9E}'..='\u{FF9F}' | '\u{1100}'..='\u{11FF}' | '\r');
    for text in apart {
        assert!(text.contains(marks), "{text:?}");
    }
}

#[test]
fn maps_that_are_cut_off() {
    let (model, bytes) = models().swap_remove(0);
    let map = ids(&model["charsmap"]);
    let map = &bytes[map[0] as usize..map[1] as usize];
    let spec = |map: &[u8]| TokenizerSpec {
        model: "t5".into(),
        tokens: vec!["<unk>", "</s>", "a"].into(),
        token_types: vec![2, 3, 1],
        unk: Some(0),
        eos: Some(1),
        charsmap: map.to_vec(),
        ..TokenizerSpec::default()
    };
    let whole = Tokenizer::new(spec(map)).unwrap();
    assert_eq!(whole.encode("ａ", false, false).unwrap(), [2]);
    let trie = u32::from_le_bytes(map[..4].try_into().unwrap()) as usize;
    for end in 1..map.len() {
        match Tokenizer::new(spec(&map[..end])) {
            Err(error) => {
                assert!(end < 4 + trie, "{end}: {error}");
                assert_eq!(error.code(), "TOKENIZER_INVALID");
            }
            // A replacement that is not there is none.
            Ok(tokenizer) => {
                assert!(end >= 4 + trie, "{end}");
                tokenizer.encode("ａ ﬁe\u{301}", false, false).unwrap();
            }
        }
    }
}
