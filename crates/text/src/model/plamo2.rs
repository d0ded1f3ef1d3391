//! PLaMo 2's tokenizer: the cheapest way to cut, found from the end
//! ([`tokenization_plamo.py`](https://huggingface.co/pfnet/plamo-2-1b/blob/main/tokenization_plamo.py)).

use crate::TextError;
use crate::vocabulary::{Kind, Vocabulary};

/// A score that no token has; whatever is not above it cannot be used.
const INVALID: i64 = -20_000_000;

/// The score of a character that is written as bytes.
const UNKNOWN: i64 = -10_000_000;

/// The tokens of the 256 bytes.
#[derive(Debug)]
pub(crate) struct Plamo2 {
    bytes: Vec<u32>,
}

#[derive(Clone, Copy)]
struct Step {
    cost: i64,
    end: usize,
    id: Option<u32>,
}

impl Plamo2 {
    pub(crate) fn new(vocabulary: &Vocabulary) -> Result<Self, TextError> {
        let bytes: Vec<u32> = (0..=255).map_while(|byte| vocabulary.byte_id(byte)).collect();
        match bytes.len() {
            256 => Ok(Self { bytes }),
            missing => Err(TextError::tokenizer(format!("it has no token for byte {missing}"))),
        }
    }

    pub(crate) fn encode(&self, vocabulary: &Vocabulary, text: &str, ids: &mut Vec<u32>) {
        let text = text.strip_prefix('\u{FEFF}').unwrap_or(text);
        let bytes = text.as_bytes();
        let mut steps = vec![Step { cost: 0, end: 0, id: None }; bytes.len() + 1];
        for (start, c) in text.char_indices().rev() {
            let mut best = Step { cost: i64::MAX, end: 0, id: None };
            // Of two ways that cost the same the longer token is taken.
            let mut end = bytes.len().min(start + vocabulary.longest);
            while end > start {
                if text.is_char_boundary(end)
                    && let Some(id) = vocabulary.id(&bytes[start..end])
                    && vocabulary.kind(id) != Kind::Byte
                {
                    let score = score(vocabulary.scores[id as usize]);
                    let cost = steps[end].cost - score;
                    if score > INVALID && cost < best.cost {
                        best = Step { cost, end, id: Some(id) };
                    }
                }
                end -= 1;
            }
            let end = start + c.len_utf8();
            if steps[end].cost - UNKNOWN < best.cost {
                best = Step { cost: steps[end].cost - UNKNOWN, end, id: None };
            }
            steps[start] = best;
        }
        let mut at = 0;
        while at < bytes.len() {
            let Step { end, id, .. } = steps[at];
            match id {
                Some(id) => ids.push(id),
                None => ids.extend(bytes[at..end].iter().map(|&b| self.bytes[usize::from(b)])),
            }
            at = end;
        }
    }
}

fn score(score: f32) -> i64 {
    let scaled = (score * 1e4).round();
    if scaled.is_finite() { (scaled as i64).clamp(INVALID, i64::from(i32::MAX)) } else { INVALID }
}
