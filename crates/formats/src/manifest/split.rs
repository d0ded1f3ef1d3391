use super::ManifestError;
use crate::gguf::{Gguf, GgufError, Metadata};

/// Which file of a split model a header belongs to (`split.*`, written by `llama-gguf-split`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Split {
    /// `split.no`: the file's number, from 0. In its name it is counted from 1.
    pub number: u64,
    /// `split.count`: how many files there are.
    pub count: u64,
    /// `split.tensors.count`: tensors in all of them.
    pub tensors: Option<u64>,
}

impl Split {
    /// What a file's metadata say; `None` if the file is whole by itself.
    ///
    /// # Errors
    /// A value of another type.
    pub fn read(metadata: &Metadata) -> Result<Option<Self>, GgufError> {
        let count = metadata.get_u64("split.count")?.unwrap_or(0);
        if count <= 1 {
            return Ok(None);
        }
        let number = metadata.need_u64("split.no")?;
        let tensors = metadata.get_u64("split.tensors.count")?;
        Ok(Some(Self { number, count, tensors }))
    }
}

/// Checks that the files are one model; returns the position of the first one.
pub(super) fn check(files: &[Gguf]) -> Result<usize, ManifestError> {
    let splits: Vec<Option<Split>> = files
        .iter()
        .map(|file| Split::read(&file.metadata))
        .collect::<Result<_, _>>()
        .map_err(|error| ManifestError::Metadata { problem: error.to_string() })?;
    let mixed = |problem: String| Err(ManifestError::MixedSplits { problem });
    let count = match splits.first() {
        None => return Err(ManifestError::Empty),
        Some(None) if splits.len() == 1 => return Ok(0),
        Some(None) => return mixed("one of them is whole by itself".into()),
        Some(Some(split)) => split.count,
    };
    // One position for each file there is: the count is a stranger's figure.
    let mut found: Vec<Option<usize>> = vec![None; files.len()];
    for (at, split) in splits.iter().enumerate() {
        let Some(split) = split else {
            return mixed("one of them is whole by itself".into());
        };
        if split.count != count {
            return mixed(format!("one is of {count} files, one of {}", split.count));
        }
        if split.number >= count {
            return mixed(format!("one is number {} of {count}", split.number.saturating_add(1)));
        }
        let Some(slot) = found.get_mut(split.number as usize) else { continue };
        if slot.replace(at).is_some() {
            return mixed(format!("two are number {}", split.number + 1));
        }
    }
    if let Some(missing) = found.iter().position(Option::is_none) {
        return Err(ManifestError::MissingSplit { missing: missing as u64 + 1, count });
    }
    if (files.len() as u64) < count {
        return Err(ManifestError::MissingSplit { missing: files.len() as u64 + 1, count });
    }
    let first = found[0].unwrap_or(0);
    let held: u64 = files.iter().map(|file| file.tensors.len() as u64).sum();
    match splits[first].and_then(|split| split.tensors) {
        Some(expected) if expected != held => {
            Err(ManifestError::TensorCount { found: held, expected })
        }
        _ => Ok(first),
    }
}
