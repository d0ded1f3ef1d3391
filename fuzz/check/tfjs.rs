//! What must hold for any bytes taken as a TensorFlow.js model. The fuzz target runs it on new inputs, a
//! test of `crates/formats` on the corpus.

use sidestage_formats::tfjs::{Reader, TfjsError};
use sidestage_ir::{Attribute, Model};
use sidestage_tensor::AlignedBytes;
use std::sync::Arc;

/// An input is a `model.json` up to a zero byte, and the bytes that all files with weights begin with.
pub(crate) fn check(input: &[u8]) {
    let end = input.iter().position(|byte| *byte == 0).unwrap_or(input.len());
    let (json, weights) = (&input[..end], input.get(end + 1..).unwrap_or_default());
    if let Err(error) = read(json, weights) {
        assert!(!error.code().is_empty() && !error.to_string().is_empty());
        assert!(!error.hint().is_empty());
    }
}

fn read(json: &[u8], weights: &[u8]) -> Result<(), TfjsError> {
    let mut reader = Reader::default();
    let (first, second) = json.split_at(json.len() / 2);
    reader.push(first)?;
    reader.push(second)?;
    let model = reader.finish()?;
    assert!(model.ops().iter().all(|op| !op.is_empty()));
    let parts = model.parts().map(|(_, _, length)| {
        // A whole file, or as much as is wanted, if that is not too much.
        let length = if length == u64::MAX { weights.len() as u64 } else { length.min(1 << 16) };
        let mut bytes = AlignedBytes::zeroed(length as usize).expect("memory");
        let count = weights.len().min(length as usize);
        bytes.as_mut_slice()[..count].copy_from_slice(&weights[..count]);
        Arc::new(bytes)
    });
    let parts: Vec<Arc<AlignedBytes>> = parts.collect();
    consistent(&model.place(&parts)?);
    Ok(())
}

/// What a trace relies on without checking it again.
fn consistent(model: &Model) {
    let known = |var: &sidestage_ir::Var| assert!(var.index() < model.names.len());
    model.constants.iter().for_each(|(var, _)| known(var));
    model.inputs.iter().chain(&model.outputs).for_each(|port| known(&port.var));
    assert_eq!(model.bodies[0].inputs.len(), model.inputs.len());
    assert_eq!(model.bodies[0].outputs.len(), model.outputs.len());
    for body in &model.bodies {
        body.inputs.iter().chain(&body.outputs).for_each(known);
        for call in &body.calls {
            call.inputs.iter().chain(&call.outputs).flatten().for_each(known);
            for (_, attribute) in &call.attributes {
                if let Attribute::Body(body) = attribute {
                    assert!(body.index() < model.bodies.len());
                }
            }
        }
    }
}
