//! What can go wrong with text, one code per kind.

use std::fmt;

/// An error of the text room. [`TextError::code`] is what reaches the page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TextError {
    /// The file asks for something that this crate does not know.
    TokenizerUnsupported {
        /// What kind of thing: `model`, `pre-tokenizer`, `normalizer`, `decoder`, …
        part: &'static str,
        /// Its name in the file.
        name: String,
    },
    /// The vocabulary contradicts itself.
    TokenizerInvalid {
        /// What is wrong, in one sentence.
        what: String,
    },
    /// The chat template does not parse.
    TemplateInvalid {
        /// The template engine's message with its line.
        message: String,
    },
    /// The chat template ran and failed.
    TemplateFailed {
        /// The text given to `raise_exception`, or the template engine's message.
        message: String,
        /// Whether the template itself refused the messages (`raise_exception`).
        raised: bool,
    },
    /// The model has no chat template.
    NoChatTemplate,
    /// The prompt or the token ids cannot be used with this vocabulary.
    PromptInvalid {
        /// What is wrong, in one sentence.
        what: String,
    },
    /// A message over the module's border cannot be read.
    MessageInvalid {
        /// What is wrong, in one sentence.
        what: String,
    },
    /// An error that arrived over the module's border.
    Remote {
        /// The code as it was sent.
        code: String,
        /// The message as it was sent.
        message: String,
    },
}

impl TextError {
    /// The stable UPPER_SNAKE code of this error.
    pub fn code(&self) -> &str {
        match self {
            Self::TokenizerUnsupported { .. } => "TOKENIZER_UNSUPPORTED",
            Self::TokenizerInvalid { .. } => "TOKENIZER_INVALID",
            Self::TemplateInvalid { .. } => "TEMPLATE_INVALID",
            Self::TemplateFailed { .. } => "TEMPLATE_FAILED",
            Self::NoChatTemplate => "NO_CHAT_TEMPLATE",
            Self::PromptInvalid { .. } => "PROMPT_INVALID",
            Self::MessageInvalid { .. } => "MESSAGE_INVALID",
            Self::Remote { code, .. } => code,
        }
    }

    pub(crate) fn unsupported(part: &'static str, name: impl Into<String>) -> Self {
        Self::TokenizerUnsupported { part, name: name.into() }
    }

    pub(crate) fn tokenizer(what: impl Into<String>) -> Self {
        Self::TokenizerInvalid { what: what.into() }
    }

    pub(crate) fn message(what: impl Into<String>) -> Self {
        Self::MessageInvalid { what: what.into() }
    }
}

impl fmt::Display for TextError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TokenizerUnsupported { part, name } => {
                write!(f, "the tokenizer's {part} {name:?} is not supported")
            }
            Self::TokenizerInvalid { what } => write!(f, "invalid vocabulary: {what}"),
            Self::TemplateInvalid { message } => write!(f, "invalid chat template: {message}"),
            Self::TemplateFailed { message, raised: true } => {
                write!(f, "the chat template refused the messages: {message}")
            }
            Self::TemplateFailed { message, .. } => write!(f, "chat template failed: {message}"),
            Self::NoChatTemplate => f.write_str("the model has no chat template"),
            Self::PromptInvalid { what } => write!(f, "invalid prompt: {what}"),
            Self::MessageInvalid { what } => write!(f, "invalid message: {what}"),
            Self::Remote { message, .. } => f.write_str(message),
        }
    }
}

impl std::error::Error for TextError {}
