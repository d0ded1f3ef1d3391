//! TensorFlow.js models, with what TensorFlow.js computed.

use crate::onnx::compare;
use serde_json::Value as Json;
use sidestage_cpu::{Progress, Runner, Value};
use sidestage_formats::graph::{GraphFileError, GraphFormat, GraphReader};
use sidestage_ir::Model;
use sidestage_pool::Pool;
use sidestage_tensor::{AlignedBytes, DType, Tensor};
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::sync::Arc;

/// A model, what it is given, and what it should give.
#[derive(Debug)]
pub struct Case {
    /// What it is called.
    pub name: String,
    /// `model.json`.
    json: Vec<u8>,
    /// The files with weights.
    files: Vec<(String, Vec<u8>)>,
    inputs: Vec<Tensor>,
    outputs: Vec<Tensor>,
}

impl Case {
    /// A folder of real models' data.
    ///
    /// # Panics
    /// If it is not what it should be.
    pub fn of_folder(folder: &Path) -> Self {
        let read = |name: &str| fs::read(folder.join(name)).expect("a file");
        let json = |name: &str| -> Json { serde_json::from_slice(&read(name)).expect("JSON") };
        let model = json("model.json");
        let groups = list(&model["weightsManifest"]).iter();
        let paths = groups.flat_map(|group| list(&group["paths"])).map(text);
        let (inputs, outputs) = (json("input.json"), json("ref.json"));
        // Bytes, times a scale, and an offset.
        let input = |json: &Json| {
            let number = |key: &str| json[key].as_f64().expect("a number") as f32;
            let (scale, offset) = (number("scale"), number("offset"));
            let bytes = read(text(&json["file"]));
            let values = bytes.iter().flat_map(|&x| (f32::from(x) * scale + offset).to_le_bytes());
            let values: Vec<u8> = values.collect();
            Tensor::new(DType::F32, &sizes(&json["shape"]), &values).expect("memory")
        };
        let output = |json: &Json| {
            let bytes = read(text(&json["file"]));
            Tensor::new(DType::F32, &sizes(&json["shape"]), &bytes).expect("memory")
        };
        Self {
            name: folder.file_name().unwrap_or_default().to_string_lossy().into_owned(),
            files: paths.map(|path| (path.to_owned(), read(path))).collect(),
            json: read("model.json"),
            inputs: list(&inputs).iter().map(input).collect(),
            outputs: list(&outputs["outputs"]).iter().map(output).collect(),
        }
    }

    /// A small model (`tfjs/make.mjs`).
    ///
    /// # Panics
    /// If it is not what it should be.
    pub fn of_json(json: &Json) -> Self {
        let tensors = |key: &str| list(&json[key]).iter().map(tensor).collect();
        Self {
            name: text(&json["name"]).to_owned(),
            json: text(&json["model"]).as_bytes().to_vec(),
            files: vec![("weights.bin".into(), base64(text(&json["weights"])))],
            inputs: tensors("inputs"),
            outputs: tensors("outputs"),
        }
    }

    /// The operators of its nodes (`TF::Add`), or its layers (`Keras::Dense`).
    ///
    /// # Panics
    /// If it is not what it should be.
    pub fn ops(&self) -> BTreeSet<String> {
        let json: Json = serde_json::from_slice(&self.json).expect("JSON");
        let (topology, mut all) = (&json["modelTopology"], BTreeSet::new());
        let functions = topology["library"]["function"].as_array().into_iter().flatten();
        let bodies = functions.map(|function| &function["nodeDef"]);
        for node in bodies.chain([&topology["node"]]).filter_map(Json::as_array).flatten() {
            all.insert(format!("TF::{}", text(&node["op"])));
        }
        if topology["node"].is_null() {
            let model = &topology["model_config"];
            layers(if model.is_null() { topology } else { model }, &mut all);
        }
        all
    }

