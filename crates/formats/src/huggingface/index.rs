use super::FolderError;
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};

#[derive(Deserialize)]
struct Index {
    weight_map: BTreeMap<String, String>,
}

/// The files that `model.safetensors.index.json` names, sorted: the order of their numbers.
pub(super) fn files(json: &[u8]) -> Result<Vec<String>, FolderError> {
    let Index { weight_map } = serde_json::from_slice(json).map_err(|error| FolderError::Json {
        file: "model.safetensors.index.json",
        problem: error.to_string(),
    })?;
    let names: BTreeSet<String> = weight_map.into_values().collect();
    for name in &names {
        // A name is joined to the folder's address: it may not lead out of it.
        let plain = |part: &str| {
            !part.is_empty()
                && part != "."
                && part != ".."
                && !part.contains(['\\', ':', '?', '#', '%'])
        };
        if !name.ends_with(".safetensors") || !name.split('/').all(plain) {
            return Err(FolderError::FileName { name: name.clone() });
        }
    }
    Ok(names.into_iter().collect())
}
