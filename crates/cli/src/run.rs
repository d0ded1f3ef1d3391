//! `sidestage run`: arrays in, arrays out.

use crate::args::RunArgs;
use crate::error::CliError;
use crate::session::pool;
use serde_json::{Value as Json, json};
use sidestage_cpu::{Progress, RunError, Runner, Value};
use sidestage_engine::error;
use sidestage_formats::graph::{GraphFileError, GraphFormat, GraphReader, PartPlace};
use sidestage_formats::npy;
use sidestage_ir::{Model, Pass};
use sidestage_store::Looks;
use sidestage_tensor::{AlignedBytes, Tensor};
use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom, Write as _};
use std::path::{Component, Path};
use std::sync::Arc;

/// Most bytes between the operators.
const LIMIT: usize = isize::MAX as usize;

pub(crate) fn run(args: &RunArgs) -> Result<(), CliError> {
    let mut model = read(&args.model)?;
    sidestage_ops::arrange(&mut model);
    let model = Arc::new(model);
    let runner = Runner::new(Arc::clone(&model), sidestage_ops::lowering, LIMIT);
    let kept = |pass: &&Pass| !args.without.iter().any(|name| name == pass.name || name == "all");
    let passes: Vec<Pass> = sidestage_ops::PASSES.iter().filter(kept).copied().collect();
    let mut runner = runner.with_passes(&passes);
    runner.check().map_err(refused)?;
    let inputs = inputs(&model, args)?;
    let pool = pool(args.threads);
    runner.begin(inputs).map_err(refused)?;
    while runner.resume(&pool, &mut || false).map_err(refused)? != Progress::Done {}
    let plan = if args.plan { runner.explain().to_string() } else { String::new() };
    io::stdout().write_all(plan.as_bytes()).map_err(CliError::output)?;
    write(&model, &runner.finish(), &args.out)
}

fn refused(error: RunError) -> CliError {
    CliError::engine(sidestage_engine::error(error.code(), error.to_string()))
}

/// Reads a graph model with the weights that lie beside it.
pub(crate) fn read(path: &Path) -> Result<Model, CliError> {
    let unreadable = |error| CliError::Unreadable { path: path.into(), error };
    let broken = |error: GraphFileError| {
        let info = sidestage_engine::error(error.code(), error.to_string());
        CliError::engine(info.hint(error.hint()))
    };
    let bytes = fs::read(path).map_err(unreadable)?;
    let Some(format) = GraphFormat::of(&bytes) else {
        let looks = Looks::of(&bytes[..bytes.len().min(Looks::ENOUGH)]);
        let message = format!("{} is {looks}", path.display());
        let info = match looks {
            Looks::Gguf | Looks::Safetensors => error("MODEL_UNSUPPORTED", message)
                .hint("`run` runs graph models. Use `generate` for language models."),
            _ => error("NOT_A_MODEL", message).hint("`run` reads ONNX, TFLite and TensorFlow.js."),
        };
        return Err(CliError::engine(info));
    };
    let mut reader = GraphReader::new(format, Some(bytes.len() as u64));
    reader.push(&bytes).map_err(broken)?;
    drop(bytes);
    let model = reader.finish().map_err(broken)?;
    let folder = path.parent().unwrap_or(Path::new(""));
    let parts = model.parts().map(|part| {
        beside(folder, &part).map(Arc::new).ok_or_else(|| {
            let message = format!("{:?} is not there, or too short", part.file);
            let hint = "Put the file with the weights beside the model.";
            CliError::engine(error("MODEL_INCOMPLETE", message).hint(hint))
        })
    });
    let parts = parts.collect::<Result<_, _>>()?;
    model.place(parts).map_err(broken)
}

