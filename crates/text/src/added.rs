//! Tokens that are found in a text before anything else is done with it.

use crate::TextError;
use hashbrown::HashMap;

/// A token is compared at every place where it could begin; this bounds that work.
const LONGEST: usize = 1024;

/// How a token is found
/// ([`AddedToken`](https://github.com/huggingface/tokenizers/blob/main/tokenizers/src/tokenizer/added_vocabulary.rs)).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) id: u32,
    /// Only where the caller reads special tokens from text.
    pub(crate) special: bool,
    /// Not within a word.
    pub(crate) single_word: bool,
    /// White space before it belongs to it.
    pub(crate) lstrip: bool,
    /// White space after it belongs to it.
    pub(crate) rstrip: bool,
}

/// Tokens sorted by text, so that the candidates at a place are narrowed byte by byte. Leftmost,
/// then longest.
#[derive(Debug, Default)]
pub(crate) struct AddedTokens {
    sorted: Vec<(Box<[u8]>, Found)>,
    starts: Vec<bool>,
}

/// A part of a text.
pub(crate) enum Part<'t> {
    Text(&'t str),
    Token(u32),
}

impl AddedTokens {
    pub(crate) fn new(
        tokens: impl IntoIterator<Item = (Box<[u8]>, Found)>,
    ) -> Result<Self, TextError> {
        let mut by_text: HashMap<Box<[u8]>, Found> = HashMap::new();
        for (text, found) in tokens {
            if text.len() > LONGEST {
                let what = format!("special token {} is longer than {LONGEST} bytes", found.id);
                return Err(TextError::tokenizer(what));
            }
            // Bytes that are no text are in no text; half a character would end within one.
            if !text.is_empty() && str::from_utf8(&text).is_ok() {
                by_text.entry(text).or_insert(found);
            }
        }
        let mut sorted: Vec<_> = by_text.into_iter().collect();
        sorted.sort_unstable_by(|a, b| a.0.cmp(&b.0));
        let mut starts = vec![false; 256];
        for (text, _) in &sorted {
            starts[usize::from(text[0])] = true;
        }
        Ok(Self { sorted, starts })
    }

    /// Takes `text` apart, in order. With `special` false those tokens that are marked so stay text.
    pub(crate) fn parts<'t>(&self, text: &'t str, special: bool, each: &mut dyn FnMut(Part<'t>)) {
        let mut done = 0;
        let mut from = 0;
        while let Some((mut start, mut end, found)) = self.find(text.as_bytes(), from, special) {
            from = end;
            let inside = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
            if found.single_word
                && (inside(text[..start].chars().next_back()) || inside(text[end..].chars().next()))
            {
                continue;
            }
            if found.lstrip {
                start = done + text[done..start].trim_end().len();
            }
            if found.rstrip {
                end = text.len() - text[end..].trim_start().len();
                from = end;
            }
            if done < start {
                each(Part::Text(&text[done..start]));
            }
            each(Part::Token(found.id));
            done = end;
        }
        if done < text.len() {
            each(Part::Text(&text[done..]));
        }
    }

    /// The first token at or after `from`: its place, its end and how it is found.
    fn find(&self, text: &[u8], from: usize, special: bool) -> Option<(usize, usize, Found)> {
        if self.sorted.is_empty() {
            return None;
        }
        (from..text.len()).filter(|&at| self.starts[usize::from(text[at])]).find_map(|at| {
            let (length, found) = self.longest_at(&text[at..], special)?;
            Some((at, at + length, found))
        })
    }

    fn longest_at(&self, text: &[u8], special: bool) -> Option<(usize, Found)> {
        let mut candidates = &self.sorted[..];
        let mut longest = None;
        for (depth, &byte) in text.iter().enumerate() {
            let at = |(text, _): &(Box<[u8]>, Found)| text.get(depth).copied();
            let first = candidates.partition_point(|token| at(token) < Some(byte));
            let last = candidates.partition_point(|token| at(token) <= Some(byte));
            candidates = &candidates[first..last];
            let Some((shortest, found)) = candidates.first() else { break };
            if shortest.len() == depth + 1 && (special || !found.special) {
                longest = Some((depth + 1, *found));
            }
        }
        longest
    }
}
