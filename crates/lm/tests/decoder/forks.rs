//! Sequences that share pages do not disturb each other.

use crate::steps::{decoder, evaluate, go_on, row, step};
use crate::tiny::{Random, Shape};
use sidestage_lm::{Decoder, LmError, PAGE, Row, RowInput, Wants};

fn tiny() -> Decoder {
    decoder(&Shape::new("llama").model().file(Vec::new())).expect("a model")
}

fn tokens(name: &str, count: usize) -> Vec<u32> {
    let mut random = Random::new(3, name);
    (0..count).map(|_| random.below(320) as u32).collect()
}

#[test]
fn forks_go_on_as_if_each_were_alone() {
    forks_of("llama");
    // Its convolutions look back over the edge of a page.
    forks_of("lfm2");
}

fn forks_of(family: &'static str) {
    let roomy = Shape { context: 512, ..Shape::new(family) };
    let mut decoder = decoder(&roomy.model().file(Vec::new())).expect("a model");
    let (start, more_a, more_b) = (tokens("start", 50), tokens("a", 40), tokens("b", 40));
    // In the middle of a page, at its edge, and at the very end.
    for kept in [1, 31, 32, 33, 45, 50] {
        let a = decoder.cache().create();
        go_on(&mut decoder, a, 0, &start);
        let b = decoder.cache().fork(a, kept);
        let c = decoder.cache().fork(b, kept);
        let (mut found_a, mut found_b, mut found_c) = (Vec::new(), Vec::new(), Vec::new());
        for at in 0..more_a.len() {
            found_a.extend(go_on(&mut decoder, a, start.len() + at, &more_a[at..=at]));
            found_b.extend(go_on(&mut decoder, b, kept + at, &more_b[at..=at]));
            found_c.extend(go_on(&mut decoder, c, kept + at, &more_a[at..=at]));
        }
        for (sequence, from) in [(a, 50), (b, kept), (c, kept)] {
            assert!(decoder.cache().table(sequence).len() >= from / PAGE);
            decoder.cache().remove(sequence);
        }
        let mut alone = |first: &[u32], second: &[u32]| {
            evaluate(&mut decoder, &[first, second].concat()).split_off(first.len())
        };
        assert!(found_a == alone(&start, &more_a), "the first of a fork at {kept}");
        assert!(found_b == alone(&start[..kept], &more_b), "the second of a fork at {kept}");
        assert!(found_c == alone(&start[..kept], &more_a), "the third of a fork at {kept}");
    }
    assert_eq!(decoder.cache().available(), 512 / PAGE);
}

#[test]
fn sequences_in_one_step_are_as_alone() {
    let mut decoder = tiny();
    let texts: Vec<Vec<u32>> = (0..4).map(|i| tokens(&format!("text {i}"), 20 + 7 * i)).collect();
    let sequences: Vec<_> = texts.iter().map(|_| decoder.cache().create()).collect();
    let mut found = vec![Vec::new(); texts.len()];
    // Steps of uneven pieces: each sequence brings as many rows as its number says.
    let mut at = vec![0; texts.len()];
    while (0..texts.len()).any(|i| at[i] < texts[i].len()) {
        let (mut rows, mut owners) = (Vec::new(), Vec::new());
        for i in 0..texts.len() {
            let to = (at[i] + 1 + i % 3).min(texts[i].len());
            rows.extend((at[i]..to).map(|at| row(sequences[i], at, texts[i][at])));
            owners.extend((at[i]..to).map(|_| i));
            at[i] = to;
        }
        for (owner, logits) in owners.into_iter().zip(step(&mut decoder, &rows)) {
            found[owner].push(logits);
        }
    }
    for (text, found) in texts.iter().zip(&found) {
        let mut alone = tiny();
        assert!(*found == evaluate(&mut alone, text));
    }
}

#[test]
fn what_was_given_up_leaves_no_trace() {
    let mut decoder = tiny();
    let (start, wrong, right) = (tokens("start", 37), tokens("wrong", 60), tokens("right", 30));
    let sequence = decoder.cache().create();
    go_on(&mut decoder, sequence, 0, &start);
    go_on(&mut decoder, sequence, start.len(), &wrong);
    decoder.cache().truncate(sequence, start.len());
    // A step that was begun, partly run and given up.
    let rows: Vec<Row> = (0..5).map(|at| row(sequence, 37 + at, wrong[at])).collect();
    decoder.begin(&rows).expect("a possible step");
    decoder.resume(&sidestage_pool::Pool::inline(), &mut || true);
    let found = go_on(&mut decoder, sequence, start.len(), &right);
    decoder.cache().remove(sequence);
    let whole = evaluate(&mut decoder, &[start, right].concat());
    assert!(found == whole[37..]);
}

#[test]
fn a_vector_stands_for_its_token() {
    let model = Shape::new("qwen3").model();
    let mut decoder = decoder(&model.file(Vec::new())).expect("a model");
    let text = tokens("text", 12);
    let expected = evaluate(&mut decoder, &text);
    let sequence = decoder.cache().create();
    let table = model.get("token_embd.weight").expect("a table");
    for (position, &token) in text.iter().enumerate() {
        let vector = table[token as usize * 64..][..64].to_vec();
        // Every other row, so that both kinds meet in the cache.
        let input =
            if position % 2 == 0 { RowInput::Vector(vector) } else { RowInput::Token(token) };
        let row = Row { input, ..row(sequence, position, 0) };
        assert!(step(&mut decoder, &[row])[0] == expected[position]);
    }
}

#[test]
fn impossible_steps_start_nothing() {
    let mut decoder = tiny();
    let sequence = decoder.cache().create();
    let far = decoder.begin(&[row(sequence, 256, 1)]);
    assert_eq!(far, Err(LmError::Position { position: 256, context_length: 256 }));
    let strange = decoder.begin(&[row(sequence, 0, 320)]);
    assert_eq!(strange, Err(LmError::Token { id: 320, vocab_size: 320 }));
    let other = decoder.cache().create();
    let all: Vec<Row> =
        (0..256).map(|position| Row { wants: Wants::Nothing, ..row(other, position, 1) }).collect();
    for rows in all.chunks(128) {
        step(&mut decoder, rows);
    }
    let full = decoder.begin(&[row(sequence, 0, 1)]);
    assert!(matches!(full, Err(LmError::Cache(_))), "{full:?}");
    decoder.cache().remove(other);
    assert_eq!(step(&mut decoder, &[row(sequence, 0, 1)]).len(), 1);
}
