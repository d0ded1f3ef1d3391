//! Normalizer, pre-tokenizer, post-processor and decoder of a `tokenizer.json`.

use crate::TextError;
use crate::byte_chars::ByteChars;
use crate::charsmap::CharsMap;
use crate::class::Class;
use crate::cut::{Behavior, Cut, Prepend};
use crate::decode::{Decoder, Step};
use crate::normalize::{Normalizer, Pattern};
use crate::split::Pass;
use crate::tokenizer::Around;
use serde_json::Value;

/// GPT-2's expression, which `ByteLevel` brings along.
const GPT2: &str = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+";

/// Sequences in sequences; nobody needs more.
const DEEPEST: usize = 16;

/// One part of the file: an object with a `type`.
#[derive(Clone, Copy)]
struct Part<'v> {
    part: &'static str,
    kind: &'v str,
    value: &'v Value,
}

impl<'v> Part<'v> {
    fn new(part: &'static str, value: &'v Value) -> Result<Self, TextError> {
        let kind = value.get("type").and_then(Value::as_str);
        let kind = kind.ok_or_else(|| TextError::tokenizer(format!("a {part} has no type")))?;
        Ok(Self { part, kind, value })
    }

    /// The parts of a sequence, or the part itself.
    fn flat(
        part: &'static str,
        value: &'v Value,
        depth: usize,
        out: &mut Vec<Self>,
    ) -> Result<(), TextError> {
        if value.is_null() {
            return Ok(());
        }
        let this = Self::new(part, value)?;
        if this.kind != "Sequence" {
            out.push(this);
            return Ok(());
        }
        if depth == DEEPEST {
            return Err(this.wrong("it is nested too deep"));
        }
        for list in ["normalizers", "pretokenizers", "processors", "decoders"] {
            for item in value.get(list).and_then(Value::as_array).into_iter().flatten() {
                Self::flat(part, item, depth + 1, out)?;
            }
        }
        Ok(())
    }

    fn wrong(self, what: &str) -> TextError {
        TextError::tokenizer(format!("{} {}: {what}", self.part, self.kind))
    }

    fn unsupported(self) -> TextError {
        TextError::unsupported(self.part, self.kind)
    }

    fn flag(self, name: &str, default: bool) -> bool {
        self.value.get(name).and_then(Value::as_bool).unwrap_or(default)
    }

    fn text(self, name: &str) -> Result<&'v str, TextError> {
        let text = self.value.get(name).and_then(Value::as_str);
        text.ok_or_else(|| self.wrong(&format!("{name} is not a string")))
    }

    fn character(self, name: &str) -> Result<char, TextError> {
        let mut characters = self.text(name)?.chars();
        match (characters.next(), characters.next()) {
            (Some(c), None) => Ok(c),
            _ => Err(self.wrong(&format!("{name} is not one character"))),
        }
    }

    fn count(self, name: &str) -> usize {
        self.value.get(name).and_then(Value::as_u64).map_or(0, |n| n.min(1 << 20) as usize)
    }

    fn pattern(self) -> Result<Pattern, TextError> {
        let pattern = self.value.get("pattern");
        let named =
            |kind: &str| pattern.and_then(|pattern| pattern.get(kind)).and_then(Value::as_str);
        match (pattern.and_then(Value::as_str).or(named("String")), named("Regex")) {
            (Some(text), _) => Ok(Pattern::Literal(text.to_owned())),
            (None, Some(expression)) => Ok(Pattern::Regex(Box::new(Pass::new(expression)?))),
            (None, None) => Err(self.wrong("it has no pattern")),
        }
    }

    fn behavior(self, default: Behavior) -> Result<Behavior, TextError> {
        Ok(match self.value.get("behavior").and_then(Value::as_str) {
            None => default,
            Some("Removed") => Behavior::Removed,
            Some("Isolated") => Behavior::Isolated,
            Some("MergedWithPrevious") => Behavior::MergedWithPrevious,
            Some("MergedWithNext") => Behavior::MergedWithNext,
            Some("Contiguous") => Behavior::Contiguous,
            Some(other) => return Err(TextError::unsupported("split behavior", other)),
        })
    }
}

fn flat<'v>(part: &'static str, value: &'v Value) -> Result<Vec<Part<'v>>, TextError> {
    let mut parts = Vec::new();
    Part::flat(part, value, 0, &mut parts)?;
    Ok(parts)
}

