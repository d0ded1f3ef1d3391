//! Chat templates render as in Python (Jinja2 in the environment of transformers).

#[path = "../../../fuzz/check/peak.rs"]
mod peak;
mod shared;

use serde_json::{Value, json};
use sidestage_text::{Now, TextError};
use std::collections::BTreeMap;

/// 2025-07-10 12:00, the time of the reference renders.
const NOW: Now = Now { unix_seconds: 1_752_148_800, utc_offset_minutes: 0 };

fn render(
    template: &str,
    bos: &str,
    eos: &str,
    context: &Value,
    add_generation_prompt: bool,
    now: Option<Now>,
) -> Result<String, TextError> {
    let variables = [("bos_token", bos), ("eos_token", eos)].map(|(k, v)| (k.into(), v.into()));
    sidestage_text::render(template, &variables, context, add_generation_prompt, now)
}

/// Renders that differ, with the reason: template, context (`*` for any), reason.
const EXCEPTIONS: [(&str, &str, &str); 0] = [];

#[test]
fn renders_of_real_templates() {
    let Some(data) = shared::data("360 renders of chat templates") else { return };
    let data = data.join("chat-templates");
    let read = |path: String| std::fs::read_to_string(data.join(path)).unwrap();
    let renders: Value = serde_json::from_str(&read("renders.json".into())).unwrap();

    let mut wrong: BTreeMap<(String, String), String> = BTreeMap::new();
    let mut count = 0;
    for case in renders.as_array().unwrap() {
        let text = |key: &str| case[key].as_str().unwrap().to_owned();
        let (template, context) = (text("template"), text("context"));
        let generate = case["add_generation_prompt"].as_bool().unwrap();
        let source = read(format!("templates/{template}.jinja"));
        let messages: Value =
            serde_json::from_str(&read(format!("contexts/{context}.json"))).unwrap();
        let rendered = render(&source, "<s>", "</s>", &messages, generate, Some(NOW));
        let verdict = match (&rendered, case["output"].as_str()) {
            (Ok(rendered), Some(expected)) if rendered == expected => Ok(()),
            (Ok(rendered), Some(expected)) => {
                let same =
                    rendered.bytes().zip(expected.bytes()).take_while(|(a, b)| a == b).count();
                let part =
                    |s: &str| s.chars().skip(same.saturating_sub(30)).take(80).collect::<String>();
                Err(format!("{:?}\n      expected {:?}", part(rendered), part(expected)))
            }
            (Ok(_), None) => Err(format!("renders, expected {}", case["error"])),
            (Err(TextError::TemplateFailed { .. }), None) => Ok(()),
            (Err(error), _) => Err(format!("{error} ({})", case["error"])),
        };
        count += 1;
        if let Err(reason) = verdict {
            wrong.insert((template, format!("{context} {generate}")), reason);
        }
    }
    println!("{} of {count} renders are equal", count - wrong.len());
    wrong.retain(|(template, context), reason| {
        let known = EXCEPTIONS.iter().any(|(other, when, _)| {
            other == template && (*when == "*" || context.starts_with(when))
        });
        if !known {
            println!("  {template}, {context}: {reason}");
        }
        !known
    });
    assert!(wrong.is_empty(), "{} renders differ", wrong.len());
}

#[test]
fn a_refusal_is_told_apart() {
    let error = render("{{ raise_exception('no system') }}", "", "", &json!({}), true, None);
    let message = "no system".to_owned();
    assert_eq!(error, Err(TextError::TemplateFailed { message, raised: true }));
}

