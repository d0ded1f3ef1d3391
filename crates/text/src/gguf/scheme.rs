//! What a `tokenizer.ggml.model` stands for.

use crate::byte_chars::ByteChars;
use crate::charsmap::CharsMap;
use crate::class::Class;
use crate::cut::{Behavior, Cut};
use crate::decode::{Decoder, Step};
use crate::model::{Bpe, Merges, Model, Plamo2, Symbols, Unigram, WordPiece, parts};
use crate::normalize::{Normalizer, Pattern, Spaces};
use crate::pre::{self, Pre};
use crate::vocabulary::Vocabulary;
use crate::{TextError, TokenizerSpec};

/// `▁`, which stands for a space in many vocabularies.
const SPACE: &str = "\u{2581}";

/// A kind of tokenizer.
#[derive(Debug)]
pub(super) enum Scheme {
    /// SentencePiece, merged by score.
    Scores,
    /// Merged by a list; the rule cuts the text before.
    BytePairs(Pre),
    WordPiece,
    Unigram,
    /// RWKV: the longest token first.
    Greedy,
    /// PLaMo 2: the cheapest way to cut.
    Plamo2,
}

/// Ids where a file names none.
#[derive(Debug, Default)]
pub(super) struct Defaults {
    pub(super) bos: Option<u32>,
    pub(super) eos: Option<u32>,
    pub(super) unk: Option<u32>,
    pub(super) sep: Option<u32>,
}

/// What is added where a file does not say.
#[derive(Debug)]
pub(super) struct Adds {
    pub(super) bos: bool,
    pub(super) eos: bool,
}

/// The steps of a tokenizer.
pub(super) struct Parts {
    pub(super) normalizers: Vec<Normalizer>,
    pub(super) cuts: Vec<Cut>,
    pub(super) model: Model,
    pub(super) decoder: Decoder,
}

impl Scheme {
    /// # Errors
    ///
    /// `TOKENIZER_UNSUPPORTED` names a model or pre-tokenizer that is not known.
    pub(super) fn of(spec: &TokenizerSpec) -> Result<Self, TextError> {
        let pre = match spec.model.as_str() {
            "llama" => return Ok(Self::Scores),
            "bert" => return Ok(Self::WordPiece),
            "t5" => return Ok(Self::Unigram),
            "rwkv" => return Ok(Self::Greedy),
            "plamo2" => return Ok(Self::Plamo2),
            "gemma4" | "whitespace" => Some(spec.model.as_str()),
            "gpt2" => spec.pre.as_deref(),
            _ => return Err(TextError::unsupported("model", &spec.model)),
        };
        let Some(name) = pre else {
            let what = "it does not name its pre-tokenizer (tokenizer.ggml.pre)";
            return Err(TextError::tokenizer(what));
        };
        let rule = pre::named(name).ok_or_else(|| TextError::unsupported("pre-tokenizer", name))?;
        Ok(Self::BytePairs(rule))
    }

    pub(super) fn defaults(&self) -> Defaults {
        match self {
            Self::Scores | Self::Plamo2 => {
                Defaults { bos: Some(1), eos: Some(2), unk: Some(0), sep: None }
            }
            Self::WordPiece => {
                Defaults { bos: Some(101), eos: None, unk: Some(100), sep: Some(102) }
            }
            Self::Unigram => Defaults { eos: Some(1), unk: Some(2), ..Defaults::default() },
            Self::BytePairs(_) | Self::Greedy => Defaults::default(),
        }
    }

    pub(super) fn adds(&self) -> Adds {
        match self {
            Self::Scores => Adds { bos: true, eos: false },
            Self::BytePairs(rule) => Adds { bos: rule.add_bos, eos: false },
            Self::WordPiece => Adds { bos: true, eos: false },
            Self::Unigram => Adds { bos: false, eos: true },
            Self::Greedy | Self::Plamo2 => Adds { bos: false, eos: false },
        }
    }

