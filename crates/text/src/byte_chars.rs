//! The bytes of a byte-level vocabulary as printable characters.
//!
//! GPT-2's `bytes_to_unicode`: a printable byte stands for itself, the others are counted up from
//! U+0100, so that tokens can be written in a text file.

const PRINTABLE: [(u8, u8); 3] = [(b'!', b'~'), (0xA1, 0xAC), (0xAE, 0xFF)];

/// Both directions of the table.
#[derive(Clone, Debug)]
pub(crate) struct ByteChars {
    chars: [char; 256],
    /// Indexed by code point; the largest in use is U+0143.
    bytes: [Option<u8>; 0x144],
}

impl ByteChars {
    pub(crate) fn new() -> Self {
        let mut table = Self { chars: ['\0'; 256], bytes: [None; 0x144] };
        let mut next = 0x100_u32;
        for byte in 0..=255_u8 {
            let own = PRINTABLE.iter().any(|&(first, last)| (first..=last).contains(&byte));
            let code = if own {
                u32::from(byte)
            } else {
                next += 1;
                next - 1
            };
            table.chars[usize::from(byte)] =
                char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER);
            table.bytes[code as usize] = Some(byte);
        }
        table
    }

    /// The character that stands for `byte`.
    pub(crate) fn char(&self, byte: u8) -> char {
        self.chars[usize::from(byte)]
    }

    /// The byte that `c` stands for.
    pub(crate) fn byte(&self, c: char) -> Option<u8> {
        self.bytes.get(c as usize).copied().flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_characters() {
        let table = ByteChars::new();
        assert_eq!(table.char(b' '), 'Ġ');
        assert_eq!(table.char(b'\n'), 'Ċ');
        assert_eq!(table.char(0xAD), 'Ń');
        assert_eq!(table.char(b'a'), 'a');
        for byte in 0..=255 {
            assert_eq!(table.byte(table.char(byte)), Some(byte));
        }
        assert_eq!(table.byte('一'), None);
    }
}
