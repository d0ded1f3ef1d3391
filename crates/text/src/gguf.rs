//! The tokenizer that a GGUF file describes, as llama.cpp reads it.

use crate::added::{AddedTokens, Found};
use crate::byte_chars::ByteChars;
use crate::decode::{Decoder, Step};
use crate::model::{Bpe, Merges, Model, Symbols, parts};
use crate::normalize::{Normalizer, Pattern};
use crate::tokenizer::{Around, Templates};
use crate::vocabulary::{Kind, Vocabulary};
use crate::{TextError, Tokenizer, TokenizerSpec, end, pre};

/// `▁`, which stands for a space in many vocabularies.
pub(crate) const SPACE: &str = "\u{2581}";

pub(crate) fn tokenizer(mut spec: TokenizerSpec) -> Result<Tokenizer, TextError> {
    let sentence_piece = match spec.model.as_str() {
        "llama" => true,
        "gpt2" => false,
        _ => return Err(TextError::unsupported("model", spec.model)),
    };
    let rule = match &spec.pre {
        _ if sentence_piece => None,
        Some(name) => match pre::named(name) {
            Some(rule) => Some(rule),
            None => return Err(TextError::unsupported("pre-tokenizer", name)),
        },
        None => {
            let what = "the vocabulary does not name its pre-tokenizer (tokenizer.ggml.pre)";
            return Err(TextError::tokenizer(what));
        }
    };

    let mut vocabulary = vocabulary(&mut spec)?;
    // These ids hold in llama.cpp for SentencePiece files that do not name theirs.
    let untyped = spec.token_types.is_empty();
    let unknown_default = if untyped || vocabulary.kind(0) == Kind::Unknown { 0 } else { u32::MAX };
    let named = [
        ("bos", &mut spec.bos, 1),
        ("eos", &mut spec.eos, 2),
        ("unknown", &mut spec.unk, unknown_default),
        ("eot", &mut spec.eot, u32::MAX),
        ("eom", &mut spec.eom, u32::MAX),
    ];
    for (name, id, sentence_piece_default) in named {
        match *id {
            Some(id) if id as usize >= vocabulary.len() => {
                let count = vocabulary.len();
                let what = format!("the {name} token is {id} of {count} tokens");
                return Err(TextError::tokenizer(what));
            }
            None if sentence_piece && (sentence_piece_default as usize) < vocabulary.len() => {
                *id = Some(sentence_piece_default);
            }
            _ => {}
        }
    }
    let ends = [spec.eos, spec.eot, spec.eom].into_iter().flatten().collect();
    let end_tokens = end::end_tokens(&mut vocabulary, ends);
    let name = spec.name.as_deref().unwrap_or_default().to_lowercase();
    let strips = name.contains("phi-3") || name.contains("phi3");
    let added = added_tokens(&vocabulary, strips)?;

    let add_bos = spec.add_bos.unwrap_or(rule.is_none_or(|rule| rule.add_bos));
    let add_eos = spec.add_eos.unwrap_or(false);
    for (add, id, name) in [(add_bos, spec.bos, "BOS"), (add_eos, spec.eos, "EOS")] {
        if add && id.is_none() {
            return Err(TextError::tokenizer(format!("{name} is to be added, but has no id")));
        }
    }
    let space_prefix = spec.add_space_prefix.unwrap_or(sentence_piece);
    let (normalizers, cuts, model, decoder) = match &rule {
        None => (
            sentence_piece_normalizers(space_prefix),
            Vec::new(),
            Model::Scores,
            sentence_piece_decoder(space_prefix),
        ),
        Some(rule) => {
            if spec.merges.is_empty() {
                return Err(TextError::tokenizer("it has no merges"));
            }
            let pairs =
                (0..spec.merges.len()).map(|at| parts(spec.merges.get(at).unwrap_or_default()));
            let merges = Merges::new(&vocabulary, pairs, 0)?;
            let symbols = Symbols::bytes(&vocabulary);
            let bpe = Bpe { symbols, ignore_merges: rule.ignore_merges, merges };
            let steps = vec![Step::Bytes(Box::new(ByteChars::new()))];
            let decoder = Decoder { steps, ..Decoder::default() };
            (Vec::new(), rule.cuts()?, Model::BytePairs(Box::new(bpe)), decoder)
        }
    };
    let templates = templates(&vocabulary, &spec);
    Ok(Tokenizer {
        vocabulary,
        added,
        normalizers,
        added_normalized: AddedTokens::default(),
        cuts,
        model,
        decoder,
        around: Around {
            before: spec.bos.filter(|_| add_bos).into_iter().collect(),
            between: Vec::new(),
            after: spec.eos.filter(|_| add_eos).into_iter().collect(),
        },
        clean_up: false,
        bos: spec.bos,
        eos: spec.eos,
        unk: spec.unk,
        end_tokens,
        templates,
    })
}

