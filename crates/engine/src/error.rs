use crate::protocol::ErrorInfo;
use serde_json::{Map, Value, json};
use sidestage_formats::gguf::GgufError;
use sidestage_formats::graph::GraphFileError;
use sidestage_formats::huggingface::FolderError;
use sidestage_formats::manifest::ManifestError;
use sidestage_formats::safetensors::SafetensorsError;
use sidestage_lm::{InvalidSampling, LmError};
use sidestage_store::{Detail, StoreError};

/// An error as it crosses the port.
pub fn error(code: &str, message: impl Into<String>) -> ErrorInfo {
    ErrorInfo { code: code.into(), message: message.into(), hint: None, detail: None }
}

impl ErrorInfo {
    /// With what to do about it.
    #[must_use]
    pub fn hint(mut self, hint: &str) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// With a figure or name that belongs to it.
    #[must_use]
    pub fn with(mut self, key: &str, value: impl Into<Value>) -> Self {
        self.detail.get_or_insert_with(Map::new).insert(key.into(), value.into());
        self
    }
}

impl From<GgufError> for ErrorInfo {
    fn from(from: GgufError) -> Self {
        let info = error(from.code(), from.to_string());
        match from.hint() {
            Some(hint) => info.hint(hint),
            None => info,
        }
    }
}

impl From<ManifestError> for ErrorInfo {
    fn from(from: ManifestError) -> Self {
        let info = error(from.code(), from.to_string());
        match from {
            ManifestError::MissingSplit { missing, count } => info
                .hint("Give all files of the split model.")
                .with("missing", missing)
                .with("count", count),
            _ => info,
        }
    }
}

impl From<FolderError> for ErrorInfo {
    fn from(from: FolderError) -> Self {
        let info = error(from.code(), from.to_string());
        match from.code() {
            "MODEL_UNSUPPORTED" => info.hint("Look for a GGUF file of this model."),
            "MODEL_INCOMPLETE" => info.hint("Give all files of the model."),
            _ => info,
        }
    }
}

impl From<SafetensorsError> for ErrorInfo {
    fn from(from: SafetensorsError) -> Self {
        let info = error(from.code(), from.to_string());
        match from.code() {
            "MODEL_TRUNCATED" => info.hint("The file is not whole. Download it again."),
            _ => info,
        }
    }
}

impl From<LmError> for ErrorInfo {
    fn from(from: LmError) -> Self {
        let info = error(from.code(), from.to_string());
        match from {
            LmError::Architecture { name } => {
                let known: Vec<&str> = sidestage_lm::FAMILIES.iter().map(|row| row.name).collect();
                info.hint("Use a model of one of the architectures in `detail.supported`.")
                    .with("architecture", name)
                    .with("supported", json!(known))
            }
            LmError::Type { name, dtype } => info
                .hint("Use a file with another quantisation.")
                .with("tensor", name)
                .with("type", dtype.name()),
            LmError::Memory { needed, limit } => info
                .hint("Choose a smaller model, a stronger quantisation or a smaller contextLength.")
                .with("neededBytes", needed)
                .with("limitBytes", limit),
            LmError::Refused { bytes, .. } => info
                .hint("Close other tabs, choose a smaller model or a smaller contextLength.")
                .with("bytes", bytes),
            LmError::Cache(_) => info.hint("Choose a smaller contextLength."),
            LmError::Token { id, vocab_size } => {
                info.with("token", id).with("vocabSize", vocab_size)
            }
            LmError::MissingTensor { name } => info.with("tensor", name),
            LmError::KvType { .. } => {
                info.hint("Use kvType: \"f16\" or \"f32\".").with("option", "kvType")
            }
            _ => info,
        }
    }
}

impl From<GraphFileError> for ErrorInfo {
    fn from(from: GraphFileError) -> Self {
        error(from.code(), from.to_string()).hint(from.hint())
    }
}

impl From<InvalidSampling> for ErrorInfo {
    fn from(from: InvalidSampling) -> Self {
        let option = match from.option {
            "top_k" => "topK",
            "top_p" => "topP",
            "min_p" => "minP",
            "repetition_penalty" => "repetitionPenalty",
            "frequency_penalty" => "frequencyPenalty",
            "presence_penalty" => "presencePenalty",
            "logit_bias" => "logitBias",
            other => other,
        };
        error("INVALID_OPTION", format!("{option} = {} is not {}", from.value, from.allowed))
            .with("option", option)
            .with("value", from.value)
    }
}

impl From<StoreError> for ErrorInfo {
    fn from(from: StoreError) -> Self {
        let mut info = error(from.code(), from.to_string()).hint(from.hint());
        for (name, detail) in from.detail() {
            info = match detail {
                Detail::Number(number) => info.with(name, number),
                Detail::Text(text) => info.with(name, text),
            };
        }
        info
    }
}
