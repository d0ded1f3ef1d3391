//! What must hold for any bytes taken as a TFLite file. The fuzz target runs it on new inputs, a test
//! of `crates/formats` on the corpus and on damaged files.

use crate::peak;
use sidestage_formats::tflite;
use sidestage_ir::{Body, Model, Var};
use std::collections::HashSet;

pub(crate) fn check(input: &[u8]) {
    let (model, bytes) = peak::of(|| {
        let mut reader = tflite::Reader::new(Some(input.len() as u64));
        input.chunks(100).try_for_each(|bytes| reader.push(bytes))?;
        reader.finish()
    });
    assert!(bytes <= 512 * input.len() + (16 << 20), "{bytes} bytes of memory for {}", input.len());
    match model {
        Ok(model) => consistent(&model),
        Err(error) => {
            assert!(!error.code().is_empty() && !error.to_string().is_empty());
            assert!(!error.hint().is_empty());
        }
    }
}

/// What a trace relies on without checking it again.
fn consistent(model: &Model) {
    let mut known: HashSet<Var> = model.constants.iter().map(|(var, _)| *var).collect();
    assert_eq!(known.len(), model.constants.len(), "a constant twice");
    let ports: HashSet<Var> = model.given().collect();
    assert!(model.bodies[0].inputs.iter().all(|var| ports.contains(var)));
    assert_eq!(model.bodies[0].outputs, model.left().collect::<Vec<_>>());
    body(model, &model.bodies[0], &mut known);
}

/// Each value is given before it is wanted, and once.
fn body(model: &Model, body: &Body, known: &mut HashSet<Var>) {
    for var in &body.inputs {
        assert!(var.index() < model.names.len());
        known.insert(*var);
    }
    for call in &body.calls {
        assert!(call.inputs.iter().flatten().all(|var| known.contains(var)), "{}", call.op);
        for inner in call.bodies() {
            self::body(model, &model.bodies[inner.index()], known);
        }
        for var in call.outputs.iter().flatten() {
            assert!(var.index() < model.names.len() && known.insert(*var), "{} twice", call.op);
        }
    }
    assert!(body.outputs.iter().all(|var| known.contains(var)));
}
