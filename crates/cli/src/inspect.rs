//! `sidestage inspect`: what the headers of a model's files say.

mod graph;
mod values;

use crate::args::InspectArgs;
use crate::error::CliError;
use crate::model_file::ModelFile;
use serde_json::{Map, Value as Json, json};
use sidestage_engine::protocol::ErrorInfo;
use sidestage_formats::gguf::{Gguf, Metadata};
use sidestage_formats::huggingface::Folder;
use sidestage_formats::safetensors::SafetensorsError;
use sidestage_formats::{Manifest, Summary, TensorInfo};
use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::path::Path;

/// A model, from the headers of its files.
struct Inspected {
    /// `GGUF` or `safetensors`.
    format: &'static str,
    metadata: Metadata,
    tensors: Vec<TensorInfo>,
    files: Vec<Inspect>,
    /// What of the JSON belongs to one format only.
    more: Map<String, Json>,
    /// What is wrong with the files.
    damage: Option<ErrorInfo>,
}

/// One of the files.
struct Inspect {
    name: String,
    /// Bytes that it has.
    actual: u64,
    /// Bytes that its header promises.
    expected: u64,
}

pub(crate) fn run(args: &InspectArgs) -> Result<(), CliError> {
    if let Some(format) = graph::format(&args.model)? {
        return graph::run(&args.model, format, args.json);
    }
    let found = if args.model.is_dir() { folder(&args.model)? } else { gguf(&args.model)? };
    let mut text = if args.json { as_json(&found).to_string() + "\n" } else { as_text(&found) };
    // Reported after the contents: a person inspects broken files to see what is in them.
    if let (Some(damage), false) = (&found.damage, args.json) {
        let _ = writeln!(text, "{:<14}{}", "damage", damage.message);
    }
    io::stdout().write_all(text.as_bytes()).map_err(CliError::output)?;
    found.damage.map_or(Ok(()), |damage| Err(CliError::engine(damage)))
}

fn name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

fn gguf(path: &Path) -> Result<Inspected, CliError> {
    let mut file = ModelFile::open(path)?;
    let gguf = file.gguf()?;
    let more = json!({
        "version": gguf.version,
        "alignment": gguf.alignment,
        "dataOffset": gguf.data_offset,
        "fileBytes": file.length,
        "expectedBytes": gguf.end,
    });
    let damage = gguf.check_length(file.length).err().map(ErrorInfo::from);
    let files = vec![Inspect { name: name(path), actual: file.length, expected: gguf.end }];
    let Gguf { metadata, tensors, .. } = gguf;
    let more = more.as_object().cloned().unwrap_or_default();
    let tensors = tensors.as_slice().to_vec();
    Ok(Inspected { format: "GGUF", metadata, tensors, files, more, damage })
}

/// A Hugging Face folder: metadata and tensors as the engine takes them, by GGUF's names.
fn folder(path: &Path) -> Result<Inspected, CliError> {
    let small = |name: &str| match std::fs::read(path.join(name)) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(CliError::Unreadable { path: path.join(name), error }),
    };
    let missing = || CliError::Unreadable {
        path: path.join("config.json"),
        error: io::ErrorKind::NotFound.into(),
    };
    let config = small("config.json")?.ok_or_else(missing)?;
    let generation = small("generation_config.json")?;
    let index = small("model.safetensors.index.json")?;
    let folder =
        Folder::read(&config, generation.as_deref(), index.as_deref()).map_err(CliError::engine)?;
    let (mut files, mut headers, mut damage) = (Vec::new(), Vec::new(), None);
    for name in folder.files() {
        let mut file = ModelFile::open(&path.join(name))?;
        let header = file.safetensors()?;
        let (name, actual, expected) = (name.clone(), file.length, header.end);
        if actual < expected && damage.is_none() {
            let cut = SafetensorsError::Truncated { received: actual, expected };
            damage = Some(ErrorInfo::from(cut));
        }
        files.push(Inspect { name, actual, expected });
        headers.push(header);
    }
    let Manifest { metadata, weights, .. } =
        Manifest::huggingface(&folder, headers, None).map_err(CliError::engine)?;
    let (format, tensors, more) = ("safetensors", weights.as_slice().to_vec(), Map::new());
    Ok(Inspected { format, metadata, tensors, files, more, damage })
}

fn as_text(found: &Inspected) -> String {
    let mut text = String::new();
    let _ = writeln!(text, "{:<14}{}", "format", found.format);
    for file in &found.files {
        let _ = writeln!(text, "{:<14}{}, {} bytes", "file", file.name, file.actual);
    }
    let _ = write!(text, "{}", Summary::new(&found.metadata, &found.tensors));
    text.push_str("\nmetadata\n");
    for (key, value) in found.metadata.iter() {
        let _ = writeln!(text, "  {key} = {}", shortened(&value.to_string()));
    }
    text.push_str("\ntensors\n");
    for TensorInfo { name, dtype, extents, .. } in &found.tensors {
        let _ = writeln!(text, "  {name:<40} {:<6} {extents:?}", dtype.to_string());
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

fn as_json(found: &Inspected) -> Json {
    let summary = Summary::new(&found.metadata, &found.tensors);
    let metadata: Map<String, Json> = found
        .metadata
        .iter()
        .map(|(key, value)| (key.to_owned(), values::of_value(value)))
        .collect();
    let tensor = |t: &TensorInfo| {
        let mut json = json!({
            "name": t.name, "type": t.dtype.to_string(), "shape": t.extents, "bytes": t.bytes,
        });
        // Where a folder's tensors come from takes more than one number.
        if found.format == "GGUF" {
            json["offset"] = t.offset.into();
        }
        json
    };
    let types: Vec<Json> = summary
        .dtypes
        .iter()
        .map(|t| {
            json!({
                "type": t.dtype.to_string(), "tensors": t.tensors, "elements": t.elements, "bytes": t.bytes,
            })
        })
        .collect();
    let files: Vec<Json> = found
        .files
        .iter()
        .map(|f| json!({ "name": f.name, "fileBytes": f.actual, "expectedBytes": f.expected }))
        .collect();
    let mut json = json!({
        "format": found.format,
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
        "weightBytes": summary.weight_bytes,
        "files": files,
        "types": types,
        "metadata": metadata,
        "tensors": found.tensors.iter().map(tensor).collect::<Vec<Json>>(),
    });
    for (key, value) in &found.more {
        json[key] = value.clone();
    }
    json
}
