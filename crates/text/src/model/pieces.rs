//! SentencePiece vocabularies: merges by score, unknown characters as byte tokens.

use super::inexpressible;
use crate::TextError;
use crate::merge::{Merger, Rule};
use crate::vocabulary::Vocabulary;
use std::cell::RefCell;

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
    fn merge(&self, left: u32, right: u32) -> Option<(u32, u32)> {
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
fn ordered(score: f32) -> u32 {
    // Both zeros are one score.
    let bits = (score + 0.0).to_bits();
    if bits >> 31 == 0 { bits | 1 << 31 } else { !bits }
}

pub(crate) fn encode(
    vocabulary: &Vocabulary,
    unk: Option<u32>,
    merger: &mut Merger,
    text: &str,
    ids: &mut Vec<u32>,
) -> Result<(), TextError> {
    let rule = ByScore { vocabulary, joined: RefCell::new(Vec::new()) };
    let symbols = text.chars().map(|c| {
        let id = vocabulary.id(c.encode_utf8(&mut [0; 4]).as_bytes());
        id.filter(|&id| vocabulary.kind(id).is_text()).unwrap_or(c as u32 | CHARACTER)
    });
    let mut missing = None;
    merger.run(&rule, symbols, |symbol| {
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
        Some(c) => Err(inexpressible(c.encode_utf8(&mut [0; 4]))),
    }
}