/// Bytes of a file beside the model, or in a folder beside it: nowhere else, whatever the model says.
fn beside(folder: &Path, part: &PartPlace<'_>) -> Option<AlignedBytes> {
    let location = Path::new(part.file);
    let inside = |part: Component<'_>| matches!(part, Component::Normal(_) | Component::CurDir);
    if !location.components().all(inside) {
        return None;
    }
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    let folder = folder.canonicalize().ok()?;
    let path = folder.join(location).canonicalize().ok()?;
    if !path.starts_with(&folder) {
        return None;
    }
    let mut file = File::open(path).ok()?;
    let all = file.metadata().ok()?.len();
    let length = if part.length == PartPlace::ALL { all } else { part.length };
    if all < part.offset.checked_add(length)? {
        return None;
    }
    let mut bytes = AlignedBytes::zeroed(usize::try_from(length).ok()?).ok()?;
    file.seek(SeekFrom::Start(part.offset)).ok()?;
    file.read_exact(bytes.as_mut_slice()).ok()?;
    Some(bytes)
}

/// The inputs in the model's order. Each is named, or numbered.
fn inputs(model: &Model, args: &RunArgs) -> Result<Vec<Value>, CliError> {
    let named = args.input.iter().map(|(name, path)| {
        let is_name = model.inputs.iter().any(|port| model.name(port.var) == name);
        let number = name.parse::<usize>().ok().filter(|_| !is_name);
        let port = number.and_then(|at| model.inputs.get(at));
        let name = port.map_or(name.as_str(), |port| model.name(port.var));
        Ok((name.to_owned(), Value::Tensor(array(path)?)))
    });
    let named = named.collect::<Result<Vec<_>, CliError>>()?;
    sidestage_cpu::inputs(model, named)
        .map_err(|problem| CliError::engine(error(problem.code(), problem.to_string())))
}

fn array(path: &Path) -> Result<Tensor, CliError> {
    let bytes = fs::read(path);
    let bytes = bytes.map_err(|error| CliError::Unreadable { path: path.into(), error })?;
    npy::read(&bytes).map_err(|problem| {
        CliError::engine(error(problem.code(), format!("{}: {problem}", path.display())))
    })
}

/// Writes the outputs, and the list of them.
fn write(model: &Model, outputs: &[Value], folder: &Path) -> Result<(), CliError> {
    let unwritable = |path: &Path| {
        let path = path.to_owned();
        |error| CliError::Unwritable { path, error }
    };
    fs::create_dir_all(folder).map_err(unwritable(folder))?;
    let mut list = Vec::new();
    for (at, (port, output)) in model.outputs.iter().zip(outputs).enumerate() {
        let mut entry = value(output, &at.to_string(), folder)?;
        entry["name"] = model.name(port.var).into();
        list.push(entry);
    }
    let path = folder.join("outputs.json");
    let text = format!("{:#}\n", Json::from(list));
    fs::write(&path, text).map_err(unwritable(&path))
}

/// Writes a value to files whose names begin so. Gives what the list says of it.
fn value(value: &Value, stem: &str, folder: &Path) -> Result<Json, CliError> {
    let tensor = match value {
        Value::Tensor(tensor) => tensor,
        Value::Sequence(all) => {
            let parts = all.iter().enumerate();
            let parts = parts.map(|(at, one)| self::value(one, &format!("{stem}.{at}"), folder));
            let parts: Vec<Json> = parts.collect::<Result<_, _>>()?;
            return Ok(json!({ "sequence": parts }));
        }
        Value::Nothing => return Ok(json!({ "file": null })),
    };
    let (dtype, dims) = (tensor.dtype(), tensor.dims());
    let known = npy::header(dtype, dims).zip(npy::type_name(dtype));
    let Some((mut bytes, name)) = known else {
        let message = format!("an output of {dtype} cannot be written");
        return Err(CliError::engine(error("NPY_TYPE_UNSUPPORTED", message)));
    };
    bytes.extend(tensor.bytes());
    let file = format!("{stem}.npy");
    let path = folder.join(&file);
    fs::write(&path, bytes).map_err(|error| CliError::Unwritable { path, error })?;
    Ok(json!({ "dtype": name, "shape": dims, "file": file }))
}
