//! ONNX's own backend tests: a model of one operator each, mostly, with inputs and outputs.

use sidestage_cpu::{Progress, Runner, Value};
use sidestage_formats::onnx::{self, Data};
use sidestage_ir::{Pass, Port};
use sidestage_kernels::Wide;
use sidestage_pool::Pool;
use sidestage_tensor::{DType, Tensor};
use std::collections::BTreeMap;
use std::io::{Cursor, Read};
use std::path::Path;
use std::sync::Arc;

/// A case: its files by their path in its folder.
#[derive(Debug, Default)]
pub struct Case {
    /// `model.onnx`, `test_data_set_0/input_0.pb`, …
    pub files: BTreeMap<String, Vec<u8>>,
    /// How far numbers may be off, in proportion and beside it.
    pub tolerance: (f64, f64),
    /// Whether onnxruntime passes it.
    pub passes_elsewhere: bool,
    /// The operators that it has, with their domain if that is not ONNX's.
    pub ops: Vec<String>,
    /// The version of ONNX's operators, if it has any.
    pub opset: Option<u64>,
}

/// Reads the packed suite.
///
/// # Panics
/// If it is not what it should be.
pub fn cases(path: &Path) -> BTreeMap<String, Case> {
    let packed = std::fs::read(path).expect("the suite is there");
    let mut bytes = Vec::new();
    lzma_rs::xz_decompress(&mut Cursor::new(packed), &mut bytes)
        .expect("the suite is packed by xz");
    let mut cases: BTreeMap<String, Case> = BTreeMap::new();
    let (mut index, mut status) = (Vec::new(), Vec::new());
    for entry in tar::Archive::new(Cursor::new(bytes)).entries().expect("a tar") {
        let mut entry = entry.expect("an entry");
        let path = entry.path().expect("a path").to_string_lossy().into_owned();
        let mut content = Vec::new();
        entry.read_to_end(&mut content).expect("an entry's bytes");
        match path.split('/').skip(1).collect::<Vec<_>>().as_slice() {
            ["index.json"] => index = content,
            ["ort-status.json"] => status = content,
            [case, file @ ..] if !content.is_empty() || file.len() > 1 => {
                cases.entry((*case).into()).or_default().files.insert(file.join("/"), content);
            }
            _ => {}
        }
    }
    let index: serde_json::Value = serde_json::from_slice(&index).expect("the index");
    let status: serde_json::Value = serde_json::from_slice(&status).expect("onnxruntime's results");
    cases.retain(|_, case| case.files.contains_key("model.onnx"));
    for (name, case) in &mut cases {
        let figure = |key: &str| index["cases"][name][key].as_f64().unwrap_or(0.0);
        case.tolerance = (figure("rtol"), figure("atol"));
        case.passes_elsewhere = status[name] == "pass";
        let ops = index["cases"][name]["ops"].as_array().into_iter().flatten();
        case.ops = ops.filter_map(|op| Some(op.as_str()?.to_owned())).collect();
        case.opset = index["cases"][name]["opset"]["ai.onnx"].as_u64();
    }
    cases
}

/// Runs a case, its graphs rewritten by these passes; an error says what is wrong.
///
/// # Errors
/// What is refused, or differs.
pub fn run(case: &Case, pool: &Pool, passes: &[Pass]) -> Result<(), String> {
    let model = onnx::read(&case.files["model.onnx"]);
    let model = Arc::new(model.map_err(|error| error.to_string())?);
    let mut runner = Runner::new(model, sidestage_ops::lowering, 1 << 30).with_passes(passes);
    for set in 0.. {
        let model = Arc::clone(runner.model());
        let read = |kind: &str, ports: &[Port]| -> Result<Vec<Value>, String> {
            let name = |at: usize| format!("test_data_set_{set}/{kind}_{at}.pb");
            let files = (0..).map_while(|at| case.files.get(&name(at)));
            let values = files.zip(ports).map(|(file, port)| onnx::read_value(file, &port.kind));
            values.map(|data| data.map(value).map_err(|error| error.to_string())).collect()
        };
        let expected = read("output", &model.outputs)?;
        if expected.is_empty() {
            return if set == 0 { Err("there is nothing to compare with".into()) } else { Ok(()) };
        }
        let inputs = read("input", &model.inputs)?;
        runner.begin(inputs).map_err(|error| error.to_string())?;
        while runner.resume(pool, &mut || false).map_err(|e| e.to_string())? != Progress::Done {}
        let outputs = runner.finish();
        if outputs.len() < expected.len() {
            return Err(format!("{} outputs of {}", outputs.len(), expected.len()));
        }
        for (at, (output, expected)) in outputs.iter().zip(&expected).enumerate() {
            same(output, expected, case.tolerance).map_err(|e| format!("output {at} {e}"))?;
        }
    }
    Ok(())
}

fn value(data: Data) -> Value {
    match data {
        Data::Tensor(tensor) => Value::Tensor(tensor),
        Data::Sequence(all) => Value::Sequence(all.into_iter().map(value).collect()),
        Data::Nothing => Value::Nothing,
    }
}

/// As [`compare`], of any values.
fn same(found: &Value, expected: &Value, tolerance: (f64, f64)) -> Result<(), String> {
    match (found, expected) {
        (Value::Tensor(found), Value::Tensor(expected)) => compare(found, expected, tolerance),
        (Value::Sequence(found), Value::Sequence(expected)) if found.len() == expected.len() => {
            found.iter().zip(expected).try_for_each(|(a, b)| same(a, b, tolerance))
        }
        _ if found == expected => Ok(()),
        _ => Err(format!("is {found:?}, not {expected:?}")),
    }
}

/// Whether two tensors are the same, as near as numbers with a fraction must be.
///
/// # Errors
/// How they differ.
pub fn compare(found: &Tensor, expected: &Tensor, (rtol, atol): (f64, f64)) -> Result<(), String> {
    if (found.dtype(), found.dims()) != (expected.dtype(), expected.dims()) {
        return Err(format!("is {found:?}, not {expected:?}"));
    }
    let (Some(found), Some(expected)) = (numbers(found), numbers(expected)) else {
        return if found == expected { Ok(()) } else { Err("differs".into()) };
    };
    for (at, (found, expected)) in found.iter().zip(&expected).enumerate() {
        let near = (found - expected).abs() <= atol + rtol * expected.abs();
        if !near && found != expected && !(found.is_nan() && expected.is_nan()) {
            return Err(format!("has {found} at {at}, not {expected}"));
        }
    }
    Ok(())
}

fn numbers(tensor: &Tensor) -> Option<Vec<f64>> {
    Some(match tensor.dtype() {
        DType::F32 => tensor.elements::<f32>().iter().map(|x| f64::from(*x)).collect(),
        DType::F64 => tensor.elements::<f64>().to_vec(),
        DType::F16 => {
            let bits = tensor.elements::<u16>().iter();
            bits.map(|bits| half::f16::from_bits(*bits).to_f64()).collect()
        }
        DType::BF16 => {
            let bits = tensor.elements::<u16>().iter();
            bits.map(|bits| half::bf16::from_bits(*bits).to_f64()).collect()
        }
        // Of few bits.
        dtype => {
            let load = f64::load(dtype)?;
            (0..tensor.len()).map(|at| load(tensor.bytes(), at)).collect()
        }
    })
}
