//! The messages of the text module's border, in both directions.
//!
//! In a browser text lives in a wasm module of its own. A call has a number ([`op`]) and a message
//! of bytes, and answers with bytes: the result, or an error. [`Server`] is the side inside the
//! module, [`Client`] the side that calls; a test joins them without any wasm.
//!
//! | op | message | result |
//! |---|---|---|
//! | 1 open | msgpack [`TokenizerSpec`] | nothing; every stream is gone |
//! | 2 encode | flags (bit 0 add special, bit 1 parse special), UTF-8 | `u32`s |
//! | 3 open a stream | JSON [`StreamOptions`] | its `u32` |
//! | 4 push | stream, token: `u32`s | delta |
//! | 5 finish | stream: `u32` | delta; the stream is gone |
//! | 6 render | JSON [`RenderRequest`] | UTF-8 |
//! | 7 decode | flags (bit 0 special), `u32`s | UTF-8 |
//! | 8 info | nothing | JSON [`Info`] |
//! | 9 drop a stream | stream: `u32` | nothing, whether there was one or not |
//! | 10 name a file | UTF-8 | nothing |
//! | 11 a file | its bytes | nothing; the file of the name before was read |
//! | 12 open the files | nothing | nothing; every stream is gone |
//!
//! Every `u32` is little-endian. A delta is one byte (1: a stop string was found), the length of
//! the text (`u32`), the text, the length of the reasoning (`u32`), the reasoning, and for the rest
//! the stop string. An error is JSON [`WireError`].

use crate::{Delta, Files, Now, StreamOptions, TextError, TextStream, Tokenizer, TokenizerSpec};
use hashbrown::HashMap;
use serde::{Deserialize, Serialize};

/// Numbers of the calls.
pub mod op {
    #![allow(missing_docs, reason = "the table of the module names each of them")]
    pub const OPEN: u32 = 1;
    pub const ENCODE: u32 = 2;
    pub const STREAM_OPEN: u32 = 3;
    pub const PUSH: u32 = 4;
    pub const FINISH: u32 = 5;
    pub const RENDER: u32 = 6;
    pub const DECODE: u32 = 7;
    pub const INFO: u32 = 8;
    pub const STREAM_DROP: u32 = 9;
    pub const FILE_NAME: u32 = 10;
    pub const FILE: u32 = 11;
    pub const OPEN_FILES: u32 = 12;
}

/// What is to be rendered by a chat template.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct RenderRequest {
    /// A JSON object: `messages`, `tools` and what else the template reads.
    pub context: String,
    /// Whether the beginning of the model's answer is appended.
    pub add_generation_prompt: bool,
    /// The time for templates that print the date.
    pub now: Option<Now>,
    /// Another template than the model's own.
    pub template: Option<String>,
}

/// What a caller wants to know of an open vocabulary.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Info {
    /// The tokens that end an answer, ascending.
    pub end_tokens: Vec<u32>,
    /// The token that begins a text.
    pub bos: Option<u32>,
    /// The token that ends a text.
    pub eos: Option<u32>,
    /// Whether `encode` adds BOS when special tokens are asked for.
    pub adds_bos: bool,
    /// How many tokens there are.
    pub vocab_size: u32,
    /// Whether the model has a chat template.
    pub has_chat_template: bool,
}

/// An error on its way over the border.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WireError {
    /// UPPER_SNAKE code.
    pub code: String,
    /// One sentence.
    pub message: String,
}

/// The side inside the module: one vocabulary and its open streams.
#[derive(Debug, Default)]
pub struct Server {
    tokenizer: Option<Tokenizer>,
    files: Files,
    file_name: String,
    streams: HashMap<u32, TextStream>,
    next_stream: u32,
}

impl Server {
    /// A server without a vocabulary.
    pub fn new() -> Self {
        Self::default()
    }

