//! Unigram language models (SentencePiece's default, T5 and XLM-R): the likeliest way to cut.
//!
//! [Kudo 2018](https://arxiv.org/abs/1804.10959), with the best path found from left to right.

use super::inexpressible;
use crate::TextError;
use crate::vocabulary::{Kind, Vocabulary};

/// What an unknown character costs more than the rarest piece.
const UNKNOWN: f64 = 10.0;

/// The settings of a Unigram model.
#[derive(Clone, Debug)]
pub(crate) struct Unigram {
    /// Unknown characters are written as tokens `<0xNN>`.
    byte_fallback: bool,
    /// The score of an unknown character.
    unknown: f64,
    /// Scores with all digits of a `tokenizer.json`; otherwise those of the vocabulary.
    scores: Vec<f64>,
    /// Bytes of the longest piece that ordinary text can be.
    longest: usize,
}

#[derive(Clone, Copy)]
struct Best {
    score: f64,
    start: usize,
    id: Option<u32>,
}

impl Unigram {
    pub(crate) fn new(vocabulary: &Vocabulary, scores: Vec<f64>, byte_fallback: bool) -> Self {
        let mut model = Self { byte_fallback, unknown: 0.0, scores, longest: 1 };
        let mut lowest = f64::INFINITY;
        for id in 0..vocabulary.len() as u32 {
            if matches!(vocabulary.kind(id), Kind::Normal) {
                lowest = lowest.min(model.score(vocabulary, id));
            }
            if is_piece(vocabulary.kind(id)) {
                model.longest = model.longest.max(vocabulary.text(id).len());
            }
        }
        model.unknown = if lowest.is_finite() { lowest - UNKNOWN } else { -UNKNOWN };
        model
    }

    fn score(&self, vocabulary: &Vocabulary, id: u32) -> f64 {
        match (self.scores.get(id as usize), vocabulary.kind(id)) {
            // They are found before the model sees the text; here they must not be dearer.
            (_, Kind::UserDefined) => 0.0,
            (Some(&score), _) => score,
            (None, _) => vocabulary.scores[id as usize].into(),
        }
    }

    pub(crate) fn encode(
        &self,
        vocabulary: &Vocabulary,
        unk: Option<u32>,
        text: &str,
        ids: &mut Vec<u32>,
    ) -> Result<(), TextError> {
        let bytes = text.as_bytes();
        let nothing = Best { score: f64::NEG_INFINITY, start: 0, id: None };
        let mut best = vec![nothing; bytes.len() + 1];
        best[0].score = 0.0;
        for (start, c) in text.char_indices() {
            let so_far = best[start].score;
            let one = start + c.len_utf8();
            let mut known = false;
            for end in one..=bytes.len().min(start + self.longest) {
                if !text.is_char_boundary(end) {
                    continue;
                }
                let id = vocabulary.id(&bytes[start..end]);
                let Some(id) = id.filter(|&id| is_piece(vocabulary.kind(id))) else { continue };
                known |= end == one;
                let score = so_far + self.score(vocabulary, id);
                if score > best[end].score {
                    best[end] = Best { score, start, id: Some(id) };
                }
            }
            if !known && so_far + self.unknown > best[one].score {
                best[one] = Best { score: so_far + self.unknown, start, id: None };
            }
        }

        let mut path = Vec::new();
        let mut end = bytes.len();
        while end > 0 {
            let Best { start, id, .. } = best[end];
            path.push((start, end, id));
            end = start;
        }
        let mut after_unknown = false;
        for (start, end, id) in path.into_iter().rev() {
            let unknown = id.is_none();
            match id {
                Some(id) => ids.push(id),
                None if self.byte_fallback && self.bytes(vocabulary, &bytes[start..end], ids) => {}
                // Unknown characters in a row are one unknown token.
                None if after_unknown => {}
                None => ids.push(unk.ok_or_else(|| inexpressible(&text[start..end]))?),
            }
            after_unknown = unknown;
        }
        Ok(())
    }

    fn bytes(&self, vocabulary: &Vocabulary, bytes: &[u8], ids: &mut Vec<u32>) -> bool {
        let before = ids.len();
        ids.extend(bytes.iter().map_while(|&byte| vocabulary.byte_id(byte)));
        let all = ids.len() - before == bytes.len();
        if !all {
            ids.truncate(before);
        }
        all
    }
}

fn is_piece(kind: Kind) -> bool {
    matches!(kind, Kind::Normal | Kind::UserDefined | Kind::Unused)
}
