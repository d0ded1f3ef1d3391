//! Text to token ids and back.

use crate::bpe::Bpe;
use crate::special::Specials;
use crate::vocabulary::{Kind, Vocabulary};
use crate::{Now, TextError, TokenizerSpec, end, pre, spm, template};

/// The tags around a model's reasoning are printed even where they are control tokens, because
/// [`TextStream`](crate::TextStream) looks for them.
pub(crate) const REASONING_TAGS: [&str; 2] = ["<think>", "</think>"];

/// A vocabulary that is ready for use.
#[derive(Debug)]
pub struct Tokenizer {
    vocabulary: Vocabulary,
    scheme: Scheme,
    /// Those found when special tokens are read from text, and those found always.
    specials: [Specials; 2],
    strip_after_special: bool,
    space_prefix: bool,
    bos: Option<u32>,
    eos: Option<u32>,
    unk: Option<u32>,
    add_bos: bool,
    add_eos: bool,
    end_tokens: Vec<u32>,
    chat_template: Option<String>,
}

#[derive(Debug)]
enum Scheme {
    SentencePiece,
    BytePairs(Box<Bpe>),
}

impl Tokenizer {
    /// Checks a vocabulary and builds its tables.
    ///
    /// # Errors
    ///
    /// `TOKENIZER_UNSUPPORTED` names a model or pre-tokenizer that is not known,
    /// `TOKENIZER_INVALID` says what contradicts itself.
    pub fn new(mut spec: TokenizerSpec) -> Result<Self, TextError> {
        let sentence_piece = match spec.model.as_str() {
            "llama" => true,
            "gpt2" => false,
            _ => return Err(TextError::TokenizerUnsupported { model: spec.model, pre: None }),
        };
        let rule = match &spec.pre {
            _ if sentence_piece => None,
            Some(name) => pre::named(name),
            None => None,
        };
        if rule.is_none() && !sentence_piece {
            return Err(TextError::TokenizerUnsupported { model: spec.model, pre: spec.pre });
        }

        let mut vocabulary = Vocabulary::new(&mut spec)?;
        // These ids hold in llama.cpp for SentencePiece files that do not name theirs.
        let untyped = spec.token_types.is_empty();
        let unknown_default =
            if untyped || vocabulary.kind(0) == Kind::Unknown { 0 } else { u32::MAX };
        let named = [
            ("bos", &mut spec.bos, 1),
            ("eos", &mut spec.eos, 2),
            ("unknown", &mut spec.unk, unknown_default),
            ("eot", &mut spec.eot, u32::MAX),
            ("eom", &mut spec.eom, u32::MAX),
        ];
        for (name, id, sentence_piece_default) in named {
            match *id {
                Some(id) if id as usize >= vocabulary.len() => {
                    let count = vocabulary.len();
                    let what = format!("the {name} token is {id} of {count} tokens");
                    return Err(TextError::tokenizer(what));
                }
                None if sentence_piece && (sentence_piece_default as usize) < vocabulary.len() => {
                    *id = Some(sentence_piece_default);
                }
                _ => {}
            }
        }
        let end_tokens = end::end_tokens(&mut vocabulary, &spec);
        let specials = [Specials::new(&vocabulary, false)?, Specials::new(&vocabulary, true)?];
        let scheme = match &rule {
            None => Scheme::SentencePiece,
            Some(rule) => Scheme::BytePairs(Box::new(Bpe::new(&vocabulary, &spec.merges, rule)?)),
        };

        let add_bos = spec.add_bos.unwrap_or(rule.is_none_or(|rule| rule.add_bos));
        let add_eos = spec.add_eos.unwrap_or(false);
        for (add, id, name) in [(add_bos, spec.bos, "BOS"), (add_eos, spec.eos, "EOS")] {
            if add && id.is_none() {
                return Err(TextError::tokenizer(format!("{name} is to be added, but has no id")));
            }
        }
        let name = spec.name.unwrap_or_default().to_lowercase();
        Ok(Self {
            vocabulary,
            scheme,
            specials,
            strip_after_special: name.contains("phi-3") || name.contains("phi3"),
            space_prefix: spec.add_space_prefix.unwrap_or(sentence_piece),
            bos: spec.bos,
            eos: spec.eos,
            unk: spec.unk,
            add_bos,
            add_eos,
            end_tokens,
            chat_template: spec.chat_template.filter(|template| !template.is_empty()),
        })
    }