    /// Answers one call.
    ///
    /// # Errors
    ///
    /// The bytes of a [`WireError`].
    pub fn call(&mut self, op: u32, message: &[u8]) -> Result<Vec<u8>, Vec<u8>> {
        self.answer(op, message).map_err(|error| {
            let code = error.code().to_owned();
            pack(&WireError { code, message: error.to_string() })
        })
    }

    /// Forgets the vocabulary before the next one takes memory.
    fn close(&mut self) {
        self.streams.clear();
        self.tokenizer = None;
    }

    fn answer(&mut self, op: u32, message: &[u8]) -> Result<Vec<u8>, TextError> {
        match op {
            op::OPEN => {
                self.close();
                self.tokenizer = Some(Tokenizer::new(unpack_spec(message)?)?);
                return Ok(Vec::new());
            }
            op::FILE_NAME => {
                let name = std::str::from_utf8(message);
                let name = name.map_err(|_| TextError::message("the name is not UTF-8"))?;
                self.file_name = name.to_owned();
                return Ok(Vec::new());
            }
            op::FILE => {
                // A file that cannot be read spoils those before it.
                let mut files = std::mem::take(&mut self.files);
                files.add(&std::mem::take(&mut self.file_name), message)?;
                self.files = files;
                return Ok(Vec::new());
            }
            op::OPEN_FILES => {
                self.close();
                self.tokenizer = Some(std::mem::take(&mut self.files).tokenizer()?);
                return Ok(Vec::new());
            }
            _ => {}
        }
        let Some(tokenizer) = &self.tokenizer else {
            return Err(TextError::message("no vocabulary is open"));
        };
        match op {
            op::ENCODE => {
                let (flags, text) = flags(message)?;
                let text = std::str::from_utf8(text)
                    .map_err(|_| TextError::message("the text is not UTF-8"))?;
                let ids = tokenizer.encode(text, flags & 1 != 0, flags & 2 != 0)?;
                Ok(pack_ids(&ids))
            }
            op::STREAM_OPEN => {
                let options: StreamOptions = unpack(message)?;
                while self.streams.contains_key(&self.next_stream) {
                    self.next_stream = self.next_stream.wrapping_add(1);
                }
                let stream = self.next_stream;
                self.next_stream = stream.wrapping_add(1);
                self.streams.insert(stream, TextStream::new(options));
                Ok(pack_ids(&[stream]))
            }
            op::PUSH => {
                let [stream, token] = numbers(message)?;
                let open = self.streams.get_mut(&stream).ok_or_else(|| no_stream(stream))?;
                Ok(pack_delta(&open.push(tokenizer, token)))
            }
            op::FINISH => {
                let [stream] = numbers(message)?;
                let mut open = self.streams.remove(&stream).ok_or_else(|| no_stream(stream))?;
                Ok(pack_delta(&open.finish()))
            }
            op::STREAM_DROP => {
                let [stream] = numbers(message)?;
                self.streams.remove(&stream);
                Ok(Vec::new())
            }
            op::RENDER => {
                let request: RenderRequest = unpack(message)?;
                let context = serde_json::from_str(&request.context).map_err(|error| {
                    TextError::PromptInvalid { what: format!("the context is no JSON: {error}") }
                })?;
                let template = request.template.as_deref();
                let text = tokenizer.render(
                    template,
                    &context,
                    request.add_generation_prompt,
                    request.now,
                )?;
                Ok(text.into_bytes())
            }
            op::DECODE => {
                let (flags, ids) = flags(message)?;
                Ok(tokenizer.decode(&unpack_ids(ids)?, flags & 1 != 0).into_bytes())
            }
            op::INFO => Ok(pack(&Info {
                end_tokens: tokenizer.end_tokens().to_vec(),
                bos: tokenizer.bos(),
                eos: tokenizer.eos(),
                adds_bos: tokenizer.adds_bos(),
                vocab_size: tokenizer.vocab_size() as u32,
                has_chat_template: tokenizer.chat_template().is_some(),
            })),
            _ => Err(TextError::message(format!("there is no call {op}"))),
        }
    }
}