pub(super) fn normalizers(value: &Value) -> Result<Vec<Normalizer>, TextError> {
    let mut steps = Vec::new();
    for part in flat("normalizer", value)? {
        let step = match part.kind {
            "NFC" => Normalizer::Nfc,
            "NFD" => Normalizer::Nfd,
            "NFKC" => Normalizer::Nfkc,
            "NFKD" => Normalizer::Nfkd,
            "Nmt" => Normalizer::Nmt,
            "Lowercase" => Normalizer::Lowercase,
            "StripAccents" => Normalizer::Drop(Class::new(r"\p{M}")),
            "Strip" => Normalizer::Strip {
                left: part.flag("strip_left", true),
                right: part.flag("strip_right", true),
            },
            "Replace" => {
                Normalizer::Replace { pattern: part.pattern()?, with: part.text("content")?.into() }
            }
            "Prepend" => Normalizer::Prepend(part.text("prepend")?.into()),
            "Append" => Normalizer::Append(part.text("append")?.into()),
            "ByteLevel" => Normalizer::Bytes(Box::new(ByteChars::new())),
            "Precompiled" => {
                let text = part.text("precompiled_charsmap")?;
                let bytes = base64(text).ok_or_else(|| part.wrong("it is not base64"))?;
                if bytes.is_empty() {
                    continue;
                }
                Normalizer::CharsMap(Box::new(CharsMap::new(&bytes)?))
            }
            "BertNormalizer" => {
                let lowercase = part.flag("lowercase", true);
                if part.flag("clean_text", true) {
                    steps.push(Normalizer::CleanText(Class::new(r"[\p{Cc}\p{Cf}\p{Co}]")));
                }
                if part.flag("handle_chinese_chars", true) {
                    steps.push(Normalizer::Ideographs);
                }
                if part.flag("strip_accents", lowercase) {
                    steps.extend([Normalizer::Nfd, Normalizer::Drop(Class::new(r"\p{Mn}"))]);
                }
                if lowercase {
                    steps.push(Normalizer::Lowercase);
                }
                continue;
            }
            _ => return Err(part.unsupported()),
        };
        steps.push(step);
    }
    Ok(steps)
}

/// The steps, and whether what they leave is bytes that the vocabulary writes as printable
/// characters.
pub(super) fn cuts(value: &Value) -> Result<(Vec<Cut>, bool), TextError> {
    let parts = flat("pre-tokenizer", value)?;
    let mut steps = Vec::new();
    let mut bytes = false;
    for (index, part) in parts.iter().enumerate() {
        let last = index + 1 == parts.len();
        let step = match part.kind {
            "Split" => Cut::Split {
                pattern: part.pattern()?,
                behavior: part.behavior(Behavior::Isolated)?,
                invert: part.flag("invert", false),
            },
            "ByteLevel" => {
                if part.flag("add_prefix_space", true) {
                    steps.push(Cut::PrefixSpace);
                }
                if part.flag("use_regex", true) {
                    let pattern = Pattern::Regex(Box::new(Pass::new(GPT2)?));
                    let behavior = Behavior::Isolated;
                    steps.push(Cut::Split { pattern, behavior, invert: false });
                }
                bytes = last;
                if last {
                    continue;
                }
                Cut::Bytes(Box::new(ByteChars::new()))
            }
            "Whitespace" => Cut::Split {
                pattern: Pattern::Regex(Box::new(Pass::new(r"\w+|[^\w\s]+")?)),
                behavior: Behavior::Removed,
                invert: true,
            },
            "WhitespaceSplit" => Cut::WhiteSpace,
            "BertPreTokenizer" => {
                steps.push(Cut::WhiteSpace);
                Cut::Class { class: punctuation(), behavior: Behavior::Isolated }
            }
            "Punctuation" => {
                Cut::Class { class: punctuation(), behavior: part.behavior(Behavior::Isolated)? }
            }
            "Digits" => {
                let alone = part.flag("individual_digits", false);
                let behavior = if alone { Behavior::Isolated } else { Behavior::Contiguous };
                Cut::Class { class: Class::new(r"\p{N}"), behavior }
            }
            "CharDelimiterSplit" => Cut::Split {
                pattern: Pattern::Literal(part.character("delimiter")?.into()),
                behavior: Behavior::Removed,
                invert: false,
            },
            "Metaspace" => Cut::Metaspace {
                replacement: part.character("replacement")?,
                prepend: prepend(*part)?,
                split: part.flag("split", true),
            },
            "FixedLength" => Cut::FixedLength(part.count("length").max(1)),
            _ => return Err(part.unsupported()),
        };
        steps.push(step);
    }
    Ok((steps, bytes))
}

fn punctuation() -> Class {
    Class::new(r"[\p{P}$+<=>^`|~]")
}

fn prepend(part: Part<'_>) -> Result<Prepend, TextError> {
    let old = part.flag("add_prefix_space", true);
    Ok(match part.value.get("prepend_scheme").and_then(Value::as_str) {
        Some("always") => Prepend::Always,
        Some("first") => Prepend::First,
        Some("never") => Prepend::Never,
        Some(other) => return Err(TextError::unsupported("prepend scheme", other)),
        None if old => Prepend::Always,
        None => Prepend::Never,
    })
}

