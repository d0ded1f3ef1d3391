use crate::{CacheMode, Looks, Place};

/// A file to be read, and what is known of it before.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// Its path or name, for people.
    pub file: String,
    /// Where it is.
    pub place: Place,
    /// How it is kept; `None`: not at all.
    pub keep: Option<Keep>,
    /// How the cache is used.
    pub mode: CacheMode,
    /// Its length, if a listing says so.
    pub length: Option<u64>,
    /// Its SHA-256, if a listing says so: lower-case hexadecimal digits.
    pub sha256: Option<String>,
    /// Headers to ask with.
    pub headers: Vec<(String, String)>,
    /// What its first bytes must be.
    pub expect: Expect,
    /// It may be missing.
    pub optional: bool,
}

impl Wanted {
    /// A file of which nothing is known, and which is not kept.
    pub fn plain(file: impl Into<String>, place: Place) -> Self {
        Self {
            file: file.into(),
            place,
            keep: None,
            mode: CacheMode::Default,
            length: None,
            sha256: None,
            headers: Vec::new(),
            expect: Expect::Anything,
            optional: false,
        }
    }

    /// The URL, or the file's name where there is none.
    pub(crate) fn url(&self) -> String {
        match &self.place {
            Place::Url(url) => url.clone(),
            _ => self.file.clone(),
        }
    }
}

/// How a file is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Keep {
    /// Its key.
    pub key: String,
    /// What the app asked for.
    pub source: String,
    /// The file under this key can never be another, so its source is not asked.
    pub immutable: bool,
    /// Mark of the version that is wanted, where the owner knows it; what is kept under another one
    /// is thrown away.
    pub validator: Option<String>,
}

/// What a file's first bytes must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expect {
    /// Whatever they are.
    Anything,
    /// Those of a GGUF file.
    Gguf,
    /// Those of a safetensors file.
    Safetensors,
    /// Those of some model: its reader will tell.
    Model,
}

impl Expect {
    /// Bytes that are enough to tell.
    pub(crate) fn enough(self) -> usize {
        match self {
            Self::Anything => 0,
            Self::Gguf => 4,
            Self::Safetensors => 9,
            Self::Model => 8,
        }
    }

    /// Whether the first bytes, of which there are enough, are right.
    pub(crate) fn allows(self, head: &[u8]) -> bool {
        match self {
            Self::Anything => true,
            Self::Gguf => head.starts_with(b"GGUF"),
            // The length of the header is read later: only what is no model at all is meant here.
            Self::Safetensors => head.get(8) == Some(&b'{') && Looks::of(head) != Looks::Json,
            Self::Model => matches!(
                Looks::of(head),
                Looks::Gguf | Looks::Tflite | Looks::Json | Looks::Unknown
            ),
        }
    }
}
