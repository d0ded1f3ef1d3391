//! TFLite models with LiteRT's outputs.

use crate::onnx::compare;
use sidestage_cpu::{Progress, Runner, Value};
use sidestage_formats::tflite;
use sidestage_kernels::{Wide, WideKind, wide_kind};
use sidestage_pool::Pool;
use sidestage_tensor::{DType, Tensor};
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

/// Runs a model with inputs in its order.
///
/// # Errors
/// What is refused.
pub fn run(file: &[u8], inputs: Vec<Tensor>, pool: &Pool) -> Result<Vec<Tensor>, String> {
    Ok(runs(file, inputs, 1, pool)?.swap_remove(0))
}

/// Runs it several times with the same inputs. When what they have left is forgotten, the first run must be
/// had again.
///
/// # Errors
/// What is refused.
pub fn runs(
    file: &[u8],
    inputs: Vec<Tensor>,
    count: usize,
    pool: &Pool,
) -> Result<Vec<Vec<Tensor>>, String> {
    let model = tflite::read(file).map_err(|error| error.to_string())?;
    let mut runner = Runner::new(Arc::new(model), sidestage_ops::lowering, 1 << 30);
    runner.check().map_err(|error| error.to_string())?;
    let ports = runner.model().inputs.iter().zip(&inputs);
    if let Some((port, tensor)) =
        ports.clone().find(|(port, tensor)| !port.takes(tensor.dtype(), tensor.dims()))
    {
        return Err(format!("an input is {port}, not {tensor:?}"));
    }
    let tensor = |value| match value {
        Value::Tensor(tensor) => Ok(tensor),
        other => Err(format!("{other:?} is no tensor")),
    };
    let mut all: Vec<Vec<Tensor>> = Vec::new();
    for at in 0..=count {
        if at == count {
            runner.reset();
        }
        runner.begin(inputs.clone()).map_err(|error| error.to_string())?;
        while runner.resume(pool, &mut || false).map_err(|e| e.to_string())? != Progress::Done {}
        all.push(runner.finish().into_iter().map(tensor).collect::<Result<_, _>>()?);
    }
    let again = all.pop();
    let same = |(a, b): (&Tensor, &Tensor)| a.bytes() == b.bytes();
    match again.iter().flatten().zip(&all[0]).all(same) {
        true => Ok(all),
        false => Err("the first run cannot be had again".into()),
    }
}

/// Whether a result is that of LiteRT: integers to within 1, numbers to within a share of the largest.
///
/// # Errors
/// How they differ.
pub fn same(found: &Tensor, expected: &Tensor, share: f64) -> Result<(), String> {
    if found.dtype() == DType::Bool || wide_kind(found.dtype()) == Some(WideKind::Float) {
        let load = f64::load(expected.dtype());
        let largest = (0..expected.len()).filter_map(|at| Some(load?(expected.bytes(), at).abs()));
        let largest = largest.filter(|x| x.is_finite()).fold(0.0, f64::max);
        return compare(found, expected, (share, share * largest));
    }
    if (found.dtype(), found.dims()) != (expected.dtype(), expected.dims()) {
        return Err(format!("is {found:?}, not {expected:?}"));
    }
    let (found, expected) = (found.integers(), expected.integers());
    let pairs = found.iter().flatten().zip(expected.iter().flatten()).enumerate();
    match pairs.into_iter().find(|(_, (found, expected))| found.abs_diff(**expected) > 1) {
        Some((at, (found, expected))) => Err(format!("has {found} at {at}, not {expected}")),
        None => Ok(()),
    }
}

/// How far two results of numbers are from each other, as a share of the largest; 0 for integers.
pub fn apart(a: &Tensor, b: &Tensor) -> f64 {
    let Some(load) = f64::load(a.dtype()) else { return 0.0 };
    if (a.dtype(), a.dims()) != (b.dtype(), b.dims()) {
        return 0.0;
    }
    let number = |of: &Tensor, at: usize| load(of.bytes(), at);
    let most = |all: &mut dyn Iterator<Item = f64>| all.map(f64::abs).fold(0.0, f64::max);
    let largest = most(&mut (0..a.len()).map(|at| number(a, at)));
    let furthest = most(&mut (0..a.len()).map(|at| number(a, at) - number(b, at)));
    if largest > 0.0 { furthest / largest } else { 0.0 }
}

/// The operators that a file declares.
///
/// # Panics
/// If it is cut.
pub fn ops(file: &[u8]) -> BTreeSet<String> {
    let word = |at: usize| u32::from_le_bytes(file[at..][..4].try_into().expect("four bytes"));
    let to = |at: usize| at + word(at) as usize;
    let half = |at: usize| usize::from(u16::from_le_bytes([file[at], file[at + 1]]));
    let field = |table: usize, slot: usize| {
        let slots = table.wrapping_add_signed(-(word(table) as i32 as isize));
        let at = 4 + 2 * slot;
        let offset = if at < half(slots) { half(slots + at) } else { 0 };
        (offset > 0).then_some(table + offset)
    };
    let Some(codes) = field(to(0), 1).map(to) else { return BTreeSet::new() };
    let code = |at: usize| {
        let table = to(codes + 4 + 4 * at);
        // The first field is that of the files before there were more than 127 operators.
        let byte = field(table, 0).map_or(0, |at| file[at].into());
        let number = field(table, 3).map_or(0, word).max(byte) as usize;
        match field(table, 1).map(to) {
            Some(custom) => {
                let name = &file[custom + 4..][..word(custom) as usize];
                String::from_utf8_lossy(name).into_owned()
            }
            None => tflite::BUILTINS[number].into(),
        }
    };
    (0..word(codes) as usize).map(code).collect()
}

/// A list of integers, as TensorFlow Lite Micro's tests keep them.
///
/// # Panics
/// If it is none.
pub fn integers(path: &Path, dtype: DType, dims: &[usize]) -> Tensor {
    let text = std::fs::read_to_string(path).expect("a list of integers");
    let store = i64::store(dtype).expect("a type of integers");
    let values: Vec<i64> = text
        .split([',', '\n'])
        .filter(|value| !value.trim().is_empty())
        .map(|value| value.trim().parse().expect("an integer"))
        .collect();
    let mut bytes = vec![0; values.len() * dtype.block_bytes()];
    values.iter().enumerate().for_each(|(at, value)| store(&mut bytes, at, *value));
    Tensor::new(dtype, dims, &bytes).expect("memory")
}
