//! WordPiece (BERT): the longest piece first.

use super::inexpressible;
use crate::TextError;
use crate::vocabulary::Vocabulary;

/// The settings of a WordPiece model.
#[derive(Clone, Debug)]
pub(crate) struct WordPiece {
    /// Before the first piece of a word; GGUF files write `▁`.
    pub(crate) begin: String,
    /// Before the other pieces; Hugging Face's files write `##`.
    pub(crate) go_on: String,
    /// Characters of the longest word that is looked at.
    pub(crate) longest_word: usize,
}

impl WordPiece {
    /// A word of which some part is no piece is unknown as a whole.
    pub(crate) fn encode(
        &self,
        vocabulary: &Vocabulary,
        unk: Option<u32>,
        word: &str,
        ids: &mut Vec<u32>,
    ) -> Result<(), TextError> {
        let before = ids.len();
        let short = word.chars().nth(self.longest_word).is_none();
        if !short || !self.pieces(vocabulary, word, ids) {
            ids.truncate(before);
            ids.push(unk.ok_or_else(|| inexpressible(word))?);
        }
        Ok(())
    }

    fn pieces(&self, vocabulary: &Vocabulary, word: &str, ids: &mut Vec<u32>) -> bool {
        let mut written = Vec::with_capacity(word.len() + 8);
        let mut at = 0;
        while at < word.len() {
            let prefix = if at == 0 { &self.begin } else { &self.go_on };
            written.clear();
            written.extend_from_slice(prefix.as_bytes());
            written.extend_from_slice(&word.as_bytes()[at..]);
            let mut end = word.len().min(at + vocabulary.longest);
            let found = loop {
                if end == at {
                    return false;
                }
                if word.is_char_boundary(end)
                    && let Some(id) = vocabulary.id(&written[..prefix.len() + end - at])
                {
                    break id;
                }
                end -= 1;
            };
            ids.push(found);
            at = end;
        }
        true
    }
}
