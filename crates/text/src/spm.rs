//! SentencePiece vocabularies: merges by score, unknown characters as byte tokens.

use crate::TextError;
use crate::merge::{Merger, Rule};
use crate::vocabulary::Vocabulary;
use std::cell::RefCell;

/// `▁`, which stands for a space in the vocabulary.
pub(crate) const SPACE: char = '\u{2581}';

/// Marks a symbol that is a character without a token of its own.
const CHARACTER: u32 = 1 << 31;

struct ByScore<'v> {
    vocabulary: &'v Vocabulary,
    joined: RefCell<Vec<u8>>,
}

impl ByScore<'_> {
    fn append(&self, symbol: u32, joined: &mut Vec<u8>) {
        match as_character(symbol) {
            Some(c) => joined.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
            None => joined.extend_from_slice(self.vocabulary.text(symbol)),
        }
    }
}

impl Rule for ByScore<'_> {
    type Priority = i32;

    fn merge(&self, left: u32, right: u32) -> Option<(i32, u32)> {
        let mut joined = self.joined.borrow_mut();
        joined.clear();
        self.append(left, &mut joined);
        self.append(right, &mut joined);
        let merged = self.vocabulary.id(&joined)?;
        // Text that spells a control token stays text.
        if !self.vocabulary.kind(merged).is_text() {
            return None;
        }
        Some((ordered(self.vocabulary.scores[merged as usize]), merged))
    }
}

fn as_character(symbol: u32) -> Option<char> {
    (symbol & CHARACTER != 0).then(|| char::from_u32(symbol & !CHARACTER)).flatten()
}

/// A float as an integer with the same order.
fn ordered(score: f32) -> i32 {
    // Both zeros are one score.
    let bits = (score + 0.0).to_bits() as i32;
    bits ^ ((bits >> 31) & i32::MAX)
}

pub(crate) fn encode(
    vocabulary: &Vocabulary,
    unk: Option<u32>,
    text: &str,
    ids: &mut Vec<u32>,
) -> Result<(), TextError> {
    let rule = ByScore { vocabulary, joined: RefCell::new(Vec::new()) };
    let symbols = text.chars().map(|c| {
        let c = if c == ' ' { SPACE } else { c };
        let id = vocabulary.id(c.encode_utf8(&mut [0; 4]).as_bytes());
        id.filter(|&id| vocabulary.kind(id).is_text()).unwrap_or(c as u32 | CHARACTER)
    });
    let mut missing = None;
    Merger::new().run(&rule, symbols, |symbol| {
        let Some(c) = as_character(symbol) else {
            ids.push(symbol);
            return;
        };
        let before = ids.len();
        for &byte in c.encode_utf8(&mut [0; 4]).as_bytes() {
            match vocabulary.byte_id(byte) {
                Some(id) => ids.push(id),
                None => {
                    // Half a character would be worse than an unknown one.
                    ids.truncate(before);
                    ids.extend(unk);
                    if unk.is_none() {
                        missing = Some(c);
                    }
                    break;
                }
            }
        }
    });
    match missing {
        None => Ok(()),
        Some(c) => Err(TextError::PromptInvalid {
            what: format!("the vocabulary has no token for {c:?} and none for the unknown"),
        }),
    }
}

/// Appends the bytes that a normal token's text stands for.
pub(crate) fn decode(text: &[u8], out: &mut Vec<u8>) {
    let mut space = [0; 4];
    let space = SPACE.encode_utf8(&mut space).as_bytes();
    let mut rest = text;
    while let Some(&byte) = rest.first() {
        if let Some(after) = rest.strip_prefix(space) {
            out.push(b' ');
            rest = after;
        } else {
            out.push(byte);
            rest = &rest[1..];
        }
    }
}