/// The side that calls. `F` carries a call over the border.
#[derive(Debug)]
pub struct Client<F>(pub F);

impl<F: FnMut(u32, &[u8]) -> Result<Vec<u8>, Vec<u8>>> Client<F> {
    fn call(&mut self, op: u32, message: &[u8]) -> Result<Vec<u8>, TextError> {
        (self.0)(op, message).map_err(|error| match unpack::<WireError>(&error) {
            Ok(WireError { code, message }) => TextError::Remote { code, message },
            Err(error) => error,
        })
    }

    /// Opens a vocabulary in place of the one before.
    ///
    /// # Errors
    ///
    /// As [`Tokenizer::new`]; here and below errors of the other side are [`TextError::Remote`].
    pub fn open(&mut self, spec: &TokenizerSpec) -> Result<(), TextError> {
        self.call(op::OPEN, &pack_spec(spec)).map(|_| ())
    }

    /// Opens the tokenizer of a Hugging Face folder in place of the one before. `files`: names in
    /// the folder and bytes, which cross the border as they are.
    ///
    /// # Errors
    ///
    /// As [`Files::add`] and [`Files::tokenizer`].
    pub fn open_files(&mut self, files: &[(&str, &[u8])]) -> Result<(), TextError> {
        for (name, bytes) in files.iter().filter(|(name, _)| Files::wants(name)) {
            self.call(op::FILE_NAME, name.as_bytes())?;
            self.call(op::FILE, bytes)?;
        }
        self.call(op::OPEN_FILES, &[]).map(|_| ())
    }

    /// Token ids of a text.
    ///
    /// # Errors
    ///
    /// As [`Tokenizer::encode`].
    pub fn encode(
        &mut self,
        text: &str,
        add_special: bool,
        parse_special: bool,
    ) -> Result<Vec<u32>, TextError> {
        let mut message = Vec::with_capacity(1 + text.len());
        message.push(u8::from(add_special) | u8::from(parse_special) << 1);
        message.extend_from_slice(text.as_bytes());
        unpack_ids(&self.call(op::ENCODE, &message)?)
    }

    /// Text of token ids.
    ///
    /// # Errors
    ///
    /// `MESSAGE_INVALID` when the sides do not understand each other.
    pub fn decode(&mut self, ids: &[u32], special: bool) -> Result<String, TextError> {
        let mut message = vec![u8::from(special)];
        message.extend_from_slice(&pack_ids(ids));
        text(self.call(op::DECODE, &message)?)
    }

    /// Opens a stream and gives its number.
    ///
    /// # Errors
    ///
    /// `MESSAGE_INVALID` when the sides do not understand each other.
    pub fn stream_open(&mut self, options: &StreamOptions) -> Result<u32, TextError> {
        let [stream] = numbers(&self.call(op::STREAM_OPEN, &pack(options))?)?;
        Ok(stream)
    }

    /// Adds a token to a stream.
    ///
    /// # Errors
    ///
    /// `MESSAGE_INVALID` when the stream is not open.
    pub fn push(&mut self, stream: u32, token: u32) -> Result<Delta, TextError> {
        unpack_delta(&self.call(op::PUSH, &pack_ids(&[stream, token]))?)
    }

    /// Ends a stream and gives what it held back.
    ///
    /// # Errors
    ///
    /// `MESSAGE_INVALID` when the stream is not open.
    pub fn finish(&mut self, stream: u32) -> Result<Delta, TextError> {
        unpack_delta(&self.call(op::FINISH, &pack_ids(&[stream]))?)
    }

    /// Forgets a stream.
    ///
    /// # Errors
    ///
    /// `MESSAGE_INVALID` when the sides do not understand each other.
    pub fn stream_drop(&mut self, stream: u32) -> Result<(), TextError> {
        self.call(op::STREAM_DROP, &pack_ids(&[stream])).map(|_| ())
    }

