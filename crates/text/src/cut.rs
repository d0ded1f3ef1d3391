//! How a text is cut into words before the model sees it.
//!
//! The steps are those of Hugging Face's
//! [pre-tokenizers](https://github.com/huggingface/tokenizers/tree/main/tokenizers/src/pre_tokenizers).
//! Each works on the pieces of the one before.

use crate::byte_chars::ByteChars;
use crate::class::Class;
use crate::normalize::Pattern;

/// One step.
#[derive(Debug)]
pub(crate) enum Cut {
    /// At the matches of a pattern.
    Split { pattern: Pattern, behavior: Behavior, invert: bool },
    /// Every character of a class alone, or runs of them.
    Class { class: Class, behavior: Behavior },
    /// White space goes.
    WhiteSpace,
    /// A space before a piece that begins with none.
    PrefixSpace,
    /// Each byte as its printable character.
    Bytes(Box<ByteChars>),
    /// Spaces become `replacement`.
    Metaspace { replacement: char, prepend: Prepend, split: bool },
    /// Pieces of so many characters.
    FixedLength(usize),
    /// Numbers in groups of three, counted from the right.
    Digits(Digits),
}

/// Which numbers are cut into groups of three from the right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Digits {
    /// `(?=(\d{3})+(?!\d))`: every run of digits.
    Grouped,
    /// `\d{1,3}(?=(?:\d{3})*\b)`: those that no letter follows.
    WholeWords,
}

/// What becomes of the matches of a pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Behavior {
    Removed,
    Isolated,
    MergedWithPrevious,
    MergedWithNext,
    Contiguous,
}

/// Where a replacement is put before a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Prepend {
    Always,
    First,
    Never,
}

/// Calls `emit` with every piece of `text`, in order. `first`: it is the beginning of the whole.
pub(crate) fn apply(steps: &[Cut], text: &str, first: bool, emit: &mut dyn FnMut(&str)) {
    let Some((step, rest)) = steps.split_first() else {
        if !text.is_empty() {
            emit(text);
        }
        return;
    };
    let mut next = |piece: &str, here: bool| {
        if !piece.is_empty() {
            apply(rest, piece, first && here, emit);
        }
    };
    match step {
        Cut::Split { pattern, behavior, invert } => {
            let mut parts = Parts::new(text, *behavior, &mut next);
            let mut done = 0;
            pattern.matches(text, &mut |start, end| {
                parts.add(done, start, *invert);
                parts.add(start, end, !*invert);
                // A match of no characters cuts all the same.
                if start == end {
                    parts.cut();
                }
                done = end;
            });
            parts.add(done, text.len(), *invert);
            parts.finish();
        }
        Cut::Class { class, behavior } => {
            each_char(text, *behavior, |c| class.contains(c), &mut next);
        }
        Cut::WhiteSpace => each_char(text, Behavior::Removed, char::is_whitespace, &mut next),
        Cut::PrefixSpace if text.starts_with(' ') => next(text, true),
        Cut::PrefixSpace => next(&[" ", text].concat(), true),
        Cut::Bytes(chars) => {
            next(&text.bytes().map(|byte| chars.char(byte)).collect::<String>(), true);
        }
        Cut::Metaspace { replacement, prepend, split } => {
            let mut written = String::with_capacity(text.len() + 8);
            let here = match prepend {
                Prepend::Always => true,
                Prepend::First => first,
                Prepend::Never => false,
            };
            if here && !text.starts_with([*replacement, ' ']) {
                written.push(*replacement);
            }
            written.extend(text.chars().map(|c| if c == ' ' { *replacement } else { c }));
            if *split {
                let mut from = 0;
                for (at, _) in written.match_indices(*replacement) {
                    next(&written[from..at], from == 0);
                    from = at;
                }
                next(&written[from..], from == 0);
            } else {
                next(&written, true);
            }
        }
        Cut::Digits(which) => digits(*which, text, &mut next),
        Cut::FixedLength(length) => {
            let mut rest = text;
            while !rest.is_empty() {
                let end = rest.char_indices().nth(*length).map_or(rest.len(), |(at, _)| at);
                let (piece, after) = rest.split_at(end);
                next(piece, rest.len() == text.len());
                rest = after;
            }
        }
    }
}

fn digits(which: Digits, text: &str, next: &mut dyn FnMut(&str, bool)) {
    let mut done = 0;
    let mut cut = |at: usize| {
        if done < at {
            next(&text[done..at], done == 0);
            done = at;
        }
    };
    let mut rest = text;
    while let Some(at) = rest.find(char::is_numeric) {
        let start = text.len() - rest.len() + at;
        rest = &text[start..];
        let run = rest.find(|c: char| !c.is_numeric()).unwrap_or(rest.len());
        let word_goes_on = |c: char| c.is_alphanumeric() || c == '_';
        let whole = !rest[run..].starts_with(word_goes_on);
        if which == Digits::Grouped || whole {
            let count = rest[..run].chars().count();
            for (index, (offset, _)) in rest[..run].char_indices().enumerate() {
                if index == 0 || (count - index).is_multiple_of(3) {
                    cut(start + offset);
                }
            }
        }
        cut(start + run);
        rest = &rest[run..];
    }
    cut(text.len());
}

fn each_char(
    text: &str,
    behavior: Behavior,
    inside: impl Fn(char) -> bool,
    next: &mut dyn FnMut(&str, bool),
) {
    let mut parts = Parts::new(text, behavior, next);
    let mut done = 0;
    for (at, c) in text.char_indices() {
        if inside(c) {
            parts.add(done, at, false);
            done = at + c.len_utf8();
            parts.add(at, done, true);
        }
    }
    parts.add(done, text.len(), false);
    parts.finish();
}

/// Matches and what lies between, put together as the behaviour says.
struct Parts<'t, 'n> {
    text: &'t str,
    behavior: Behavior,
    next: &'n mut dyn FnMut(&str, bool),
    /// The part that may still grow.
    start: usize,
    end: usize,
    matched: bool,
}

impl<'t, 'n> Parts<'t, 'n> {
    fn new(text: &'t str, behavior: Behavior, next: &'n mut dyn FnMut(&str, bool)) -> Self {
        Self { text, behavior, next, start: 0, end: 0, matched: false }
    }

    /// The next part of the text; it begins where the last one ended.
    fn add(&mut self, start: usize, end: usize, matched: bool) {
        if start == end {
            return;
        }
        let grows = match self.behavior {
            Behavior::Removed | Behavior::Isolated => false,
            Behavior::Contiguous => matched == self.matched,
            Behavior::MergedWithPrevious => matched && !self.matched,
            Behavior::MergedWithNext => !matched && self.matched,
        };
        if grows && self.start < self.end {
            self.end = end;
        } else {
            self.cut();
            (self.start, self.end) = (start, end);
        }
        self.matched = matched;
    }

    /// Ends the part.
    fn cut(&mut self) {
        let dropped = self.behavior == Behavior::Removed && self.matched;
        if self.start < self.end && !dropped {
            (self.next)(&self.text[self.start..self.end], self.start == 0);
        }
        self.start = self.end;
    }

    fn finish(mut self) {
        self.cut();
    }
}
