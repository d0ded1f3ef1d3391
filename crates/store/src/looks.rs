use std::fmt;

/// What the first bytes of a file look like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Looks {
    /// A GGUF file.
    Gguf,
    /// A GGML file of before GGUF.
    OldGgml,
    /// A web page.
    Html,
    /// An XML document, as object stores answer with when they refuse.
    Xml,
    /// A JSON document.
    Json,
    /// A pointer that Git LFS puts in the place of a large file.
    LfsPointer,
    /// A safetensors file.
    Safetensors,
    /// A Python pickle.
    Pickle,
    /// A ZIP archive; newer PyTorch checkpoints are such.
    Zip,
    /// Bytes compressed by gzip, zstd or xz.
    Compressed,
    /// A TensorFlow Lite model.
    Tflite,
    /// An HDF5 file, as of Keras.
    Hdf5,
    /// Plain text.
    Text,
    /// No bytes at all.
    Empty,
    /// None of these.
    Unknown,
}

impl Looks {
    /// Bytes that are enough for [`Looks::of`] to tell all kinds apart.
    pub const ENOUGH: usize = 64;

    /// Looks at the first bytes of a file. Few bytes may give [`Looks::Text`] or
    /// [`Looks::Unknown`] where more would tell.
    pub fn of(head: &[u8]) -> Self {
        let text = head.trim_ascii_start();
        let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text).trim_ascii_start();
        let starts = |start: &str| {
            text.get(..start.len()).is_some_and(|head| head.eq_ignore_ascii_case(start.as_bytes()))
        };
        if head.is_empty() {
            return Self::Empty;
        }
        // Longer ones first where one begins another.
        let by_magic: [(&[u8], Self); 12] = [
            (b"GGUF", Self::Gguf),
            (b"version https://git-lfs", Self::LfsPointer),
            (b"\x89HDF\r\n\x1a\n", Self::Hdf5),
            (b"PK\x03\x04", Self::Zip),
            (b"\x1f\x8b", Self::Compressed),
            (b"\x28\xb5\x2f\xfd", Self::Compressed),
            (b"\xfd7zXZ\0", Self::Compressed),
            (b"lmgg", Self::OldGgml),
            (b"fmgg", Self::OldGgml),
            (b"tjgg", Self::OldGgml),
            (b"algg", Self::OldGgml),
            (b"\x80\x02", Self::Pickle),
        ];
        if let Some(&(_, looks)) = by_magic.iter().find(|(magic, _)| head.starts_with(magic)) {
            return looks;
        }
        if matches!(head, [0x80, 3..=5, ..]) {
            return Self::Pickle;
        }
        if head.get(4..8) == Some(b"TFL3") {
            return Self::Tflite;
        }
        // The length of a JSON header, then the header.
        if head.get(8) == Some(&b'{') && head[5..8] == [0; 3] {
            return Self::Safetensors;
        }
        if starts("<!doctype html") || starts("<html") || starts("<head") || starts("<body") {
            Self::Html
        } else if starts("<?xml") || starts("<error") {
            Self::Xml
        } else if matches!(text.first(), Some(b'{' | b'[')) {
            Self::Json
        } else if starts("<!--") {
            Self::Html
        } else if head.iter().all(|&b| b >= 0x20 && b != 0x7f || b"\t\r\n".contains(&b)) {
            Self::Text
        } else {
            Self::Unknown
        }
    }
}

impl fmt::Display for Looks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Gguf => "a GGUF file",
            Self::OldGgml => "a GGML file of before GGUF",
            Self::Html => "an HTML page",
            Self::Xml => "an XML document",
            Self::Json => "a JSON document",
            Self::LfsPointer => "a Git LFS pointer, not the file it stands for",
            Self::Safetensors => "a safetensors file",
            Self::Pickle => "a Python pickle",
            Self::Zip => "a ZIP archive (perhaps a PyTorch checkpoint)",
            Self::Compressed => "a compressed file",
            Self::Tflite => "a TensorFlow Lite model",
            Self::Hdf5 => "an HDF5 file",
            Self::Text => "plain text",
            Self::Empty => "an empty file",
            Self::Unknown => "no format known here",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_bytes_tell_the_format() {
        let cases: [(&[u8], Looks); 24] = [
            (b"", Looks::Empty),
            (b"GGUF\x03\0\0\0", Looks::Gguf),
            (b"tjgg\x03\0\0\0", Looks::OldGgml),
            (b"<!DOCTYPE html><html>", Looks::Html),
            (b"\xef\xbb\xbf\n  <HTML lang=en>", Looks::Html),
            (b"<!-- hello --><html>", Looks::Html),
            (b"<?xml version=\"1.0\"?><Error>", Looks::Xml),
            (b"<Error><Code>AccessDenied", Looks::Xml),
            (b"{\"error\":\"Repository not found\"}", Looks::Json),
            (b"version https://git-lfs.github.com/spec/v1\noid sha256:", Looks::LfsPointer),
            (b"\x40\x01\0\0\0\0\0\0{\"__metadata__\":", Looks::Safetensors),
            (b"\x80\x02}q\0", Looks::Pickle),
            (b"\x80\x04\x95\0", Looks::Pickle),
            (b"PK\x03\x04\0\0", Looks::Zip),
            (b"\x1f\x8b\x08\0", Looks::Compressed),
            (b"\x28\xb5\x2f\xfd\x04", Looks::Compressed),
            (b"\x1c\0\0\0TFL3\0", Looks::Tflite),
            (b"\x89HDF\r\n\x1a\n\0", Looks::Hdf5),
            (b"Entry not found", Looks::Text),
            (b"Schl\xc3\xbcssel", Looks::Text),
            (b"\x08\x07\x12\x07pytorch", Looks::Unknown),
            (b"<", Looks::Text),
            (b"\x00", Looks::Unknown),
            (b"12345678{", Looks::Text),
        ];
        for (head, looks) in cases {
            assert_eq!(Looks::of(head), looks, "{}", head.escape_ascii());
        }
    }
}
