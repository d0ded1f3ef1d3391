//! Finds special tokens in text.

use crate::TextError;
use crate::vocabulary::{Kind, Vocabulary};

/// A special token is compared at every place where it could begin; this bounds that work.
const LONGEST: usize = 1024;

/// The special tokens of a vocabulary, sorted by text, so that the candidates at a place are
/// narrowed byte by byte. Leftmost, then longest, as Hugging Face's added tokens.
#[derive(Debug, Default)]
pub(crate) struct Specials {
    sorted: Vec<u32>,
    starts: Vec<bool>,
}

impl Specials {
    /// With `control` false only user-defined tokens are found.
    pub(crate) fn new(vocabulary: &Vocabulary, control: bool) -> Result<Self, TextError> {
        let mut sorted: Vec<u32> = Vec::new();
        for id in 0..vocabulary.len() as u32 {
            let wanted = match vocabulary.kind(id) {
                Kind::UserDefined => true,
                Kind::Control | Kind::Unknown => control,
                _ => false,
            };
            // Of tokens with the same text only the one that text leads to.
            if !wanted || vocabulary.id(vocabulary.text(id)) != Some(id) {
                continue;
            }
            if vocabulary.text(id).len() > LONGEST {
                let what = format!("special token {id} is longer than {LONGEST} bytes");
                return Err(TextError::tokenizer(what));
            }
            sorted.push(id);
        }
        sorted.sort_by(|&a, &b| vocabulary.text(a).cmp(vocabulary.text(b)));
        let mut starts = vec![false; 256];
        for &id in &sorted {
            starts[usize::from(vocabulary.text(id)[0])] = true;
        }
        Ok(Self { sorted, starts })
    }

    /// The first special token at or after `from`: its place and id.
    pub(crate) fn find(
        &self,
        vocabulary: &Vocabulary,
        text: &[u8],
        from: usize,
    ) -> Option<(usize, u32)> {
        if self.sorted.is_empty() {
            return None;
        }
        (from..text.len())
            .filter(|&at| self.starts[usize::from(text[at])])
            .find_map(|at| self.longest_at(vocabulary, &text[at..]).map(|id| (at, id)))
    }

    fn longest_at(&self, vocabulary: &Vocabulary, text: &[u8]) -> Option<u32> {
        let mut candidates = &self.sorted[..];
        let mut longest = None;
        for (depth, &byte) in text.iter().enumerate() {
            let at = |&id: &u32| vocabulary.text(id).get(depth).copied();
            let first = candidates.partition_point(|id| at(id) < Some(byte));
            let last = candidates.partition_point(|id| at(id) <= Some(byte));
            candidates = &candidates[first..last];
            let Some(&shortest) = candidates.first() else { break };
            if vocabulary.text(shortest).len() == depth + 1 {
                longest = Some(shortest);
            }
        }
        longest
    }
}
