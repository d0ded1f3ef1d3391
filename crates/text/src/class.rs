//! Classes of characters, by their names in regular expressions.
//!
//! The tables are those that the expressions of the pre-tokenizers bring along.

use regex_syntax::hir::{Class as HirClass, HirKind};

/// A set of characters.
#[derive(Clone, Debug)]
pub(crate) struct Class {
    ranges: Box<[(char, char)]>,
    ascii: u128,
}

impl Class {
    /// The class that `expression` names, for example `\p{Mn}` or `[\p{P}$]`. Empty where it is no
    /// class of several characters; a test holds the expressions in use against that.
    pub(crate) fn new(expression: &str) -> Self {
        let ranges: Box<[_]> = match regex_syntax::parse(expression).map(|hir| hir.into_kind()) {
            Ok(HirKind::Class(HirClass::Unicode(class))) => {
                class.ranges().iter().map(|range| (range.start(), range.end())).collect()
            }
            _ => Box::default(),
        };
        let inside = |c: char| search(&ranges, c);
        let ascii = (0..128_u8).filter(|&b| inside(b.into())).fold(0, |set, b| set | 1 << b);
        Self { ranges, ascii }
    }

    /// Whether `c` is in it.
    pub(crate) fn contains(&self, c: char) -> bool {
        if c.is_ascii() { self.ascii >> (c as u32) & 1 != 0 } else { search(&self.ranges, c) }
    }
}

fn search(ranges: &[(char, char)], c: char) -> bool {
    let at = ranges.partition_point(|&(_, last)| last < c);
    ranges.get(at).is_some_and(|&(first, _)| first <= c)
}

#[cfg(test)]
mod tests {
    use super::Class;

    #[test]
    fn classes_hold_what_their_names_say() {
        for (name, inside, outside) in [
            (r"\p{P}", "!-_(«、", "a+$^ 1"),
            (r"\p{Mn}", "\u{301}", "\u{903}a"),
            (r"[\p{Cc}\p{Cf}\p{Co}]", "\n\u{AD}\u{200B}", " a\u{301}"),
        ] {
            let class = Class::new(name);
            assert!(inside.chars().all(|c| class.contains(c)), "{name}");
            assert!(!outside.chars().any(|c| class.contains(c)), "{name}");
        }
    }
}
