//! The domain `com.microsoft`, an operator a case, and what ONNX's suite leaves out, against onnxruntime
//! (`microsoft/make.py`).

use sidestage_cpu::{Progress, Runner, Value};
use sidestage_formats::onnx as format;
use sidestage_ir::Pass;
use sidestage_pool::Pool;
use sidestage_suite::{npz, onnx::compare};
use sidestage_tensor::{DType, Tensor};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

/// How near a result must be, against its largest element.
fn tolerance(name: &str, expected: &Tensor) -> f64 {
    // Scales of blocks, and what is added to them, are halves.
    if name.starts_with("nbits") || name.starts_with("gather") {
        return 1e-3;
    }
    if expected.dtype() == DType::F16 { 2e-3 } else { 1e-5 }
}

/// As it stands, and rewritten.
fn run(path: &Path, truth: &BTreeMap<String, Tensor>) -> Result<(), String> {
    [&[], sidestage_ops::PASSES].into_iter().try_for_each(|passes| run_by(path, truth, passes))
}

fn run_by(path: &Path, truth: &BTreeMap<String, Tensor>, passes: &[Pass]) -> Result<(), String> {
    let name = path.file_stem().and_then(|name| name.to_str()).unwrap_or_default();
    let bytes = std::fs::read(path).map_err(|error| error.to_string())?;
    let model = format::read(&bytes).map_err(|error| error.to_string())?;
    let runner = Runner::new(Arc::new(model), sidestage_ops::lowering, 1 << 30);
    let mut runner = runner.with_passes(passes);
    let model = Arc::clone(runner.model());
    let inputs =
        model.inputs.iter().map(|port| truth[&format!("in.{}", model.name(port.var))].clone());
    runner.begin(inputs).map_err(|error| error.to_string())?;
    let pool = Pool::inline();
    while runner.resume(&pool, &mut || false).map_err(|e| e.to_string())? != Progress::Done {}
    for (port, found) in model.outputs.iter().zip(runner.finish()) {
        let output = model.name(port.var);
        let Some(expected) = truth.get(&format!("out.{output}")) else { continue };
        let Value::Tensor(found) = found else { return Err(format!("{output} is no tensor")) };
        let largest = match expected.dtype() {
            DType::F32 => expected.elements::<f32>().iter().fold(0.0, |m: f32, x| m.max(x.abs())),
            DType::F16 => {
                let bits = expected.elements::<u16>().iter();
                bits.fold(0.0, |m: f32, x| m.max(half::f16::from_bits(*x).to_f32().abs()))
            }
            _ => 100.0,
        };
        let near = tolerance(name, expected) * f64::from(largest);
        compare(&found, expected, (0.0, near)).map_err(|error| format!("{output} {error}"))?;
    }
    Ok(())
}

#[test]
fn each_operator_gives_what_onnxruntime_gives() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("microsoft");
    let mut paths: Vec<_> = std::fs::read_dir(&folder)
        .expect("the cases are there")
        .filter_map(|entry| entry.ok().map(|entry| entry.path()))
        .filter(|path| path.extension().is_some_and(|extension| extension == "onnx"))
        .collect();
    paths.sort();
    assert!(paths.len() > 40, "{} cases", paths.len());
    let failed = paths.iter().filter_map(|path| {
        let truth = npz::read(&path.with_extension("npz"));
        let problem = run(path, &truth).err()?;
        Some(format!("{}: {problem}\n", path.file_stem()?.to_string_lossy()))
    });
    let failed: String = failed.collect();
    assert!(failed.is_empty(), "\n{failed}");
}