    fn model(&self) -> Result<Model, GraphFileError> {
        let format = GraphFormat::of(&self.json).expect("a graph model");
        let mut reader = GraphReader::new(format, None);
        reader.push(&self.json)?;
        let model = reader.finish()?;
        let parts = model.parts().map(|part| {
            let file = self.files.iter().find(|(path, _)| path == part.file);
            let (_, file) = file.expect("a file with weights");
            let length = file.len().min(usize::try_from(part.length).unwrap_or(usize::MAX));
            let from = &file[part.offset as usize..][..length];
            let mut bytes = AlignedBytes::zeroed(length).expect("memory");
            bytes.as_mut_slice().copy_from_slice(from);
            Arc::new(bytes)
        });
        let parts = parts.collect();
        model.place(parts)
    }

    /// Runs it; numbers may be off by `tolerance` times the largest of their output.
    ///
    /// # Errors
    /// What is refused, or differs.
    pub fn run(&self, pool: &Pool, tolerance: f64) -> Result<(), String> {
        let model = Arc::new(self.model().map_err(|error| error.to_string())?);
        for (port, given) in model.inputs.iter().zip(&self.inputs) {
            if !port.takes(given.dtype(), given.dims()) {
                return Err(format!("the input must be {port}, not {given:?}"));
            }
        }
        let runner = Runner::new(model, sidestage_ops::lowering, 1 << 31);
        let mut runner = runner.with_passes(sidestage_ops::PASSES);
        runner.begin(self.inputs.clone()).map_err(|error| error.to_string())?;
        while runner.resume(pool, &mut || false).map_err(|e| e.to_string())? != Progress::Done {}
        let found = runner.finish();
        if found.len() != self.outputs.len() {
            return Err(format!("{} outputs, not {}", found.len(), self.outputs.len()));
        }
        for (at, (found, expected)) in found.iter().zip(&self.outputs).enumerate() {
            let Value::Tensor(found) = found else { return Err(format!("{at} is no tensor")) };
            let most = match expected.dtype() {
                DType::F32 => {
                    let numbers = expected.elements::<f32>().iter().map(|x| f64::from(x.abs()));
                    numbers.filter(|x| x.is_finite()).fold(1e-3, f64::max) * tolerance
                }
                _ => 0.0,
            };
            compare(found, expected, (0.0, most)).map_err(|e| format!("output {at} {e}"))?;
        }
        Ok(())
    }
}

/// A layer, and those in it.
fn layers(json: &Json, all: &mut BTreeSet<String>) {
    let config = &json["config"];
    all.insert(format!("Keras::{}", text(&json["class_name"])));
    let inner = [config, &config["layers"]].into_iter().filter_map(Json::as_array).flatten();
    inner.chain(config.get("layer")).for_each(|layer| layers(layer, all));
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

fn tensor(json: &Json) -> Tensor {
    // Numbers that are none are texts.
    let number = |json: &Json| match json.as_str() {
        Some(text) => text.parse().expect("a number"),
        None => json.as_f64().expect("a number"),
    };
    let numbers = list(&json["data"]).iter().map(number);
    let (dtype, bytes): (DType, Vec<u8>) = match text(&json["dtype"]) {
        "int32" => (DType::I32, numbers.flat_map(|x| (x as i32).to_le_bytes()).collect()),
        "bool" => (DType::Bool, numbers.map(|x| x as u8).collect()),
        _ => (DType::F32, numbers.flat_map(|x| (x as f32).to_le_bytes()).collect()),
    };
    Tensor::new(dtype, &sizes(&json["shape"]), &bytes).expect("memory")
}

/// RFC 4648.
fn base64(text: &str) -> Vec<u8> {
    const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let text = text.trim_end_matches('=');
    let six = |byte| ALPHABET.iter().position(|known| *known == byte).expect("base64") as u32;
    let fours = text.as_bytes().chunks(4);
    let threes = fours.flat_map(|four| {
        let bits =
            four.iter().fold(0, |bits, byte| bits << 6 | six(*byte)) << (6 * (4 - four.len()));
        bits.to_be_bytes().into_iter().skip(1).take(four.len() - 1)
    });
    threes.collect()
}
