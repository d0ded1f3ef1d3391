//! Writes the seeds of the fuzz targets `load`, `protocol`, `tokenizer` and `template` into the
//! folder given.

#[path = "../../../../fuzz/check/host.rs"]
mod host;
#[path = "../../../../fuzz/check/peak.rs"]
mod peak;
#[path = "../../../../fuzz/check/protocol.rs"]
mod protocol;
mod session;
mod sessions;
#[path = "../../../lm/tests/decoder/tiny.rs"]
mod tiny;

use sidestage_engine::protocol::{
    Completion, GenerateOptions, HeldFile, LoadOptions, ModelSource, Prompt, Request, Segment,
};
use sidestage_formats::gguf::{Strings, Value};
use sidestage_text::TokenizerSpec;
use std::error::Error;
use std::path::Path;
use tiny::Shape;

/// Inputs by name.
type Seeds = Vec<(String, Vec<u8>)>;
/// Those whose names are written here.
type Known = Vec<(&'static str, Vec<u8>)>;

fn main() -> Result<(), Box<dyn Error>> {
    let folder = std::env::args().nth(1).ok_or("the folder is missing")?;
    let write = |target: &str, name: &str, bytes: Vec<u8>| {
        let folder = Path::new(&folder).join(target);
        std::fs::create_dir_all(&folder)?;
        std::fs::write(folder.join(name), bytes)
    };
    for (name, file) in models() {
        // Two bytes choose the chunks.
        write("load", name, [&[6, 0], &file[..]].concat())?;
    }
    for (name, input) in conversations()? {
        write("protocol", name, input)?;
    }
    for (name, input) in sessions::all()? {
        write("protocol", &name, input)?;
    }
    for (name, input) in vocabularies()? {
        write("tokenizer", name, input)?;
    }
    for (name, template) in TEMPLATES {
        write("template", name, template.as_bytes().to_vec())?;
    }
    Ok(())
}

/// Models of a few kilobytes: mutations reach every part of such a file.
fn models() -> Known {
    let file = |shape: &Shape, more: Vec<(String, Value)>| shape.model().file(more);
    let llama = file(&small("llama"), pieces());
    let mut chat = pieces();
    let template = "{% for m in messages %}{{ m.role }}: {{ m.content }}{% endfor %}";
    chat.push(("tokenizer.chat_template".into(), template.into()));
    let mut cut = llama.clone();
    cut.truncate(llama.len() - 100);
    vec![
        ("mute", file(&small("llama"), Vec::new())),
        ("chat", file(&small("llama"), chat)),
        ("untied", file(&Shape { tied: false, ..small("llama") }, Vec::new())),
        ("window", file(&Shape { window: Some(3), ..small("llama") }, pieces())),
        ("linear", file(&Shape { rope_divisor: Some(2.0), ..small("llama") }, Vec::new())),
        ("factors", file(&Shape { rope_factors: true, ..small("llama") }, Vec::new())),
        ("qwen2", file(&small("qwen2"), bytes())),
        ("qwen3", file(&Shape { head_dim: 6, ..small("qwen3") }, Vec::new())),
        ("yarn", file(&Shape { yarn: Some(4.0), ..small("qwen2") }, Vec::new())),
        ("gpt2", file(&Shape { kv_heads: 2, ..small("gpt2") }, Vec::new())),
        ("stablelm", file(&small("stablelm"), Vec::new())),
        ("phi3", file(&Shape { longrope: Some(8), ..small("phi3") }, Vec::new())),
        ("gemma3", file(&Shape { window: Some(3), ..small("gemma3") }, Vec::new())),
        ("olmo2", file(&small("olmo2"), Vec::new())),
        ("experts", file(&Shape { experts: Some((3, 2)), ..small("qwen3moe") }, Vec::new())),
        ("lfm2", file(&Shape { layers: 2, ..small("lfm2") }, Vec::new())),
        ("unknown", file(&small("mamba"), Vec::new())),
        ("cut", cut),
        ("llama", llama),
    ]
}

fn small(family: &'static str) -> Shape {
    Shape {
        layers: 1,
        width: 8,
        heads: 2,
        kv_heads: 1,
        head_dim: 4,
        feed_forward: 8,
        vocab: 12,
        context: 64,
        ..Shape::new(family)
    }
}

/// The model of this name.
fn model(wanted: &str) -> Vec<u8> {
    let found = models().into_iter().find(|(name, _)| *name == wanted);
    found.map(|(_, bytes)| bytes).unwrap_or_default()
}

/// Inputs of the target `protocol`: what happens one after the other.
fn conversations() -> Result<Known, Box<dyn Error>> {
    let deed =
        |kind: u8, body: &[u8]| [&[kind][..], &(body.len() as u16).to_le_bytes(), body].concat();
    let ask = |request: Request| -> Result<Vec<u8>, Box<dyn Error>> {
        Ok(deed(0, &rmp_serde::to_vec_named(&request)?))
    };
    let told = |completion: Completion| -> Result<Vec<u8>, Box<dyn Error>> {
        Ok(deed(1, &rmp_serde::to_vec_named(&completion)?))
    };
    let held = |bytes: &[u8]| ModelSource::Held {
        files: vec![HeldFile { name: "m.gguf".into(), size: bytes.len() as u64 }],
    };
    let load = |source| ask(Request::Load { id: 1, source, options: LoadOptions::default() });
    let feed = |bytes: &[u8]| -> Vec<u8> {
        bytes.chunks(60_000).flat_map(|chunk| deed(2, chunk)).collect()
    };
    let url = |url: &str| ModelSource::Url { url: url.into() };
    let (open, run) = (deed(4, &[]), deed(5, &[0; 60]));
    let generate = ask(Request::Generate {
        id: 2,
        model: 1,
        prompt: Prompt::Segments { segments: vec![Segment::Ids { ids: vec![1, 5] }], raw: true },
        options: GenerateOptions { stream: true, ..GenerateOptions::default() },
        credits: Some(2),
    })?;
    let credit = ask(Request::Credit { id: 2, model: 1, count: 9 })?;
    let abort = |id| ask(Request::Abort { id, model: 1 });
    let dispose = ask(Request::Dispose { id: 3, model: 1 })?;
    let llama = model("llama");
    let loaded = [load(held(&llama))?, open.clone(), feed(&llama)].concat();
    let listing = format!(r#"[{{"type":"file","path":"m.gguf","size":{}}}]"#, llama.len());
    let failed = Completion::Failed { stream: 1, message: "no".into(), refused: false };
    Ok(vec![
        ("answer", [&loaded[..], &generate, &run, &run, &credit, &run, &run, &dispose].concat()),
        ("aborted", [&loaded[..], &generate, &run, &abort(2)?, &run].concat()),
        ("twice", [&loaded[..], &loaded, &dispose, &loaded, &generate, &dispose].concat()),
        ("no_answer", [&load(held(&llama))?[..], &feed(&llama), &open, &feed(&llama)].concat()),
        (
            "load_aborted",
            [&load(held(&llama))?[..], &open, &feed(&llama[..900]), &abort(1)?].concat(),
        ),
        (
            "broken",
            [
                &load(url("https://h/m.gguf"))?[..],
                &open,
                &feed(&llama[..500]),
                &told(failed.clone())?,
                &open,
                &feed(&llama[500..]),
            ]
            .concat(),
        ),
        (
            "hub",
            [
                &load(url("hf:o/r"))?[..],
                &open,
                &feed(br#"{"sha":"0a"}"#),
                &told(Completion::Closed { stream: 1 })?,
                &open,
                &feed(listing.as_bytes()),
                &told(Completion::Closed { stream: 2 })?,
                &open,
                &feed(&llama),
            ]
            .concat(),
        ),
        (
            "refused",
            [
                &load(url("https://h/m.gguf"))?[..],
                &open,
                &told(Completion::NotKept {
                    key: "url/https://h/m.gguf".into(),
                    code: "QUOTA_EXCEEDED".into(),
                    message: "full".into(),
                })?,
                &told(failed)?,
            ]
            .concat(),
        ),
        ("no_model", [&generate[..], &credit, &dispose, &run].concat()),
    ])
}

fn tokens(list: &[&str]) -> Value {
    list.iter().collect::<Strings>().into()
}

/// A SentencePiece vocabulary of twelve tokens.
fn pieces() -> Vec<(String, Value)> {
    let list = [
        "<unk>",
        "<s>",
        "</s>",
        "<0x41>",
        "\u{2581}",
        "a",
        "b",
        "ab",
        "\u{2581}a",
        "\u{e9}",
        "1",
        "<think>",
    ];
    let key = |name: &str| format!("tokenizer.ggml.{name}");
    vec![
        (key("model"), "llama".into()),
        (key("tokens"), tokens(&list)),
        (key("scores"), (0..12).map(|id| -(id as f32)).collect::<Vec<f32>>().into()),
        (key("token_type"), vec![2, 3, 3, 6, 1, 1, 1, 1, 1, 1, 1, 4].into()),
        (key("bos_token_id"), 1_u32.into()),
        (key("eos_token_id"), 2_u32.into()),
        (key("add_bos_token"), true.into()),
    ]
}

/// A byte-level vocabulary of twelve tokens.
fn bytes() -> Vec<(String, Value)> {
    let list = [
        "a",
        "b",
        "\u{120}",
        "1",
        "ab",
        "\u{120}a",
        "\u{120}ab",
        "<|im_end|>",
        "<|im_start|>",
        "A",
        "\u{c3}",
        "\u{a9}",
    ];
    let key = |name: &str| format!("tokenizer.ggml.{name}");
    vec![
        (key("model"), "gpt2".into()),
        (key("pre"), "qwen2".into()),
        (key("tokens"), tokens(&list)),
        (key("merges"), tokens(&["a b", "\u{120} a", "\u{120}a b"])),
        (key("token_type"), vec![1, 1, 1, 1, 1, 1, 1, 3, 3, 1, 1, 1].into()),
        (key("eos_token_id"), 7_u32.into()),
    ]
}

/// Inputs of the target `tokenizer`: a byte of options, the text, and a vocabulary as a message or
/// in parts.
fn vocabularies() -> Result<Known, Box<dyn Error>> {
    let part = |part: &[u8]| [&(part.len() as u16).to_le_bytes(), part].concat();
    let in_parts = |options: u8, text: &str, parts: [&[u8]; 4]| {
        let parts = parts.map(part).concat();
        [&[options | 1][..], &part(text.as_bytes()), &parts].concat()
    };
    let message = |text: &str, spec: &TokenizerSpec| -> Result<Vec<u8>, Box<dyn Error>> {
        Ok([&[0][..], &part(text.as_bytes()), &rmp_serde::to_vec_named(spec)?].concat())
    };
    let letters = "a\nb\nc\n\u{120}\nab\nabc\n\u{120}a\n\u{120}abc\n<|end|>\n1".as_bytes();
    let merges = "a b\nab c\n\u{120} a\n\u{120} abc".as_bytes();
    let pieces = "<unk>\n<s>\n</s>\n\u{2581}\na\nb\nab\n\u{2581}ab\n<0xC3>\n<0xA9>\n<x>".as_bytes();
    let types = [2, 3, 3, 1, 1, 1, 1, 1, 6, 6, 4];
    let text = "abc  ab\nc 12 caf\u{e9} <|end|>";
    let open = |model: &str, pre: Option<&str>, list: &[u8], merges: &[u8]| TokenizerSpec {
        model: model.into(),
        pre: pre.map(str::to_owned),
        tokens: list.split(|byte| *byte == b'\n').collect(),
        merges: merges.split(|byte| *byte == b'\n').collect(),
        ..TokenizerSpec::default()
    };
    Ok(vec![
        ("gpt2", in_parts(0, text, [letters, merges, &[], &[]])),
        ("qwen2", in_parts(4 + 32, text, [letters, merges, &[1, 1, 1, 1, 1, 1, 1, 1, 3, 1], &[]])),
        ("llama3", in_parts(8 + 32 + 64, text, [letters, merges, &[], &[]])),
        ("falcon", in_parts(12 + 32, text, [letters, merges, &[], &[]])),
        ("deepseek", in_parts(20 + 32, text, [letters, merges, &[], &[]])),
        ("pieces", in_parts(2, "ab \u{e9}<x> b", [pieces, b"", &types, &[1; 11]])),
        ("bare", in_parts(2 + 128, "ab \u{e9}<x> b", [pieces, b"", &types, &[7, 0, 1]])),
        ("message", message(text, &open("gpt2", Some("gpt-2"), letters, merges))?),
        ("message_pieces", message("ab ab", &open("llama", None, pieces, b""))?),
        ("message_unknown", message("ab", &open("wordpiece", None, pieces, b""))?),
    ])
}

const TEMPLATES: [(&str, &str); 13] = [
    ("opening", "generation {%}"),
    (
        "chatml",
        "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' + message['content'] | string + '<|im_end|>' + '\n' }}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}",
    ),
    (
        "namespace",
        "{%- set ns = namespace(first=true, n=0) -%}{%- for m in messages -%}{%- if m.role == 'system' and loop.first -%}{%- set ns.n = ns.n + 1 -%}{%- else -%}{{ ns.n }}{%- endif -%}{%- endfor -%}",
    ),
    (
        "raises",
        "{% if messages[0].role != 'user' %}{{ raise_exception('only ' ~ messages | length) }}{% endif %}",
    ),
    (
        "tools",
        "{% if tools %}{{ tools | tojson(indent=2) }}{% endif %}{% for m in messages %}{% for call in m.tool_calls or [] %}{{ call.function.name }}({{ call.function.arguments | tojson }}){% endfor %}{% endfor %}",
    ),
    (
        "python",
        "{{ messages[1].content.strip().upper().split(' ')[-1].replace('A', 'b').startswith('<') }}{{ messages[0]['content'][:3] }}{{ messages[::-1] | map(attribute='role') | list }}",
    ),
    (
        "macro",
        "{% macro f(x, y=2) %}{% if x > 0 %}{{ x * y }}{{ f(x - 1) }}{% endif %}{% endmacro %}{{ f(5) }}",
    ),
    ("date", "{{ strftime_now('%d %b %Y %H:%M:%S %j %%') }}"),
    (
        "generation",
        "{% for m in messages %}{% generation %}{{ m.content }}{% endgeneration %}{% endfor %}",
    ),
    (
        "loops",
        "{% for i in range(5) %}{% if i == 3 %}{% break %}{% endif %}{% if i is odd %}{% continue %}{% endif %}{{ loop.index0 }}{{ loop.last }}{% else %}none{% endfor %}",
    ),
    (
        "filters",
        "{{ [3, 1, 2] | sort | join(', ') }}{{ {'b': 1, 'a': none} | items | list }}{{ 'x' | default('y', true) | trim | capitalize }}{{ -7 // 2 }}{{ 2 ** 10 % 7 }}",
    ),
    (
        "set_block",
        "{% set x %}a{% endset %}{{ x }}{# comment #}{{- ' ' -}}{% raw %}{{ }}{% endraw %}",
    ),
    ("broken", "{% if messages %}{{ messages[ }}"),
];
