//! Text to token ids and back.

use crate::added::{AddedTokens, Part};
use crate::cut::{self, Cut};
use crate::decode::{Decoder, Place, clean_up};
use crate::merge::Merger;
use crate::model::Model;
use crate::normalize::{self, Normalizer};
use crate::vocabulary::{Kind, Vocabulary};
use crate::{Now, TextError, TokenizerSpec, gguf, template};

/// The tags around a model's reasoning are printed even where they are control tokens, because
/// [`TextStream`](crate::TextStream) looks for them.
pub(crate) const REASONING_TAGS: [&str; 2] = ["<think>", "</think>"];

/// A vocabulary that is ready for use.
#[derive(Debug)]
pub struct Tokenizer {
    pub(crate) vocabulary: Vocabulary,
    /// Tokens found in the text as it is.
    pub(crate) added: AddedTokens,
    pub(crate) normalizers: Vec<Normalizer>,
    /// Tokens found in the normalised text.
    pub(crate) added_normalized: AddedTokens,
    pub(crate) cuts: Vec<Cut>,
    pub(crate) model: Model,
    pub(crate) decoder: Decoder,
    pub(crate) around: Around,
    /// English punctuation is joined to the word before it.
    pub(crate) clean_up: bool,
    pub(crate) bos: Option<u32>,
    pub(crate) eos: Option<u32>,
    pub(crate) unk: Option<u32>,
    pub(crate) end_tokens: Vec<u32>,
    pub(crate) templates: Templates,
}

/// The tokens that stand around a text where special tokens are asked for.
#[derive(Clone, Debug, Default)]
pub(crate) struct Around {
    pub(crate) before: Vec<u32>,
    /// Between two texts.
    pub(crate) between: Vec<u32>,
    pub(crate) after: Vec<u32>,
}

impl Around {
    pub(crate) fn ids(&self) -> impl Iterator<Item = &u32> {
        self.before.iter().chain(&self.between).chain(&self.after)
    }
}

/// What a model says of its chat template.
#[derive(Clone, Debug, Default)]
pub(crate) struct Templates {
    /// Templates by name; `default` is the one for any use.
    pub(crate) named: Vec<(String, String)>,
    /// The texts of special tokens, by their names in templates (`bos_token`, …).
    pub(crate) variables: Vec<(String, String)>,
}

impl Templates {
    /// The template for a conversation. With tools it is `tool_use`, where there is one.
    fn of(&self, tools: bool) -> Option<&str> {
        let named = |wanted: &str| self.named.iter().find(|(name, _)| name == wanted);
        let template = named("tool_use").filter(|_| tools).or_else(|| named("default"));
        template.or(self.named.first()).map(|(_, template)| template.as_str())
    }
}

impl Tokenizer {
    /// Checks the vocabulary of a GGUF file and builds its tables.
    ///
    /// # Errors
    ///
    /// `TOKENIZER_UNSUPPORTED` names a model or pre-tokenizer that is not known,
    /// `TOKENIZER_INVALID` says what contradicts itself.
    pub fn new(spec: TokenizerSpec) -> Result<Self, TextError> {
        gguf::tokenizer(spec)
    }

    /// Token ids of `text`.
    ///
    /// `add_special` puts the tokens around it that the model wants (BOS, EOS, `[CLS]`, …);
    /// `parse_special` reads control tokens that are spelt in the text (a rendered chat template),
    /// otherwise they stay text. User-defined tokens are always read.
    ///
    /// # Errors
    ///
    /// `PROMPT_INVALID` for a character that the vocabulary cannot express at all.
    pub fn encode(
        &self,
        text: &str,
        add_special: bool,
        parse_special: bool,
    ) -> Result<Vec<u32>, TextError> {
        let mut ids = Vec::new();
        if add_special {
            ids.extend_from_slice(&self.around.before);
        }
        self.encode_into(text, parse_special, &mut ids)?;
        if add_special {
            ids.extend_from_slice(&self.around.after);
        }
        Ok(ids)
    }

    /// Token ids of two texts that belong together (a question and its answer), with the tokens
    /// around and between them that the model wants.
    ///
    /// # Errors
    ///
    /// As [`encode`](Self::encode).
    pub fn encode_pair(
        &self,
        first: &str,
        second: &str,
        parse_special: bool,
    ) -> Result<Vec<u32>, TextError> {
        let mut ids = self.around.before.clone();
        self.encode_into(first, parse_special, &mut ids)?;
        ids.extend_from_slice(&self.around.between);
        self.encode_into(second, parse_special, &mut ids)?;
        ids.extend_from_slice(&self.around.after);
        Ok(ids)
    }

