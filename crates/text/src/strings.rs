//! Many strings in two allocations.
//!
//! A vocabulary has 150,000 tokens and as many merges. As separate `String`s they would be half a
//! million allocations on their way through the module border; here they are two byte arrays.

use serde::{Deserialize, Serialize};

/// A list of byte strings. The bytes are UTF-8 in honest files; nothing here relies on it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Flat")]
pub struct StringList {
    #[serde(with = "serde_bytes")]
    bytes: Vec<u8>,
    ends: Vec<u32>,
}

#[derive(Deserialize)]
struct Flat {
    #[serde(with = "serde_bytes")]
    bytes: Vec<u8>,
    ends: Vec<u32>,
}

impl TryFrom<Flat> for StringList {
    type Error = &'static str;

    fn try_from(flat: Flat) -> Result<Self, Self::Error> {
        if !flat.ends.is_sorted() {
            return Err("the ends of a string list must not decrease");
        }
        if flat.ends.last().is_some_and(|&end| end as usize != flat.bytes.len()) {
            return Err("the last end of a string list must be its length");
        }
        Ok(Self { bytes: flat.bytes, ends: flat.ends })
    }
}

impl StringList {
    /// An empty list.
    pub fn new() -> Self {
        Self::default()
    }

    /// Appends one string.
    ///
    /// # Panics
    ///
    /// When all strings together pass 4 GiB.
    pub fn push(&mut self, string: impl AsRef<[u8]>) {
        self.bytes.extend_from_slice(string.as_ref());
        let end = u32::try_from(self.bytes.len()).expect("a string list holds at most 4 GiB");
        self.ends.push(end);
    }

    /// How many strings there are.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there is no string.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// The string at `index`, where there is one.
    pub fn get(&self, index: usize) -> Option<&[u8]> {
        let end = *self.ends.get(index)? as usize;
        let start = if index == 0 { 0 } else { self.ends[index - 1] as usize };
        Some(&self.bytes[start..end])
    }

    /// All strings in order.
    pub fn iter(&self) -> impl Iterator<Item = &[u8]> {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        starts.zip(&self.ends).map(|(start, &end)| &self.bytes[start as usize..end as usize])
    }
}

impl<S: AsRef<[u8]>> FromIterator<S> for StringList {
    fn from_iter<I: IntoIterator<Item = S>>(strings: I) -> Self {
        let mut list = Self::new();
        for string in strings {
            list.push(string);
        }
        list
    }
}

impl<S: AsRef<[u8]>> From<Vec<S>> for StringList {
    fn from(strings: Vec<S>) -> Self {
        strings.into_iter().collect()
    }
}
