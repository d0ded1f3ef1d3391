//! What a model's folder says beside its pipeline: files that contradict themselves, and the small
//! files. Hugging Face's library (0.23.3) refuses the same `tokenizer.json` files, all but those
//! marked so.

use serde_json::{Value, json};
use sidestage_text::{Files, TextError, Tokenizer, TokenizerSpec};

/// A file that is right: three words and two special tokens.
fn whole() -> Value {
    json!({
        "added_tokens": [{ "id": 3, "content": "<s>", "special": true, "normalized": false,
            "single_word": false, "lstrip": false, "rstrip": false }],
        "normalizer": { "type": "Lowercase" },
        "pre_tokenizer": { "type": "WhitespaceSplit" },
        "post_processor": { "type": "TemplateProcessing",
            "single": [{ "SpecialToken": { "id": "<s>", "type_id": 0 } },
                { "Sequence": { "id": "A", "type_id": 0 } }],
            "pair": [{ "SpecialToken": { "id": "<s>", "type_id": 0 } },
                { "Sequence": { "id": "A", "type_id": 0 } },
                { "Sequence": { "id": "B", "type_id": 1 } }],
            "special_tokens": { "<s>": { "id": "<s>", "ids": [3], "tokens": ["<s>"] } } },
        "decoder": { "type": "WordPiece", "prefix": "##", "cleanup": false },
        "model": { "type": "WordLevel", "unk_token": "<unk>",
            "vocab": { "<unk>": 0, "one": 1, "two": 2 } },
    })
}

/// The file with another value at a place.
fn with(place: &str, value: Value) -> Value {
    let mut file = whole();
    *file.pointer_mut(place).unwrap_or_else(|| panic!("no {place}")) = value;
    file
}

fn folder(files: &[(&str, &[u8])]) -> Result<Tokenizer, TextError> {
    let mut all = Files::new();
    for (name, bytes) in files {
        assert!(Files::wants(name), "{name}");
        all.add(name, bytes)?;
    }
    all.tokenizer()
}

fn open(file: &Value, others: &[(&str, &str)]) -> Result<Tokenizer, TextError> {
    let text = file.to_string();
    let mut files = vec![("tokenizer.json", text.as_bytes())];
    files.extend(others.iter().map(|&(name, text)| (name, text.as_bytes())));
    folder(&files)
}

#[test]
fn a_whole_file() {
    let tokenizer = open(&whole(), &[]).unwrap();
    assert_eq!(tokenizer.encode("ONE two three<s>", true, true).unwrap(), [3, 1, 2, 0, 3]);
    assert_eq!(tokenizer.encode_pair("one", "two", true).unwrap(), [3, 1, 2]);
    assert_eq!(tokenizer.decode(&[1, 2], true), "one two");
    assert_eq!((tokenizer.bos(), tokenizer.eos()), (None, None));
    let nothing = folder(&[]).unwrap_err();
    assert_eq!(nothing.code(), "TOKENIZER_INVALID");
    assert!(nothing.to_string().contains("no tokenizer.json"), "{nothing}");
}

