//! Chat templates render as in Python (Jinja2 in the environment of transformers).

mod shared;

use serde_json::{Value, json};
use sidestage_text::{Now, TextError, render};
use std::collections::BTreeMap;

/// 2025-07-10 12:00, the time of the reference renders.
const NOW: Now = Now { unix_seconds: 1_752_148_800, utc_offset_minutes: 0 };

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
