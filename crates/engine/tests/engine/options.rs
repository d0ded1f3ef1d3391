//! What can be asked of an answer, and what cannot.

use crate::host::{Host, Reply, greedy, ids, raw};
use crate::model::{self, END, in_words, tokens};
use sidestage_engine::protocol::{
    Event, FinishReason, GenerateOptions, LoadOptions, Prompt, Segment,
};

pub(crate) fn stopping(stops: &[&str], options: GenerateOptions) -> GenerateOptions {
    let stop_sequences = stops.iter().map(|stop| (*stop).to_owned()).collect();
    GenerateOptions { stop_sequences, ..options }
}

#[test]
fn impossible_options_are_named() {
    let mut host = Host::tiny();
    let base = || greedy(2);
    let (nan, infinity) = (f32::NAN, f32::INFINITY);
    let with = |change: fn(&mut GenerateOptions, f32), value: f32| {
        let mut options = base();
        change(&mut options, value);
        options
    };
    let temperature: fn(&mut GenerateOptions, f32) = |o, v| o.temperature = Some(v);
    let top_p: fn(&mut GenerateOptions, f32) = |o, v| o.top_p = Some(v);
    let min_p: fn(&mut GenerateOptions, f32) = |o, v| o.min_p = Some(v);
    let repetition: fn(&mut GenerateOptions, f32) = |o, v| o.repetition_penalty = Some(v);
    let frequency: fn(&mut GenerateOptions, f32) = |o, v| o.frequency_penalty = Some(v);
    let presence: fn(&mut GenerateOptions, f32) = |o, v| o.presence_penalty = Some(v);
    let bias: fn(&mut GenerateOptions, f32) = |o, v| o.logit_bias = vec![(5, v)];
    let biased: fn(&mut GenerateOptions, f32) = |o, v| o.logit_bias = vec![(v as u32, 1.0)];
    let stops: fn(&mut GenerateOptions, f32) = |o, v| o.stop_tokens = vec![v as u32];
    let cases = [
        ("temperature", temperature, vec![-0.1, nan, infinity]),
        ("topP", top_p, vec![0.0, -1.0, 1.01, nan]),
        ("minP", min_p, vec![-0.1, 1.1, nan]),
        ("repetitionPenalty", repetition, vec![0.0, -1.0, infinity, nan]),
        ("frequencyPenalty", frequency, vec![-2.1, 2.1, nan]),
        ("presencePenalty", presence, vec![-2.1, 2.1, nan]),
        ("logitBias", bias, vec![nan, infinity]),
        ("logitBias", biased, vec![320.0, 4e9]),
        ("stopTokens", stops, vec![320.0, 4e9]),
    ];
    for (option, change, values) in cases {
        for value in values {
            let error = host.try_generate(ids([5]), with(change, value)).expect_err(option);
            assert_eq!(error.code, "INVALID_OPTION", "{option} = {value}: {error:?}");
            assert!(error.message.contains(option), "{}", error.message);
            let named = error.detail.as_ref().and_then(|detail| detail.get("option"));
            assert_eq!(named, Some(&option.into()));
        }
    }
    // The edges of what is possible.
    let edges = [
        (temperature, 0.0),
        (temperature, 100.0),
        (top_p, 1.0),
        (top_p, 1e-9),
        (min_p, 0.0),
        (min_p, 1.0),
        (repetition, 0.01),
        (frequency, -2.0),
        (presence, 2.0),
        (bias, f32::NEG_INFINITY),
        (biased, 319.0),
        (stops, 319.0),
    ];
    for (change, value) in edges {
        host.generate(ids([5]), with(change, value));
    }
}

#[test]
fn impossible_prompts() {
    let mut host = Host::tiny();
    let code = |host: &mut Host, prompt: Prompt, max_tokens: u32| {
        host.try_generate(prompt, greedy(max_tokens)).expect_err("an impossible prompt")
    };
    let empty = Prompt::Segments { segments: Vec::new(), raw: true };
    assert_eq!(code(&mut host, empty, 2).code, "PROMPT_EMPTY");
    assert_eq!(code(&mut host, ids([]), 2).code, "PROMPT_EMPTY");
    for (bad, place) in [(320, 0), (u32::MAX, 3)] {
        let mut prompt = vec![5; 4];
        prompt[place] = bad;
        let error = code(&mut host, ids(prompt), 2);
        assert_eq!(error.code, "PROMPT_INVALID");
        assert_eq!(error.detail.expect("a detail")["token"], bad);
    }
    for (length, max_tokens) in [(257, 1), (257, 0), (256, 2), (5000, 1)] {
        let error = code(&mut host, ids(vec![5; length]), max_tokens);
        assert_eq!(error.code, "CONTEXT_LENGTH_EXCEEDED");
        let detail = error.detail.expect("figures");
        assert_eq!(
            (&detail["promptTokens"], &detail["contextLength"]),
            (&length.into(), &256.into())
        );
        assert!(error.hint.is_some());
    }
    let messages = Prompt::Messages { messages: serde_json::json!([{ "role": "user" }]) };
    assert_eq!(code(&mut host, messages, 2).code, "NO_CHAT_TEMPLATE");
    host.generate(ids([5]), greedy(2));
}

