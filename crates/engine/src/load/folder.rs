//! The small files of a Hugging Face folder.

use super::whole::{Ended, Whole};
use crate::protocol::ErrorInfo;
use sidestage_formats::huggingface::Folder;
use sidestage_store::{Expect, Orders, Reading, Shelf, StoreError, Wanted};
use sidestage_text::Files;
use std::collections::VecDeque;

const CONFIG: &str = "config.json";
const GENERATION: &str = "generation_config.json";
const INDEX: &str = "model.safetensors.index.json";

/// What is asked for where nobody lists the folder's files.
const USUAL: [&str; 7] = [
    CONFIG,
    INDEX,
    GENERATION,
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "chat_template.jinja",
];

/// Reads the small files one after the other.
pub(super) struct SmallFiles {
    shelf: Shelf,
    /// Whether it is known which files there are.
    listed: bool,
    left: VecDeque<(String, Wanted)>,
    name: String,
    pub(super) whole: Whole,
    /// Files that were read.
    pub(super) over: Vec<Reading>,
    got: Vec<(String, Vec<u8>)>,
}

/// A folder whose small files are read.
pub(super) struct ReadFolder {
    pub(super) folder: Folder,
    /// Files for the tokenizer, by name.
    pub(super) text: Vec<(String, Vec<u8>)>,
    /// Files with weights.
    pub(super) weights: Vec<Wanted>,
}

impl SmallFiles {
    pub(super) fn start(shelf: Shelf, orders: &mut Orders) -> Result<Self, ErrorInfo> {
        let listed = shelf.names().map(|all| {
            let small = all.iter().map(|(name, _)| *name);
            small.filter(|name| *name == INDEX || Files::wants(name)).map(str::to_owned).collect()
        });
        let is_listed = listed.is_some();
        let mut names: Vec<String> = listed.unwrap_or_else(|| USUAL.map(str::to_owned).to_vec());
        // What is missing is found out first.
        names.sort_by_key(|name| name != CONFIG);
        if names.first().is_none_or(|name| name != CONFIG) {
            return Err(shelf.need(CONFIG, Expect::Anything).err().map_or_else(
                || StoreError::Incomplete { missing: CONFIG.into() }.into(),
                ErrorInfo::from,
            ));
        }
        let mut left: VecDeque<(String, Wanted)> = names
            .into_iter()
            .filter_map(|name| {
                let wanted = shelf.file(&name, Expect::Anything)?;
                let optional = name != CONFIG;
                Some((name, Wanted { optional, ..wanted }))
            })
            .collect();
        let Some((name, wanted)) = left.pop_front() else {
            return Err(StoreError::Incomplete { missing: CONFIG.into() }.into());
        };
        let whole = Whole::start(wanted, orders);
        Ok(Self { shelf, listed: is_listed, left, name, whole, over: Vec::new(), got: Vec::new() })
    }

    /// Goes on with the next file when one has ended. The folder, when all are read; `Err(None)`:
    /// a file changed.
    pub(super) fn next(
        &mut self,
        orders: &mut Orders,
    ) -> Result<Option<ReadFolder>, Option<ErrorInfo>> {
        loop {
            let Some(end) = self.whole.end() else { return Ok(None) };
            match end {
                Ok(Ended::Bytes(bytes)) => {
                    self.got.push((std::mem::take(&mut self.name), bytes));
                }
                Ok(Ended::Missing) => {}
                Ok(Ended::Changed) => return Err(None),
                // The cache does not remember what the server did not have. Where there is no network,
                // what was kept with the configuration is all there is.
                Err(StoreError::NotCached { .. }) if !self.listed && self.name != CONFIG => {}
                Err(StoreError::Network { received: None, .. })
                    if !self.listed && self.over.first().is_some_and(|it| it.from_cache() > 0) => {}
                Err(error) => return Err(Some(error.into())),
            }
            let Some((name, wanted)) = self.left.pop_front() else {
                return self.read().map(Some).map_err(Some);
            };
            self.name = name;
            let before = std::mem::replace(&mut self.whole, Whole::start(wanted, orders));
            self.over.push(before.reading);
        }
    }

    fn read(&mut self) -> Result<ReadFolder, ErrorInfo> {
        let get = |name: &str| {
            self.got.iter().find(|(of, _)| of == name).map(|(_, bytes)| bytes.as_slice())
        };
        let Some(config) = get(CONFIG) else {
            return Err(StoreError::Incomplete { missing: CONFIG.into() }.into());
        };
        let folder = Folder::read(config, get(GENERATION), get(INDEX))?;
        let weights = folder.files().iter();
        let weights: Result<Vec<Wanted>, StoreError> =
            weights.map(|name| self.shelf.need(name, Expect::Safetensors)).collect();
        let text = std::mem::take(&mut self.got);
        Ok(ReadFolder { folder, weights: weights?, text })
    }
}

impl ReadFolder {
    /// Whether it has a tokenizer.
    pub(super) fn has_tokenizer(&self) -> bool {
        self.text.iter().any(|(name, _)| name == "tokenizer.json")
    }
}
