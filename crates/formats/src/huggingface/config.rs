use super::FolderError;
use serde_json::{Map, Value};

/// The values of a `config.json`, by their names there.
#[derive(Clone, Debug)]
pub(super) struct Config {
    values: Map<String, Value>,
}

impl Config {
    pub(super) fn read(json: &[u8]) -> Result<Self, FolderError> {
        let problem = |problem: String| FolderError::Json { file: "config.json", problem };
        let mut values: Map<String, Value> =
            serde_json::from_slice(json).map_err(|error| problem(error.to_string()))?;
        // Models that also see hold the language model's values one level deeper.
        if let Some(Value::Object(text)) = values.remove("text_config") {
            let architectures = values.remove("architectures");
            values.extend(text);
            values.extend(architectures.map(|names| ("architectures".to_owned(), names)));
        }
        Ok(Self { values })
    }

    /// Takes the values of the model's class where there are none.
    pub(super) fn complete(&mut self, defaults: &[(&str, f64)]) {
        for &(key, value) in defaults {
            self.values.entry(key).or_insert(value.into());
        }
    }

    /// The value of a key; `null` is as good as absent.
    pub(super) fn get(&self, key: &str) -> Option<&Value> {
        self.values.get(key).filter(|value| !value.is_null())
    }

    fn first<'k>(&self, keys: &[&'k str]) -> Option<(&'k str, &Value)> {
        keys.iter().find_map(|key| Some((*key, self.get(key)?)))
    }

    /// A whole number from 0, under the first of `keys` that is there.
    pub(super) fn count(&self, keys: &[&str]) -> Result<Option<u64>, FolderError> {
        let Some((key, value)) = self.first(keys) else { return Ok(None) };
        // Some makers write 4096.0.
        let whole = value.as_f64().filter(|x| x.fract() == 0.0 && (0.0..1e15).contains(x));
        match value.as_u64().or(whole.map(|x| x as u64)) {
            Some(count) => Ok(Some(count)),
            None => Err(problem(key, "is no whole number")),
        }
    }

    /// As [`Config::count`], and it must be there and at least 1.
    pub(super) fn size(&self, keys: &[&str]) -> Result<u64, FolderError> {
        match self.count(keys)? {
            Some(0) => Err(problem(keys[0], "is 0")),
            Some(size) => Ok(size),
            None => Err(problem(keys[0], "is missing")),
        }
    }

    /// A finite number.
    pub(super) fn number(&self, keys: &[&str]) -> Result<Option<f64>, FolderError> {
        let Some((key, value)) = self.first(keys) else { return Ok(None) };
        number(key, value).map(Some)
    }

    /// A truth value.
    pub(super) fn flag(&self, key: &str) -> Result<Option<bool>, FolderError> {
        match self.get(key) {
            None => Ok(None),
            Some(Value::Bool(flag)) => Ok(Some(*flag)),
            Some(_) => Err(problem(key, "is no truth value")),
        }
    }

    /// A string.
    pub(super) fn text(&self, keys: &[&str]) -> Result<Option<&str>, FolderError> {
        match self.first(keys) {
            None => Ok(None),
            Some((_, Value::String(text))) => Ok(Some(text)),
            Some((key, _)) => Err(problem(key, "is no string")),
        }
    }

    /// A list.
    pub(super) fn list(&self, key: &str) -> Result<Option<&[Value]>, FolderError> {
        match self.get(key) {
            None => Ok(None),
            Some(Value::Array(list)) => Ok(Some(list)),
            Some(_) => Err(problem(key, "is no list")),
        }
    }

    /// Layers.
    pub(super) fn layers(&self) -> Result<u64, FolderError> {
        let keys = ["num_hidden_layers", "n_layers", "n_layer", "num_layers"];
        let layers = self.size(&keys)?;
        // A list with one entry for each is made.
        if layers > 4096 { Err(problem(keys[0], "is too large")) } else { Ok(layers) }
    }

    /// Values between layers.
    pub(super) fn width(&self) -> Result<u64, FolderError> {
        self.size(&["hidden_size", "n_embd", "dim"])
    }

    /// Query heads.
    pub(super) fn heads(&self) -> Result<u64, FolderError> {
        self.size(&["num_attention_heads", "n_head", "n_heads"])
    }

    /// Values of a head.
    pub(super) fn head_dim(&self) -> Result<u64, FolderError> {
        match self.count(&["head_dim"])? {
            Some(0) => Err(problem("head_dim", "is 0")),
            Some(width) => Ok(width),
            None => Ok(self.width()? / self.heads()?),
        }
    }

    /// Rows with which the table of positions begins and that belong to no position of a text: RoBERTa
    /// counts from behind the padding's token on.
    pub(super) fn unused_positions(&self) -> Result<u64, FolderError> {
        match self.text(&["model_type"])? {
            Some("roberta" | "xlm-roberta" | "camembert") => {
                Ok(self.count(&["pad_token_id"])?.unwrap_or(1).saturating_add(1))
            }
            _ => Ok(0),
        }
    }

    /// An error for anything but `usual`, which is also taken for an absent value.
    pub(super) fn only(&self, key: &str, usual: &Value) -> Result<(), FolderError> {
        match self.get(key) {
            Some(value) if value != usual => Err(feature(key, value)),
            _ => Ok(()),
        }
    }
}

/// A finite number.
pub(super) fn number(key: &str, value: &Value) -> Result<f64, FolderError> {
    value.as_f64().filter(|x| x.is_finite()).ok_or_else(|| problem(key, "is no number"))
}

pub(super) fn problem(key: &str, problem: &str) -> FolderError {
    FolderError::Config { key: key.into(), problem: problem.into() }
}

pub(super) fn feature(key: &str, value: &Value) -> FolderError {
    // A list may be long; what matters is which key it is.
    let mut value = value.to_string();
    if let Some((cut, _)) = value.char_indices().nth(80) {
        value.truncate(cut);
        value.push('…');
    }
    FolderError::Feature { key: key.into(), value }
}
