//! The tokens of a model: their bytes, kinds and ids.

use crate::{StringList, TextError};
use hashbrown::{DefaultHashBuilder, HashTable};
use std::hash::BuildHasher;

/// What a token is for (`tokenizer.ggml.token_type`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Normal,
    Unknown,
    /// Steers the model; prints nothing and is read from text only when the caller allows it.
    Control,
    /// Always one token, wherever its text stands.
    UserDefined,
    Unused,
    Byte,
    Undefined,
}

impl Kind {
    /// Whether ordinary text may become this token.
    pub(crate) fn is_text(self) -> bool {
        !matches!(self, Self::Control | Self::Unknown | Self::Byte)
    }

    pub(crate) fn from_type(value: i32) -> Self {
        match value {
            1 => Self::Normal,
            2 => Self::Unknown,
            3 => Self::Control,
            4 => Self::UserDefined,
            5 => Self::Unused,
            6 => Self::Byte,
            _ => Self::Undefined,
        }
    }
}

/// Tokens by id, and ids by the tokens' text as it stands in the file.
#[derive(Debug)]
pub(crate) struct Vocabulary {
    pub(crate) tokens: StringList,
    pub(crate) kinds: Vec<Kind>,
    pub(crate) scores: Vec<f32>,
    /// Bytes of the longest token: a longer text needs no look-up.
    pub(crate) longest: usize,
    ids: HashTable<u32>,
    hasher: DefaultHashBuilder,
}

impl Vocabulary {
    /// Tokens by id. `kinds` and `scores` are as many as the tokens.
    pub(crate) fn new(
        tokens: StringList,
        kinds: Vec<Kind>,
        scores: Vec<f32>,
    ) -> Result<Self, TextError> {
        let count = tokens.len();
        if count == 0 {
            return Err(TextError::tokenizer("it has no tokens"));
        }
        if u32::try_from(count).is_err() {
            return Err(TextError::tokenizer(format!("it has {count} tokens")));
        }
        let hasher = DefaultHashBuilder::default();
        let mut ids: HashTable<u32> = HashTable::with_capacity(count);
        let text = |id: u32| tokens.get(id as usize).unwrap_or_default();
        let mut longest = 0;
        for id in 0..count as u32 {
            let token = text(id);
            if token.is_empty() {
                continue;
            }
            longest = longest.max(token.len());
            // Of tokens with the same text the first one is used, as in llama.cpp's merge table.
            let hash = hasher.hash_one(token);
            if ids.find(hash, |&other| text(other) == token).is_none() {
                ids.insert_unique(hash, id, |&other| hasher.hash_one(text(other)));
            }
        }
        Ok(Self { tokens, kinds, scores, longest, ids, hasher })
    }

    pub(crate) fn len(&self) -> usize {
        self.tokens.len()
    }

    /// The text of a token as it stands in the file; empty past the end.
    pub(crate) fn text(&self, id: u32) -> &[u8] {
        self.tokens.get(id as usize).unwrap_or_default()
    }

    pub(crate) fn kind(&self, id: u32) -> Kind {
        self.kinds.get(id as usize).copied().unwrap_or(Kind::Undefined)
    }

    /// The id of the token that is written `text` in the file.
    pub(crate) fn id(&self, text: &[u8]) -> Option<u32> {
        if text.is_empty() || text.len() > self.longest {
            return None;
        }
        let hash = self.hasher.hash_one(text);
        self.ids.find(hash, |&id| self.text(id) == text).copied()
    }

    /// The id of the byte token `<0xNN>`.
    pub(crate) fn byte_id(&self, byte: u8) -> Option<u32> {
        self.id(format!("<0x{byte:02X}>").as_bytes())
    }

    /// The byte of a token of kind [`Kind::Byte`], where it is written as `<0xNN>`.
    pub(crate) fn byte(&self, id: u32) -> Option<u8> {
        let digits = self.text(id).strip_prefix(b"<0x")?.strip_suffix(b">")?;
        u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
    }
}
