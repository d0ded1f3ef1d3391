//! Cuts text by the expressions of [`pre`](crate::pre), in linear time.
//!
//! Every expression of every model ends in `\s+(?!\S)`: white space, without the last character
//! where a word follows. That is the only look-ahead there is, so no backtracking engine is needed
//! (it would be quadratic on a megabyte of spaces): an automaton finds `\s+` and the last character
//! is given back here. Jais 2 has it after powers of two, which are cut here too.

use crate::TextError;
use regex_automata::meta::Regex;
use regex_automata::{Anchored, Input};
use std::borrow::Cow;

const TRAILING_SPACE: &str = r"|\s+(?!\S)";

/// Jais 2 cuts white space into powers of two.
const HALVES: &str = r"|\s{512}(?!\S)";

/// A compiled expression.
#[derive(Clone, Debug)]
pub(crate) struct Pass {
    /// Pattern 1, where there is one, is white space as described above.
    regex: Regex,
    /// White space is cut into powers of two, the greatest first (Jais 2).
    halves: bool,
}

impl Pass {
    /// # Errors
    ///
    /// `TOKENIZER_UNSUPPORTED` names an expression with another look-ahead or a syntax that is not
    /// known.
    pub(crate) fn new(expression: &str) -> Result<Self, TextError> {
        let unsupported = || TextError::unsupported("expression", expression);
        let plain = plain(expression);
        let halves = plain.split_once(HALVES).filter(|(_, tail)| tail.ends_with(r"|\s{1}"));
        let regex = match halves.or_else(|| plain.split_once(TRAILING_SPACE)) {
            Some((head, _)) if halves.is_some() => Regex::new_many(&[head, r"\s+"]),
            // `\s+` after it can only match where the look-ahead leaves a single character.
            Some((head, "" | r"|\s+")) => Regex::new_many(&[head, r"\s+"]),
            Some(_) => return Err(unsupported()),
            None => Regex::new_many(&[plain.as_ref()]),
        };
        Ok(Self { regex: regex.map_err(|_| unsupported())?, halves: halves.is_some() })
    }

    /// The next match at or after `from`.
    fn find(&self, text: &str, from: usize) -> Option<(usize, usize)> {
        let input = Input::new(text).range(from..);
        // Most matches begin where the last one ended; then no search for the start is needed.
        let found = self
            .regex
            .search(&input.clone().anchored(Anchored::Yes))
            .or_else(|| self.regex.search(&input))?;
        let (start, mut end) = (found.start(), found.end());
        if found.pattern().as_usize() == 1 && end < text.len() {
            let last = text[start..end].chars().next_back().map_or(0, char::len_utf8);
            if start + last < end {
                end -= last;
            }
        }
        if self.halves && found.pattern().as_usize() == 1 {
            // The longest power of two of characters that there is, up to 512.
            let count = text[start..end].chars().take(512).count();
            let length = 1 << count.ilog2();
            end = text[start..].char_indices().nth(length).map_or(end, |(at, _)| start + at);
        }
        Some((start, end))
    }

    /// Calls `found` with the start and end of every match, in order.
    pub(crate) fn matches(&self, text: &str, found: &mut dyn FnMut(usize, usize)) {
        let mut done = 0;
        while done < text.len() {
            let Some((start, end)) = self.find(text, done) else { break };
            if start < end {
                found(start, end);
                done = end;
            } else {
                done = end + text[end..].chars().next().map_or(1, char::len_utf8);
            }
        }
    }
}

/// The expression in the syntax of the engine: letters of either case are those of ASCII, and the
/// possessive quantifiers of published expressions are greedy ones, which find the same.
fn plain(expression: &str) -> Cow<'_, str> {
    const SAME: [(&str, &str); 3] = [
        ("(?i:", "(?i-u:"),
        (r"[^\r\n\p{L}\p{N}]?+\p{L}", r"[^\r\n\p{L}\p{N}]?\p{L}"),
        (r"[^\s\p{L}\p{N}]++[\r\n]*", r"[^\s\p{L}\p{N}]+[\r\n]*"),
    ];
    let mut plain = Cow::Borrowed(expression);
    for (theirs, ours) in SAME {
        if plain.contains(theirs) {
            plain = Cow::Owned(plain.replace(theirs, ours));
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use crate::{cut, pre};

    fn pieces(name: &str, text: &str) -> Vec<String> {
        let mut found = Vec::new();
        let cuts = pre::named(name).expect("a known name").cuts().expect("it compiles");
        cut::apply(&cuts, text, true, &mut |piece| found.push(piece.to_owned()));
        found
    }

    #[test]
    fn white_space_leaves_one_character_to_the_word() {
        assert_eq!(pieces("gpt-2", "a   b  "), ["a", "  ", " b", "  "]);
        assert_eq!(pieces("gpt-2", "a\t\tb"), ["a", "\t", "\t", "b"]);
        assert_eq!(pieces("qwen2", "a\t\tb\n\n  c"), ["a", "\t", "\tb", "\n\n", " ", " c"]);
        assert_eq!(pieces("gpt-2", "a\u{3000}\u{3000}b"), ["a", "\u{3000}", "\u{3000}", "b"]);
    }

    #[test]
    fn digits() {
        assert_eq!(pieces("llama-bpe", "12345"), ["123", "45"]);
        assert_eq!(pieces("qwen2", "123"), ["1", "2", "3"]);
        assert_eq!(pieces("smollm", "a12 b"), ["a", "1", "2", " b"]);
        assert_eq!(pieces("falcon", "1234 x"), ["123", "4", " x"]);
    }

    #[test]
    fn cased_words() {
        assert_eq!(pieces("gpt-4o", "HelloWorld don't"), ["Hello", "World", " don't"]);
        assert_eq!(pieces("tekken", "HelloWorld don't"), ["Hello", "World", " don", "'t"]);
    }

    #[test]
    fn every_name_compiles_and_loses_nothing() {
        let text = "Hé'llo 12345  wörld…\r\n\n\t 你好, 世界! \u{3000}x१२३ ok...\u{1F600}  ";
        for name in NAMES {
            assert_eq!(pieces(name, text).concat(), text, "{name}");
        }
    }

    const NAMES: [&str; 33] = [
        "default",
        "llama-bpe",
        "dbrx",
        "minicpm5",
        "deepseek-llm",
        "deepseek-coder",
        "deepseek-v3",
        "spark2_5",
        "youtu",
        "falcon",
        "starcoder",
        "command-r",
        "gpt-2",
        "mpt",
        "olmo",
        "qwen2",
        "stablelm2",
        "qwen35",
        "ufakzeka",
        "bailingmoe",
        "seed-coder",
        "exaone-moe",
        "laguna",
        "bloom",
        "viking",
        "tekken",
        "gpt-4o",
        "chameleon",
        "refact",
        "smollm",
        "codeshell",
        "exaone",
        "smaug-bpe",
    ];
}
