//! Cuts text by the expressions of [`pre`](crate::pre), in linear time.
//!
//! Every expression of every model ends in `\s+(?!\S)`: white space, without the last character
//! where a word follows. That is the only look-ahead there is, so no backtracking engine is needed
//! (it would be quadratic on a megabyte of spaces): an automaton finds `\s+` and the last character
//! is given back here. Jais 2 has it after powers of two, which are cut here too.

use crate::TextError;
use regex_automata::hybrid::dfa;
use regex_automata::hybrid::regex::{Cache, Regex};
use regex_automata::nfa::thompson;
use regex_automata::{Anchored, Input};
use std::borrow::Cow;
use std::sync::{Mutex, PoisonError};

const TRAILING_SPACE: &str = r"|\s+(?!\S)";

/// Jais 2 cuts white space into powers of two.
const HALVES: &str = r"|\s{512}(?!\S)";

/// Bytes of the automaton of an expression. Of models' own the largest has 150 KB.
const LARGEST: usize = 4 << 20;

/// A compiled expression.
#[derive(Debug)]
pub(crate) struct Pass {
    /// Pattern 1, where there is one, is white space as described above.
    regex: Regex,
    /// The states that texts have met so far.
    cache: Mutex<Cache>,
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
            Some((head, _)) if halves.is_some() => compile(&[head, r"\s+"]),
            // `\s+` after it can only match where the look-ahead leaves a single character.
            Some((head, "" | r"|\s+")) => compile(&[head, r"\s+"]),
            Some(_) => return Err(unsupported()),
            None => compile(&[plain.as_ref()]),
        };
        let regex = regex.ok_or_else(unsupported)?;
        Ok(Self { cache: Mutex::new(regex.create_cache()), regex, halves: halves.is_some() })
    }

    /// The next match at or after `from`.
    fn find(&self, cache: &mut Cache, text: &str, from: usize) -> Option<(usize, usize)> {
        let input = Input::new(text).range(from..);
        // A search fails only where an automaton is told to give up, and this one is not.
        let mut search = |input: &Input<'_>| self.regex.try_search(cache, input).ok().flatten();
        // Most matches begin where the last one ended; then no search for the start is needed.
        let found = search(&input.clone().anchored(Anchored::Yes)).or_else(|| search(&input))?;
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
        // States are whole at all times, so a panic in another thread leaves the cache usable.
        let mut cache = self.cache.lock().unwrap_or_else(PoisonError::into_inner);
        let mut done = 0;
        while done < text.len() {
            let Some((start, end)) = self.find(&mut cache, text, done) else { break };
            if start < end {
                found(start, end);
                done = end;
            } else {
                done = end + text[end..].chars().next().map_or(1, char::len_utf8);
            }
        }
    }
}

/// The automaton, whose states are made as texts ask for them: all at once they would be too many.
fn compile(patterns: &[&str]) -> Option<Regex> {
    let nfa = thompson::Config::new().nfa_size_limit(Some(LARGEST));
    // Where the cache is full it is emptied; the least it must hold depends on the expression.
    let dfa = dfa::Config::new().skip_cache_capacity_check(true);
    Regex::builder().thompson(nfa).dfa(dfa).build_many(patterns).ok()
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
    fn digits_from_the_right() {
        assert_eq!(pieces("superbpe", "a1234567b"), ["a", "1", "234", "567", "b"]);
        assert_eq!(pieces("afmoe", "x 12345"), ["x", " ", "12", "345"]);
        assert_eq!(pieces("tiny_aya", "1234 5678x"), ["1", "234", " ", "567", "8", "x"]);
    }

    #[test]
    fn white_space_in_powers_of_two() {
        let spaces = |count: usize| " ".repeat(count);
        let text = format!("a{}b", spaces(24));
        assert_eq!(pieces("jais-2", &text), ["a", &spaces(16), &spaces(4), &spaces(2), " ", " b"]);
    }

    #[test]
    fn ideographs_are_no_words() {
        assert_eq!(pieces("kimi-k2", "HelloWorld你好x"), ["Hello", "World", "你好", "x"]);
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
            let all = pieces(name, text).concat();
            // Only one of them drops white space.
            let expected = text.split_whitespace().collect::<String>();
            assert_eq!(all, if name == "whitespace" { &expected } else { text }, "{name}");
        }
    }

    /// Those of llama.cpp's table.
    const NAMES: [&str; 91] = [
        "a.x-4.0",
        "afmoe",
        "bailingmoe",
        "bailingmoe2",
        "bloom",
        "chameleon",
        "chatglm-bpe",
        "codeshell",
        "cohere2moe",
        "command-r",
        "dbrx",
        "deepseek-coder",
        "deepseek-llm",
        "deepseek-r1-qwen",
        "deepseek-v3",
        "default",
        "exaone",
        "exaone-moe",
        "exaone4",
        "f2llmv2",
        "falcon",
        "falcon-h1",
        "falcon3",
        "gemma4",
        "gigachat",
        "glm4",
        "glm5",
        "gpt-2",
        "gpt-4o",
        "gpt3-finnish",
        "granite-docling",
        "granite-embed-multi-311m",
        "granite-embed-multi-97m",
        "grok-2",
        "hunyuan",
        "hunyuan-dense",
        "hy_v4",
        "jais",
        "jais-2",
        "jina-de",
        "jina-es",
        "jina-v1-en",
        "jina-v2-code",
        "jina-v2-de",
        "jina-v2-es",
        "jina-v5-nano",
        "joyai-llm",
        "kanana2",
        "kimi-k2",
        "kormo",
        "laguna",
        "lfm2",
        "llada-moe",
        "llama-bpe",
        "llama-v3",
        "llama3",
        "llama4",
        "megrez",
        "mellum",
        "mellum2",
        "midm-2.0",
        "minerva-7b",
        "minicpm5",
        "minimax-m2",
        "modern-bert",
        "mpt",
        "olmo",
        "phi-2",
        "pixtral",
        "poro-chat",
        "qwen2",
        "qwen35",
        "refact",
        "roberta-bpe",
        "sarvam-moe",
        "seed-coder",
        "smaug-bpe",
        "smollm",
        "solar-open",
        "spark2_5",
        "stablelm2",
        "starcoder",
        "superbpe",
        "talkie",
        "tekken",
        "tiny_aya",
        "trillion",
        "ufakzeka",
        "viking",
        "whitespace",
        "youtu",
    ];
}
