//! The small files of a Hugging Face folder, or those of them that a graph model has beside it.

use super::whole::{Ended, Whole};
use crate::kinds::Language;
use crate::protocol::ErrorInfo;
use crate::text::{Text, TextInfo};
use sidestage_formats::huggingface::{
    Folder, GenerationDefaults, context_length, is_encoder, model_type,
};
use sidestage_lm::Pooling;
use sidestage_store::{Expect, Orders, Reading, Shelf, StoreError, Wanted};
use sidestage_text::Files;
use std::collections::VecDeque;

const CONFIG: &str = "config.json";
const GENERATION: &str = "generation_config.json";
const INDEX: &str = "model.safetensors.index.json";

const TOKENIZER: &str = "tokenizer.json";
/// Of sentence-transformers.
const POOLING: &str = "1_Pooling/config.json";

/// What is asked for where nobody lists the folder's files.
const USUAL: [&str; 8] = [
    CONFIG,
    INDEX,
    GENERATION,
    TOKENIZER,
    "tokenizer_config.json",
    "special_tokens_map.json",
    "chat_template.jinja",
    POOLING,
];

/// Reads the small files one after the other.
pub(super) struct SmallFiles {
    shelf: Shelf,
    /// What is beside a graph model has none.
    language: Option<Language>,
    /// The file that comes first: without it there is nothing to read.
    first: &'static str,
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
    /// How the vectors of a text become one.
    pub(super) pooling: Option<Pooling>,
}

impl SmallFiles {
    pub(super) fn start(
        language: Language,
        shelf: Shelf,
        orders: &mut Orders,
    ) -> Result<Self, ErrorInfo> {
        let wants = |name: &str| [INDEX, POOLING].contains(&name) || Files::wants(name);
        match Self::begin(&shelf, "", CONFIG, wants, orders) {
            Some(files) => Ok(Self { language: Some(language), ..files }),
            None => Err(shelf.need(CONFIG, Expect::Anything).err().map_or_else(
                || StoreError::Incomplete { missing: CONFIG.into() }.into(),
                ErrorInfo::from,
            )),
        }
    }

    /// The tokenizer's files beside a graph model, `name`, if it is not known that there are none.
    pub(super) fn beside(shelf: &Shelf, name: &str, orders: &mut Orders) -> Option<Self> {
        let (shelf, folder) = shelf.of_tokenizer(name);
        let wants = |name: &str| name == POOLING || Files::wants(name);
        Self::begin(&shelf, &folder, TOKENIZER, wants, orders)
    }

    /// Asks for the first of the files in a folder of the shelf; `None`: it is not there.
    fn begin(
        shelf: &Shelf,
        folder: &str,
        first: &'static str,
        wants: impl Fn(&str) -> bool,
        orders: &mut Orders,
    ) -> Option<Self> {
        let listed = shelf.names().map(|all| {
            let inside = all.iter().filter_map(|(name, _)| name.strip_prefix(folder));
            inside.map(str::to_owned).collect::<Vec<_>>()
        });
        let is_listed = listed.is_some();
        let mut names = listed.unwrap_or_else(|| USUAL.map(str::to_owned).to_vec());
        names.retain(|name| wants(name));
        // What is missing is found out first.
        names.sort_by_key(|name| name != first);
        if names.first().is_none_or(|name| name != first) {
            return None;
        }
        let mut left: VecDeque<(String, Wanted)> = names
            .into_iter()
            .filter_map(|name| {
                let wanted = shelf.file(&format!("{folder}{name}"), Expect::Anything)?;
                let optional = name != CONFIG || first == TOKENIZER;
                Some((name, Wanted { optional, ..wanted }))
            })
            .collect();
        let (name, wanted) = left.pop_front()?;
        let whole = Whole::start(wanted, orders);
        let (shelf, listed) = (shelf.clone(), is_listed);
        let (language, over, got) = (None, Vec::new(), Vec::new());
        Some(Self { language, shelf, first, listed, left, name, whole, over, got })
    }