    /// Token ids of `text`.
    ///
    /// `add_special` puts BOS and EOS where the model wants them; `parse_special` reads control
    /// tokens that are spelt in the text (a rendered chat template), otherwise they stay text.
    /// User-defined tokens are always read.
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
        if add_special && self.add_bos {
            ids.extend(self.bos);
        }
        let specials = &self.specials[usize::from(parse_special)];
        let mut at = 0;
        let mut after_special = true;
        while let Some((start, id)) = specials.find(&self.vocabulary, text.as_bytes(), at) {
            self.encode_piece(&text[at..start], after_special, &mut ids)?;
            ids.push(id);
            after_special = true;
            at = start + self.vocabulary.text(id).len();
            if self.strip_after_special && self.strips_space(id) {
                let spaces = text[at..].bytes().take_while(|b| matches!(b, b' ' | 9..=13)).count();
                at += spaces;
            }
        }
        self.encode_piece(&text[at..], after_special, &mut ids)?;
        if add_special && self.add_eos {
            ids.extend(self.eos);
        }
        Ok(ids)
    }

    /// Phi-3's special tokens swallow white space after them, all but these three.
    fn strips_space(&self, id: u32) -> bool {
        !matches!(self.vocabulary.text(id), b"<unk>" | b"<s>" | b"<|endoftext|>")
    }

    fn encode_piece(
        &self,
        text: &str,
        after_special: bool,
        ids: &mut Vec<u32>,
    ) -> Result<(), TextError> {
        if text.is_empty() {
            return Ok(());
        }
        match &self.scheme {
            Scheme::BytePairs(bpe) => bpe.encode(&self.vocabulary, self.unk, text, ids),
            Scheme::SentencePiece if self.space_prefix && after_special => {
                spm::encode(&self.vocabulary, self.unk, &format!(" {text}"), ids)?;
            }
            Scheme::SentencePiece => spm::encode(&self.vocabulary, self.unk, text, ids)?,
        }
        Ok(())
    }

    /// The text of `ids`. With `special` false, control tokens print nothing. Bytes that are not
    /// UTF-8, and ids past the vocabulary, become U+FFFD.
    pub fn decode(&self, ids: &[u32], special: bool) -> String {
        let mut bytes = Vec::new();
        let mut at_start = true;
        for &id in ids {
            self.piece(id, special, &mut bytes);
            if at_start && !bytes.is_empty() {
                at_start = false;
                // The space that `encode` put before the first word.
                if self.strips_first_space(id) && bytes.first() == Some(&b' ') {
                    bytes.remove(0);
                }
            }
        }
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// Appends the bytes that a token prints.
    pub(crate) fn piece(&self, id: u32, special: bool, out: &mut Vec<u8>) {
        if id as usize >= self.vocabulary.len() {
            out.extend_from_slice("\u{FFFD}".as_bytes());
            return;
        }
        let text = self.vocabulary.text(id);
        match self.vocabulary.kind(id) {
            Kind::Control | Kind::Unknown => {
                if special || REASONING_TAGS.iter().any(|tag| tag.as_bytes() == text) {
                    out.extend_from_slice(text);
                }
            }
            Kind::UserDefined => out.extend_from_slice(text),
            Kind::Byte => match self.vocabulary.byte(id) {
                Some(byte) => out.push(byte),
                None => out.extend_from_slice(text),
            },
            Kind::Normal => match &self.scheme {
                Scheme::SentencePiece => spm::decode(text, out),
                Scheme::BytePairs(bpe) => bpe.decode(text, out),
            },
            Kind::Unused | Kind::Undefined => {}
        }
    }

    /// Whether a space that this token prints at the beginning of a text is not part of the text.
    pub(crate) fn strips_first_space(&self, id: u32) -> bool {
        self.space_prefix
            && matches!(self.scheme, Scheme::SentencePiece)
            && self.vocabulary.kind(id) == Kind::Normal
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
        self.add_bos
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
        let template = template.or(self.chat_template()).ok_or(TextError::NoChatTemplate)?;
        let text = |id: Option<u32>| id.map(|id| self.token_text(id)).unwrap_or_default();
        let (bos, eos) = (text(self.bos), text(self.eos));
        template::render(template, &bos, &eos, context, add_generation_prompt, now)
    }

    /// The model's own chat template.
    pub fn chat_template(&self) -> Option<&str> {
        self.chat_template.as_deref()
    }
}
