//! Graph models: what they take and give, and the operators that they call.

use crate::error::CliError;
use serde_json::{Value as Json, json};
use sidestage_formats::graph::GraphFormat;
use sidestage_formats::npy;
use sidestage_ir::{Call, Model, Port, PortDim, Quantization};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, Read, Write as _};
use std::path::Path;

/// The format of a file, if it is a graph model.
pub(super) fn format(path: &Path) -> Result<Option<GraphFormat>, CliError> {
    if path.is_dir() {
        return Ok(None);
    }
    let unreadable = |error| CliError::Unreadable { path: path.to_owned(), error };
    let mut head = Vec::new();
    let file = File::open(path).map_err(unreadable)?;
    file.take(GraphFormat::ENOUGH as u64).read_to_end(&mut head).map_err(unreadable)?;
    Ok(GraphFormat::of(&head))
}

pub(super) fn run(path: &Path, format: GraphFormat, json: bool) -> Result<(), CliError> {
    let model = crate::run::read(path)?;
    let (mut ops, mut unsupported) = (BTreeMap::<&str, usize>::new(), Vec::new());
    for call in model.bodies.iter().flat_map(|body| &body.calls) {
        *ops.entry(&call.op).or_default() += 1;
        if missing(call) && !unsupported.contains(&call.op.as_str()) {
            unsupported.push(&call.op);
        }
    }
    unsupported.sort_unstable();
    let text = if json {
        let list = |ports: &[Port]| -> Vec<Json> {
            ports.iter().map(|port| as_json(&model, port)).collect()
        };
        let (inputs, outputs) = (list(&model.inputs), list(&model.outputs));
        let (name, parameters) = (format.name(), parameters(&model));
        let all = json!({
            "format": name, "inputs": inputs, "outputs": outputs, "ops": ops,
            "unsupported": unsupported, "parameters": parameters,
        });
        all.to_string() + "\n"
    } else {
        as_text(&model, format, &ops, &unsupported)
    };
    io::stdout().write_all(text.as_bytes()).map_err(CliError::output)
}

fn missing(call: &Call) -> bool {
    sidestage_ops::lowering(call).is_none()
}

/// Elements of all weights.
fn parameters(model: &Model) -> usize {
    model.constants.iter().map(|(_, tensor)| tensor.len()).sum()
}

fn as_json(model: &Model, port: &Port) -> Json {
    let dim = |dim: &PortDim| match dim {
        PortDim::Fixed(dim) => json!(dim),
        PortDim::Free(name) if name.is_empty() => Json::Null,
        PortDim::Free(name) => json!(name),
    };
    let dims = port.dims.as_ref().map(|dims| dims.iter().map(dim).collect::<Vec<_>>());
    let dtype = port.dtype.map(|dtype| npy::type_name(dtype).unwrap_or_else(|| dtype.name()));
    let quantization = port.quantization.map(
        |Quantization { scale, zero_point }| json!({ "scale": scale, "zeroPoint": zero_point }),
    );
    json!({
        "name": model.name(port.var), "dtype": dtype, "shape": dims, "quantization": quantization,
    })
}

fn as_text(
    model: &Model,
    format: GraphFormat,
    ops: &BTreeMap<&str, usize>,
    unsupported: &[&str],
) -> String {
    let mut text = String::new();
    let _ = writeln!(text, "{:<14}{}", "format", format.name());
    let _ = writeln!(text, "{:<14}{}", "parameters", parameters(model));
    for (what, ports) in [("input", &model.inputs), ("output", &model.outputs)] {
        for port in ports {
            let _ = write!(text, "{what:<14}{} {port}", model.name(port.var));
            if let Some(Quantization { scale, zero_point }) = port.quantization {
                let _ = write!(text, ", scale {scale}, zero point {zero_point}");
            }
            text.push('\n');
        }
    }
    text.push_str("\noperators\n");
    for (op, count) in ops {
        let note = if unsupported.contains(op) { " (not supported)" } else { "" };
        let _ = writeln!(text, "  {op:<40} {count}{note}");
    }
    text
}
