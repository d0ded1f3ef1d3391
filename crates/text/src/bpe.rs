//! Byte-level byte-pair encoding (GPT-2 and its family).

use crate::byte_chars::ByteChars;
use crate::merge::{Merger, Rule};
use crate::split::Splitter;
use crate::vocabulary::Vocabulary;
use crate::{StringList, TextError, pre};
use hashbrown::HashMap;
use std::cmp::Reverse;

/// A byte that is no token of its own; it merges with nothing.
const NO_TOKEN: u32 = 1 << 31;

#[derive(Debug)]
pub(crate) struct Bpe {
    splitter: Splitter,
    ignore_merges: bool,
    byte_chars: ByteChars,
    /// The symbol of each byte: its token, or `NO_TOKEN`.
    byte_symbols: [u32; 256],
    merges: Merges,
}

#[derive(Debug, Default)]
struct Merges(HashMap<(u32, u32), (u32, u32)>);

impl Rule for Merges {
    type Priority = Reverse<u32>;

    fn merge(&self, left: u32, right: u32) -> Option<(Reverse<u32>, u32)> {
        self.0.get(&(left, right)).map(|&(rank, merged)| (Reverse(rank), merged))
    }
}

impl Bpe {
    pub(crate) fn new(
        vocabulary: &Vocabulary,
        merges: &StringList,
        rule: &pre::Pre,
    ) -> Result<Self, TextError> {
        if merges.is_empty() {
            return Err(TextError::tokenizer("it has no merges"));
        }
        let byte_chars = ByteChars::new();
        let mut byte_symbols = [NO_TOKEN; 256];
        for byte in 0..=255_u8 {
            let mut utf8 = [0; 4];
            let text = byte_chars.char(byte).encode_utf8(&mut utf8);
            if let Some(id) = vocabulary.id(text.as_bytes()) {
                byte_symbols[usize::from(byte)] = id;
            }
        }
        Ok(Self {
            splitter: Splitter::new(rule.passes)?,
            ignore_merges: rule.ignore_merges,
            byte_chars,
            byte_symbols,
            merges: Merges::new(vocabulary, merges)?,
        })
    }

    pub(crate) fn encode(
        &self,
        vocabulary: &Vocabulary,
        unk: Option<u32>,
        text: &str,
        ids: &mut Vec<u32>,
    ) {
        let mut merger = Merger::new();
        let mut written = String::new();
        self.splitter.split(text, &mut |piece| {
            // No merges reach past a piece, so a token may be taken whole only within one.
            if self.ignore_merges && piece.len() <= vocabulary.longest {
                written.clear();
                written.extend(piece.bytes().map(|byte| self.byte_chars.char(byte)));
                let id = vocabulary.id(written.as_bytes());
                if let Some(id) = id.filter(|&id| vocabulary.kind(id).is_text()) {
                    ids.push(id);
                    return;
                }
            }
            let symbols = piece.bytes().map(|byte| self.byte_symbols[usize::from(byte)]);
            merger.run(&self.merges, symbols, |symbol| {
                if symbol != NO_TOKEN {
                    ids.push(symbol);
                } else if let Some(unk) = unk {
                    ids.push(unk);
                }
            });
        });
    }

    /// Appends the bytes that a token's text stands for.
    pub(crate) fn decode(&self, text: &[u8], out: &mut Vec<u8>) {
        let Ok(text) = std::str::from_utf8(text) else {
            out.extend_from_slice(text);
            return;
        };
        for c in text.chars() {
            match self.byte_chars.byte(c) {
                Some(byte) => out.push(byte),
                None => out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
            }
        }
    }
}

impl Merges {
    fn new(vocabulary: &Vocabulary, list: &StringList) -> Result<Self, TextError> {
        let mut merges = HashMap::with_capacity(list.len());
        let mut joined = Vec::new();
        for (rank, merge) in list.iter().enumerate() {
            let known = |text: &[u8]| {
                vocabulary.id(text).ok_or_else(|| {
                    let text = String::from_utf8_lossy(text);
                    TextError::tokenizer(format!("merge {rank} names {text:?}, which is no token"))
                })
            };
            // A token may begin with a space; none that is merged has one later.
            let space = merge.iter().skip(1).position(|&byte| byte == b' ').map(|at| at + 1);
            let Some(space) = space else {
                return Err(TextError::tokenizer(format!("merge {rank} is not a pair")));
            };
            let (left, right) = (&merge[..space], &merge[space + 1..]);
            joined.clear();
            joined.extend_from_slice(left);
            joined.extend_from_slice(right);
            let pair = (known(left)?, known(right)?);
            let merged = known(&joined)?;
            merges.entry(pair).or_insert((rank as u32, merged));
        }
        Ok(Self(merges))
    }
}
