//! From a word to its tokens.

mod bpe;
mod greedy;
mod pieces;
mod plamo2;
mod unigram;
mod word_level;
mod word_piece;

pub(crate) use bpe::{Bpe, Merges, Symbols, parts};
pub(crate) use plamo2::Plamo2;
pub(crate) use unigram::Unigram;
pub(crate) use word_piece::WordPiece;

use crate::TextError;
use crate::merge::Merger;
use crate::vocabulary::Vocabulary;

/// How words become tokens.
#[derive(Debug)]
pub(crate) enum Model {
    /// Pairs are merged in the order of a list.
    BytePairs(Box<Bpe>),
    /// SentencePiece: the pair that makes the piece with the best score is merged.
    Scores,
    WordPiece(WordPiece),
    Unigram(Box<Unigram>),
    /// A word is a token or unknown.
    WordLevel,
    /// The longest token first.
    Greedy,
    Plamo2(Plamo2),
}

impl Model {
    /// Appends the tokens of `word`.
    ///
    /// # Errors
    ///
    /// `PROMPT_INVALID` for a character that the vocabulary cannot express at all.
    pub(crate) fn encode(
        &self,
        vocabulary: &Vocabulary,
        unk: Option<u32>,
        merger: &mut Merger,
        word: &str,
        ids: &mut Vec<u32>,
    ) -> Result<(), TextError> {
        match self {
            Self::BytePairs(bpe) => {
                bpe.encode(vocabulary, unk, merger, word, ids);
                Ok(())
            }
            Self::Scores => pieces::encode(vocabulary, unk, merger, word, ids),
            Self::WordPiece(model) => model.encode(vocabulary, unk, word, ids),
            Self::Unigram(model) => model.encode(vocabulary, unk, word, ids),
            Self::WordLevel => word_level::encode(vocabulary, unk, word, ids),
            Self::Greedy => greedy::encode(vocabulary, unk, word, ids),
            Self::Plamo2(model) => {
                model.encode(vocabulary, word, ids);
                Ok(())
            }
        }
    }
}

/// A text of which the vocabulary has nothing.
fn inexpressible(what: &str) -> TextError {
    let part: String = what.chars().take(20).collect();
    TextError::PromptInvalid {
        what: format!("the vocabulary has no token for {part:?} and none for the unknown"),
    }
}
