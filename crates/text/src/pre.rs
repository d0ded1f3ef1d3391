//! How text is cut into pieces before byte-level BPE, by the names of `tokenizer.ggml.pre`.
//!
//! The expressions are those of the models' own `tokenizer.json` files; the names and which
//! expression belongs to which are llama.cpp's (`llama-vocab.cpp`). A list of several is applied
//! one after the other, each to the pieces of the one before. `(?i:'s|…)` is written out for ASCII.
//!
//! Groups of digits that are counted from the right, and white space that is cut into powers of two,
//! are no expressions here: see [`Cut`].

use crate::TextError;
use crate::cut::{Behavior, Cut, Digits};
use crate::normalize::Pattern;
use crate::split::Pass;

/// The rule behind a `tokenizer.ggml.pre`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pre {
    /// A cut that no expression makes, before the others.
    pub(crate) first: Option<Digits>,
    /// Expressions, applied one after the other.
    pub(crate) passes: &'static [&'static str],
    /// The vocabulary is one of bytes; else of characters, with `▁` for a space.
    pub(crate) bytes: bool,
    /// White space goes.
    pub(crate) drops_spaces: bool,
    /// Line breaks that are a token are taken whole.
    pub(crate) newlines: bool,
    /// BOS is added whatever the file says.
    pub(crate) always_bos: bool,
    /// A piece that is a token is taken whole, whatever the merges say.
    pub(crate) ignore_merges: bool,
    /// BOS is added unless the file says otherwise.
    pub(crate) add_bos: bool,
}

macro_rules! contractions {
    () => {
        "'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD]"
    };
}

/// Cased words as in o200k: capitals, then small letters, each with marks.
macro_rules! cased_words {
    ($suffix:expr) => {
        concat!(
            r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+",
            $suffix,
            r"|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*",
            $suffix,
        )
    };
}

/// The script Han, without the tables of all scripts.
macro_rules! han {
    () => {
        r"\u{2e80}-\u{2fd5}々〇〡-〩〸-〻㐀-\u{4dbf}一-\u{9fff}豈-\u{fad9}\u{16fe2}-\u{16fe3}\u{16ff0}-\u{16ff1}\u{20000}-\u{3134a}"
    };
}

macro_rules! optional_contraction {
    () => {
        concat!("(?:", contractions!(), ")?")
    };
}

macro_rules! deepseek_words {
    ($newlines:expr) => {
        concat!(
            r##"[!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|"##,
            r"[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+|",
            $newlines,
            r"|\s+(?!\S)|\s+",
        )
    };
}

const GPT2: &str = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)";
const LLAMA3: &str = concat!(
    contractions!(),
    r"|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
);
/// The powers of two stand for white space before a word or at the end; see [`Pass`].
const JAIS2: &str = concat!(
    contractions!(),
    r"|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+",
    r"|\s{512}(?!\S)|\s{256}(?!\S)|\s{128}(?!\S)|\s{64}(?!\S)|\s{32}(?!\S)|\s{16}(?!\S)",
    r"|\s{8}(?!\S)|\s{4}(?!\S)|\s{1,2}(?!\S)|\s{1}"
);
const QWEN2: &str = concat!(
    contractions!(),
    r"|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
);
const QWEN35: &str = concat!(
    contractions!(),
    r"|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*",
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
);
const MINICPM5: &str = concat!(
    contractions!(),
    r"|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}+| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
);
const UFAKZEKA: &str =
    r"[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";
const BAILING: &str = concat!(
    r"'(?:[sSdDmMtT]|[lL][lL]|[vV][eE]|[rR][eE])",
    r"|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]|\s+(?!\S)|\s+"
);
const SEED_CODER: &str = concat!(
    contractions!(),
    r"|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}\r\n]+|\s*[\r\n]+|\s+(?!\S)|\s+"
);
const EXAONE_MOE: &str = concat!(
    contractions!(),
    r"|[^\r\n\p{L}\p{N}]?(?:\p{L}\p{M}*(?: \p{L}\p{M}*)*)+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]?",
    r"|\s*[\r\n]|\s+(?!\S)|\s+"
);
const TEKKEN: &str =
    concat!(cased_words!(""), r"|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+");
const GPT4O: &str = concat!(
    cased_words!(optional_contraction!()),
    r"|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"
);
const YOUTU: &str = concat!(
    cased_words!(optional_contraction!()),
    r"|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"
);
const YOUTU_SCRIPTS: &str =
    "[가-힣ㄱ-ㆎ]+|[！…“”‘’—：；，、-〿︰-﹏]+|[ㄅ-ㄯ]+|[一-龥\u{3040}-ゟ゠-ヿ]+";
