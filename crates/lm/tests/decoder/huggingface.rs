//! Every family against Hugging Face's logits for tiny models of it.

use crate::steps::{decoder_of_context, error};
use sidestage_lm::{Decoder, MAX_ROWS, Progress, Row, RowInput, Wants};
use sidestage_miniatures::{Golden, Model, TOKENS, gguf, goldens, model};
use sidestage_pool::Pool;

/// The logits at some positions, evaluated in steps of this many rows.
fn evaluate(decoder: &mut Decoder, tokens: &[u32], step: usize, wanted: &[usize]) -> Vec<Vec<f32>> {
    let sequence = decoder.cache().create();
    let mut found = Vec::new();
    for (number, part) in tokens.chunks(step).enumerate() {
        let row = |(index, &token): (usize, &u32)| {
            let position = number * step + index;
            let wants = match wanted.contains(&position) {
                true => Wants::Output,
                false => Wants::Nothing,
            };
            Row { sequence, position: position as u32, input: RowInput::Token(token), wants }
        };
        let rows: Vec<Row> = part.iter().enumerate().map(row).collect();
        decoder.begin(&rows).expect("a possible step");
        assert_eq!(decoder.resume(&Pool::inline(), &mut || false), Progress::Done);
        let outputs = rows.iter().filter(|row| row.wants == Wants::Output).count();
        found.extend((0..outputs).map(|output| decoder.logits(output).to_vec()));
    }
    decoder.cache().remove(sequence);
    found
}

/// The tokens go past every window (16) and original context (32, 64), and over two pages.
#[test]
fn logits_are_those_of_transformers() {
    let tokens = Model::tokens();
    let mut failures = Vec::new();
    let goldens = goldens();
    assert!(goldens.len() >= 31, "only {} models", goldens.len());
    for Golden { model: name, logits } in goldens {
        let model = model(&name).expect("a model of this name");
        let file = gguf(&model).expect("a folder that can be read");
        // Hugging Face chooses between the factors of LongRoPE by the length of the text.
        let mut decoder = match decoder_of_context(&file, Some(TOKENS)) {
            Ok(decoder) => decoder,
            Err(error) => {
                failures.push(format!("{name}: {error}"));
                continue;
            }
        };
        let positions: Vec<usize> = logits.iter().map(|(position, _)| *position).collect();
        let found = evaluate(&mut decoder, &tokens, MAX_ROWS, &positions);
        for step in [7, 1] {
            let same = evaluate(&mut decoder, &tokens, step, &positions) == found;
            assert!(same, "{name}: steps of {step} rows give other logits");
        }
        let worst = logits
            .iter()
            .zip(&found)
            .map(|((_, expected), found)| error(found, expected.iter().map(|&x| f64::from(x))))
            .fold(0.0, |worst, error| if error > worst || error.is_nan() { error } else { worst });
        println!("{name}: {worst:.1e} of the largest logit");
        // Six digits are in the goldens.
        if worst.is_nan() || worst > 2e-5 {
            failures.push(format!("{name}: {worst:.1e}"));
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}