/// What stands around a text, and around two.
pub(super) fn around(value: &Value) -> Result<Around, TextError> {
    let mut whole = Around::default();
    for part in flat("post-processor", value)? {
        let around = match part.kind {
            "ByteLevel" => continue,
            "BertProcessing" | "RobertaProcessing" => {
                let id = |name: &str| {
                    let id = part.value.get(name).and_then(|pair| pair.get(1)?.as_u64());
                    let id = id.and_then(|id| u32::try_from(id).ok());
                    id.ok_or_else(|| part.wrong(&format!("{name} has no id")))
                };
                let (cls, sep) = (id("cls")?, id("sep")?);
                let twice = usize::from(part.kind == "RobertaProcessing") + 1;
                Around { before: vec![cls], between: vec![sep; twice], after: vec![sep] }
            }
            "TemplateProcessing" => {
                let [before, after] = template(part, "single")?;
                let between = match part.value.get("pair") {
                    Some(Value::Array(_)) => {
                        let [first, between, last] = template(part, "pair")?;
                        // One description holds for a text and for two.
                        if first != before || last != after { Vec::new() } else { between }
                    }
                    _ => Vec::new(),
                };
                Around { before, between, after }
            }
            _ => return Err(part.unsupported()),
        };
        whole.before.splice(0..0, around.before);
        whole.between.extend(around.between);
        whole.after.extend(around.after);
    }
    Ok(whole)
}

/// The ids around the `N - 1` texts of a template.
fn template<const N: usize>(part: Part<'_>, name: &str) -> Result<[Vec<u32>; N], TextError> {
    let items = part.value.get(name).and_then(Value::as_array);
    let items = items.ok_or_else(|| part.wrong("it has no template"))?;
    let mut around: [Vec<u32>; N] = std::array::from_fn(|_| Vec::new());
    let mut texts = 0;
    for item in items {
        if item.get("Sequence").is_some() {
            texts += 1;
        } else if let Some(ids) = around.get_mut(texts) {
            ids.extend(special_ids(part, item)?);
        }
    }
    if texts != N - 1 {
        return Err(part.wrong(&format!("its template {name} has {texts} texts")));
    }
    Ok(around)
}

fn special_ids(part: Part<'_>, item: &Value) -> Result<Vec<u32>, TextError> {
    let ids = || {
        let name = item.get("SpecialToken")?.get("id")?.as_str()?;
        let ids = part.value.get("special_tokens")?.get(name)?.get("ids")?.as_array()?;
        ids.iter().map(|id| u32::try_from(id.as_u64()?).ok()).collect::<Option<_>>()
    };
    ids().ok_or_else(|| part.wrong("a special token of its template has no id"))
}

pub(super) fn decoder(value: &Value) -> Result<Decoder, TextError> {
    let parts = flat("decoder", value)?;
    // Without a decoder the tokens are words.
    let separator = if parts.is_empty() { " " } else { "" };
    let mut decoder = Decoder { separator, ..Decoder::default() };
    let mut fused = false;
    for part in parts {
        if fused {
            // Only what is done at the beginning of the text can be done while it is written.
            match part.kind {
                "Strip" if part.count("stop") == 0 && decoder.strip.is_none() => {
                    decoder.strip = Some((part.character("content")?, part.count("start")));
                }
                "Fuse" => {}
                _ => return Err(part.unsupported()),
            }
            continue;
        }
        let step = match part.kind {
            "ByteLevel" => Step::Bytes(Box::new(ByteChars::new())),
            "ByteFallback" => {
                decoder.byte_tokens = true;
                continue;
            }
            "Fuse" => {
                fused = true;
                continue;
            }
            "Replace" => {
                Step::Replace { pattern: part.pattern()?, with: part.text("content")?.into() }
            }
            "WordPiece" => Step::WordPiece {
                prefix: part.text("prefix").unwrap_or("##").into(),
                cleanup: part.flag("cleanup", true),
            },
            "Metaspace" => Step::Metaspace {
                replacement: part.character("replacement")?,
                drop_first: prepend(part)? != Prepend::Never,
            },
            "BPEDecoder" => Step::WordEnd(part.text("suffix").unwrap_or("</w>").into()),
            "Strip" => Step::Strip {
                content: part.character("content")?,
                start: part.count("start"),
                stop: part.count("stop"),
            },
            _ => return Err(part.unsupported()),
        };
        decoder.steps.push(step);
    }
    Ok(decoder)
}

/// The bytes of a base64 text ([RFC 4648](https://www.rfc-editor.org/rfc/rfc4648#section-4)).
fn base64(text: &str) -> Option<Vec<u8>> {
    let text = text.trim_end_matches('=');
    let mut bytes = Vec::with_capacity(text.len() / 4 * 3 + 3);
    let (mut bits, mut count) = (0_u32, 0);
    for c in text.bytes() {
        let six = match c {
            b'A'..=b'Z' => c - b'A',
            b'a'..=b'z' => c - b'a' + 26,
            b'0'..=b'9' => c - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return None,
        };
        bits = bits << 6 | u32::from(six);
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push((bits >> count) as u8);
        }
    }
    Some(bytes)
}
