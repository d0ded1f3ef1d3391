//! Every family against Hugging Face's logits for tiny models of it.

use crate::steps::{decoder_of_context, error, evaluate};
use sidestage_miniatures::{Golden, Model, TOKENS, gguf, goldens, model};

#[test]
fn logits_are_those_of_transformers() {
    let tokens = Model::tokens();
    let mut failures = Vec::new();
    let goldens = goldens();
    assert!(goldens.len() >= 25, "only {} models", goldens.len());
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
        let found = evaluate(&mut decoder, &tokens);
        let worst = logits.iter().map(|(position, expected)| {
            error(&found[*position], expected.iter().map(|&logit| f64::from(logit)))
        });
        let worst = worst
            .fold(0.0, |worst, error| if error > worst || error.is_nan() { error } else { worst });
        println!("{name}: {worst:.1e} of the largest logit");
        // Six digits are in the goldens.
        if worst.is_nan() || worst > 1e-4 {
            failures.push(format!("{name}: {worst:.1e}"));
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}