#[test]
fn huggingface_js_cases() {
    let Some(data) = shared::data("31 templates of huggingface.js") else { return };
    let cases = std::fs::read(data.join("chat-templates/hfjs-e2e.json")).unwrap();
    let cases: Value = serde_json::from_slice(&cases).unwrap();
    let mut count = 0;
    for group in ["default_templates", "custom_templates"] {
        for (name, case) in cases[group].as_object().unwrap() {
            let text = |key: &str| case[key].as_str().unwrap();
            let generate = case["data"]["add_generation_prompt"].as_bool().unwrap_or(false);
            let rendered =
                render(text("chat_template"), "", "", &case["data"], generate, Some(NOW));
            if rendered.as_deref() != Ok(text("target")) {
                println!("{name}: {rendered:?}\n     {:?}", text("target"));
            }
            count += usize::from(rendered.as_deref() == Ok(text("target")));
        }
    }
    assert_eq!(count, 31);
}

/// Cases that are not equal, with the reason.
const SYNTAX_EXCEPTIONS: [(&str, &str); 3] = [
    ("SORT_MIXED_BOOL_NUM", "truth values are sorted before numbers"),
    ("SORT_UNDEFINED_VALUES", "an undefined value in a list prints nothing"),
    ("UNARY_SIGN_EXPRESSIONS", "there is no unary plus"),
];

#[test]
fn huggingface_js_syntax() {
    let Some(data) = shared::data("107 cases of the syntax") else { return };
    let cases = std::fs::read(data.join("chat-templates/hfjs-syntax.json")).unwrap();
    let cases: Value = serde_json::from_slice(&cases).unwrap();
    // Where JavaScript prints otherwise than Python, Python is right (`goldens/syntax.py`).
    let python: Value = serde_json::from_str(include_str!("goldens/syntax.json")).unwrap();
    let mut wrong = Vec::new();
    let templates = cases["strings"].as_object().unwrap();
    for (name, template) in templates {
        let expected = match &python[name] {
            Value::Null if python.get(name).is_some() => continue,
            Value::String(text) => text,
            _ => cases["expected"][name].as_str().unwrap(),
        };
        let context = &cases["contexts"][name];
        let template = template.as_str().unwrap();
        let rendered = sidestage_text::render(template, &[], context, false, Some(NOW));
        let known = SYNTAX_EXCEPTIONS.iter().any(|(other, _)| other == name);
        if rendered.as_deref() != Ok(expected) && !known {
            wrong.push(format!("{name}: {template:?}: {rendered:?}, expected {expected:?}"));
        }
    }
    assert_eq!(templates.len(), 107);
    assert!(wrong.is_empty(), "{} differ\n{}", wrong.len(), wrong.join("\n"));
}

/// What a template from anywhere may try; each ends in an error, soon, on the stack of a wasm module.
#[test]
fn hostile_templates() {
    let thread = std::thread::Builder::new().stack_size(1 << 20).spawn(try_all);
    thread.unwrap().join().unwrap();
}

