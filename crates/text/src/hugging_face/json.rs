//! `tokenizer.json`, read in one pass.
//!
//! The vocabulary and the merges are most of the file; they go into two byte arrays without a value
//! of their own for each.

use crate::{StringList, TextError};
use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, de};
use serde_json::Value;
use std::fmt;

/// The file. Small parts are kept as they are written.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct TokenizerJson {
    pub(super) added_tokens: Vec<AddedToken>,
    pub(super) normalizer: Value,
    pub(super) pre_tokenizer: Value,
    pub(super) post_processor: Value,
    pub(super) decoder: Value,
    pub(super) model: Model,
}

#[derive(Debug, Deserialize)]
pub(super) struct AddedToken {
    pub(super) id: u32,
    pub(super) content: String,
    #[serde(default)]
    pub(super) single_word: bool,
    #[serde(default)]
    pub(super) lstrip: bool,
    #[serde(default)]
    pub(super) rstrip: bool,
    #[serde(default)]
    pub(super) normalized: bool,
    #[serde(default)]
    pub(super) special: bool,
}

/// The keys of all kinds of models.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Model {
    #[serde(rename = "type")]
    pub(super) kind: Option<String>,
    pub(super) vocab: Vocab,
    pub(super) merges: Pairs,
    pub(super) unk_token: Option<String>,
    pub(super) unk_id: Option<u32>,
    pub(super) continuing_subword_prefix: Option<String>,
    pub(super) end_of_word_suffix: Option<String>,
    pub(super) max_input_chars_per_word: Option<usize>,
    pub(super) fuse_unk: Option<bool>,
    pub(super) byte_fallback: Option<bool>,
    pub(super) ignore_merges: Option<bool>,
}

/// Tokens: `{"token": id}`, or `[["token", score]]` in the order of the ids.
#[derive(Debug, Default)]
pub(super) struct Vocab {
    pub(super) tokens: StringList,
    /// Of the first form.
    pub(super) ids: Vec<u32>,
    /// Of the second form.
    pub(super) scores: Vec<f64>,
}

/// Merges: `["left", "right"]` or `"left right"`; twice as many strings.
#[derive(Debug, Default)]
pub(super) struct Pairs(pub(super) StringList);

/// Reads a JSON file.
pub(super) fn read<'b, T: Deserialize<'b>>(name: &str, bytes: &'b [u8]) -> Result<T, TextError> {
    serde_json::from_slice(bytes)
        .map_err(|error| TextError::tokenizer(format!("{name} is not what it should be: {error}")))
}

impl<'de> Deserialize<'de> for Vocab {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Form;
        impl<'de> Visitor<'de> for Form {
            type Value = Vocab;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("tokens with their ids or scores")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Vocab, A::Error> {
                let mut vocab = Vocab::default();
                while map.next_key_seed(Into(&mut vocab.tokens))?.is_some() {
                    vocab.ids.push(map.next_value()?);
                }
                Ok(vocab)
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Vocab, A::Error> {
                let mut vocab = Vocab::default();
                while let Some(score) = seq.next_element_seed(Scored(&mut vocab.tokens))? {
                    vocab.scores.push(score);
                }
                Ok(vocab)
            }
        }
        deserializer.deserialize_any(Form)
    }
}

impl<'de> Deserialize<'de> for Pairs {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Form;
        impl<'de> Visitor<'de> for Form {
            type Value = Pairs;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of merges")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Pairs, A::Error> {
                let mut pairs = Pairs::default();
                while seq.next_element_seed(Pair(&mut pairs.0))?.is_some() {}
                Ok(pairs)
            }
        }
        deserializer.deserialize_seq(Form)
    }
}

/// Appends a string to a list.
struct Into<'l>(&'l mut StringList);

impl<'de> DeserializeSeed<'de> for Into<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for Into<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<(), E> {
        self.0.push(text);
        Ok(())
    }
}

/// `["token", score]`
struct Scored<'l>(&'l mut StringList);

impl<'de> DeserializeSeed<'de> for Scored<'_> {
    type Value = f64;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<f64, D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Scored<'_> {
    type Value = f64;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a token and its score")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<f64, A::Error> {
        seq.next_element_seed(Into(self.0))?
            .ok_or_else(|| de::Error::invalid_length(0, &"a token and its score"))?;
        let score = seq.next_element()?;
        score.ok_or_else(|| de::Error::invalid_length(1, &"a token and its score"))
    }
}

/// One merge, in either form.
struct Pair<'l>(&'l mut StringList);

impl<'de> DeserializeSeed<'de> for Pair<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Pair<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("two tokens")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<(), E> {
        let (left, right) = text.split_once(' ').unwrap_or((text, ""));
        self.0.push(left);
        self.0.push(right);
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        for index in 0..2 {
            seq.next_element_seed(Into(self.0))?
                .ok_or_else(|| de::Error::invalid_length(index, &"two tokens"))?;
        }
        Ok(())
    }
}
