//! What file names say.

/// What a file is by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A GGUF file, or one of a split.
    Gguf,
    /// A file that stands for the Hugging Face folder it lies in: `config.json`,
    /// `*.safetensors`, `*.safetensors.index.json`.
    Folder,
    /// A graph model: `*.onnx`, `*.tflite`, or `model.json` as of TensorFlow.js.
    Graph,
    /// Something else.
    Other,
}

impl Kind {
    /// Of the file at a path or URL; a folder is a path that is empty or ends with a slash.
    pub fn of(path: &str) -> Self {
        let (all, path) = (path, path.split(['?', '#']).next().unwrap_or(path));
        if path.is_empty() && !all.is_empty() {
            return Self::Other;
        }
        let name = path.rsplit('/').next().unwrap_or(path).to_ascii_lowercase();
        if name.ends_with(".gguf") {
            Self::Gguf
        } else if name.is_empty()
            || name == "config.json"
            || name.ends_with(".safetensors")
            || name.ends_with(".safetensors.index.json")
        {
            Self::Folder
        } else if name.ends_with(".onnx") || name.ends_with(".tflite") || name == "model.json" {
            Self::Graph
        } else {
            Self::Other
        }
    }
}

/// A file of a split model, by its name: `base-00001-of-00003.gguf`, as `llama-gguf-split` writes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SplitName {
    base: String,
    rest: String,
    /// Its number, from 1.
    pub number: u32,
    /// How many there are.
    pub count: u32,
}

impl SplitName {
    /// More files than any split has.
    const MOST: u32 = 10_000;

    /// Reads a path or URL; `None`: it is not of that form.
    pub fn of(path: &str) -> Option<Self> {
        let end = path.find(['?', '#']).unwrap_or(path.len());
        let (name, query) = path.split_at(end);
        let stem_end = name.len().checked_sub(".gguf".len())?;
        let (stem, suffix) = (name.get(..stem_end)?, name.get(stem_end..)?);
        if !suffix.eq_ignore_ascii_case(".gguf") {
            return None;
        }
        let (base, count) = stem.rsplit_once("-of-")?;
        let (base, number) = base.rsplit_once('-')?;
        let digits = |text: &str| {
            let all = text.len() == 5 && text.bytes().all(|byte| byte.is_ascii_digit());
            if all { text.parse::<u32>().ok() } else { None }
        };
        let (number, count) = (digits(number)?, digits(count)?);
        (1..=count.min(Self::MOST)).contains(&number).then(|| Self {
            base: base.to_owned(),
            rest: format!("{suffix}{query}"),
            number,
            count,
        })
    }

    /// The path or URL of the file of this number, from 1.
    pub fn sibling(&self, number: u32) -> String {
        format!("{}-{number:05}-of-{:05}{}", self.base, self.count, self.rest)
    }

    /// All of them, in order.
    pub fn all(&self) -> Vec<String> {
        (1..=self.count).map(|number| self.sibling(number)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_tell_kinds() {
        for (path, kind) in [
            ("m.gguf", Kind::Gguf),
            ("https://example.org/a/M.GGUF?x=y.json", Kind::Gguf),
            ("", Kind::Folder),
            ("https://example.org/a/", Kind::Folder),
            ("a/config.json", Kind::Folder),
            ("a/model.safetensors", Kind::Folder),
            ("model.safetensors.index.json#x", Kind::Folder),
            ("https://example.org/a/Model.onnx?x", Kind::Graph),
            ("m.tflite", Kind::Graph),
            ("a/model.json", Kind::Graph),
            ("tokenizer.json", Kind::Other),
            ("https://example.org/model", Kind::Other),
            ("?model=1", Kind::Other),
        ] {
            assert_eq!(Kind::of(path), kind, "{path}");
        }
    }

    #[test]
    fn split_names_have_siblings() {
        let split = SplitName::of("https://h/q-00002-of-00003.gguf?t=1").expect("a split");
        assert_eq!((split.number, split.count), (2, 3));
        let all = [1, 2, 3].map(|n| format!("https://h/q-0000{n}-of-00003.gguf?t=1"));
        assert_eq!(split.all(), all);
        for no in [
            "m.gguf",
            "m-00001-of-00002.bin",
            "m-1-of-2.gguf",
            "m-00003-of-00002.gguf",
            "m-00000-of-00002.gguf",
            "m-00001-of-99999x.gguf",
            ".gguf",
            "\u{e9}gguf",
            "gguf",
        ] {
            assert_eq!(SplitName::of(no), None, "{no}");
        }
    }
}