    /// Renders the chat template.
    ///
    /// # Errors
    ///
    /// As [`Tokenizer::render`].
    pub fn render(&mut self, request: &RenderRequest) -> Result<String, TextError> {
        text(self.call(op::RENDER, &pack(request))?)
    }

    /// What the vocabulary is like.
    ///
    /// # Errors
    ///
    /// `MESSAGE_INVALID` when no vocabulary is open.
    pub fn info(&mut self) -> Result<Info, TextError> {
        unpack(&self.call(op::INFO, &[])?)
    }
}

fn no_stream(stream: u32) -> TextError {
    TextError::message(format!("stream {stream} is not open"))
}

fn pack<T: Serialize>(value: &T) -> Vec<u8> {
    serde_json::to_vec(value).expect("these types have nothing that JSON refuses")
}

fn unpack<'b, T: Deserialize<'b>>(bytes: &'b [u8]) -> Result<T, TextError> {
    serde_json::from_slice(bytes).map_err(|error| TextError::message(error.to_string()))
}

// A vocabulary has megabytes of bytes, which JSON has no form for.
fn pack_spec(spec: &TokenizerSpec) -> Vec<u8> {
    rmp_serde::to_vec_named(spec).expect("a spec has nothing that msgpack refuses")
}

fn unpack_spec(bytes: &[u8]) -> Result<TokenizerSpec, TextError> {
    rmp_serde::from_slice(bytes).map_err(|error| TextError::message(error.to_string()))
}

fn pack_ids(ids: &[u32]) -> Vec<u8> {
    ids.iter().flat_map(|id| id.to_le_bytes()).collect()
}

fn unpack_ids(bytes: &[u8]) -> Result<Vec<u32>, TextError> {
    let (ids, rest) = bytes.as_chunks();
    if !rest.is_empty() {
        return Err(TextError::message("token ids are four bytes each"));
    }
    Ok(ids.iter().map(|&id| u32::from_le_bytes(id)).collect())
}

fn numbers<const N: usize>(bytes: &[u8]) -> Result<[u32; N], TextError> {
    let numbers = unpack_ids(bytes)?;
    numbers.try_into().map_err(|_| TextError::message(format!("{N} numbers are expected")))
}

fn flags(message: &[u8]) -> Result<(u8, &[u8]), TextError> {
    match message {
        [flags, rest @ ..] => Ok((*flags, rest)),
        [] => Err(TextError::message("the flags are missing")),
    }
}

fn text(bytes: Vec<u8>) -> Result<String, TextError> {
    String::from_utf8(bytes).map_err(|_| TextError::message("the answer is not UTF-8"))
}

fn pack_delta(delta: &Delta) -> Vec<u8> {
    let stop = delta.stopped.as_deref().unwrap_or_default();
    let size = 9 + delta.text.len() + delta.reasoning.len() + stop.len();
    let mut out = Vec::with_capacity(size);
    out.push(u8::from(delta.stopped.is_some()));
    for part in [&delta.text, &delta.reasoning] {
        out.extend_from_slice(&(part.len() as u32).to_le_bytes());
        out.extend_from_slice(part.as_bytes());
    }
    out.extend_from_slice(stop.as_bytes());
    out
}

fn unpack_delta(bytes: &[u8]) -> Result<Delta, TextError> {
    fn part<'b>(bytes: &mut &'b [u8]) -> Option<&'b str> {
        let (length, rest) = bytes.split_first_chunk()?;
        let (part, rest) = rest.split_at_checked(u32::from_le_bytes(*length) as usize)?;
        *bytes = rest;
        std::str::from_utf8(part).ok()
    }
    let read = || {
        let (stopped, mut rest) = bytes.split_first()?;
        let text = part(&mut rest)?.to_owned();
        let reasoning = part(&mut rest)?.to_owned();
        let stop = std::str::from_utf8(rest).ok()?;
        Some(Delta { text, reasoning, stopped: (*stopped != 0).then(|| stop.to_owned()) })
    };
    read().ok_or_else(|| TextError::message("a delta is cut off"))
}