#[test]
fn parts_that_are_wrong() {
    let model = |change: Value| {
        let mut file = whole();
        let model = file["model"].as_object_mut().unwrap();
        model.extend(change.as_object().unwrap().clone());
        file
    };
    let nested = (0..20).fold(
        json!({ "type": "NFC" }),
        |inner, _| json!({ "type": "Sequence", "normalizers": [inner] }),
    );
    let cases = [
        // Their library reads sequences of any depth, down to its parser's limit.
        (with("/normalizer", nested), "INVALID", "nested too deep"),
        (with("/normalizer", json!({})), "INVALID", "a normalizer has no type"),
        (with("/normalizer", json!("NFC")), "INVALID", "a normalizer has no type"),
        (with("/normalizer", json!({ "type": "NFX" })), "UNSUPPORTED", "NFX"),
        (with("/normalizer", json!({ "type": "Replace" })), "INVALID", "no pattern"),
        (
            with("/normalizer", json!({ "type": "Replace", "pattern": { "String": "a" } })),
            "INVALID",
            "content is not a string",
        ),
        (
            with(
                "/normalizer",
                json!({ "type": "Replace", "pattern": { "Regex": "(" }, "content": "" }),
            ),
            "UNSUPPORTED",
            "expression",
        ),
        (with("/normalizer", json!({ "type": "Prepend" })), "INVALID", "prepend is not a string"),
        (
            with("/normalizer", json!({ "type": "Precompiled", "precompiled_charsmap": "a-b" })),
            "INVALID",
            "not base64",
        ),
        (
            with("/normalizer", json!({ "type": "Precompiled", "precompiled_charsmap": "AAE=" })),
            "INVALID",
            "cut off",
        ),
        // Theirs panics at the first text.
        (
            with(
                "/normalizer",
                json!({ "type": "Precompiled", "precompiled_charsmap": "AwAAAAAAAA==" }),
            ),
            "INVALID",
            "cut off",
        ),
        (with("/pre_tokenizer", json!({ "type": "Words" })), "UNSUPPORTED", "Words"),
        (
            with(
                "/pre_tokenizer",
                json!({ "type": "Split", "pattern": { "String": "a" }, "behavior": "Joined", "invert": false }),
            ),
            "UNSUPPORTED",
            "Joined",
        ),
        (
            with("/pre_tokenizer", json!({ "type": "CharDelimiterSplit", "delimiter": "ab" })),
            "INVALID",
            "delimiter is not one character",
        ),
        (
            with("/pre_tokenizer", json!({ "type": "Metaspace", "replacement": "" })),
            "INVALID",
            "replacement is not one character",
        ),
        (
            with(
                "/pre_tokenizer",
                json!({ "type": "Metaspace", "replacement": "_", "prepend_scheme": "last" }),
            ),
            "UNSUPPORTED",
            "last",
        ),
        (with("/post_processor", json!({ "type": "After" })), "UNSUPPORTED", "After"),
        (
            with("/post_processor", json!({ "type": "BertProcessing", "sep": ["<s>", 3] })),
            "INVALID",
            "cls has no id",
        ),
        (
            with(
                "/post_processor",
                json!({ "type": "BertProcessing", "cls": ["<s>", 3], "sep": ["<s>", -1] }),
            ),
            "INVALID",
            "sep has no id",
        ),
        (with("/post_processor/single", json!(null)), "INVALID", "no template"),
        // Theirs panics at the first text.
        (with("/post_processor/special_tokens", json!({})), "INVALID", "no id"),
        // Their library takes a template without a text, and leaves the text out.
        (with("/post_processor/single", json!([])), "INVALID", "has 0 texts"),
        // Theirs looks an id up only where it is decoded.
        (
            with("/post_processor/special_tokens/<s>/ids", json!([9])),
            "INVALID",
            "a special token is 9 of 4 tokens",
        ),
        (with("/decoder", json!({ "type": "CTC" })), "UNSUPPORTED", "CTC"),
        (with("/decoder", json!({ "type": "Strip", "content": "ab" })), "INVALID", "one character"),
        // Theirs does it once the whole text is known; here a text is written as it comes.
        (
            with(
                "/decoder",
                json!({ "type": "Sequence", "decoders": [
                { "type": "Fuse" }, { "type": "Strip", "content": " ", "start": 0, "stop": 1 }] }),
            ),
            "UNSUPPORTED",
            "Strip",
        ),
        (model(json!({ "type": "Chars" })), "UNSUPPORTED", "Chars"),
        (model(json!({ "vocab": "one two" })), "INVALID", "tokens with their ids or scores"),
        (model(json!({ "vocab": { "one": -1 } })), "INVALID", "tokenizer.json"),
        (
            model(json!({ "vocab": [["one"]], "type": "Unigram" })),
            "INVALID",
            "a token and its score",
        ),
        (model(json!({ "vocab": [[]], "type": "Unigram" })), "INVALID", "a token and its score"),
        (model(json!({ "vocab": [[1, 0.5]], "type": "Unigram" })), "INVALID", "a string"),
        (model(json!({ "vocab": [1], "type": "Unigram" })), "INVALID", "a token and its score"),
        (
            model(json!({ "vocab": [["one", 0.5]], "type": "Unigram", "unk_id": 7 })),
            "INVALID",
            "the unknown token is 7",
        ),
        (model(json!({ "merges": 3, "type": "BPE" })), "INVALID", "a list of merges"),
        (model(json!({ "merges": [["one"]], "type": "BPE" })), "INVALID", "two tokens"),
        (model(json!({ "merges": [1], "type": "BPE" })), "INVALID", "two tokens"),
        (model(json!({ "merges": [["one", "three"]], "type": "BPE" })), "INVALID", "three"),
        (model(json!({ "merges": ["one two"], "type": "BPE" })), "INVALID", "onetwo"),
        // Theirs makes room for any id.
        (model(json!({ "vocab": { "one": 4_000_000 } })), "INVALID", "an id is 4000000"),
        (with("/added_tokens/0/id", json!("3")), "INVALID", "tokenizer.json"),
        // Theirs has no bound.
        (with("/added_tokens/0/content", json!("a".repeat(5000))), "INVALID", "longer than"),
    ];
    for (file, code, part) in cases {
        match open(&file, &[]) {
            Ok(_) => panic!("{part}: it was read"),
            Err(error) => {
                assert_eq!(error.code(), format!("TOKENIZER_{code}"), "{error}");
                assert!(error.to_string().contains(part), "{error} does not say {part:?}");
            }
        }
    }
}

