//! The two sides of the module's border, joined without wasm.

use sidestage_text::wire::{Client, Info, RenderRequest, Server, op};
use sidestage_text::{Delta, StreamOptions, TextError, Tokenizer, TokenizerSpec};

/// `<unk> <s> </s>`, 256 byte tokens, `▁`, `h`, `i`, `▁hi` with `hi`.
fn spec() -> TokenizerSpec {
    let mut tokens: Vec<String> = ["<unk>", "<s>", "</s>"].map(str::to_owned).into();
    tokens.extend((0..256).map(|byte| format!("<0x{byte:02X}>")));
    tokens.extend(["▁", "h", "i", "hi", "▁hi"].map(str::to_owned));
    let kinds = [2, 3, 3].into_iter().chain([6; 256]).chain([1; 5]).collect();
    let template = "{{ bos_token }}{% for m in messages %}{{ m.content }}{% endfor %}".to_owned();
    TokenizerSpec {
        model: "llama".into(),
        tokens: tokens.into(),
        token_types: kinds,
        scores: [0.0; 259].into_iter().chain([0.0, 0.0, 0.0, 1.0, 2.0]).collect(),
        chat_templates: vec![("default".into(), template)],
        ..TokenizerSpec::default()
    }
}

type Call = Box<dyn FnMut(u32, &[u8]) -> Result<Vec<u8>, Vec<u8>>>;

fn client() -> Client<Call> {
    let mut server = Server::new();
    Client(Box::new(move |op, message| server.call(op, message)))
}

#[test]
fn every_call_equals_the_direct_one() {
    let (mut client, direct) = (client(), Tokenizer::new(spec()).unwrap());
    client.open(&spec()).unwrap();

    let text = "hi <s>é😀 hi";
    for flags in 0..4 {
        let (add, parse) = (flags & 1 != 0, flags & 2 != 0);
        let ids = client.encode(text, add, parse).unwrap();
        assert_eq!(ids, direct.encode(text, add, parse).unwrap());
        for special in [false, true] {
            assert_eq!(client.decode(&ids, special).unwrap(), direct.decode(&ids, special));
        }
    }
    assert_eq!(client.encode("hi", true, false).unwrap(), [1, 263]);

    let request = RenderRequest {
        context: r#"{"messages": [{"content": "ä"}]}"#.into(),
        ..RenderRequest::default()
    };
    assert_eq!(client.render(&request).unwrap(), "<s>ä");
    let template = Some("{{ eos_token }}".to_owned());
    assert_eq!(client.render(&RenderRequest { template, ..request }).unwrap(), "</s>");

    let info = Info {
        end_tokens: vec![2],
        bos: Some(1),
        eos: Some(2),
        adds_bos: true,
        vocab_size: 264,
        has_chat_template: true,
    };
    assert_eq!(client.info().unwrap(), info);
}

