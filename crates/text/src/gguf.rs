//! The tokenizer that a GGUF file describes, as llama.cpp reads it (`llama-vocab.cpp`).

mod scheme;

use crate::added::{AddedTokens, Found};
use crate::tokenizer::{Around, Templates};
use crate::vocabulary::{Kind, Vocabulary};
use crate::{StringList, TextError, Tokenizer, TokenizerSpec, end};
use scheme::Scheme;

pub(crate) fn tokenizer(mut spec: TokenizerSpec) -> Result<Tokenizer, TextError> {
    let scheme = Scheme::of(&spec)?;
    let mut vocabulary = vocabulary(&mut spec, &scheme)?;
    special_ids(&mut spec, &scheme, &vocabulary)?;

    let ends = [spec.eos, spec.eot, spec.eom].into_iter().flatten().collect();
    let end_tokens = end::end_tokens(&mut vocabulary, ends);
    let name = spec.name.as_deref().unwrap_or_default().to_lowercase();
    let strips = name.contains("phi-3") || name.contains("phi3");
    let added = added_tokens(&vocabulary, strips)?;
    let around = around(&spec, &scheme)?;
    let templates = templates(&vocabulary, &spec);
    let parts = scheme.build(&spec, &vocabulary)?;
    Ok(Tokenizer {
        vocabulary,
        added,
        normalizers: parts.normalizers,
        added_normalized: AddedTokens::default(),
        cuts: parts.cuts,
        model: parts.model,
        decoder: parts.decoder,
        around,
        clean_up: false,
        bos: spec.bos,
        eos: spec.eos,
        unk: spec.unk,
        end_tokens,
        templates,
    })
}

fn vocabulary(spec: &mut TokenizerSpec, scheme: &Scheme) -> Result<Vocabulary, TextError> {
    let mut tokens = std::mem::take(&mut spec.tokens);
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
    if matches!(scheme, Scheme::Greedy) {
        tokens = tokens.iter().map(unescaped).collect::<StringList>();
    }
    Vocabulary::new(tokens, kinds, scores)
}

fn per_token<T>(what: &str, values: &[T], count: usize) -> Result<(), TextError> {
    if values.len() < count {
        return Err(TextError::tokenizer(format!("{count} tokens but {} {what}", values.len())));
    }
    Ok(())
}

/// RWKV's files write bytes as `\t`, `\n`, `\r` and `\xNN`.
fn unescaped(token: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(token.len());
    let mut rest = token.iter().copied();
    while let Some(byte) = rest.next() {
        if byte != b'\\' {
            out.push(byte);
            continue;
        }
        let hex = |byte: Option<u8>| byte.and_then(|b| char::from(b).to_digit(16)).unwrap_or(0);
        match rest.next() {
            Some(b't') => out.push(b'\t'),
            Some(b'n') => out.push(b'\n'),
            Some(b'r') => out.push(b'\r'),
            Some(b'x') => out.push((hex(rest.next()) << 4 | hex(rest.next())) as u8),
            other => out.extend(other),
        }
    }
    out
}

/// Checks the ids that the file names, and fills in those that hold where it names none.
fn special_ids(
    spec: &mut TokenizerSpec,
    scheme: &Scheme,
    vocabulary: &Vocabulary,
) -> Result<(), TextError> {
    let defaults = scheme.defaults();
    let untyped = spec.token_types.is_empty();
    // A vocabulary that says what its tokens are, and has no unknown one, has none.
    let unk = defaults.unk.filter(|&id| untyped || vocabulary.kind(id) == Kind::Unknown);
    let named = [
        ("bos", &mut spec.bos, defaults.bos),
        ("eos", &mut spec.eos, defaults.eos),
        ("unknown", &mut spec.unk, unk),
        ("sep", &mut spec.sep, defaults.sep),
        ("eot", &mut spec.eot, None),
        ("eom", &mut spec.eom, None),
    ];
    for (name, id, default) in named {
        match *id {
            Some(id) if id as usize >= vocabulary.len() => {
                let count = vocabulary.len();
                let what = format!("the {name} token is {id} of {count} tokens");
                return Err(TextError::tokenizer(what));
            }
            None => *id = default.filter(|&id| (id as usize) < vocabulary.len()),
            _ => {}
        }
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

fn around(spec: &TokenizerSpec, scheme: &Scheme) -> Result<Around, TextError> {
    let add = scheme.adds();
    // BERT's files do not say it, and its models know no text without.
    let fixed = matches!(scheme, Scheme::WordPiece);
    let add_bos = if fixed { true } else { spec.add_bos.unwrap_or(add.bos) };
    let add_bos = add_bos || matches!(scheme, Scheme::BytePairs(rule) if rule.always_bos);
    let add_eos = if fixed { false } else { spec.add_eos.unwrap_or(add.eos) };
    for (add, id, name) in
        [(add_bos, spec.bos, "BOS"), (add_eos, spec.eos, "EOS"), (fixed, spec.sep, "SEP")]
    {
        if add && id.is_none() {
            return Err(TextError::tokenizer(format!("{name} is to be added, but has no id")));
        }
    }
    let list = |id: Option<u32>, wanted: bool| id.filter(|_| wanted).into_iter().collect();
    let (between, after) = if fixed {
        (list(spec.sep, true), list(spec.sep, true))
    } else {
        (list(spec.eos, add_eos), list(spec.eos, add_eos))
    };
    Ok(Around { before: list(spec.bos, add_bos), between, after })
}

fn templates(vocabulary: &Vocabulary, spec: &TokenizerSpec) -> Templates {
    let mut named = spec.chat_templates.clone();
    named.retain(|(_, template)| !template.is_empty());
    let variable = |name: &str, id: Option<u32>| {
        let text = String::from_utf8_lossy(vocabulary.text(id?)).into_owned();
        Some((name.to_owned(), text))
    };
    let variables = [
        variable("bos_token", spec.bos),
        variable("eos_token", spec.eos),
        variable("unk_token", spec.unk),
    ];
    Templates { named, variables: variables.into_iter().flatten().collect() }
}
