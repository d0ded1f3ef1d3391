//! From tokens back to text, token by token.
//!
//! The steps are those of Hugging Face's
//! [decoders](https://github.com/huggingface/tokenizers/tree/main/tokenizers/src/decoders), written
//! so that the text of a token is known when the token is.

use crate::byte_chars::ByteChars;
use crate::normalize::Pattern;
use std::borrow::Cow;

/// How the tokens of a vocabulary print.
#[derive(Debug, Default)]
pub(crate) struct Decoder {
    pub(crate) steps: Vec<Step>,
    /// Tokens `<0xNN>` are bytes.
    pub(crate) byte_tokens: bool,
    /// What stands between two tokens.
    pub(crate) separator: &'static str,
    /// What goes from the beginning of the text, and at most how often.
    pub(crate) strip: Option<(char, usize)>,
}

/// What is done to each token.
#[derive(Debug)]
pub(crate) enum Step {
    /// Printable characters back to bytes.
    Bytes(Box<ByteChars>),
    Replace {
        pattern: Pattern,
        with: String,
    },
    /// Every token but the first loses the prefix, or gets a space where it has none.
    WordPiece {
        prefix: String,
        cleanup: bool,
    },
    /// `replacement` is a space, but nothing in the first token where `drop_first`.
    Metaspace {
        replacement: char,
        drop_first: bool,
    },
    /// The mark of a word's end is a space, but not at the end.
    WordEnd(String),
    /// Up to so many of a character from the ends of each token.
    Strip {
        content: char,
        start: usize,
        stop: usize,
    },
}

/// Where a text is.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    /// No token was printed yet.
    first: bool,
    /// How many characters may still go from the beginning.
    strip: usize,
    /// A space that another token makes true.
    space: bool,
}

impl Decoder {
    /// `at_start`: no text precedes.
    pub(crate) fn place(&self, at_start: bool) -> Place {
        let strip = self.strip.filter(|_| at_start).map_or(0, |(_, count)| count);
        Place { first: at_start, strip, space: false }
    }

    /// Appends what `token` prints. `raw`: it is not of the model's own making.
    pub(crate) fn token(&self, token: &[u8], raw: bool, place: &mut Place, out: &mut Vec<u8>) {
        let first = std::mem::replace(&mut place.first, false);
        let before = out.len();
        if std::mem::take(&mut place.space) {
            out.push(b' ');
        }
        if !first {
            out.extend_from_slice(self.separator.as_bytes());
        }
        match std::str::from_utf8(token) {
            Ok(token) => self.text(token, raw, first, place, out),
            Err(_) => out.extend_from_slice(token),
        }
        self.strip_start(before, place, out);
    }

    /// Appends a byte that is a token.
    pub(crate) fn byte(&self, byte: u8, place: &mut Place, out: &mut Vec<u8>) {
        place.first = false;
        let before = out.len();
        out.push(byte);
        self.strip_start(before, place, out);
    }

    fn strip_start(&self, before: usize, place: &mut Place, out: &mut Vec<u8>) {
        let Some((content, _)) = self.strip else { return };
        let mut utf8 = [0; 4];
        let content = content.encode_utf8(&mut utf8).as_bytes();
        while place.strip > 0 && out.len() > before {
            if out[before..].starts_with(content) {
                out.drain(before..before + content.len());
                place.strip -= 1;
            } else {
                place.strip = 0;
            }
        }
    }

    fn text(&self, token: &str, raw: bool, first: bool, place: &mut Place, out: &mut Vec<u8>) {
        let mut text = Cow::Borrowed(token);
        for step in &self.steps {
            match step {
                Step::Bytes(_) if raw => {}
                Step::Bytes(chars) => {
                    let start = out.len();
                    out.extend(text.chars().map_while(|c| chars.byte(c)));
                    // A token with a character that stands for no byte is text as it is.
                    if out.len() - start != text.chars().count() {
                        out.truncate(start);
                        out.extend_from_slice(text.as_bytes());
                    }
                    return;
                }
                Step::Replace { pattern, with } => {
                    text = Cow::Owned(pattern.replace(&text, with).into_owned());
                }
                Step::WordPiece { prefix, cleanup } => {
                    if !first {
                        text = match text.strip_prefix(prefix.as_str()) {
                            Some(rest) => Cow::Owned(rest.to_owned()),
                            None => Cow::Owned(format!(" {text}")),
                        };
                    }
                    if *cleanup {
                        text = Cow::Owned(clean_up(&text));
                    }
                }
                Step::Metaspace { replacement, drop_first } => {
                    let space = if first && *drop_first { "" } else { " " };
                    text = Cow::Owned(text.replace(*replacement, space));
                }
                Step::WordEnd(mark) => {
                    if let Some(rest) = text.strip_suffix(mark.as_str()) {
                        place.space = true;
                        text = Cow::Owned(rest.to_owned());
                    }
                }
                Step::Strip { content, start, stop } => {
                    let mut rest: &str = &text;
                    for _ in 0..*start {
                        rest = rest.strip_prefix(*content).unwrap_or(rest);
                    }
                    for _ in 0..*stop {
                        rest = rest.strip_suffix(*content).unwrap_or(rest);
                    }
                    text = Cow::Owned(rest.to_owned());
                }
            }
        }
        out.extend_from_slice(text.as_bytes());
    }
}

/// English punctuation without the spaces that cutting put before it
/// ([`clean_up_tokenization`](https://github.com/huggingface/transformers/blob/v4.57.0/src/transformers/tokenization_utils_base.py)).
pub(crate) fn clean_up(text: &str) -> String {
    const PAIRS: [(&str, &str); 11] = [
        (" .", "."),
        (" ?", "?"),
        (" !", "!"),
        (" ,", ","),
        (" ' ", "'"),
        (" n't", "n't"),
        (" 'm", "'m"),
        (" do not", " don't"),
        (" 's", "'s"),
        (" 've", "'ve"),
        (" 're", "'re"),
    ];
    let mut text = text.to_owned();
    for (from, to) in PAIRS {
        if text.contains(from) {
            text = text.replace(from, to);
        }
    }
    text
}