/// A byte-level word has no marks at its ends: `ByteLevel` with them is refused, not read wrongly.
#[test]
fn bytes_with_word_marks() {
    let mut file = with("/pre_tokenizer", json!({ "type": "ByteLevel" }));
    file["model"] = json!({ "type": "BPE", "vocab": { "a": 0, "b</w>": 1, "ab</w>": 2 },
        "merges": ["a b</w>"], "end_of_word_suffix": "</w>" });
    assert_eq!(open(&file, &[]).unwrap_err().code(), "TOKENIZER_UNSUPPORTED");
}

/// Files of the library's first versions do not say what model they hold.
#[test]
fn models_without_a_type() {
    let of = |model: Value| {
        let file = json!({ "added_tokens": [], "model": model });
        open(&file, &[]).unwrap().encode("ab", false, false).unwrap()
    };
    assert_eq!(of(json!({ "vocab": { "a": 0, "b": 1, "ab": 2 }, "merges": ["a b"] })), [2]);
    assert_eq!(of(json!({ "vocab": { "a": 0, "b": 1, "ab": 2 }, "merges": [["a", "b"]] })), [2]);
    assert_eq!(of(json!({ "vocab": [["<unk>", 0.0], ["ab", -1.0]], "unk_id": 0 })), [1]);
    assert_eq!(of(json!({ "vocab": { "a": 0, "##b": 1 }, "unk_token": "a" })), [0, 1]);
}