    pub(super) fn build(
        &self,
        spec: &TokenizerSpec,
        vocabulary: &Vocabulary,
    ) -> Result<Parts, TextError> {
        Ok(match self {
            Self::Scores => {
                let prefix = spec.add_space_prefix.unwrap_or(true);
                let mut normalizers = charsmap(spec)?;
                if spec.remove_extra_whitespaces == Some(true) {
                    normalizers.push(Normalizer::Spaces(Spaces { merge: true, prefix }));
                } else if prefix {
                    normalizers.push(Normalizer::Prepend(" ".into()));
                }
                normalizers.push(spaces());
                let decoder = pieces(prefix);
                Parts { normalizers, cuts: Vec::new(), model: Model::Scores, decoder }
            }
            Self::Unigram => {
                let merge = spec.remove_extra_whitespaces.unwrap_or(false);
                let prefix = spec.add_space_prefix.unwrap_or(false);
                let mut normalizers = charsmap(spec)?;
                normalizers.push(Normalizer::Spaces(Spaces { merge, prefix }));
                normalizers.push(spaces());
                let byte_fallback = (0..=255).all(|byte| vocabulary.byte_id(byte).is_some());
                let model = Unigram::new(vocabulary, Vec::new(), byte_fallback);
                let model = Model::Unigram(Box::new(model));
                Parts { normalizers, cuts: Vec::new(), model, decoder: pieces(prefix || merge) }
            }
            Self::WordPiece => word_piece(spec),
            Self::Greedy => Parts {
                normalizers: Vec::new(),
                cuts: Vec::new(),
                model: Model::Greedy,
                decoder: Decoder::default(),
            },
            Self::Plamo2 => Parts {
                normalizers: Vec::new(),
                cuts: Vec::new(),
                model: Model::Plamo2(Plamo2::new(vocabulary)?),
                decoder: Decoder::default(),
            },
            Self::BytePairs(rule) => byte_pairs(rule, spec, vocabulary)?,
        })
    }
}

fn byte_pairs(
    rule: &Pre,
    spec: &TokenizerSpec,
    vocabulary: &Vocabulary,
) -> Result<Parts, TextError> {
    if spec.merges.is_empty() {
        return Err(TextError::tokenizer("it has no merges"));
    }
    let pairs = (0..spec.merges.len()).map(|at| parts(spec.merges.get(at).unwrap_or_default()));
    let merges = Merges::new(vocabulary, pairs, 0)?;
    let cuts = rule.cuts()?;
    let (symbols, normalizers, decoder) = if rule.bytes {
        let steps = vec![Step::Bytes(Box::new(ByteChars::new()))];
        let decoder = Decoder { steps, ..Decoder::default() };
        (Symbols::bytes(vocabulary), Vec::new(), decoder)
    } else {
        let symbols = Symbols::Chars {
            byte_fallback: true,
            fuse_unk: false,
            prefix: String::new(),
            suffix: String::new(),
        };
        if rule.drops_spaces {
            let lowercase = spec.lowercase.unwrap_or(false).then_some(Normalizer::Lowercase);
            (symbols, lowercase.into_iter().collect(), Decoder::default())
        } else {
            (symbols, vec![spaces()], pieces(false))
        }
    };
    let bpe = Bpe { symbols, ignore_merges: rule.ignore_merges, newlines: rule.newlines, merges };
    Ok(Parts { normalizers, cuts, model: Model::BytePairs(Box::new(bpe)), decoder })
}

fn word_piece(spec: &TokenizerSpec) -> Parts {
    let lowercase = spec.lowercase.unwrap_or(true);
    let mut normalizers = Vec::new();
    if spec.strip_accents.unwrap_or(lowercase) {
        normalizers.extend([Normalizer::Nfd, Normalizer::Drop(Class::new(r"\p{M}"))]);
    }
    normalizers.extend([Normalizer::CleanText(Class::new(r"\p{C}")), Normalizer::Ideographs]);
    if lowercase {
        normalizers.push(Normalizer::Lowercase);
    }
    let punctuation = Class::new(r"[\p{P}$+<=>^`|~]");
    let model = WordPiece { begin: SPACE.into(), go_on: String::new(), longest_word: usize::MAX };
    Parts {
        normalizers,
        cuts: vec![
            Cut::WhiteSpace,
            Cut::Class { class: punctuation, behavior: Behavior::Isolated },
        ],
        model: Model::WordPiece(model),
        decoder: pieces(true),
    }
}

fn charsmap(spec: &TokenizerSpec) -> Result<Vec<Normalizer>, TextError> {
    if spec.charsmap.is_empty() {
        return Ok(Vec::new());
    }
    Ok(vec![Normalizer::CharsMap(Box::new(CharsMap::new(&spec.charsmap)?))])
}

fn spaces() -> Normalizer {
    Normalizer::Replace { pattern: Pattern::Literal(" ".into()), with: SPACE.into() }
}

/// Pieces that write `▁` for a space; `prefix`: one was put before the first word.
fn pieces(prefix: bool) -> Decoder {
    let pattern = Pattern::Literal(SPACE.into());
    Decoder {
        steps: vec![Step::Replace { pattern, with: " ".into() }],
        strip: prefix.then_some((' ', 1)),
        ..Decoder::default()
    }
}
