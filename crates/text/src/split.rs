//! Cuts text by the expressions of [`pre`](crate::pre), in linear time.
//!
//! Every expression of every model ends in `\s+(?!\S)`: white space, without the last character
//! where a word follows. That is the only look-ahead there is, so no backtracking engine is needed
//! (it would be quadratic on a megabyte of spaces): an automaton finds `\s+` and the last character
//! is given back here.

use crate::TextError;
use regex_automata::meta::Regex;
use regex_automata::{Anchored, Input};

const TRAILING_SPACE: &str = r"|\s+(?!\S)";

/// The compiled expressions of one `tokenizer.ggml.pre`.
#[derive(Debug)]
pub(crate) struct Splitter {
    passes: Vec<Pass>,
}

#[derive(Debug)]
struct Pass {
    /// Pattern 1, where there is one, is white space as described above.
    regex: Regex,
}

impl Splitter {
    pub(crate) fn new(passes: &[&str]) -> Result<Self, TextError> {
        let passes = passes.iter().map(|pass| Pass::new(pass)).collect::<Result<_, _>>()?;
        Ok(Self { passes })
    }

    /// Calls `emit` with every piece of `text`, in order; together they are the text.
    pub(crate) fn split<'t>(&self, text: &'t str, emit: &mut dyn FnMut(&'t str)) {
        split_with(&self.passes, text, emit);
    }
}

fn split_with<'t>(passes: &[Pass], text: &'t str, emit: &mut dyn FnMut(&'t str)) {
    match passes {
        [] => emit(text),
        [last] => last.split(text, emit),
        [first, rest @ ..] => first.split(text, &mut |piece| split_with(rest, piece, emit)),
    }
}

impl Pass {
    fn new(expression: &str) -> Result<Self, TextError> {
        let built = match expression.split_once(TRAILING_SPACE) {
            // `\s+` after it can only match where the look-ahead leaves a single character.
            Some((head, "" | r"|\s+")) => Regex::new_many(&[head, r"\s+"]),
            Some(_) => return Err(TextError::tokenizer("a look-ahead that is not supported")),
            None => Regex::new_many(&[expression]),
        };
        let regex = built.map_err(|error| {
            let cause = error.syntax_error().map_or(error.to_string(), |syntax| syntax.to_string());
            TextError::tokenizer(cause)
        })?;
        Ok(Self { regex })
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
        Some((start, end))
    }

    fn split<'t>(&self, text: &'t str, emit: &mut dyn FnMut(&'t str)) {
        let mut done = 0;
        while done < text.len() {
            let Some((start, end)) = self.find(text, done).filter(|(start, end)| start < end)
            else {
                break;
            };
            if done < start {
                emit(&text[done..start]);
            }
            emit(&text[start..end]);
            done = end;
        }
        if done < text.len() {
            emit(&text[done..]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pre;

    fn pieces<'t>(name: &str, text: &'t str) -> Vec<&'t str> {
        let mut found = Vec::new();
        let rule = pre::named(name).expect("a known name");
        Splitter::new(rule.passes)
            .expect("it compiles")
            .split(text, &mut |piece| found.push(piece));
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
