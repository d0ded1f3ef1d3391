//! Byte-pair encoding: GPT-2's over bytes, and Hugging Face's over characters.

use crate::TextError;
use crate::byte_chars::ByteChars;
use crate::merge::{Merger, Rule};
use crate::vocabulary::Vocabulary;
use hashbrown::HashMap;

/// Marks a symbol that has no token: the low bits are its byte or character. It merges with nothing.
const NO_TOKEN: u32 = 1 << 31;

/// A byte-pair encoding.
#[derive(Debug)]
pub(crate) struct Bpe {
    pub(crate) symbols: Symbols,
    /// A word that is a token is taken whole, whatever the merges say.
    pub(crate) ignore_merges: bool,
    /// So is a word of line breaks only.
    pub(crate) newlines: bool,
    pub(crate) merges: Merges,
}

/// What a word is made of before anything is merged.
#[derive(Debug)]
pub(crate) enum Symbols {
    /// Bytes, written as printable characters in the vocabulary.
    Bytes(Box<Bytes>),
    /// Characters as they are.
    Chars {
        /// One without a token is written as tokens `<0xNN>`, where there are all of them.
        byte_fallback: bool,
        /// Unknown characters in a row are one unknown token.
        fuse_unk: bool,
        /// Before every character of a word but the first.
        prefix: String,
        /// After the last one.
        suffix: String,
    },
}

/// The symbols of a byte-level vocabulary.
#[derive(Debug)]
pub(crate) struct Bytes {
    chars: ByteChars,
    /// The symbol of each byte: its token, or [`NO_TOKEN`].
    symbols: [u32; 256],
}

impl Symbols {
    pub(crate) fn bytes(vocabulary: &Vocabulary) -> Self {
        let chars = ByteChars::new();
        let mut symbols = [NO_TOKEN; 256];
        for byte in 0..=255_u8 {
            let mut utf8 = [0; 4];
            let text = chars.char(byte).encode_utf8(&mut utf8);
            if let Some(id) = vocabulary.id(text.as_bytes()) {
                symbols[usize::from(byte)] = id;
            }
        }
        Self::Bytes(Box::new(Bytes { chars, symbols }))
    }
}

/// Which pairs merge: the rank of the merge, and the token it makes.
#[derive(Debug, Default)]
pub(crate) struct Merges(HashMap<(u32, u32), (u32, u32)>);

impl Rule for Merges {
    fn merge(&self, left: u32, right: u32) -> Option<(u32, u32)> {
        self.0.get(&(left, right)).map(|&(rank, merged)| (!rank, merged))
    }
}

impl Bpe {
    pub(crate) fn encode(
        &self,
        vocabulary: &Vocabulary,
        unk: Option<u32>,
        merger: &mut Merger,
        word: &str,
        ids: &mut Vec<u32>,
    ) {
        // No merges reach past a word, so a token may be taken whole only within one.
        let whole = self.ignore_merges || (self.newlines && word.bytes().all(|b| b == b'\n'));
        if whole && word.len() <= vocabulary.longest {
            let id = match &self.symbols {
                Symbols::Bytes(bytes) => {
                    let written: String = word.bytes().map(|byte| bytes.chars.char(byte)).collect();
                    vocabulary.id(written.as_bytes())
                }
                Symbols::Chars { .. } => vocabulary.id(word.as_bytes()),
            };
            if let Some(id) = id.filter(|&id| vocabulary.kind(id).is_text()) {
                ids.push(id);
                return;
            }
        }
        match &self.symbols {
            Symbols::Bytes(bytes) => {
                let symbols = word.bytes().map(|byte| bytes.symbols[usize::from(byte)]);
                merger.run(&self.merges, symbols, |symbol| {
                    if symbol != NO_TOKEN {
                        ids.push(symbol);
                    } else if let Some(unk) = unk {
                        ids.push(unk);
                    }
                });
            }
            Symbols::Chars { byte_fallback, fuse_unk, prefix, suffix } => {
                let chars = Chars { vocabulary, prefix, suffix, byte_fallback: *byte_fallback };
                let mut symbols = Vec::with_capacity(word.len());
                chars.symbols(word, &mut symbols);
                let mut after_unknown = false;
                merger.run(&self.merges, symbols.into_iter(), |symbol| {
                    let unknown = symbol & NO_TOKEN != 0;
                    if !unknown {
                        ids.push(symbol);
                    } else if !(*fuse_unk && after_unknown) {
                        ids.extend(unk);
                    }
                    after_unknown = unknown;
                });
            }
        }
    }
}

struct Chars<'m> {
    vocabulary: &'m Vocabulary,
    prefix: &'m str,
    suffix: &'m str,
    byte_fallback: bool,
}

impl Chars<'_> {
    fn symbols(&self, word: &str, symbols: &mut Vec<u32>) {
        let mut written = String::new();
        for (at, c) in word.char_indices() {
            let last = at + c.len_utf8() == word.len();
            written.clear();
            if at > 0 {
                written.push_str(self.prefix);
            }
            written.push(c);
            if last {
                written.push_str(self.suffix);
            }
            if let Some(id) = self.vocabulary.id(written.as_bytes()) {
                symbols.push(id);
                continue;
            }
            let before = symbols.len();
            if self.byte_fallback {
                symbols.extend(written.bytes().map_while(|byte| self.vocabulary.byte_id(byte)));
            }
            // Half a character would be worse than an unknown one.
            if symbols.len() - before != written.len() {
                symbols.truncate(before);
                symbols.push(c as u32 | NO_TOKEN);
            }
        }
    }
}

impl Merges {
    /// `pairs`, best first; `prefix` is what every part but the first of a word begins with.
    pub(crate) fn new<'m>(
        vocabulary: &Vocabulary,
        pairs: impl ExactSizeIterator<Item = (&'m [u8], &'m [u8])>,
        prefix: usize,
    ) -> Result<Self, TextError> {
        let mut merges = HashMap::with_capacity(pairs.len());
        let mut joined = Vec::new();
        for (rank, (left, right)) in pairs.enumerate() {
            let known = |text: &[u8]| {
                vocabulary.id(text).ok_or_else(|| {
                    let text = String::from_utf8_lossy(text);
                    TextError::tokenizer(format!("merge {rank} names {text:?}, which is no token"))
                })
            };
            if left.is_empty() || right.is_empty() {
                return Err(TextError::tokenizer(format!("merge {rank} is not a pair")));
            }
            joined.clear();
            joined.extend_from_slice(left);
            joined.extend_from_slice(right.get(prefix..).unwrap_or_default());
            let pair = (known(left)?, known(right)?);
            let merged = known(&joined)?;
            merges.entry(pair).or_insert((rank as u32, merged));
        }
        Ok(Self(merges))
    }
}

/// `"left right"` as a GGUF file writes a merge. A token may begin with a space; none that is merged
/// has one later. What is no pair comes out with an empty side.
pub(crate) fn parts(merge: &[u8]) -> (&[u8], &[u8]) {
    let space = merge.iter().skip(1).position(|&byte| byte == b' ').map(|at| at + 1);
    match space {
        Some(space) => (&merge[..space], &merge[space + 1..]),
        None => (merge, &[]),
    }
}