fn try_all() {
    let chain = format!("{{{{ {}1 }}}}", "not ".repeat(50_000));
    let blocks = "{% if true %}".repeat(5_000);
    let brackets = format!("{{{{ {} }}}}", "[".repeat(5_000));
    let nested = format!("{{{{ {} }}}}", "[x ~ ".repeat(190));
    let cases = [
        "{% for i in range(100000) %}{% for j in range(100000) %}{% endfor %}{% endfor %}",
        "{% for i in range(100000) %}{{ 'x' * 1000 }}{{ 'xxxxxxxxxx'|indent(64, true) * 9 }}{% endfor %}\
         {% for i in range(100000) %}{{ '%2000s'|format('x') }}{% endfor %}",
        "{% macro f(x) %}{{ f(x) }}{% endmacro %}{{ f(1) }}",
        "{% set n = namespace(x=[]) %}{% for i in range(2000) %}{% set n.x = [n.x] %}{% endfor %}{{ n.x }}",
        "{% set n = namespace(x=[]) %}{% for i in range(2000) %}{% set n.x = [n.x] %}{% endfor %}{{ n.x|tojson }}",
        "{% set n = namespace(x=[]) %}{% for i in range(99999) %}{% set n.x = [n.x, {'a': n.x}] %}{% endfor %}",
        "{% set n = namespace(x=1) %}{% for i in range(99999) %}{%- set n.x = {'a': n.x} -%}{% endfor %}",
        "{% set n = namespace(x='xx') %}{% for i in range(60) %}{% set n.x = n.x ~ n.x %}{% endfor %}",
        "{% set n = namespace(x='xx') %}{% for i in range(60) %}{% set y = n.x + n.x %}{% set n.x = y %}{% endfor %}",
        "{% macro f(x) %}{{ f([x]) }}{% endmacro %}{{ f(1) }}",
        "{% for x in [1] recursive %}{{ loop([x]) }}{% endfor %}",
        "{{ 'x' * 10**9 }}",
        "{{ 'x' * 99999999 }}",
        "{{ ('x' * 9999999) ~ ('x' * 9999999) }}",
        "{{ ('x' * 9999999) + ('x' * 9999999) }}",
        "{{ [1, 2] * 10**7 }}{{ (1, 2) * 10**8 }}",
        "{% set x = 'x' * 9999999 %}{% set y = [x ~ 1, x ~ 2, x ~ 3] * 99 %}{{ y }}",
        "{% set x = 'x' * 999999 %}{{ ([x] * 1000)|join }}",
        "{% set x = 'x' * 999999 %}{{ ([x] * 1000) ~ '' }}",
        "{% set x = 'x' * 999999 %}{{ ([x] * 1000)|string|length }}",
        "{% set x = 'x' * 999999 %}{{ ([x] * 1000)|tojson|length }}",
        "{% set x = 'x' * 999999 %}{{ ([x] * 1000)|map('upper')|list|length }}",
        "{% set x = 'x' * 999999 %}{{ x|replace('x', x) }}",
        "{% set x = 'x' * 999999 %}{{ x.replace('x', x) }}",
        "{% set x = 'x' * 999999 %}{{ x.join([x] * 99) }}",
        "{% set x = 'x' * 999999 %}{{ '%s' * 99 % x }}{{ ('%s' * 99)|format(x) }}",
        "{{ '%999999999s'|format('x') }}",
        "{{ '%*s'|format(999999999, 'x') }}",
        "{{ '{:>999999999}'.format('x') }}",
        "{% macro f(x) %}{{ f(x ~ x) }}{% endmacro %}{{ f('x') }}",
        "{% macro f(x) %}{{ x }}{{ f(x + x) }}{% endmacro %}{{ f('x') }}",
        "{% set x = 'x' * 999999 %}{% for i in range(9999) %}{% set y %}{{ x }}{{ x }}{% endset %}{% endfor %}",
        "{% set x = 'x' * 999999 %}{% set y %}{% for i in range(9999) %}{{ x }}{% endfor %}{% endset %}",
        "{% set n = namespace(x=[]) %}{% for i in range(9999) %}{% set n.x = n.x + ['x' * 999999] %}{% endfor %}",
        "{% set x = '&' * 9999999 %}{{ x|e }}",
        "{{ [1] * 10**9 }}",
        "{{ range(10**18) }}",
        "{{ undefined_function() }}",
        "{{ messages[0].content.x.y }}",
        "{% include 'chat' %}",
        "{{ 1 | tojson(indent={}) }}",
        "{{ x | tojson }}",
        "{% unknown %}",
        "{{ 'open",
        &chain,
        &blocks,
        &brackets,
        &nested,
    ];
    for template in cases {
        let start = &template[..template.len().min(60)];
        let context = json!({ "messages": [] });
        let (error, held) = peak::of(|| render(template, "", "", &context, true, None));
        assert!(held < 320 << 20, "{start}: {} MiB", held >> 20);
        let error = error.expect_err(start);
        assert!(
            ["TEMPLATE_INVALID", "TEMPLATE_FAILED"].contains(&error.code()),
            "{start}: {error}"
        );
    }
    assert_eq!(render("", "", "", &json!([]), true, None).unwrap_err().code(), "PROMPT_INVALID");
}

