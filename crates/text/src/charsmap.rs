//! SentencePiece's own normaliser: a map from strings to strings, as a trie
//! ([`Normalizer::DecodePrecompiledCharsMap`](https://github.com/google/sentencepiece/blob/master/src/normalizer.cc)).
//!
//! The longest match is replaced, as models were trained. Hugging Face's `Precompiled` takes the
//! shortest within a user-perceived character and drops the rest of that: it differs where a letter
//! and its mark are one rule and the letter alone another.

use crate::TextError;

/// A precompiled map: the longest prefix that is in it is replaced.
#[derive(Clone, Debug)]
pub(crate) struct CharsMap {
    /// A double array ([Darts-clone](https://github.com/s-yata/darts-clone)).
    units: Vec<u32>,
    /// The replacements, each ended by a zero byte.
    replacements: Vec<u8>,
}

impl CharsMap {
    /// Reads the map: the size of the trie in bytes, the trie, the replacements.
    pub(crate) fn new(bytes: &[u8]) -> Result<Self, TextError> {
        let wrong = || TextError::tokenizer("its precompiled character map is cut off");
        let (size, rest) = bytes.split_first_chunk().ok_or_else(wrong)?;
        let size = u32::from_le_bytes(*size) as usize;
        let (units, replacements) = rest.split_at_checked(size).ok_or_else(wrong)?;
        let (units, odd) = units.as_chunks();
        if !odd.is_empty() {
            return Err(wrong());
        }
        let units = units.iter().map(|&unit| u32::from_le_bytes(unit)).collect();
        Ok(Self { units, replacements: replacements.to_vec() })
    }

    /// The bytes of the longest prefix of `text` that is in the map, and what replaces it.
    fn longest(&self, text: &[u8]) -> Option<(usize, &str)> {
        let mut node = 0;
        let mut unit = *self.units.first()?;
        let mut found = None;
        for (index, &byte) in text.iter().enumerate() {
            if byte == 0 {
                break;
            }
            node ^= offset(unit) ^ u32::from(byte);
            unit = *self.units.get(node as usize)?;
            // The label of a unit that no key leads through differs, or has its highest bit set.
            if unit & (1 << 31 | 0xFF) != u32::from(byte) {
                break;
            }
            if unit >> 8 & 1 != 0 {
                let value = *self.units.get((node ^ offset(unit)) as usize)?;
                found = Some((index + 1, value & !(1 << 31)));
            }
        }
        let (length, at) = found?;
        let replacement = self.replacements.get(at as usize..)?;
        let end = replacement.iter().position(|&byte| byte == 0)?;
        Some((length, std::str::from_utf8(&replacement[..end]).ok()?))
    }

    /// `text` with every longest match replaced, from left to right.
    pub(crate) fn apply(&self, text: &str) -> String {
        let mut out = String::with_capacity(text.len());
        let mut at = 0;
        while let Some(c) = text[at..].chars().next() {
            match self.longest(&text.as_bytes()[at..]) {
                Some((length, with)) if text.is_char_boundary(at + length) => {
                    out.push_str(with);
                    at += length;
                }
                _ => {
                    out.push(c);
                    at += c.len_utf8();
                }
            }
        }
        out
    }
}

fn offset(unit: u32) -> u32 {
    (unit >> 10) << ((unit & 1 << 9) >> 6)
}
