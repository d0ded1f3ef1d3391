//! Puts the parts of the files together.

use super::config::Config;
use super::json::{AddedToken, Model as ModelJson, TokenizerJson, Vocab};
use super::parts;
use crate::added::{AddedTokens, Found};
use crate::model::{Bpe, Merges, Model, Symbols, Unigram, WordPiece};
use crate::normalize;
use crate::tokenizer::Templates;
use crate::vocabulary::{Kind, Vocabulary};
use crate::{StringList, TextError, Tokenizer, end};

/// Ids may have gaps, but not so many that a short file asks for much memory.
const MOST_GAPS: usize = 65_536;

pub(super) fn tokenizer(file: TokenizerJson, config: &Config) -> Result<Tokenizer, TextError> {
    let TokenizerJson { added_tokens, normalizer, pre_tokenizer, post_processor, decoder, model } =
        file;
    let normalizers = parts::normalizers(&normalizer)?;
    let (cuts, bytes) = parts::cuts(&pre_tokenizer)?;
    let decoder = parts::decoder(&decoder)?;
    let mut around = parts::around(&post_processor)?;

    let ModelJson { vocab, ref merges, ref kind, .. } = model;
    let scores = vocab.scores.clone();
    let mut vocabulary = vocabulary(vocab, &added_tokens)?;
    let unk = match (model.unk_id, &model.unk_token) {
        (Some(id), _) if (id as usize) < vocabulary.len() => Some(id),
        (Some(id), _) => {
            let what = format!("the unknown token is {id} of {} tokens", vocabulary.len());
            return Err(TextError::tokenizer(what));
        }
        (None, Some(text)) => vocabulary.id(text.as_bytes()),
        (None, None) => None,
    };
    let kind = match kind.as_deref() {
        Some(kind) => kind,
        // Files of the first versions do not say it.
        None if !merges.0.is_empty() => "BPE",
        None if !scores.is_empty() => "Unigram",
        None => "WordPiece",
    };
    let continuing = model.continuing_subword_prefix.clone();
    let model = match kind {
        "BPE" => {
            let continuing = continuing.unwrap_or_default();
            let list = &merges.0;
            let part = |at: usize| list.get(at).unwrap_or_default();
            let pairs = (0..list.len() / 2).map(|at| (part(2 * at), part(2 * at + 1)));
            let merges = Merges::new(&vocabulary, pairs, continuing.len())?;
            let suffix = model.end_of_word_suffix.unwrap_or_default();
            // A byte has no neighbour within a word that such marks could tell apart.
            let symbols = if bytes && continuing.is_empty() && suffix.is_empty() {
                Symbols::bytes(&vocabulary)
            } else if bytes {
                return Err(TextError::unsupported("pre-tokenizer", "ByteLevel with word marks"));
            } else {
                Symbols::Chars {
                    byte_fallback: model.byte_fallback.unwrap_or_default(),
                    fuse_unk: model.fuse_unk.unwrap_or_default(),
                    prefix: continuing,
                    suffix,
                }
            };
            let ignore_merges = model.ignore_merges.unwrap_or_default();
            Model::BytePairs(Box::new(Bpe { symbols, ignore_merges, newlines: false, merges }))
        }
        "WordPiece" => Model::WordPiece(WordPiece {
            begin: String::new(),
            go_on: continuing.unwrap_or_else(|| "##".to_owned()),
            longest_word: model.max_input_chars_per_word.unwrap_or(100),
        }),
        "Unigram" => Model::Unigram(Box::new(Unigram::new(
            &vocabulary,
            scores,
            model.byte_fallback.unwrap_or_default(),
        ))),
        "WordLevel" => Model::WordLevel,
        other => return Err(TextError::unsupported("model", other)),
    };

    let id = |name: &str| vocabulary.id(config.token(name)?.as_bytes());
    let (bos, eos) = (id("bos_token"), id("eos_token"));
    for &id in around.ids().chain(config.ends()) {
        if id as usize >= vocabulary.len() {
            let what = format!("a special token is {id} of {} tokens", vocabulary.len());
            return Err(TextError::tokenizer(what));
        }
    }
    ensure(config.add_bos, bos, &mut around.before, true);
    ensure(config.add_eos, eos, &mut around.after, false);
    let named = config.ends().iter().copied().chain(eos).collect();
    let end_tokens = end::end_tokens(&mut vocabulary, named);

    let (mut raw, mut normalized) = (Vec::new(), Vec::new());
    for token in &added_tokens {
        let found = Found {
            id: token.id,
            special: token.special,
            single_word: token.single_word,
            lstrip: token.lstrip,
            rstrip: token.rstrip,
        };
        if token.normalized {
            let text = normalize::apply(&normalizers, &token.content);
            normalized.push((text.as_bytes().into(), found));
        } else {
            raw.push((token.content.as_bytes().into(), found));
        }
    }
    Ok(Tokenizer {
        added: AddedTokens::new(raw)?,
        added_normalized: AddedTokens::new(normalized)?,
        vocabulary,
        normalizers,
        cuts,
        model,
        decoder,
        around,
        clean_up: config.clean_up_spaces,
        bos,
        eos,
        unk,
        end_tokens,
        templates: Templates { named: config.templates(), variables: config.special.clone() },
    })
}

/// `add_bos_token` and `add_eos_token` win over the post-processor, where a file has them.
fn ensure(wanted: Option<bool>, id: Option<u32>, ids: &mut Vec<u32>, first: bool) {
    let (Some(wanted), Some(id)) = (wanted, id) else { return };
    match (wanted, ids.contains(&id)) {
        (true, false) if first => ids.insert(0, id),
        (true, false) => ids.push(id),
        (false, true) => ids.retain(|&other| other != id),
        _ => {}
    }
}

fn vocabulary(vocab: Vocab, added: &[AddedToken]) -> Result<Vocabulary, TextError> {
    let Vocab { tokens, ids, scores } = vocab;
    let count = tokens.len();
    let in_order = ids.iter().enumerate().all(|(at, &id)| id as usize == at);
    let highest = ids.iter().copied().chain(added.iter().map(|token| token.id)).max();
    let size = count.max(highest.map_or(0, |id| id as usize + 1));
    if size > 2 * (count + added.len()) + MOST_GAPS {
        let what = format!("an id is {} in a vocabulary of {count} tokens", size - 1);
        return Err(TextError::tokenizer(what));
    }
    let mut kinds = vec![Kind::Normal; count];
    kinds.resize(size, Kind::Undefined);

    let mut tokens = tokens;
    if !in_order || added.iter().any(|token| token.id as usize >= count) {
        let mut texts: Vec<&[u8]> = vec![&[]; size];
        let mut of = vec![Kind::Undefined; size];
        for (at, text) in tokens.iter().enumerate() {
            let id = ids.get(at).map_or(at, |&id| id as usize);
            texts[id] = text;
            of[id] = Kind::Normal;
        }
        for token in added {
            texts[token.id as usize] = token.content.as_bytes();
        }
        let ordered: StringList = texts.into_iter().collect();
        (tokens, kinds) = (ordered, of);
    }
    for token in added {
        kinds[token.id as usize] = if token.special { Kind::Control } else { Kind::UserDefined };
    }
    let scores = if scores.is_empty() {
        vec![0.0; size]
    } else {
        let mut scores: Vec<f32> = scores.iter().map(|&score| score as f32).collect();
        scores.resize(size, 0.0);
        scores
    };
    Vocabulary::new(tokens, kinds, scores)
}
