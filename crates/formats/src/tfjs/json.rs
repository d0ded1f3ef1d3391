//! JSON as TensorFlow.js' converter writes it: with order, and with numbers that are none.

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use std::borrow::Cow;
use std::fmt;

/// A value. An object keeps the order of its members, which is that of a signature.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) enum Json {
    #[default]
    Null,
    Bool(bool),
    Number(f64),
    Text(String),
    List(Vec<Json>),
    Map(Vec<(String, Json)>),
}

impl Json {
    pub(super) fn read(bytes: &[u8]) -> Result<Self, String> {
        let text = spelled(bytes);
        serde_json::from_slice(&text).map_err(|error| error.to_string())
    }

    /// A member of an object, the last of its name; `Null` if there is none.
    pub(super) fn get(&self, key: &str) -> &Self {
        let found = self.members().iter().rev().find(|(name, _)| name == key);
        found.map_or(&Self::Null, |(_, value)| value)
    }

    pub(super) fn members(&self) -> &[(String, Self)] {
        match self {
            Self::Map(members) => members,
            _ => &[],
        }
    }

    pub(super) fn list(&self) -> &[Self] {
        match self {
            Self::List(list) => list,
            _ => &[],
        }
    }

    pub(super) fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    pub(super) fn truth(&self) -> Option<bool> {
        match self {
            Self::Bool(truth) => Some(*truth),
            _ => None,
        }
    }

    /// Protocol Buffers write integers of 64 bits as texts (<https://protobuf.dev/programming-guides/json/>).
    pub(super) fn int(&self) -> Option<i64> {
        match self {
            Self::Number(number) => Some(*number as i64).filter(|whole| *whole as f64 == *number),
            Self::Text(text) => text.parse().ok(),
            _ => None,
        }
    }

    /// And numbers that are none as "NaN", "Infinity" and "-Infinity".
    pub(super) fn number(&self) -> Option<f64> {
        match self {
            Self::Number(number) => Some(*number),
            Self::Text(text) => text.parse().ok(),
            _ => None,
        }
    }
}

/// Python also writes NaN and infinities as bare words, which JSON has not: as texts here.
fn spelled(bytes: &[u8]) -> Cow<'_, [u8]> {
    const WORDS: [&[u8]; 3] = [b"NaN", b"Infinity", b"-Infinity"];
    let (mut all, mut taken, mut at) = (Vec::new(), 0, 0);
    let (mut inside, mut escaped) = (false, false);
    while at < bytes.len() {
        let byte = bytes[at];
        if inside {
            inside = escaped || byte != b'"';
            escaped = !escaped && byte == b'\\';
        } else if byte == b'"' {
            inside = true;
        } else if let Some(word) = WORDS.iter().find(|word| bytes[at..].starts_with(word)) {
            all.extend_from_slice(&bytes[taken..at]);
            all.push(b'"');
            all.extend_from_slice(word);
            all.push(b'"');
            at += word.len();
            taken = at;
            continue;
        }
        at += 1;
    }
    if taken == 0 {
        return Cow::Borrowed(bytes);
    }
    all.extend_from_slice(&bytes[taken..]);
    Cow::Owned(all)
}

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(AnyJson)
    }
}

struct AnyJson;

impl<'de> Visitor<'de> for AnyJson {
    type Value = Json;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Json, E> {
        Ok(Json::Null)
    }

    fn visit_bool<E>(self, truth: bool) -> Result<Json, E> {
        Ok(Json::Bool(truth))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Json, E> {
        Ok(Json::Number(number))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Json, E> {
        Ok(Json::Number(number as f64))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Json, E> {
        Ok(Json::Number(number as f64))
    }

    fn visit_str<E>(self, text: &str) -> Result<Json, E> {
        Ok(Json::Text(text.into()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut from: A) -> Result<Json, A::Error> {
        let mut list = Vec::new();
        while let Some(next) = from.next_element()? {
            list.push(next);
        }
        Ok(Json::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut from: A) -> Result<Json, A::Error> {
        let mut members = Vec::new();
        while let Some(next) = from.next_entry()? {
            members.push(next);
        }
        Ok(Json::Map(members))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_that_are_none_are_read_as_words_and_as_texts() {
        let text = br#"{"b": [NaN, -Infinity, "Infinity", "a\"NaN", -2], "a": "17"}"#;
        let json = Json::read(text).expect("JSON");
        let list = json.get("b").list();
        assert!(list[0].number().is_some_and(f64::is_nan));
        let infinities = [list[1].number(), list[2].number()];
        assert_eq!(infinities, [Some(f64::NEG_INFINITY), Some(f64::INFINITY)]);
        assert_eq!((list[3].text(), list[4].int()), (Some("a\"NaN"), Some(-2)));
        assert_eq!(json.get("a").int(), Some(17));
        let names: Vec<&str> = json.members().iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["b", "a"]);
    }
}