#[test]
fn the_number_of_tokens() {
    let mut host = Host::tiny();
    let free = host.generate(ids(tokens("a", 20)), greedy(12));
    for max_tokens in [0, 1, 2, 11] {
        let result = host.generate(ids(tokens("a", 20)), greedy(max_tokens));
        assert_eq!(result.tokens, free.tokens[..max_tokens as usize]);
        assert_eq!(result.finish_reason, FinishReason::Length);
        assert_eq!(result.usage.completion_tokens, max_tokens);
    }
    // To the context's end, whose last token needs no place any more.
    let ignore = |options| GenerateOptions { ignore_eos: true, ..options };
    for max_tokens in [None, Some(u32::MAX), Some(230)] {
        let options = ignore(GenerateOptions { max_tokens, ..greedy(0) });
        let result = host.generate(ids(tokens("a", 30)), options);
        assert_eq!(result.finish_reason, FinishReason::Length);
        assert_eq!(result.usage.total_tokens, 257);
    }
    let full = host.generate(ids(tokens("a", 256)), ignore(greedy(1)));
    assert_eq!(full.tokens.len(), 1);
    assert!(host.generate(ids(tokens("a", 256)), greedy(0)).tokens.is_empty());
    // A smaller context, as asked for.
    let mut host = Host::new();
    let options = LoadOptions { context_length: Some(40), ..LoadOptions::default() };
    let info = host.load(&Reply::new(model::tiny()), options).expect("a model");
    assert_eq!((info.context_length, info.trained_context_length), (40, 256));
    let options = ignore(GenerateOptions { max_tokens: None, ..greedy(0) });
    assert_eq!(host.generate(ids(tokens("a", 30)), options).tokens.len(), 11);
}

#[test]
fn biases_ban_and_force() {
    let mut host = Host::tiny();
    let prompt = || ids(tokens("a", 20));
    let free = host.generate(prompt(), greedy(8));
    let ban =
        GenerateOptions { logit_bias: vec![(free.tokens[0], f32::NEG_INFINITY)], ..greedy(8) };
    assert!(!host.generate(prompt(), ban).tokens.contains(&free.tokens[0]));
    for temperature in [0.0, 1.0] {
        let temperature = Some(temperature);
        let force = GenerateOptions { logit_bias: vec![(300, 1e4)], temperature, ..greedy(8) };
        assert_eq!(host.generate(prompt(), force).tokens, [300; 8]);
    }
}

#[test]
fn penalties_change_an_answer() {
    let mut host = Host::tiny();
    // An answer that repeats one word for ever, were it not for the penalty.
    let force = GenerateOptions { logit_bias: vec![(300, 30.0)], ..in_words(greedy(30)) };
    let repeat = GenerateOptions {
        logit_bias: [in_words(greedy(0)).logit_bias, vec![(300, 30.0)]].concat(),
        ..force
    };
    let prompt = || ids(tokens("a", 20));
    assert_eq!(host.generate(prompt(), repeat.clone()).tokens, [300; 30]);
    for penalised in [
        GenerateOptions { repetition_penalty: Some(50.0), ..repeat.clone() },
        GenerateOptions { frequency_penalty: Some(2.0), ..repeat.clone() },
    ] {
        let found = host.generate(prompt(), penalised).tokens;
        assert_eq!(found[0], 300);
        assert!(found.iter().any(|token| *token != 300), "{found:?}");
    }
}

#[test]
fn end_tokens_end_unless_ignored() {
    let mut host = Host::tiny();
    let ending = GenerateOptions { logit_bias: vec![(END, 1e4)], ..greedy(6) };
    let result = host.generate(ids([5, 6]), ending.clone());
    assert_eq!((result.tokens.len(), result.text.as_str()), (0, ""));
    assert_eq!(result.finish_reason, FinishReason::Stop);
    assert_eq!((result.usage.completion_tokens, result.usage.total_tokens), (1, 3));
    let result = host.generate(ids([5, 6]), GenerateOptions { ignore_eos: true, ..ending.clone() });
    assert_eq!((result.tokens, result.finish_reason), (vec![END; 6], FinishReason::Length));
    assert_eq!(result.text, "", "a control token prints nothing");
    // A stop token ends even then.
    let both = GenerateOptions { ignore_eos: true, stop_tokens: vec![END], ..ending };
    let result = host.generate(ids([5, 6]), both);
    assert_eq!((result.tokens.len(), result.finish_reason), (0, FinishReason::Stop));
}

#[test]
fn stop_tokens_end_and_are_left_out() {
    let mut host = Host::tiny();
    let prompt = || ids(tokens("b", 20));
    let free = host.generate(prompt(), in_words(greedy(12)));
    let stop = free.tokens[7];
    let first = free.tokens.iter().position(|token| *token == stop).expect("it is there");
    let options = GenerateOptions { stop_tokens: vec![3, stop], ..in_words(greedy(12)) };
    let result = host.generate(prompt(), options);
    assert_eq!(result.finish_reason, FinishReason::Stop);
    assert_eq!(result.tokens, free.tokens[..first]);
    assert_eq!(result.usage.completion_tokens as usize, first + 1);
    assert!(free.text.starts_with(&result.text));
}