fn vocabulary(spec: &mut TokenizerSpec) -> Result<Vocabulary, TextError> {
    let tokens = std::mem::take(&mut spec.tokens);
    let count = tokens.len();
    let kinds = if spec.token_types.is_empty() {
        vec![Kind::Normal; count]
    } else {
        per_token("token types", &spec.token_types, count)?;
        spec.token_types[..count].iter().map(|&value| Kind::from_type(value)).collect()
    };
    let scores = if spec.scores.is_empty() {
        vec![0.0; count]
    } else {
        per_token("scores", &spec.scores, count)?;
        spec.scores[..count].to_vec()
    };
    Vocabulary::new(tokens, kinds, scores)
}

fn per_token<T>(what: &str, values: &[T], count: usize) -> Result<(), TextError> {
    if values.len() < count {
        return Err(TextError::tokenizer(format!("{count} tokens but {} {what}", values.len())));
    }
    Ok(())
}

/// Control and user-defined tokens. `strips`: Phi-3's swallow white space after them, all but three.
fn added_tokens(vocabulary: &Vocabulary, strips: bool) -> Result<AddedTokens, TextError> {
    let found = (0..vocabulary.len() as u32).filter_map(|id| {
        let special = match vocabulary.kind(id) {
            Kind::UserDefined => false,
            Kind::Control | Kind::Unknown => true,
            _ => return None,
        };
        let text = vocabulary.text(id);
        // Of tokens with the same text only the one that text leads to.
        if vocabulary.id(text) != Some(id) {
            return None;
        }
        let rstrip = strips && !matches!(text, b"<unk>" | b"<s>" | b"<|endoftext|>");
        Some((text.into(), Found { id, special, rstrip, ..Found::default() }))
    });
    AddedTokens::new(found)
}

fn sentence_piece_normalizers(space_prefix: bool) -> Vec<Normalizer> {
    let spaces = Normalizer::Replace { pattern: Pattern::Literal(" ".into()), with: SPACE.into() };
    let prefix = space_prefix.then(|| Normalizer::Prepend(" ".into()));
    prefix.into_iter().chain([spaces]).collect()
}

fn sentence_piece_decoder(space_prefix: bool) -> Decoder {
    let pattern = Pattern::Literal(SPACE.into());
    Decoder {
        steps: vec![Step::Replace { pattern, with: " ".into() }],
        // The space that was put before the first word.
        strip: space_prefix.then_some((' ', 1)),
        ..Decoder::default()
    }
}

fn templates(vocabulary: &Vocabulary, spec: &TokenizerSpec) -> Templates {
    let template = spec.chat_template.clone().filter(|template| !template.is_empty());
    let variable = |name: &str, id: Option<u32>| {
        let text = String::from_utf8_lossy(vocabulary.text(id?)).into_owned();
        Some((name.to_owned(), text))
    };
    let variables = [variable("bos_token", spec.bos), variable("eos_token", spec.eos)];
    Templates {
        named: template.into_iter().map(|template| ("default".to_owned(), template)).collect(),
        variables: variables.into_iter().flatten().collect(),
    }
}