const DEEPSEEK_CJK: &str = "[一-龥\u{3040}-ゟ゠-ヿ]+";
const DEEPSEEK3: &str = deepseek_words!(r" ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+");
const SPARK: &str = deepseek_words!(r" ?[\p{P}\p{S}]+|[\r\n]");
const DEEPSEEK_HAN: &str = "[一-龥\u{800}-一가-\u{d7ff}]+";
const DEEPSEEK_LETTERS: &str = r"\s?[A-Za-zµÀ-ÖØ-öø-ƺƼ-ƿǄ-ʓʕ-ʯͰ-ͳͶͷͻ-ͽͿΆΈ-ΊΌΎ-ΡΣ-ϵϷ-ҁҊ-ԯԱ-ՖႠ-ჅᎠ-Ᏽᏸ-ᏽᲐ-ᲺᲽ-Ჿᴀ-ᴫᵫ-ᵷᵹ-ᶚḀ-ἕἘ-Ἕἠ-ὅὈ-Ὅὐ-ὗὙὛὝὟ-\x{1F7D}ᾀ-ᾴᾶ-ᾼ\x{1FBE}ῂ-ῄῆ-ῌῐ-\x{1FD3}ῖ-\x{1FDB}ῠ-Ῥῲ-ῴῶ-ῼℂℇℊ-ℓℕℙ-ℝℤ\x{2126}ℨ\x{212A}-ℭℯ-ℴℹℼ-ℿⅅ-ⅉⅎↃↄⰀ-ⱻⱾ-ⳤⳫ-ⳮⳲⳳꙀ-ꙭꚀ-ꚛꜢ-ꝯꝱ-ꞇꞋ-ꞎꭰ-ꮿﬀ-ﬆﬓ-ﬗＡ-Ｚａ-ｚ𐐀-𐑏𐒰-𐓓𐓘-𐓻𐲀-𐲲𐳀-𐳲𑢠-𑣟𞤀-𞥃]+";
/// Scripts that are written without spaces.
const ASIAN: &str = "[一-\u{9fff}㐀-\u{4dbf}豈-\u{faff}\u{3040}-ゟ゠-ヿ･-\u{ff9f}⼀-\u{2fdf}เ-\u{e7f}\u{e80}-\u{eff}ក-\u{17ff}က-႟ꩠ-ꩿꧠ-\u{a9ff}가-\u{d7af}ᄀ-ᇿ]+";
/// Of Kimi K2's `tokenization_kimi.py`; its words have no ideographs.
const KIMI: &str = concat!(
    "[",
    han!(),
    "]+",
    r"|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}&&[^",
    han!(),
    r"]]*[\p{Ll}\p{Lm}\p{Lo}\p{M}&&[^",
    han!(),
    "]]+",
    optional_contraction!(),
    r"|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}&&[^",
    han!(),
    r"]]+[\p{Ll}\p{Lm}\p{Lo}\p{M}&&[^",
    han!(),
    "]]*",
    optional_contraction!(),
    r"|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
);
const BLOOM: &str = r" ?[^(\s|.,!?…。，、।۔،)]+";
const FALCON_PUNCTUATION: &str = r"[\p{P}\$\+<=>\^~\|`]+";
const DEFAULT_PUNCTUATION: &str = r"[\p{P}\$\+<=>\^~\|]+";
const THREE_DIGITS: &str = "[0-9][0-9][0-9]";

impl Pre {
    /// The steps of the rule.
    pub(crate) fn cuts(&self) -> Result<Vec<Cut>, TextError> {
        let cut = |expression: &&str| {
            let pattern = Pattern::Regex(Box::new(Pass::new(expression)?));
            Ok(Cut::Split { pattern, behavior: Behavior::Isolated, invert: false })
        };
        let first = self.first.map(|digits| Ok(Cut::Digits(digits)));
        let spaces = self.drops_spaces.then_some(Ok(Cut::WhiteSpace));
        spaces.into_iter().chain(first).chain(self.passes.iter().map(cut)).collect()
    }
}

const fn plain(passes: &'static [&'static str]) -> Pre {
    Pre {
        first: None,
        passes,
        bytes: true,
        drops_spaces: false,
        newlines: false,
        always_bos: false,
        ignore_merges: false,
        add_bos: false,
    }
}

const fn whole_tokens(passes: &'static [&'static str], add_bos: bool) -> Pre {
    Pre { ignore_merges: true, add_bos, ..plain(passes) }
}

const fn digits(first: Digits, passes: &'static [&'static str]) -> Pre {
    Pre { first: Some(first), ..plain(passes) }
}

/// SentencePiece's kind of vocabulary, merged by a list.
const fn characters(newlines: bool) -> Pre {
    Pre { bytes: false, newlines, always_bos: newlines, ..plain(&[r"[^\n]+|[\n]+"]) }
}