#[test]
fn stop_strings_are_held_back_and_left_out() {
    let mut host = Host::tiny();
    let prompt = || ids(tokens("c", 20));
    let free = host.generate(prompt(), in_words(greedy(16)));
    let words: Vec<&str> = free.text.split(' ').collect();
    assert!(words.len() > 10, "{}", free.text);
    let texts: Vec<String> = vec![
        // Within a token, a whole token, over a border, over three tokens.
        words[6][1..].into(),
        format!(" {}", words[6]),
        format!("{} {}", &words[5][1..], &words[6][..1]),
        format!("{} {} {}", &words[4][1..], words[5], &words[6][..1]),
        // The whole answer.
        free.text.clone(),
    ];
    for stop in texts {
        let at = free.text.find(&stop).expect("a part of the answer");
        // One that never comes to its end, one that is found, one that is empty.
        let long = format!("{}!", &free.text[at..at + 2]);
        let options = stopping(&[&long, &stop, ""], in_words(greedy(16)));
        let id = host.start(prompt(), options);
        while host.run(0.1) {
            assert!(free.text[..at].starts_with(host.watch.text(id)), "{stop:?} showed");
        }
        let result = host.answer(id).expect("an answer");
        assert_eq!(
            (result.text.as_str(), result.finish_reason),
            (&free.text[..at], FinishReason::Stop)
        );
    }
    // One that never comes is given out at the end.
    let result =
        host.generate(prompt(), stopping(&[&format!("{}!", free.text)], in_words(greedy(16))));
    assert_eq!((result.text, result.finish_reason), (free.text, FinishReason::Length));
}

#[test]
fn without_stream_only_the_result_comes() {
    let mut host = Host::tiny();
    let quiet = GenerateOptions { stream: false, ..greedy(12) };
    // Nothing is sent, so there is nothing that credits would hold back.
    let id = host.start_with(raw("ab"), quiet, Some(1));
    host.run_out();
    assert_eq!(host.events(id).count(), 1);
    assert_eq!(host.answer(id).expect("an answer").text, host.generate(raw("ab"), greedy(12)).text);
}

#[test]
fn signs_of_life_come_where_nothing_else_does() {
    let mut host = Host::tiny();
    let running =
        host.start(ids(tokens("a", 200)), GenerateOptions { stream: false, ..greedy(20) });
    let waiting = host.start(ids([5]), greedy(1));
    let paused = host.start_with(ids([5]), greedy(1), Some(0));
    host.tick(16.0);
    host.run_out();
    host.wait(300.0);
    host.run_out();
    let stages = |id| -> Vec<String> {
        let working = host.events(id).filter_map(|event| match event {
            Event::Working { stage, done, total, .. } => {
                assert!(total.is_none_or(|total| *done <= total));
                Some(format!("{stage:?}"))
            }
            _ => None,
        });
        let mut stages: Vec<String> = working.collect();
        stages.dedup();
        stages
    };
    assert_eq!(stages(running), ["Prompt", "Decode"]);
    assert_eq!(stages(waiting)[0], "Queued");
    assert_eq!(stages(paused), ["Queued"]);
}

#[test]
fn prompts_of_text_ids_and_messages() {
    let mut host = Host::new();
    host.load(&Reply::new(model::chat()), LoadOptions::default()).expect("a model");
    let count = |host: &mut Host, prompt: Prompt| {
        host.generate(prompt, greedy(1)).usage.prompt_tokens as usize
    };
    let text = |text: &str, raw| Prompt::Segments {
        segments: vec![Segment::Text { text: text.into() }],
        raw,
    };
    let user = serde_json::json!([{ "role": "user", "content": "hi there" }]);
    let asked = host.generate(Prompt::Messages { messages: user }, greedy(8));
    // A vocabulary without these letters spells them in bytes; a space is a word's mark.
    let spelt =
        |text: &str| text.chars().map(|c| if c == ' ' { 3 } else { c.len_utf8() }).sum::<usize>();
    assert_eq!(asked.usage.prompt_tokens as usize, spelt(" [user]hi there[answer]"));
    let as_user = host.generate(text("hi there", false), greedy(8));
    assert_eq!(
        (as_user.tokens, as_user.usage.prompt_tokens),
        (asked.tokens, asked.usage.prompt_tokens)
    );
    assert_eq!(count(&mut host, text("hi there", true)), 1 + spelt(" hi there"));
    // Begin tokens are put before the first text only, and never before ids.
    let segments = vec![
        Segment::Text { text: "hi".into() },
        Segment::Ids { ids: vec![7, 8] },
        Segment::Text { text: "hi".into() },
    ];
    assert_eq!(
        count(&mut host, Prompt::Segments { segments, raw: false }),
        1 + 2 * spelt(" hi") + 2
    );
    assert_eq!(count(&mut host, ids([7, 8, 9])), 3);
}
