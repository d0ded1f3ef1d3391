//! `sidestage inspect`: what the header of a model file says.

use crate::args::InspectArgs;
use crate::error::CliError;
use crate::model_file::ModelFile;
use serde_json::{Map, Value as Json, json};
use sidestage_formats::gguf::{Array, Gguf, Value};
use std::fmt::Write as _;
use std::io::Write as _;

pub(crate) fn run(args: &InspectArgs) -> Result<(), CliError> {
    let mut file = ModelFile::open(&args.file)?;
    let (gguf, actual) = (file.header()?, file.length);
    let mut text = if args.json {
        let mut json = as_json(&gguf, actual).to_string();
        json.push('\n');
        json
    } else {
        as_text(&gguf)
    };
    // Reported after the contents: a person inspects broken files to see what is in them.
    let whole = gguf.check_length(actual);
    if let (Err(error), false) = (&whole, args.json) {
        let _ = writeln!(text, "{:<14}{error}", "damage");
    }
    std::io::stdout().write_all(text.as_bytes()).map_err(CliError::output)?;
    whole.map_err(CliError::engine)
}

fn as_text(gguf: &Gguf) -> String {
    let mut text = gguf.summary().to_string();
    text.push_str("\nmetadata\n");
    for (key, value) in gguf.metadata.iter() {
        let _ = writeln!(text, "  {key} = {}", shortened(&value.to_string()));
    }
    text.push_str("\ntensors\n");
    for tensor in &gguf.tensors {
        let _ = writeln!(
            text,
            "  {:<40} {:<6} {:?}",
            tensor.name,
            tensor.dtype.to_string(),
            tensor.extents
        );
    }
    text
}

/// One line of a terminal: templates are pages long.
fn shortened(text: &str) -> String {
    const MOST: usize = 100;
    match text.char_indices().nth(MOST) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

fn as_json(gguf: &Gguf, actual: u64) -> Json {
    let summary = gguf.summary();
    let metadata: Map<String, Json> =
        gguf.metadata.iter().map(|(key, value)| (key.to_owned(), of_value(value))).collect();
    let tensors: Vec<Json> = gguf
        .tensors
        .iter()
        .map(|t| {
            json!({
                "name": t.name, "type": t.dtype.to_string(), "shape": t.extents,
                "offset": t.offset, "bytes": t.bytes,
            })
        })
        .collect();
    let types: Vec<Json> = summary
        .dtypes
        .iter()
        .map(|t| {
            json!({
                "type": t.dtype.to_string(), "tensors": t.tensors, "elements": t.elements, "bytes": t.bytes,
            })
        })
        .collect();
    json!({
        "format": "GGUF",
        "version": summary.version,
        "name": summary.name,
        "architecture": summary.architecture,
        "fileType": summary.file_type,
        "parameters": summary.parameters,
        "contextLength": summary.context_length,
        "layers": summary.block_count,
        "width": summary.embedding_length,
        "vocabulary": summary.vocabulary,
        "tokenizer": summary.tokenizer_model,
        "preTokenizer": summary.tokenizer_pre,
        "chatTemplate": summary.chat_template,
        "alignment": gguf.alignment,
        "dataOffset": gguf.data_offset,
        "fileBytes": actual,
        "expectedBytes": gguf.end,
        "weightBytes": summary.weight_bytes,
        "types": types,
        "metadata": metadata,
        "tensors": tensors,
    })
}

fn of_value(value: &Value) -> Json {
    match value {
        Value::U8(v) => json!(v),
        Value::I8(v) => json!(v),
        Value::U16(v) => json!(v),
        Value::I16(v) => json!(v),
        Value::U32(v) => json!(v),
        Value::I32(v) => json!(v),
        Value::F32(v) => json!(v),
        Value::Bool(v) => json!(v),
        Value::String(v) => json!(v),
        Value::U64(v) => json!(v),
        Value::I64(v) => json!(v),
        Value::F64(v) => json!(v),
        Value::Array(array) => of_array(array),
    }
}

/// Arrays in full where they are short; of a vocabulary only the length and the beginning.
fn of_array(array: &Array) -> Json {
    const SHOWN: usize = 16;
    macro_rules! head {
        ($v:expr) => {
            $v.iter().take(SHOWN).map(|v| json!(v)).collect::<Vec<Json>>()
        };
    }
    let head = match array {
        Array::U8(v) => head!(v),
        Array::I8(v) => head!(v),
        Array::U16(v) => head!(v),
        Array::I16(v) => head!(v),
        Array::U32(v) => head!(v),
        Array::I32(v) => head!(v),
        Array::F32(v) => head!(v),
        Array::Bool(v) => head!(v),
        Array::String(v) => head!(v),
        Array::U64(v) => head!(v),
        Array::I64(v) => head!(v),
        Array::F64(v) => head!(v),
        Array::Array(v) => v.iter().take(SHOWN).map(of_array).collect(),
    };
    if array.len() <= SHOWN {
        Json::Array(head)
    } else {
        json!({ "length": array.len(), "first": head })
    }
}
