//! The real models of the shared test data give their golden tokens.

use crate::steps::{data, decoder};
use serde_json::Value;
use sidestage_lm::{Decoder, Progress, Row, RowInput, Wants, likeliest};
use sidestage_pool::Pool;
use std::path::Path;

fn load(path: &Path) -> Decoder {
    decoder(&std::fs::read(path).unwrap()).unwrap()
}

/// Evaluates tokens in chunks of `chunk`, stopping after every node if `stopping`.
pub(crate) fn evaluate(
    decoder: &mut Decoder,
    pool: &Pool,
    tokens: &[u32],
    chunk: usize,
    stopping: bool,
) {
    let sequence = decoder.cache().create();
    let mut done = 0;
    for part in tokens.chunks(chunk) {
        let rows: Vec<Row> = part
            .iter()
            .enumerate()
            .map(|(index, &token)| Row {
                sequence,
                position: (done + index) as u32,
                input: RowInput::Token(token),
                wants: if done + index + 1 == tokens.len() {
                    Wants::Output
                } else {
                    Wants::Nothing
                },
            })
            .collect();
        decoder.begin(&rows).unwrap();
        while decoder.resume(pool, &mut || stopping) == Progress::Stopped {}
        done += part.len();
    }
    decoder.cache().remove(sequence);
}

pub(crate) fn generate(
    decoder: &mut Decoder,
    pool: &Pool,
    prompt: &[u32],
    count: usize,
) -> Vec<u32> {
    let sequence = decoder.cache().create();
    let mut rows: Vec<Row> = prompt
        .iter()
        .enumerate()
        .map(|(position, &token)| Row {
            sequence,
            position: position as u32,
            input: RowInput::Token(token),
            wants: if position + 1 == prompt.len() { Wants::Output } else { Wants::Nothing },
        })
        .collect();
    let mut tokens = Vec::new();
    while tokens.len() < count {
        decoder.begin(&rows).unwrap();
        assert_eq!(decoder.resume(pool, &mut || false), Progress::Done);
        let token = likeliest(decoder.logits(0)).0;
        rows = vec![Row {
            sequence,
            position: (prompt.len() + tokens.len()) as u32,
            input: RowInput::Token(token),
            wants: Wants::Output,
        }];
        tokens.push(token);
    }
    decoder.cache().remove(sequence);
    tokens
}

pub(crate) fn ids(value: &Value) -> Vec<u32> {
    value.as_array().unwrap().iter().map(|id| id.as_u64().unwrap() as u32).collect()
}

#[test]
fn float_models_give_the_golden_tokens() {
    let Some(data) = data() else { return };
    let text = std::fs::read_to_string(data.join("lm/stories260K-goldens.json")).unwrap();
    let goldens: Value = serde_json::from_str(&text).unwrap();
    let pool = Pool::native(2);
    for (file, golden) in goldens["files"].as_object().unwrap() {
        let mut decoder = load(&data.join("lm").join(file));
        for run in golden["runs"].as_array().unwrap() {
            let expected = ids(&run["generated_ids"]);
            let found = generate(&mut decoder, &pool, &ids(&run["prompt_ids"]), expected.len());
            let same = found.iter().zip(&expected).take_while(|(a, b)| a == b).count();
            println!("{file}: {same} of {} tokens, margin {}", expected.len(), run["min_margin"]);
            let exact = ["F32", "F16", "BF16"].iter().any(|ty| file.contains(ty));
            assert!(!exact || found == expected, "{file}: {found:?} is not {expected:?}");
        }
    }
}

#[test]
fn logits_do_not_depend_on_threads_chunks_or_stops() {
    let Some(data) = data() else { return };
    let tokens: Vec<u32> = (0..200).map(|i| 3 + (i * 7919) % 500).collect();
    for quant in ["F32", "Q8_0", "Q4_0"] {
        let mut decoder = load(&data.join(format!("lm/stories260K-{quant}.gguf")));
        evaluate(&mut decoder, &Pool::inline(), &tokens, 128, false);
        let expected = decoder.logits(0).to_vec();
        for (threads, chunk, stopping) in [(1, 1, false), (2, 128, true), (3, 7, true)] {
            evaluate(&mut decoder, &Pool::native(threads), &tokens, chunk, stopping);
            assert!(
                decoder.logits(0) == expected,
                "{quant}: {threads} threads, chunks of {chunk} differ"
            );
        }
    }
}
