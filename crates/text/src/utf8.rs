//! Bytes that arrive in pieces, as text.

/// Holds back the bytes of an unfinished character.
#[derive(Clone, Debug, Default)]
pub(crate) struct Utf8 {
    /// At most three bytes.
    unfinished: Vec<u8>,
}

impl Utf8 {
    /// Appends the whole characters of what was held and of `bytes` to `text`. What can never
    /// become a character is U+FFFD, one for each maximal part, as in `String::from_utf8_lossy`.
    pub(crate) fn push(&mut self, bytes: &[u8], text: &mut String) {
        self.unfinished.extend_from_slice(bytes);
        let mut rest = &self.unfinished[..];
        loop {
            match std::str::from_utf8(rest) {
                Ok(valid) => {
                    text.push_str(valid);
                    rest = &[];
                    break;
                }
                Err(error) => {
                    let (valid, after) = rest.split_at(error.valid_up_to());
                    text.push_str(&String::from_utf8_lossy(valid));
                    rest = after;
                    let Some(bad) = error.error_len() else { break };
                    text.push(char::REPLACEMENT_CHARACTER);
                    rest = &rest[bad..];
                }
            }
        }
        let held = rest.len();
        self.unfinished.drain(..self.unfinished.len() - held);
    }

    /// The end of the text: an unfinished character will not be finished.
    pub(crate) fn finish(&mut self, text: &mut String) {
        text.push_str(&String::from_utf8_lossy(&self.unfinished));
        self.unfinished.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_cut_gives_the_same_text() {
        let samples: [&[u8]; 4] = [
            "aé世😀".as_bytes(),
            b"\xF0\x9F\x98x\x80\xE4\xB8",
            b"\xC0\x80\xED\xA0\x80\xF4\x90\x80\x80",
            b"\xE4\xE4\xB8\x96\xFF",
        ];
        for bytes in samples {
            for size in 1..=bytes.len() {
                let (mut utf8, mut text) = (Utf8::default(), String::new());
                for part in bytes.chunks(size) {
                    utf8.push(part, &mut text);
                }
                utf8.finish(&mut text);
                assert_eq!(text, String::from_utf8_lossy(bytes), "in parts of {size}");
            }
        }
    }

    #[test]
    fn half_a_character_is_held() {
        let (mut utf8, mut text) = (Utf8::default(), String::new());
        utf8.push(&"😀".as_bytes()[..3], &mut text);
        assert_eq!(text, "");
        utf8.push(&"😀".as_bytes()[3..], &mut text);
        assert_eq!(text, "😀");
    }
}