    /// Goes on with the next file when one has ended. Whether all are read; `Err(None)`: a file changed.
    pub(super) fn next(&mut self, orders: &mut Orders) -> Result<bool, Option<ErrorInfo>> {
        loop {
            let Some(end) = self.whole.end() else { return Ok(false) };
            match end {
                Ok(Ended::Bytes(bytes)) => {
                    self.got.push((std::mem::take(&mut self.name), bytes));
                }
                Ok(Ended::Missing) if self.name == self.first => return Ok(true),
                Ok(Ended::Missing) => {}
                Ok(Ended::Changed) => return Err(None),
                // A graph model without a tokenizer is one too.
                Err(_) if self.name == self.first && self.first == TOKENIZER => return Ok(true),
                Err(_) if self.first == TOKENIZER => {}
                // The cache does not remember what the server did not have. Where there is no network,
                // what was kept with the configuration is all there is.
                Err(StoreError::NotCached { .. }) if !self.listed && self.name != CONFIG => {}
                Err(StoreError::Network { received: None, .. })
                    if !self.listed && self.over.first().is_some_and(|it| it.from_cache() > 0) => {}
                Err(error) => return Err(Some(error.into())),
            }
            // Decoders make no vectors of texts: it is not asked whether there is such a file.
            if self.language.is_some() && !self.get(CONFIG).is_some_and(is_encoder) {
                self.left.retain(|(name, _)| name != POOLING);
            }
            let Some((name, wanted)) = self.left.pop_front() else { return Ok(true) };
            self.name = name;
            let before = std::mem::replace(&mut self.whole, Whole::start(wanted, orders));
            self.over.push(before.reading);
        }
    }

    fn get(&self, name: &str) -> Option<&[u8]> {
        self.got.iter().find(|(of, _)| of == name).map(|(_, bytes)| bytes.as_slice())
    }

    /// The folder, when all are read.
    pub(super) fn folder(&mut self) -> Result<ReadFolder, ErrorInfo> {
        Language::taken()?;
        let Some(config) = self.get(CONFIG) else {
            return Err(StoreError::Incomplete { missing: CONFIG.into() }.into());
        };
        let folder = Folder::read(config, self.get(GENERATION), self.get(INDEX))?;
        let weights = folder.files().iter();
        let weights: Result<Vec<Wanted>, StoreError> =
            weights.map(|name| self.shelf.need(name, Expect::Safetensors)).collect();
        let pooling = self.get(POOLING).and_then(pooling);
        let text = std::mem::take(&mut self.got);
        Ok(ReadFolder { folder, weights: weights?, text, pooling })
    }

    /// What a graph model has beside it, when all are read.
    pub(super) fn words(&mut self, text: &mut impl Text) -> Words {
        let mut words = Words::default();
        if self.get(TOKENIZER).is_none() {
            return words;
        }
        let files: Vec<(&str, &[u8])> =
            self.got.iter().map(|(name, bytes)| (name.as_str(), bytes.as_slice())).collect();
        match text.open_files(&files) {
            Ok(info) => words.text = Some(info),
            Err(problem) => words.problem = Some(problem),
        }
        if let Some(config) = self.get(CONFIG) {
            words.model_type = model_type(config);
            words.context_length = context_length(config);
            let defaults = GenerationDefaults::of_files(config, self.get(GENERATION));
            words.defaults = defaults.unwrap_or_default();
        }
        words.pooling = self.get(POOLING).and_then(pooling);
        words
    }
}

/// What sentence-transformers says of a model; `None`: nothing, or something that is not known.
fn pooling(config: &[u8]) -> Option<Pooling> {
    let config: serde_json::Value = serde_json::from_slice(config).ok()?;
    let modes = [
        ("pooling_mode_mean_tokens", Pooling::Mean),
        ("pooling_mode_cls_token", Pooling::Cls),
        ("pooling_mode_lasttoken", Pooling::Last),
    ];
    let set = |(mode, _): &&(&str, Pooling)| config[*mode] == serde_json::Value::Bool(true);
    modes.iter().find(set).map(|(_, pooling)| *pooling)
}

/// What the small files beside a graph model say.
#[derive(Default)]
pub(super) struct Words {
    /// The tokenizer.
    pub(super) text: Option<TextInfo>,
    /// Why it could not be read.
    pub(super) problem: Option<ErrorInfo>,
    /// What the model's makers recommend.
    pub(super) defaults: GenerationDefaults,
    /// How the vectors of a text become one.
    pub(super) pooling: Option<Pooling>,
    /// The family, as Hugging Face calls it.
    pub(super) model_type: Option<String>,
    /// Tokens that a text may have.
    pub(super) context_length: Option<u64>,
}

impl ReadFolder {
    /// Whether it has a tokenizer.
    pub(super) fn has_tokenizer(&self) -> bool {
        self.text.iter().any(|(name, _)| name == TOKENIZER)
    }
}