#[test]
fn small_files_that_are_wrong() {
    for (name, text, part) in [
        ("tokenizer_config.json", "[", "tokenizer_config.json is not"),
        ("tokenizer_config.json", r#"{"chat_template": 3}"#, "tokenizer_config.json"),
        ("tokenizer_config.json", r#"{"chat_template": [{"name": "a"}]}"#, "tokenizer_config.json"),
        ("special_tokens_map.json", "[]", "special_tokens_map.json"),
        ("generation_config.json", r#"{"eos_token_id": "x"}"#, "generation_config.json"),
        ("config.json", r#"{"eos_token_id": [-1]}"#, "config.json"),
        ("chat_template.json", "{}", "chat_template"),
    ] {
        let error = open(&whole(), &[(name, text)]).unwrap_err();
        assert_eq!(error.code(), "TOKENIZER_INVALID");
        assert!(error.to_string().contains(part), "{error}");
    }
    for name in ["chat_template.jinja", "additional_chat_templates/tool_use.jinja"] {
        let error = Files::new().add(name, b"\xFF").unwrap_err();
        assert!(error.to_string().contains("not UTF-8"), "{error}");
    }
    let error = open(&whole(), &[("generation_config.json", r#"{"eos_token_id": 4}"#)]);
    assert!(error.unwrap_err().to_string().contains("a special token is 4 of 4"));
    assert!(!Files::wants("additional_chat_templates/tool_use.txt"));
    assert!(!Files::wants("model.safetensors"));
}

/// Ends of answers: `generation_config.json` over `config.json`, as transformers has it.
#[test]
fn tokens_that_end_an_answer() {
    let ends = |files: &[(&str, &str)]| open(&whole(), files).unwrap().end_tokens().to_vec();
    let model = ("config.json", r#"{"eos_token_id": [1, 2], "hidden_size": 8}"#);
    assert_eq!(ends(&[]), [0; 0]);
    assert_eq!(ends(&[model]), [1, 2]);
    assert_eq!(ends(&[("generation_config.json", r#"{"eos_token_id": 2}"#), model]), [2]);
    assert_eq!(ends(&[model, ("generation_config.json", r#"{"eos_token_id": null}"#)]), [1, 2]);
}

/// `add_bos_token` and `add_eos_token` win over the post-processor.
#[test]
fn tokens_around_a_text() {
    let ids = |config: &str| {
        let tokenizer = open(&whole(), &[("tokenizer_config.json", config)]).unwrap();
        tokenizer.encode("one", true, false).unwrap()
    };
    assert_eq!(ids("{}"), [3, 1]);
    assert_eq!(ids(r#"{"bos_token": "<s>", "add_bos_token": true}"#), [3, 1]);
    assert_eq!(ids(r#"{"bos_token": {"content": "<s>"}, "add_bos_token": false}"#), [1]);
    assert_eq!(ids(r#"{"bos_token": "two", "add_bos_token": true}"#), [2, 3, 1]);
    assert_eq!(ids(r#"{"eos_token": "two", "add_eos_token": true}"#), [3, 1, 2]);
    assert_eq!(ids(r#"{"eos_token": "none", "add_eos_token": true}"#), [3, 1]);
}

/// A template of its own file wins; with tools it is `tool_use`, where there is one.
#[test]
fn chat_templates_of_a_folder() {
    let context = json!({ "messages": [] });
    let tools = json!({ "messages": [], "tools": [] });
    let config =
        ("tokenizer_config.json", r#"{"chat_template": "in {{ bos_token }}", "bos_token": "<s>"}"#);
    let one = open(&whole(), &[config]).unwrap();
    assert_eq!(one.render(None, &context, false, None).unwrap(), "in <s>");
    assert_eq!(one.render(None, &tools, false, None).unwrap(), "in <s>");
    let map = ("special_tokens_map.json", r#"{"bos_token": {"content": "<b>"}, "additional": 1}"#);
    let file = ("chat_template.jinja", "own {{ bos_token }}");
    let own = open(&whole(), &[config, map, file]).unwrap();
    assert_eq!(own.render(None, &context, false, None).unwrap(), "own <b>");
    let wrapped = ("chat_template.json", r#"{"chat_template": "wrapped"}"#);
    assert_eq!(open(&whole(), &[config, wrapped]).unwrap().chat_template(), Some("wrapped"));
    let named = r#"{"chat_template": [{"name": "default", "template": "plain"},
        {"name": "tool_use", "template": "tools"}]}"#;
    let two = open(&whole(), &[("tokenizer_config.json", named)]).unwrap();
    assert_eq!(two.render(None, &context, false, None).unwrap(), "plain");
    assert_eq!(two.render(None, &tools, false, None).unwrap(), "tools");
    let beside = ("additional_chat_templates/tool_use.jinja", "beside");
    let both = open(&whole(), &[file, beside]).unwrap();
    assert_eq!(both.render(None, &tools, false, None).unwrap(), "beside");
    let none = open(&whole(), &[("chat_template.jinja", "")]).unwrap();
    assert_eq!(none.render(None, &context, false, None).unwrap_err().code(), "NO_CHAT_TEMPLATE");
}

/// A field of a protocol buffer: its number, its kind of value and the value.
fn field(number: u8, kind: u8, value: &[u8]) -> Vec<u8> {
    let mut tag = u32::from(number) << 3 | u32::from(kind);
    let mut bytes = Vec::new();
    while tag >= 0x80 {
        bytes.push(tag as u8 | 0x80);
        tag >>= 7;
    }
    bytes.push(tag as u8);
    if kind == 2 {
        bytes.push(u8::try_from(value.len()).unwrap());
    }
    bytes.extend_from_slice(value);
    bytes
}

fn piece(text: &str, score: f32, kind: u8) -> Vec<u8> {
    let score = field(2, 5, &score.to_le_bytes());
    field(1, 2, &[field(1, 2, text.as_bytes()), score, field(3, 0, &[kind])].concat())
}

/// A `tokenizer.model` by the
/// [encoding](https://protobuf.dev/programming-guides/encoding/) of SentencePiece's messages.
#[test]
fn sentence_piece_files() {
    let pieces = [piece("<unk>", 0.0, 2), piece("<s>", 0.0, 3), piece("</s>", 0.0, 3)];
    let pieces = [pieces.concat(), piece("▁", -1.0, 1), piece("a", -1.0, 1)].concat();
    let trainer = |fields: &[Vec<u8>]| [pieces.clone(), field(2, 2, &fields.concat())].concat();
    let pairs = trainer(&[field(3, 0, &[2])]);
    let config = br#"{"add_bos_token": true, "add_eos_token": true, "chat_template": "t"}"#;
    let ends = br#"{"eos_token_id": [2, 4]}"#;
    let tokenizer = folder(&[
        ("tokenizer.model", &pairs),
        ("tokenizer_config.json", config),
        ("generation_config.json", ends),
    ])
    .unwrap();
    assert_eq!(tokenizer.encode("a", true, false).unwrap(), [1, 3, 4, 2]);
    assert_eq!(tokenizer.end_tokens(), [2, 4]);
    assert_eq!(tokenizer.chat_template(), Some("t"));

    // The model says which tokens are special; a negative id (ten bytes) is none.
    let minus = [[0xFF; 9].as_slice(), &[1]].concat();
    let file = trainer(&[
        field(3, 0, &[1]),
        field(40, 0, &[0]),
        field(41, 0, &minus),
        field(42, 0, &[4]),
        // Fields of other kinds are passed over.
        field(50, 1, &[0; 8]),
        field(51, 5, &[0; 4]),
    ]);
    // `add_dummy_prefix` and `remove_extra_whitespaces` are off.
    let file = [file, field(3, 2, &[field(3, 0, &[0]), field(4, 0, &[0])].concat())].concat();
    let tokenizer = folder(&[("tokenizer.model", &file)]).unwrap();
    assert_eq!((tokenizer.bos(), tokenizer.eos()), (None, Some(4)));
    assert_eq!(tokenizer.encode("a  a", false, false).unwrap(), [4, 3, 3, 4]);

    for (kind, name) in [(3, "WORD"), (4, "CHAR"), (9, "9")] {
        let error = folder(&[("tokenizer.model", &trainer(&[field(3, 0, &[kind])]))]).unwrap_err();
        assert_eq!(error.code(), "TOKENIZER_UNSUPPORTED");
        assert!(error.to_string().contains(name), "{error}");
    }
    for wrong in [
        &b"\x0A"[..],  // a length is missing
        b"\x0A\x05ab", // a text is cut off
        b"\x09\x00",   // eight bytes are two
        b"\x0D\x00",   // four bytes are one
        b"\x0B",       // groups are not in the format any more
        b"\x80",       // a number does not end
        &[0xFF; 12],   // a number of more than 64 bits
    ] {
        let error = Files::new().add("tokenizer.model", wrong).unwrap_err();
        assert_eq!(error.code(), "TOKENIZER_INVALID", "{wrong:?}");
    }
}

/// The rules of GGUF's models that no vocabulary in the test data has.
#[test]
fn models_of_gguf_files() {
    let of = |model: &str, tokens: &[&str], types: &[i32]| TokenizerSpec {
        model: model.into(),
        tokens: tokens.to_vec().into(),
        token_types: types.to_vec(),
        scores: vec![0.0; tokens.len()],
        ..TokenizerSpec::default()
    };
    // RWKV takes the longest token at each place.
    let greedy = Tokenizer::new(of("rwkv", &["a", "ab", "abc", "c"], &[1; 4])).unwrap();
    assert_eq!(greedy.encode("abcab", false, false).unwrap(), [2, 1]);
    assert_eq!(greedy.decode(&[2, 1], false), "abcab");
    // BERT: `▁` begins a word; accents and case go unless the file says otherwise.
    let bert = |spec: TokenizerSpec| {
        Tokenizer::new(TokenizerSpec { bos: Some(1), sep: Some(2), unk: Some(0), ..spec }).unwrap()
    };
    let tokens = ["[UNK]", "[CLS]", "[SEP]", "▁cafe", "s", "▁!", "▁CAFÉ"];
    let spec = of("bert", &tokens, &[2, 3, 3, 1, 1, 1, 1]);
    assert_eq!(bert(spec.clone()).encode("CAFÉs!", true, false).unwrap(), [1, 3, 4, 5, 2]);
    let cased = TokenizerSpec { lowercase: Some(false), strip_accents: Some(false), ..spec };
    assert_eq!(bert(cased).encode("CAFÉs x", true, false).unwrap(), [1, 6, 4, 0, 2]);
    let error = Tokenizer::new(of("bert", &tokens[..3], &[2, 3, 3])).unwrap_err();
    assert_eq!(error.code(), "TOKENIZER_INVALID");
}