#[test]
fn the_files_of_a_folder_cross_the_border() {
    let mut client = client();
    let tokenizer = br#"{
        "added_tokens": [{"id": 3, "content": "</s>", "special": true}],
        "pre_tokenizer": {"type": "WhitespaceSplit"},
        "model": {"type": "WordLevel", "unk_token": "?", "vocab": {"?": 0, "a": 1, "b": 2}}
    }"#;
    let config = br#"{
        "eos_token": {"content": "</s>"},
        "chat_template": [
            {"name": "default", "template": "{{ messages[0].content }}{{ eos_token }}"},
            {"name": "tool_use", "template": "{{ tools[0] }}"}
        ]
    }"#;
    let generation = br#"{"eos_token_id": [3, 2]}"#;
    let files: [(&str, &[u8]); 4] = [
        ("tokenizer.json", tokenizer),
        ("tokenizer_config.json", config),
        ("generation_config.json", generation),
        ("model.safetensors", b"not read"),
    ];
    client.open_files(&files).unwrap();
    assert_eq!(client.encode("b a z</s>", true, true).unwrap(), [2, 1, 0, 3]);
    assert_eq!(client.info().unwrap().end_tokens, [2, 3]);
    let request = |context: &str| RenderRequest { context: context.into(), ..Default::default() };
    let plain = request(r#"{"messages": [{"content": "a"}], "tools": null}"#);
    assert_eq!(client.render(&plain).unwrap(), "a</s>");
    assert_eq!(client.render(&request(r#"{"tools": ["add"]}"#)).unwrap(), "add");

    for (name, bytes, part) in [
        ("tokenizer.json", &b"{"[..], "tokenizer.json"),
        ("tokenizer.json", br#"{"model": {"type": "New", "vocab": {"a": 0}}}"#, "New"),
        ("tokenizer.json", br#"{"model": {"vocab": {"a": 9000000}}}"#, "9000000"),
        ("config.json", b"{}", "no tokenizer.json"),
        ("tokenizer.model", b"\xff", "tokenizer.model"),
    ] {
        let error = client.open_files(&[(name, bytes)]).unwrap_err();
        assert!(error.code().starts_with("TOKENIZER_"), "{error:?}");
        assert!(error.to_string().contains(part), "{error}");
    }
}

#[test]
fn streams_are_apart_and_end() {
    let mut client = client();
    client.open(&spec()).unwrap();
    let options = StreamOptions { stops: vec!["!".into()], ..StreamOptions::default() };
    let (first, second) = (
        client.stream_open(&options).unwrap(),
        client.stream_open(&StreamOptions::default()).unwrap(),
    );
    assert_ne!(first, second);

    let token = |byte: u8| u32::from(byte) + 3;
    assert_eq!(client.push(first, 263).unwrap().text, " hi");
    assert_eq!(client.push(second, token(0xC3)).unwrap(), Delta::default());
    let stopped = Delta { stopped: Some("!".into()), ..Delta::default() };
    assert_eq!(client.push(first, token(b'!')).unwrap(), stopped);
    assert_eq!(client.push(first, 263).unwrap(), Delta::default());
    assert_eq!(client.push(second, token(0xA9)).unwrap().text, "é");
    assert_eq!(client.push(second, token(0xC3)).unwrap().text, "");
    assert_eq!(client.finish(second).unwrap().text, "\u{FFFD}");
    assert_eq!(client.finish(second).unwrap_err().code(), "MESSAGE_INVALID");
    client.stream_drop(first).unwrap();
    assert_eq!(client.push(first, 263).unwrap_err().code(), "MESSAGE_INVALID");
}

#[test]
fn errors_keep_their_code() {
    let mut client = client();
    assert_eq!(client.info().unwrap_err().code(), "MESSAGE_INVALID");
    let unknown = TokenizerSpec { model: "test".into(), ..spec() };
    let error = client.open(&unknown).unwrap_err();
    assert_eq!(error.code(), "TOKENIZER_UNSUPPORTED");
    assert!(error.to_string().contains("test"), "{error}");

    let plain = TokenizerSpec { chat_templates: Vec::new(), ..spec() };
    client.open(&plain).unwrap();
    let request = RenderRequest { context: "{}".into(), ..RenderRequest::default() };
    assert_eq!(client.render(&request).unwrap_err().code(), "NO_CHAT_TEMPLATE");
    let template = Some("{{ raise_exception('no') }}".to_owned());
    let error = client.render(&RenderRequest { template, ..request.clone() }).unwrap_err();
    assert_eq!(error.code(), "TEMPLATE_FAILED");
    let context = "[".to_owned();
    let template = Some(String::new());
    let error = client.render(&RenderRequest { context, template, ..request }).unwrap_err();
    assert_eq!(error.code(), "PROMPT_INVALID");
}

#[test]
fn broken_messages_are_errors() {
    let mut server = Server::new();
    let mut client = Client(|op, message: &[u8]| server.call(op, message));
    client.open(&spec()).unwrap();
    let mut packed = Vec::new();
    Client(|_, message: &[u8]| {
        packed = message.to_vec();
        Ok(Vec::new())
    })
    .open(&spec())
    .unwrap();

    for call in 0..12 {
        for message in [&b""[..], b"\0", b"\xFF\xFF\xFF", &[0; 5], &[0xC1; 64]] {
            let _ = (client.0)(call, message);
        }
    }
    // Nothing that is cut off or changed panics; what is cut off is an error.
    for at in (0..packed.len()).step_by(7) {
        assert!((client.0)(op::OPEN, &packed[..at]).is_err());
        let mut changed = packed.clone();
        changed[at] ^= 0x55;
        let _ = (client.0)(op::OPEN, &changed);
    }
    let answer = Client(|_, _: &[u8]| Ok(vec![0, 9, 0, 0, 0])).push(0, 0).unwrap_err();
    assert!(matches!(answer, TextError::MessageInvalid { .. }));
}
