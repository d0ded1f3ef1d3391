//! The small files beside `tokenizer.json`.

use super::json::read;
use crate::{TextError, TokenizerSpec};
use serde::Deserialize;
use serde_json::Value;

/// What they say, the later file over the earlier where both say it.
#[derive(Debug, Default)]
pub(super) struct Config {
    pub(super) add_bos: Option<bool>,
    pub(super) add_eos: Option<bool>,
    pub(super) clean_up_spaces: bool,
    /// Texts of special tokens by their names (`bos_token`, …).
    pub(super) special: Vec<(String, String)>,
    /// Of `generation_config.json`, else of `config.json`.
    pub(super) end_tokens: Option<Vec<u32>>,
    model_end_tokens: Option<Vec<u32>>,
    templates: Vec<(String, String)>,
    /// The file of its own wins over those in `tokenizer_config.json`.
    template_file: Option<String>,
}

/// A number or a list of them.
#[derive(Deserialize)]
#[serde(untagged)]
enum Ids {
    One(u32),
    Many(Vec<u32>),
}

#[derive(Deserialize)]
struct Generation {
    #[serde(default)]
    eos_token_id: Option<Ids>,
}

#[derive(Deserialize)]
struct NamedTemplate {
    name: String,
    template: String,
}

/// One template, or several with names.
#[derive(Deserialize)]
#[serde(untagged)]
enum ChatTemplate {
    One(String),
    Many(Vec<NamedTemplate>),
}

#[derive(Deserialize)]
struct TokenizerConfig {
    #[serde(default)]
    add_bos_token: Option<bool>,
    #[serde(default)]
    add_eos_token: Option<bool>,
    #[serde(default)]
    clean_up_tokenization_spaces: Option<bool>,
    #[serde(default)]
    chat_template: Option<ChatTemplate>,
}

/// The name of a template that has a file of its own.
pub(super) fn named_template(file: &str) -> Option<&str> {
    file.strip_prefix("additional_chat_templates/")?.strip_suffix(".jinja")
}

impl Config {
    pub(super) fn add(&mut self, name: &str, bytes: &[u8]) -> Result<(), TextError> {
        let text = || {
            let text = std::str::from_utf8(bytes);
            text.map(str::to_owned)
                .map_err(|_| TextError::tokenizer(format!("{name} is not UTF-8")))
        };
        match name {
            "tokenizer_config.json" => {
                let config: TokenizerConfig = read(name, bytes)?;
                self.add_bos = config.add_bos_token.or(self.add_bos);
                self.add_eos = config.add_eos_token.or(self.add_eos);
                self.clean_up_spaces = config.clean_up_tokenization_spaces.unwrap_or_default();
                self.templates = match config.chat_template {
                    None => Vec::new(),
                    Some(ChatTemplate::One(template)) => vec![("default".to_owned(), template)],
                    Some(ChatTemplate::Many(named)) => {
                        named.into_iter().map(|named| (named.name, named.template)).collect()
                    }
                };
                self.special_tokens(read(name, bytes)?);
            }
            "special_tokens_map.json" => self.special_tokens(read(name, bytes)?),
            "generation_config.json" | "config.json" => {
                let ids = match read::<Generation>(name, bytes)?.eos_token_id {
                    None => None,
                    Some(Ids::One(id)) => Some(vec![id]),
                    Some(Ids::Many(ids)) => Some(ids),
                };
                if name == "config.json" {
                    self.model_end_tokens = ids;
                } else {
                    self.end_tokens = ids;
                }
            }
            "chat_template.jinja" => self.template_file = Some(text()?),
            "chat_template.json" => {
                #[derive(Deserialize)]
                struct Wrapped {
                    chat_template: String,
                }
                self.template_file = Some(read::<Wrapped>(name, bytes)?.chat_template);
            }
            _ => {
                if let Some(template) = named_template(name) {
                    self.templates.push((template.to_owned(), text()?));
                }
            }
        }
        Ok(())
    }

    /// `bos_token` and its kind: a string, or an added token with its `content`.
    fn special_tokens(&mut self, file: serde_json::Map<String, Value>) {
        for (name, value) in file {
            if !name.ends_with("_token") {
                continue;
            }
            if let Some(text) = value.as_str().or_else(|| value.get("content")?.as_str()) {
                self.special.retain(|(known, _)| *known != name);
                self.special.push((name, text.to_owned()));
            }
        }
    }

    /// A SentencePiece vocabulary with what the other files add to it.
    pub(super) fn fill(&self, mut spec: TokenizerSpec) -> TokenizerSpec {
        spec.add_bos = self.add_bos.or(spec.add_bos);
        spec.add_eos = self.add_eos.or(spec.add_eos);
        spec.chat_templates = self.templates();
        if let &[first, ..] = self.ends() {
            spec.eot = Some(first);
        }
        if let &[_, second, ..] = self.ends() {
            spec.eom = Some(second);
        }
        spec
    }

    /// The text of a special token.
    pub(super) fn token(&self, name: &str) -> Option<&str> {
        self.special.iter().find(|(known, _)| known == name).map(|(_, text)| text.as_str())
    }

    /// The tokens that end an answer.
    pub(super) fn ends(&self) -> &[u32] {
        self.end_tokens.as_deref().or(self.model_end_tokens.as_deref()).unwrap_or_default()
    }

    /// Chat templates by name.
    pub(super) fn templates(&self) -> Vec<(String, String)> {
        let mut named = self.templates.clone();
        if let Some(template) = &self.template_file {
            named.retain(|(name, _)| name != "default");
            named.push(("default".to_owned(), template.clone()));
        }
        named.retain(|(_, template)| !template.is_empty());
        named
    }
}