#[test]
fn the_environment_of_transformers() {
    let context =
        json!({ "b": { "z": "é<\u{1}", "a": [1, 2.5, true, null] }, "eos_token": "mine" });
    let cases = [
        ("{{ b|tojson }}", r#"{"z": "é<\u0001", "a": [1, 2.5, true, null]}"#),
        ("{{ b.a|tojson(indent=2) }}", "[\n  1,\n  2.5,\n  true,\n  null\n]"),
        (
            "{{ b|tojson(separators=(',', ':'), sort_keys=true) }}",
            r#"{"a":[1,2.5,true,null],"z":"é<\u0001"}"#,
        ),
        ("{{ b.z|tojson(ensure_ascii=true) }}", r#""\u00e9<\u0001""#),
        ("{{ b.a }} {{ none }} {{ true }} {{ missing }}.", "[1, 2.5, True, None] None True ."),
        ("{{ bos_token }}{{ eos_token }}{{ add_generation_prompt }}", "<s>mineFalse"),
        ("  {% if true %}\n  x\n  {% endif %}\n", "  x\n"),
        ("{% generation %}\nx{% endgeneration %}y", "xy"),
        (
            "{% for i in range(9) %}{% if i == 1 %}{% continue %}{% endif %}{% if i > 3 %}{% break %}{% endif %}{{ i }}{% endfor %}",
            "023",
        ),
        (
            "{% set n = namespace(x=1) %}{% for i in [1] %}{% set n.x = 2 %}{% endfor %}{{ n.x }}",
            "2",
        ),
        ("{{ strftime_now('%d %b %Y') }}", "10 Jul 2025"),
        ("{{ ' a '.strip() ~ 'b,c'.split(',')[-1] ~ 'x'.startswith('x') }}", "acTrue"),
        ("{{ missing|length }}{{ [1, 2]|count }}", "02"),
        (
            "{{ (1 + 2 * 3 - 4) ~ 5 }} {{ 2 * 3 ** 2 % 5 }} {{ 7 // 2 * 1.5 }} {{ -2 * -3 }}",
            "35 3 4.5 6",
        ),
        (
            "{{ 'a' * 3 + 'b' }} {{ 'a' * -1 }} {{ (1, 2) * 2 }} {{ [0] * 2 + [1] }} {{ true * 3 }}",
            "aaab  (1, 2, 1, 2) [0, 0, 1] 3",
        ),
        ("{{ 'a' ~ none ~ true ~ [1, 'x'] ~ missing ~ 2.0 }}", "aNoneTrue[1, 'x']2.0"),
        ("{{ 'a' ~ 'b' if 1 + 1 == 2 and not 'x' ~ 'y' is none else 'c' }}", "c"),
        (
            "{{ b.a|join('-') }} {{ [{'n': {'m': 1}}, {'n': {'m': 2}}]|join(', ', attribute='n.m') }} {{ ['a', 'b']|join }}",
            "1-2.5-True-None 1, 2 ab",
        ),
        (
            "{{ 'aaa'|replace('a', 'b', 2) }}{{ 'aaa'.replace('a', 'b', 2) }}{{ '-'.join(['a', 1]) }}",
            "bbabbaa-1",
        ),
        (
            "{{ '%s-%03d'|format('a', 7) }} {{ '{}-{}'.format('a', 7) }} {{ ' x '|trim }} {{ 'xax'|trim('x') }}",
            "a-007 a-7 x a",
        ),
        (
            "{{ 'aB c'|upper }}{{ 'aB'|lower }}{{ 'a b'|title }}{{ '<'|e }}{{ 1|string ~ 1 }}",
            "AB CabA B&lt;11",
        ),
    ];
    for (template, expected) in cases {
        let rendered = render(template, "<s>", "</s>", &context, false, Some(NOW));
        assert_eq!(rendered.as_deref(), Ok(expected), "{template}");
    }
}
