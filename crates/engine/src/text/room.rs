use crate::error::error;
use crate::protocol::ErrorInfo;
use crate::text::{Conversation, Delta, Text, TextInfo};
use serde_json::{Map, Value};
use sidestage_formats::gguf::{GgufError, Metadata, Strings};
use sidestage_text::wire::{Client, RenderRequest};
use sidestage_text::{Now, StreamOptions, StringList, TextError, TokenizerSpec};

/// The text room behind its border: `F` carries a call there, to a module of its own in the
/// browser, natively to a [`sidestage_text::wire::Server`].
pub struct TextRoom<F> {
    client: Client<F>,
    date: fn() -> Option<Now>,
}

impl<F> TextRoom<F> {
    /// A room; `date` gives the time for templates that print it.
    pub fn new(call: F, date: fn() -> Option<Now>) -> Self {
        Self { client: Client(call), date }
    }
}

impl<F: FnMut(u32, &[u8]) -> Result<Vec<u8>, Vec<u8>>> TextRoom<F> {
    fn info(&mut self) -> Result<TextInfo, ErrorInfo> {
        let info = self.client.info()?;
        let has_chat_template = info.has_chat_template;
        Ok(TextInfo { end_tokens: info.end_tokens, has_chat_template })
    }
}

impl<F: FnMut(u32, &[u8]) -> Result<Vec<u8>, Vec<u8>>> Text for TextRoom<F> {
    fn open(&mut self, metadata: &Metadata) -> Result<Option<TextInfo>, ErrorInfo> {
        let Some(spec) = vocabulary(metadata)? else { return Ok(None) };
        self.client.open(&spec)?;
        self.info().map(Some)
    }

    fn open_files(&mut self, files: &[(&str, &[u8])]) -> Result<TextInfo, ErrorInfo> {
        self.client.open_files(files)?;
        self.info()
    }

    fn encode(
        &mut self,
        text: &str,
        add_special: bool,
        parse_special: bool,
    ) -> Result<Vec<u32>, ErrorInfo> {
        Ok(self.client.encode(text, add_special, parse_special)?)
    }

    fn decode(&mut self, tokens: &[u32]) -> Result<String, ErrorInfo> {
        Ok(self.client.decode(tokens, false)?)
    }

    fn render(
        &mut self,
        conversation: Conversation,
        add_generation_prompt: bool,
    ) -> Result<String, ErrorInfo> {
        Ok(self.client.render(&RenderRequest {
            context: context(conversation)?,
            add_generation_prompt,
            now: (self.date)(),
            template: None,
        })?)
    }

    fn open_stream(&mut self, stops: &[String], in_reasoning: bool) -> Result<u32, ErrorInfo> {
        let options = StreamOptions { stops: stops.to_vec(), in_reasoning, ..Default::default() };
        Ok(self.client.stream_open(&options)?)
    }

    fn push(&mut self, stream: u32, token: u32) -> Result<Delta, ErrorInfo> {
        Ok(self.client.push(stream, token)?.into())
    }

    fn finish(&mut self, stream: u32) -> Result<Delta, ErrorInfo> {
        Ok(self.client.finish(stream)?.into())
    }
}

impl From<sidestage_text::Delta> for Delta {
    fn from(delta: sidestage_text::Delta) -> Self {
        Self { text: delta.text, reasoning: delta.reasoning, stopped: delta.stopped.is_some() }
    }
}

impl From<TextError> for ErrorInfo {
    fn from(from: TextError) -> Self {
        let info = error(from.code(), from.to_string());
        match from.code() {
            "NO_CHAT_TEMPLATE" => info.hint("Give a prompt instead of messages."),
            "TEMPLATE_FAILED" | "TEMPLATE_INVALID" => {
                info.hint("Check the messages, or give a prompt and `raw: true`.")
            }
            "TOKENIZER_UNSUPPORTED" => info.hint("Give token ids, or convert the model again."),
            _ => info,
        }
    }
}

