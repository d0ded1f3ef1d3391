//! The longest token first (RWKV's "world" tokenizer).

use super::inexpressible;
use crate::TextError;
use crate::vocabulary::Vocabulary;

/// Tokens are bytes; they need not be whole characters.
pub(crate) fn encode(
    vocabulary: &Vocabulary,
    unk: Option<u32>,
    text: &str,
    ids: &mut Vec<u32>,
) -> Result<(), TextError> {
    let mut rest = text.as_bytes();
    while !rest.is_empty() {
        let longest = rest.len().min(vocabulary.longest);
        let found = (1..=longest)
            .rev()
            .find_map(|length| vocabulary.id(&rest[..length]).map(|id| (length, id)));
        let (length, id) = match found {
            Some(found) => found,
            None => (1, unk.ok_or_else(|| inexpressible(&String::from_utf8_lossy(rest)))?),
        };
        ids.push(id);
        rest = &rest[length..];
    }
    Ok(())
}
