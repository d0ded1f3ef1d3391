//! What is done to a text before it is cut: Unicode forms, case, replacements.
//!
//! The steps are those of Hugging Face's
//! [normalizers](https://github.com/huggingface/tokenizers/tree/main/tokenizers/src/normalizers);
//! a GGUF file's model implies its own.

use crate::byte_chars::ByteChars;
use crate::charsmap::CharsMap;
use crate::class::Class;
use crate::split::Pass;
use std::borrow::Cow;
use unicode_normalization::UnicodeNormalization;
use unicode_normalization::{is_nfc_quick, is_nfd_quick, is_nfkc_quick, is_nfkd_quick};

/// One step.
#[derive(Debug)]
pub(crate) enum Normalizer {
    Nfc,
    Nfd,
    Nfkc,
    Nfkd,
    Lowercase,
    /// White space at the ends.
    Strip {
        left: bool,
        right: bool,
    },
    /// Characters of a class are dropped.
    Drop(Class),
    /// SentencePiece's clean-up of control characters and kinds of spaces.
    Nmt,
    Replace {
        pattern: Pattern,
        with: String,
    },
    Prepend(String),
    Append(String),
    Spaces(Spaces),
    /// BERT: control characters go, white space becomes spaces.
    CleanText(Class),
    /// BERT: spaces around ideographs.
    Ideographs,
    CharsMap(Box<CharsMap>),
    /// Each byte as its printable character.
    Bytes(Box<ByteChars>),
}

/// SentencePiece's treatment of spaces.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Spaces {
    /// Words are parted by one space and begin with one.
    pub(crate) merge: bool,
    /// The first word begins with one more.
    pub(crate) prefix: bool,
}

/// What is to be found in a text.
#[derive(Debug)]
pub(crate) enum Pattern {
    Literal(String),
    Regex(Box<Pass>),
}

impl Pattern {
    /// Calls `found` with the start and end of every match, in order.
    pub(crate) fn matches(&self, text: &str, found: &mut dyn FnMut(usize, usize)) {
        match self {
            Self::Literal(literal) if literal.is_empty() => {}
            Self::Literal(literal) => text
                .match_indices(literal.as_str())
                .for_each(|(at, part)| found(at, at + part.len())),
            Self::Regex(pass) => pass.matches(text, found),
        }
    }

    pub(crate) fn replace<'t>(&self, text: &'t str, with: &str) -> Cow<'t, str> {
        let mut out = String::new();
        let mut done = 0;
        self.matches(text, &mut |start, end| {
            out.push_str(&text[done..start]);
            out.push_str(with);
            done = end;
        });
        if done == 0 && out.is_empty() {
            return Cow::Borrowed(text);
        }
        out.push_str(&text[done..]);
        Cow::Owned(out)
    }
}

/// `text` after all `steps`.
pub(crate) fn apply<'t>(steps: &[Normalizer], text: &'t str) -> Cow<'t, str> {
    let mut text = Cow::Borrowed(text);
    for step in steps {
        if let Some(changed) = step.apply(&text) {
            text = Cow::Owned(changed);
        }
    }
    text
}

impl Normalizer {
    /// `None` where nothing changes.
    fn apply(&self, text: &str) -> Option<String> {
        use unicode_normalization::IsNormalized::Yes;
        Some(match self {
            // A text of ASCII is in every form.
            Self::Nfc | Self::Nfd | Self::Nfkc | Self::Nfkd if text.is_ascii() => return None,
            Self::Nfc if is_nfc_quick(text.chars()) == Yes => return None,
            Self::Nfd if is_nfd_quick(text.chars()) == Yes => return None,
            Self::Nfkc if is_nfkc_quick(text.chars()) == Yes => return None,
            Self::Nfkd if is_nfkd_quick(text.chars()) == Yes => return None,
            Self::Nfc => text.nfc().collect(),
            Self::Nfd => text.nfd().collect(),
            Self::Nfkc => text.nfkc().collect(),
            Self::Nfkd => text.nfkd().collect(),
            // Letter by letter: the end of a word does not matter.
            Self::Lowercase => text.chars().flat_map(char::to_lowercase).collect(),
            Self::Strip { left, right } => {
                let text = if *left { text.trim_start() } else { text };
                let text = if *right { text.trim_end() } else { text };
                text.to_owned()
            }
            Self::Drop(_) if text.is_ascii() => return None,
            Self::Drop(class) => text.chars().filter(|&c| !class.contains(c)).collect(),
            Self::Nmt => text.chars().filter_map(nmt).collect(),
            Self::Replace { pattern, with } => match pattern.replace(text, with) {
                Cow::Borrowed(_) => return None,
                Cow::Owned(text) => text,
            },
            Self::Prepend(with) if text.is_empty() || with.is_empty() => return None,
            Self::Prepend(with) => [with, text].concat(),
            Self::Append(with) if text.is_empty() || with.is_empty() => return None,
            Self::Append(with) => [text, with].concat(),
            Self::Spaces(spaces) => spaces.apply(text),
            Self::CleanText(control) => {
                let kept = text.chars().filter(|&c| {
                    !matches!(c, '\0' | char::REPLACEMENT_CHARACTER)
                        && (matches!(c, '\t' | '\n' | '\r') || !control.contains(c))
                });
                kept.map(|c| if c.is_whitespace() { ' ' } else { c }).collect()
            }
            Self::Ideographs if text.is_ascii() => return None,
            Self::Ideographs => {
                let mut out = String::with_capacity(text.len());
                for c in text.chars() {
                    if is_ideograph(c) {
                        out.extend([' ', c, ' ']);
                    } else {
                        out.push(c);
                    }
                }
                out
            }
            Self::CharsMap(map) => map.apply(text),
            Self::Bytes(chars) => text.bytes().map(|byte| chars.char(byte)).collect(),
        })
    }
}

impl Spaces {
    fn apply(self, text: &str) -> String {
        let mut out = String::with_capacity(text.len() + 1);
        let mut inside = false;
        let mut prefixed = false;
        for c in text.chars() {
            if c != ' ' {
                if !inside && (self.merge || (self.prefix && !prefixed)) {
                    out.push(' ');
                    prefixed = true;
                }
                out.push(c);
            } else if !self.merge {
                out.push(' ');
            }
            inside = c != ' ';
        }
        out
    }
}

fn nmt(c: char) -> Option<char> {
    match c as u32 {
        0x01..=0x08 | 0x0B | 0x0E..=0x1F | 0x7F | 0x8F | 0x9F => None,
        0x09
        | 0x0A
        | 0x0C
        | 0x0D
        | 0x1680
        | 0x200B..=0x200F
        | 0x2028
        | 0x2029
        | 0x2581
        | 0xFEFF
        | 0xFFFD => Some(' '),
        _ => Some(c),
    }
}

/// The blocks that BERT counts as Chinese.
pub(crate) fn is_ideograph(c: char) -> bool {
    matches!(c as u32,
        0x4E00..=0x9FFF | 0x3400..=0x4DBF | 0x2_0000..=0x2_A6DF | 0x2_A700..=0x2_B73F
        | 0x2_B740..=0x2_B81F | 0x2_B920..=0x2_CEAF | 0xF900..=0xFAFF | 0x2_F800..=0x2_FA1F)
}