/// The variables of a template, in JSON. Templates are written for transformers, where `tools` and
/// `documents` are there and none if there are none.
fn context(conversation: Conversation) -> Result<String, ErrorInfo> {
    let Conversation { messages, tools, options } = conversation;
    let mut context = match options {
        None => Map::new(),
        Some(Value::Object(options)) => options,
        Some(_) => return Err(wrong("chatTemplateOptions", "an object of variables by name")),
    };
    if !messages.is_array() {
        return Err(wrong("messages", "a list of messages"));
    }
    if !tools.as_ref().is_none_or(Value::is_array) {
        return Err(wrong("tools", "a list of tools"));
    }
    context.entry("documents").or_insert(Value::Null);
    context.insert("messages".to_owned(), messages);
    if tools.is_some() || !context.contains_key("tools") {
        context.insert("tools".to_owned(), tools.unwrap_or_default());
    }
    Ok(Value::Object(context).to_string())
}

fn wrong(option: &str, what: &str) -> ErrorInfo {
    error("INVALID_OPTION", format!("`{option}` must be {what}")).with("option", option)
}

/// What a file says of its vocabulary; `None` if it has none.
///
/// # Errors
/// A key of another type than GGUF says.
pub fn vocabulary(metadata: &Metadata) -> Result<Option<TokenizerSpec>, GgufError> {
    let key = |name: &str| format!("tokenizer.ggml.{name}");
    let Some(model) = metadata.get_str(&key("model"))? else { return Ok(None) };
    // Of models that work on something else than text.
    if matches!(model, "none" | "no_vocab") {
        return Ok(None);
    }
    let text = |name: &str| metadata.get_str(name).map(|text| text.map(str::to_owned));
    let list = |name: &str| -> Result<StringList, GgufError> {
        Ok(metadata.get_strings(&key(name))?.map(string_list).unwrap_or_default())
    };
    Ok(Some(TokenizerSpec {
        model: model.to_owned(),
        pre: text(&key("pre"))?,
        name: text("general.name")?,
        tokens: list("tokens")?,
        scores: metadata.get_f32s(&key("scores"))?.unwrap_or_default().into_owned(),
        token_types: metadata.get_i32s(&key("token_type"))?.unwrap_or_default().into_owned(),
        merges: list("merges")?,
        bos: metadata.get_u32(&key("bos_token_id"))?,
        eos: metadata.get_u32(&key("eos_token_id"))?,
        unk: metadata.get_u32(&key("unknown_token_id"))?,
        eot: metadata.get_u32(&key("eot_token_id"))?,
        eom: metadata.get_u32(&key("eom_token_id"))?,
        add_bos: metadata.get_bool(&key("add_bos_token"))?,
        add_eos: metadata.get_bool(&key("add_eos_token"))?,
        add_space_prefix: metadata.get_bool(&key("add_space_prefix"))?,
        sep: metadata.get_u32(&key("seperator_token_id"))?,
        remove_extra_whitespaces: metadata.get_bool(&key("remove_extra_whitespaces"))?,
        charsmap: metadata
            .get_i32s(&key("precompiled_charsmap"))?
            .map(|bytes| bytes.iter().map(|&byte| byte as u8).collect())
            .unwrap_or_default(),
        lowercase: metadata.get_bool(&key("normalizer.lowercase"))?,
        strip_accents: metadata.get_bool(&key("normalizer.strip_accents"))?,
        chat_templates: chat_templates(metadata)?,
    }))
}

/// `tokenizer.chat_template`, and those with names that `tokenizer.chat_templates` lists.
fn chat_templates(metadata: &Metadata) -> Result<Vec<(String, String)>, GgufError> {
    let mut templates = Vec::new();
    if let Some(template) = metadata.get_str("tokenizer.chat_template")? {
        templates.push(("default".to_owned(), template.to_owned()));
    }
    if let Some(names) = metadata.get_strings("tokenizer.chat_templates")? {
        for name in (0..names.len()).filter_map(|at| names.get(at)) {
            if let Some(template) = metadata.get_str(&format!("tokenizer.chat_template.{name}"))? {
                templates.push((name.to_owned(), template.to_owned()));
            }
        }
    }
    Ok(templates)
}

fn string_list(strings: &Strings) -> StringList {
    let mut list = StringList::new();
    for index in 0..strings.len() {
        list.push(strings.bytes(index).unwrap_or_default());
    }
    list
}
