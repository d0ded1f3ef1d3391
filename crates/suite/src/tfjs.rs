//! TensorFlow.js models, with what TensorFlow.js computed.

use serde_json::Value as Json;
use sidestage_cpu::{Progress, Runner, Value};
use sidestage_formats::graph::{GraphFileError, GraphFormat, GraphReader};
use sidestage_ir::Model;
use sidestage_pool::Pool;
use sidestage_tensor::{AlignedBytes, DType, Tensor};
use std::fs;
use std::path::Path;
use std::sync::Arc;

/// Runs the model of a folder; an error says what is refused, or differs by more than `tolerance` of
/// the largest number of its output.
///
/// # Errors
/// See above.
///
/// # Panics
/// If the folder is not what it should be.
pub fn run(folder: &Path, pool: &Pool, tolerance: f64) -> Result<(), String> {
    let json = |name: &str| -> Json {
        let bytes = fs::read(folder.join(name)).expect("a file");
        serde_json::from_slice(&bytes).expect("JSON")
    };
    let model = Arc::new(model(folder).map_err(|error| error.to_string())?);
    let runner = Runner::new(Arc::clone(&model), sidestage_ops::lowering, 1 << 31);
    let mut runner = runner.with_passes(sidestage_ops::PASSES);
    let given: Vec<Tensor> = list(&json("input.json")).iter().map(|i| input(folder, i)).collect();
    for (port, given) in model.inputs.iter().zip(&given) {
        if !port.takes(given.dtype(), given.dims()) {
            return Err(format!("the input must be {port}, not {given:?}"));
        }
    }
    runner.begin(given).map_err(|error| error.to_string())?;
    while runner.resume(pool, &mut || false).map_err(|e| e.to_string())? != Progress::Done {}
    let outputs = runner.finish();
    let expected = json("ref.json");
    let expected = list(&expected["outputs"]);
    if outputs.len() != expected.len() {
        return Err(format!("{} outputs, not {}", outputs.len(), expected.len()));
    }
    for (at, (output, expected)) in outputs.iter().zip(expected).enumerate() {
        let dims = sizes(&expected["shape"]);
        let Value::Tensor(output) = output else { return Err(format!("output {at} is no tensor")) };
        if (output.dtype(), output.dims()) != (DType::F32, &dims) {
            return Err(format!("output {at} is {output:?}, not F32 {dims:?}"));
        }
        let bytes = fs::read(folder.join(text(&expected["file"]))).expect("an output");
        let numbers = bytes.as_chunks().0.iter().map(|four| f32::from_le_bytes(*four));
        let most = tolerance * expected["absmax"].as_f64().expect("a number").max(1e-3);
        for (place, (found, wanted)) in output.elements::<f32>().iter().zip(numbers).enumerate() {
            let near = f64::from(found - wanted).abs() <= most;
            if !near && found.to_bits() != wanted.to_bits() {
                return Err(format!("output {at} has {found} at {place}, not {wanted}"));
            }
        }
    }
    Ok(())
}

fn model(folder: &Path) -> Result<Model, GraphFileError> {
    let bytes = fs::read(folder.join("model.json")).expect("a model");
    let format = GraphFormat::of(&bytes).expect("a graph model");
    let mut reader = GraphReader::new(format, None);
    reader.push(&bytes)?;
    let model = reader.finish()?;
    let parts = model.parts().map(|part| {
        let file = fs::read(folder.join(part.file)).expect("a file with weights");
        let length = file.len().min(usize::try_from(part.length).unwrap_or(usize::MAX));
        let from = &file[part.offset as usize..][..length];
        let mut bytes = AlignedBytes::zeroed(length).expect("memory");
        bytes.as_mut_slice().copy_from_slice(from);
        Arc::new(bytes)
    });
    let parts = parts.collect();
    model.place(parts)
}

fn list(json: &Json) -> &[Json] {
    json.as_array().expect("a list")
}

fn text(json: &Json) -> &str {
    json.as_str().expect("a text")
}

fn sizes(json: &Json) -> Vec<usize> {
    list(json).iter().map(|dim| dim.as_u64().expect("a size") as usize).collect()
}

/// Bytes, times a scale, and an offset.
fn input(folder: &Path, json: &Json) -> Tensor {
    let bytes = fs::read(folder.join(text(&json["file"]))).expect("an input");
    let number = |key: &str| json[key].as_f64().expect("a number") as f32;
    let (scale, offset) = (number("scale"), number("offset"));
    let values = bytes.iter().flat_map(|byte| (f32::from(*byte) * scale + offset).to_le_bytes());
    let values: Vec<u8> = values.collect();
    Tensor::new(DType::F32, &sizes(&json["shape"]), &values).expect("memory")
}
