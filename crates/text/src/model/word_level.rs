//! Words as they are.

use super::inexpressible;
use crate::TextError;
use crate::vocabulary::Vocabulary;

pub(crate) fn encode(
    vocabulary: &Vocabulary,
    unk: Option<u32>,
    word: &str,
    ids: &mut Vec<u32>,
) -> Result<(), TextError> {
    let id = vocabulary.id(word.as_bytes()).or(unk);
    ids.push(id.ok_or_else(|| inexpressible(word))?);
    Ok(())
}
