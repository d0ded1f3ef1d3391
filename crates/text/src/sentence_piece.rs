//! SentencePiece's own files (`tokenizer.model`): a protocol buffer
//! ([`sentencepiece_model.proto`](https://github.com/google/sentencepiece/blob/master/src/sentencepiece_model.proto)).

use crate::{TextError, TokenizerSpec};

/// A field of a message.
enum Field<'b> {
    Number(u64),
    Float(f32),
    Bytes(&'b [u8]),
}

/// The vocabulary of a `tokenizer.model`.
///
/// # Errors
///
/// `TOKENIZER_INVALID` when the file is cut off or is none, `TOKENIZER_UNSUPPORTED` names a model
/// other than BPE and Unigram.
pub(crate) fn read(bytes: &[u8]) -> Result<TokenizerSpec, TextError> {
    let mut spec = TokenizerSpec {
        // Defaults of the format.
        model: "t5".into(),
        bos: Some(1),
        eos: Some(2),
        unk: Some(0),
        add_bos: Some(false),
        add_eos: Some(false),
        add_space_prefix: Some(true),
        remove_extra_whitespaces: Some(true),
        ..TokenizerSpec::default()
    };
    let mut kind = 1;
    message(bytes, &mut |field, value| {
        match (field, value) {
            (1, Field::Bytes(piece)) => {
                let (mut text, mut score, mut of) = (&[][..], 0.0, 1);
                message(piece, &mut |field, value| {
                    match (field, value) {
                        (1, Field::Bytes(bytes)) => text = bytes,
                        (2, Field::Float(value)) => score = value,
                        (3, Field::Number(value)) => of = value as i32,
                        _ => {}
                    }
                    Ok(())
                })?;
                spec.tokens.push(text);
                spec.scores.push(score);
                spec.token_types.push(of);
            }
            (2, Field::Bytes(trainer)) => message(trainer, &mut |field, value| {
                // A negative id: there is no such token.
                let id = |value: u64| u32::try_from(value).ok();
                match (field, value) {
                    (3, Field::Number(value)) => kind = value,
                    (40, Field::Number(value)) => spec.unk = id(value),
                    (41, Field::Number(value)) => spec.bos = id(value),
                    (42, Field::Number(value)) => spec.eos = id(value),
                    _ => {}
                }
                Ok(())
            })?,
            (3, Field::Bytes(normalizer)) => message(normalizer, &mut |field, value| {
                match (field, value) {
                    (2, Field::Bytes(map)) => spec.charsmap = map.to_vec(),
                    (3, Field::Number(value)) => spec.add_space_prefix = Some(value != 0),
                    (4, Field::Number(value)) => spec.remove_extra_whitespaces = Some(value != 0),
                    _ => {}
                }
                Ok(())
            })?,
            _ => {}
        }
        Ok(())
    })?;
    spec.model = match kind {
        1 => "t5".into(),
        2 => "llama".into(),
        3 => return Err(TextError::unsupported("model", "SentencePiece WORD")),
        4 => return Err(TextError::unsupported("model", "SentencePiece CHAR")),
        _ => return Err(TextError::unsupported("model", format!("SentencePiece {kind}"))),
    };
    Ok(spec)
}

/// Calls `each` with every field of a message
/// ([encoding](https://protobuf.dev/programming-guides/encoding/)).
fn message<'b>(
    mut rest: &'b [u8],
    each: &mut dyn FnMut(u64, Field<'b>) -> Result<(), TextError>,
) -> Result<(), TextError> {
    let wrong = || TextError::tokenizer("tokenizer.model is cut off or no SentencePiece model");
    while !rest.is_empty() {
        let tag = varint(&mut rest).ok_or_else(wrong)?;
        let value = match tag & 7 {
            0 => Field::Number(varint(&mut rest).ok_or_else(wrong)?),
            1 => {
                rest = rest.get(8..).ok_or_else(wrong)?;
                continue;
            }
            2 => {
                let length = varint(&mut rest).ok_or_else(wrong)?;
                let length = usize::try_from(length).map_err(|_| wrong())?;
                let (bytes, after) = rest.split_at_checked(length).ok_or_else(wrong)?;
                rest = after;
                Field::Bytes(bytes)
            }
            5 => {
                let (float, after) = rest.split_first_chunk().ok_or_else(wrong)?;
                rest = after;
                Field::Float(f32::from_le_bytes(*float))
            }
            _ => return Err(wrong()),
        };
        each(tag >> 3, value)?;
    }
    Ok(())
}

fn varint(rest: &mut &[u8]) -> Option<u64> {
    let mut number = 0;
    for shift in (0..64).step_by(7) {
        let (&byte, after) = rest.split_first()?;
        *rest = after;
        number |= u64::from(byte & 0x7F) << shift;
        if byte < 0x80 {
            return Some(number);
        }
    }
    None
}