/// The rule for a `tokenizer.ggml.pre`; `None` for a name that is not known.
pub(crate) fn named(name: &str) -> Option<Pre> {
    Some(match name {
        "default" => plain(&[DEFAULT_PUNCTUATION, GPT2, r"\p{N}+", THREE_DIGITS]),
        "llama3" | "llama-v3" | "llama-bpe" | "falcon3" | "falcon-h1" | "pixtral" | "midm-2.0"
        | "lfm2" | "jina-v5-nano" => whole_tokens(&[LLAMA3], true),
        "dbrx" | "smaug-bpe" | "chatglm-bpe" => plain(&[LLAMA3]),
        "glm4" | "glm5" => whole_tokens(&[LLAMA3], false),
        "jais-2" => plain(&[JAIS2]),
        "minicpm5" => whole_tokens(&[r"\p{N}{1,3}", MINICPM5], false),
        "deepseek-llm" => plain(&[
            r"[\r\n]",
            DEEPSEEK_LETTERS,
            r"\s?[!-/:-~！-／：-～‘-‟\x{3000}-。]+",
            r"\s+$",
            DEEPSEEK_HAN,
            r"\p{N}+",
        ]),
        "deepseek-coder" => plain(&[r"[\r\n]", r"\s?\p{L}+", r"\s?\p{P}+", DEEPSEEK_HAN, r"\p{N}"]),
        "deepseek-v3" | "hunyuan-dense" | "joyai-llm" | "hy_v4" => {
            plain(&[r"\p{N}{1,3}", DEEPSEEK_CJK, DEEPSEEK3])
        }
        "spark2_5" => plain(&[r"\p{N}{1,3}", DEEPSEEK_CJK, SPARK, r"\p{N}"]),
        "youtu" => whole_tokens(&[YOUTU_SCRIPTS, YOUTU], false),
        "falcon" => plain(&[FALCON_PUNCTUATION, GPT2, THREE_DIGITS]),
        "starcoder" | "refact" | "command-r" | "smollm" | "codeshell" | "exaone" | "minerva-7b"
        | "mellum2" => plain(&[r"\p{N}", GPT2]),
        "gpt-2" | "phi-2" | "jina-es" | "jina-de" | "gigachat" | "jina-v2-es" | "jina-v2-de"
        | "a.x-4.0" | "mellum" | "modern-bert" | "mpt" | "olmo" | "jais" | "exaone4"
        | "trillion" | "granite-docling" | "jina-v1-en" | "jina-v2-code" | "roberta-bpe" => {
            plain(&[GPT2])
        }
        "qwen2" | "deepseek-r1-qwen" | "kormo" | "f2llmv2" | "megrez" | "stablelm2" | "hunyuan"
        | "solar-open" | "grok-2" => plain(&[QWEN2]),
        "qwen35" => plain(&[QWEN35]),
        "ufakzeka" => plain(&[UFAKZEKA]),
        "bailingmoe" | "bailingmoe2" | "llada-moe" => plain(&[BAILING]),
        "seed-coder" => plain(&[SEED_CODER]),
        "exaone-moe" => plain(&[EXAONE_MOE]),
        "laguna" => plain(&[r"[^\n]+|[\n]+", QWEN2]),
        "poro-chat" | "bloom" | "gpt3-finnish" => plain(&[BLOOM]),
        "viking" => plain(&[BLOOM, r"\p{N}"]),
        "tekken" => whole_tokens(&[TEKKEN], true),
        "gpt-4o" | "llama4" | "kanana2" | "talkie" | "minimax-m2" => plain(&[GPT4O]),
        "granite-embed-multi-97m" => whole_tokens(&[GPT4O], false),
        "tiny_aya" | "cohere2moe" => digits(Digits::WholeWords, &[GPT4O]),
        "superbpe" => digits(Digits::Grouped, &[]),
        "afmoe" => digits(Digits::Grouped, &[ASIAN, DEEPSEEK3]),
        "kimi-k2" => plain(&[KIMI]),
        "gemma4" | "granite-embed-multi-311m" => characters(true),
        "sarvam-moe" => characters(false),
        "whitespace" => Pre { bytes: false, drops_spaces: true, ..plain(&[]) },
        "chameleon" => Pre {
            add_bos: true,
            ..plain(&[
                "<sentinel:[0-9]+>",
                "(?:IMGIMG)(?:(?:A|B|C|D|E|F|G|H|I){1,4})Z",
                r"[\t\n]|    |  ",
                r"\p{N}",
                r"[\p{P}!-/:-@\[-`{-~]",
                GPT2,
            ])
        },
        _ => return None,
    })
}
