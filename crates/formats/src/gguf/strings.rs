use std::fmt;
use std::ops::Index;

/// An array of strings in one allocation: a vocabulary has 150,000 of them.
///
/// Old files hold tokens that are not UTF-8. Their text has U+FFFD in place of what cannot be
/// read; [`Strings::bytes`] still gives the file's own bytes.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Strings {
    text: String,
    ends: Vec<u32>,
    raw: Raw,
}

/// The bytes of those strings that are not UTF-8: their positions (ascending), ends and bytes.
#[derive(Clone, Default, PartialEq, Eq)]
struct Raw {
    at: Vec<(u32, u32)>,
    bytes: Vec<u8>,
}

impl Strings {
    /// The number of strings.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// The string at `at`.
    pub fn get(&self, at: usize) -> Option<&str> {
        let end = *self.ends.get(at)? as usize;
        let start = if at == 0 { 0 } else { self.ends[at - 1] as usize };
        Some(&self.text[start..end])
    }

    /// The bytes of the string at `at` as they are in the file.
    pub fn bytes(&self, at: usize) -> Option<&[u8]> {
        let Ok(slot) = self.raw.at.binary_search_by_key(&at, |&(at, _)| at as usize) else {
            return self.get(at).map(str::as_bytes);
        };
        let start = if slot == 0 { 0 } else { self.raw.at[slot - 1].1 as usize };
        Some(&self.raw.bytes[start..self.raw.at[slot].1 as usize])
    }

    /// The strings in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &str> + Clone {
        (0..self.len()).map(|at| &self[at])
    }

    /// Appends a string.
    ///
    /// # Errors
    /// The bytes for which there is no memory, or no room under 4 GiB.
    pub(super) fn push(&mut self, bytes: &[u8]) -> Result<(), u64> {
        match std::str::from_utf8(bytes) {
            Ok(text) => self.push_str(text),
            Err(_) => {
                self.raw.bytes.try_reserve(bytes.len()).map_err(|_| bytes.len() as u64)?;
                self.raw.bytes.extend_from_slice(bytes);
                let end = u32::try_from(self.raw.bytes.len()).map_err(|_| bytes.len() as u64)?;
                self.raw.at.push((self.ends.len() as u32, end));
                self.push_str(&String::from_utf8_lossy(bytes))
            }
        }
    }

    fn push_str(&mut self, text: &str) -> Result<(), u64> {
        self.text.try_reserve(text.len()).map_err(|_| text.len() as u64)?;
        let end = u32::try_from(self.text.len() + text.len()).map_err(|_| text.len() as u64)?;
        self.ends.try_reserve(1).map_err(|_| 4_u64)?;
        self.text.push_str(text);
        self.ends.push(end);
        Ok(())
    }

    pub(super) fn shrink(&mut self) {
        self.text.shrink_to_fit();
        self.ends.shrink_to_fit();
    }
}

impl Index<usize> for Strings {
    type Output = str;

    fn index(&self, at: usize) -> &str {
        let start = if at == 0 { 0 } else { self.ends[at - 1] as usize };
        &self.text[start..self.ends[at] as usize]
    }
}

impl<S: AsRef<str>> FromIterator<S> for Strings {
    /// # Panics
    /// If the strings are longer than 4 GiB together.
    fn from_iter<I: IntoIterator<Item = S>>(strings: I) -> Self {
        let mut all = Self::default();
        for text in strings {
            all.push_str(text.as_ref()).expect("strings of less than 4 GiB");
        }
        all
    }
}

impl fmt::Debug for Strings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}