    fn encode_into(
        &self,
        text: &str,
        parse_special: bool,
        ids: &mut Vec<u32>,
    ) -> Result<(), TextError> {
        let mut merger = Merger::default();
        let mut failed = None;
        let mut first = true;
        self.added.parts(text, parse_special, &mut |part| {
            match part {
                Part::Token(id) => ids.push(id),
                Part::Text(section) => {
                    let section = normalize::apply(&self.normalizers, section);
                    let mut first = first;
                    self.added_normalized.parts(&section, parse_special, &mut |part| {
                        match part {
                            Part::Token(id) => ids.push(id),
                            Part::Text(piece) => {
                                cut::apply(&self.cuts, piece, first, &mut |word| {
                                    if let Err(error) = self.word(&mut merger, word, ids) {
                                        failed.get_or_insert(error);
                                    }
                                });
                            }
                        }
                        first = false;
                    });
                }
            }
            first = false;
        });
        failed.map_or(Ok(()), Err)
    }

    fn word(&self, merger: &mut Merger, word: &str, ids: &mut Vec<u32>) -> Result<(), TextError> {
        self.model.encode(&self.vocabulary, self.unk, merger, word, ids)
    }

    /// The text of `ids`. With `special` false, control tokens print nothing. Bytes that are not
    /// UTF-8, and ids past the vocabulary, become U+FFFD. It is what a stream of the same tokens
    /// writes, except that `clean_up_tokenization_spaces` of a folder is heeded only here.
    pub fn decode(&self, ids: &[u32], special: bool) -> String {
        let mut bytes = Vec::new();
        let mut place = self.place(true);
        for &id in ids {
            self.piece(id, special, &mut place, &mut bytes);
        }
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if self.clean_up { clean_up(&text) } else { text }
    }

    /// The place before the first token; `at_start`: no text precedes it.
    pub(crate) fn place(&self, at_start: bool) -> Place {
        self.decoder.place(at_start)
    }

    /// Appends the bytes that a token prints.
    pub(crate) fn piece(&self, id: u32, special: bool, place: &mut Place, out: &mut Vec<u8>) {
        if id as usize >= self.vocabulary.len() {
            out.extend_from_slice("\u{FFFD}".as_bytes());
            return;
        }
        let text = self.vocabulary.text(id);
        let kind = self.vocabulary.kind(id);
        match kind {
            Kind::Control | Kind::Unknown => {
                if special || REASONING_TAGS.iter().any(|tag| tag.as_bytes() == text) {
                    self.decoder.token(text, true, place, out);
                }
            }
            Kind::Unused | Kind::Undefined => {}
            Kind::Normal | Kind::UserDefined | Kind::Byte => {
                let is_byte = self.decoder.byte_tokens || kind == Kind::Byte;
                match self.vocabulary.byte(id).filter(|_| is_byte) {
                    Some(byte) => self.decoder.byte(byte, place, out),
                    None => self.decoder.token(text, kind != Kind::Normal, place, out),
                }
            }
        }
    }

    /// How many tokens there are.
    pub fn vocab_size(&self) -> usize {
        self.vocabulary.len()
    }

    /// The tokens that end an answer, ascending: EOS, EOT, EOM and those known by name
    /// (`<|im_end|>`, `<|eot_id|>`, `<end_of_turn>`, …).
    pub fn end_tokens(&self) -> &[u32] {
        &self.end_tokens
    }

    /// The token that begins a text, where the model has one.
    pub fn bos(&self) -> Option<u32> {
        self.bos
    }

    /// The token that ends a text, where the model has one.
    pub fn eos(&self) -> Option<u32> {
        self.eos
    }

    /// Whether [`encode`](Self::encode) adds BOS when special tokens are asked for.
    pub fn adds_bos(&self) -> bool {
        self.bos.is_some_and(|bos| self.around.before.contains(&bos))
    }

    /// How a token is written in a chat template; lossy where the file is not UTF-8.
    pub fn token_text(&self, id: u32) -> String {
        String::from_utf8_lossy(self.vocabulary.text(id)).into_owned()
    }

    /// Renders `template`, or the model's own where it is `None`, for this vocabulary.
    ///
    /// # Errors
    ///
    /// `NO_CHAT_TEMPLATE` when there is none, and those of [`render`](crate::render).
    pub fn render(
        &self,
        template: Option<&str>,
        context: &serde_json::Value,
        add_generation_prompt: bool,
        now: Option<Now>,
    ) -> Result<String, TextError> {
        let tools = context.get("tools").is_some_and(|tools| !tools.is_null());
        let template = template.or(self.templates.of(tools)).ok_or(TextError::NoChatTemplate)?;
        template::render(template, &self.templates.variables, context, add_generation_prompt, now)
    }

    /// The model's own chat template for a conversation without tools.
    pub fn chat_template(&self) -> Option<&str> {
        self.templates.of(false)
    }
}
