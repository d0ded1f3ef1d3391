//! Questions that the model answers rightly: an engine that makes it stupid fails here.

use crate::{decoder, goldens, read, tokenizer};
use serde_json::{Value, json};
use sidestage_lm::{Decoder, Progress, Row, RowInput, Wants, likeliest};
use sidestage_pool::Pool;
use sidestage_text::Tokenizer;

const MOST_TOKENS: usize = 160;

/// The greedy answer to one question, each token's keys and values kept.
fn answer(decoder: &mut Decoder, pool: &Pool, tokenizer: &Tokenizer, question: &Value) -> String {
    let context = json!({ "messages": question["messages"] });
    let prompt = tokenizer.render(None, &context, true, None).unwrap();
    let mut rows = tokenizer.encode(&prompt, false, true).unwrap();
    let end = goldens()["eos"].as_u64().unwrap() as u32;
    let sequence = decoder.cache().create();
    let (mut position, mut answer) = (0, Vec::new());
    while answer.len() < MOST_TOKENS {
        let last = rows.len() - 1;
        let wants = |at| if at == last { Wants::Output } else { Wants::Nothing };
        let step: Vec<Row> = (position..)
            .zip(rows.iter().enumerate())
            .map(|(position, (at, &token))| Row {
                sequence,
                position,
                input: RowInput::Token(token),
                wants: wants(at),
            })
            .collect();
        decoder.begin(&step).unwrap();
        assert_eq!(decoder.resume(pool, &mut || false), Progress::Done);
        position += rows.len() as u32;
        let next = likeliest(decoder.logits(0)).0;
        if next == end {
            break;
        }
        answer.push(next);
        rows = vec![next];
    }
    decoder.cache().remove(sequence);
    tokenizer.decode(&answer, true)
}

/// The first fact that `answer` lacks, or the forbidden words that it has.
fn fault(question: &Value, answer: &str) -> Option<String> {
    let words: Vec<&str> = answer.split_whitespace().collect();
    let text = words.join(" ").to_lowercase();
    let has = |wording: &Value| text.contains(wording.as_str().unwrap());
    let lists = |key: &str| question[key].as_array().unwrap();
    let lacking = lists("facts").iter().find(|fact| !fact.as_array().unwrap().iter().any(has));
    lists("forbidden").iter().find(|word| has(word)).or(lacking).map(Value::to_string)
}

#[test]
fn it_answers_questions() {
    let file = read("box.gguf");
    let (mut decoder, tokenizer) = (decoder(&file), tokenizer(&file));
    let sample: Value = serde_json::from_slice(&read("evaluation/sample.json")).unwrap();
    let sample = sample.as_array().unwrap();
    assert!(sample.len() >= 20);
    let pool = Pool::native(2);
    for question in sample {
        let answer = answer(&mut decoder, &pool, &tokenizer, question);
        if let Some(fault) = fault(question, &answer) {
            panic!("{}: {fault}: {answer:?}", question["messages"]);
        }
    }
}
