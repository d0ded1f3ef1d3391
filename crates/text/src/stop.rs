//! Stop strings in text that arrives in pieces.

/// One stop string with how much of it the text so far ends in (Knuth–Morris–Pratt), so that the
/// work for each byte does not depend on the text before it.
#[derive(Clone, Debug)]
struct Stop {
    text: String,
    /// For each length matched, the length of the longest other prefix that is matched too.
    fallback: Vec<usize>,
    matched: usize,
}

impl Stop {
    fn new(text: String) -> Self {
        let bytes = text.as_bytes();
        let mut fallback = vec![0; bytes.len() + 1];
        let mut matched = 0;
        for at in 1..bytes.len() {
            while matched > 0 && bytes[at] != bytes[matched] {
                matched = fallback[matched];
            }
            matched += usize::from(bytes[at] == bytes[matched]);
            fallback[at + 1] = matched;
        }
        Self { text, fallback, matched: 0 }
    }

    /// Whether the stop string is complete with this byte.
    fn advance(&mut self, byte: u8) -> bool {
        let bytes = self.text.as_bytes();
        while self.matched > 0 && bytes[self.matched] != byte {
            self.matched = self.fallback[self.matched];
        }
        self.matched += usize::from(bytes[self.matched] == byte);
        self.matched == bytes.len()
    }
}

/// Passes text on, except what could still become a stop string.
#[derive(Clone, Debug, Default)]
pub(crate) struct Stops {
    stops: Vec<Stop>,
    held: String,
}

impl Stops {
    pub(crate) fn new(stops: impl IntoIterator<Item = String>) -> Self {
        let stops = stops.into_iter().filter(|stop| !stop.is_empty()).map(Stop::new).collect();
        Self { stops, held: String::new() }
    }

    /// Appends to `out` what is certain now; gives the stop string where one is complete. Of
    /// several that are complete with the same character, the longest.
    pub(crate) fn push(&mut self, text: &str, out: &mut String) -> Option<String> {
        if self.stops.is_empty() {
            out.push_str(text);
            return None;
        }
        let before = self.held.len();
        self.held.push_str(text);
        for (at, byte) in text.bytes().enumerate() {
            let mut found: Option<usize> = None;
            for index in 0..self.stops.len() {
                if self.stops[index].advance(byte) {
                    let length = self.stops[index].text.len();
                    if found.is_none_or(|other| self.stops[other].text.len() < length) {
                        found = Some(index);
                    }
                }
            }
            if let Some(index) = found {
                let stop = self.stops[index].text.clone();
                out.push_str(&self.held[..before + at + 1 - stop.len()]);
                self.held.clear();
                return Some(stop);
            }
        }
        // Stop strings begin with a whole character, so this is never inside of one.
        let keep = self.stops.iter().map(|stop| stop.matched).max().unwrap_or(0);
        out.extend(self.held.drain(..self.held.len() - keep));
        None
    }

    /// The end of the text: what was held is no stop string.
    pub(crate) fn finish(&mut self, out: &mut String) {
        out.push_str(&self.held);
        self.held.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(stops: &[&str], parts: &[&str]) -> (Vec<String>, Option<String>) {
        let mut machine = Stops::new(stops.iter().map(|stop| stop.to_string()));
        let mut outputs = Vec::new();
        for part in parts {
            let mut out = String::new();
            let stop = machine.push(part, &mut out);
            outputs.push(out);
            if stop.is_some() {
                return (outputs, stop);
            }
        }
        let mut out = String::new();
        machine.finish(&mut out);
        outputs.push(out);
        (outputs, None)
    }

    #[test]
    fn held_until_it_cannot_complete() {
        assert_eq!(run(&["END"], &["a E", "N", "x", "E"]).0, ["a ", "", "ENx", "", "E"]);
    }

    #[test]
    fn cut_before_it_and_dropped_after_it() {
        let (outputs, stop) = run(&["\n\nUser"], &["Hi", "\n", "\nUs", "er: more"]);
        assert_eq!((outputs.concat().as_str(), stop.as_deref()), ("Hi", Some("\n\nUser")));
    }

    #[test]
    fn overlapping_beginnings() {
        let (outputs, stop) = run(&["aab"], &["a", "a", "a", "b"]);
        assert_eq!((outputs.concat().as_str(), stop.as_deref()), ("a", Some("aab")));
        let (outputs, stop) = run(&["b", "ab"], &["xab"]);
        assert_eq!((outputs.concat().as_str(), stop.as_deref()), ("x", Some("ab")));
    }

    #[test]
    fn characters_that_share_bytes() {
        // é is C3 A9, è is C3 A8: the first byte alone must not be cut off.
        assert_eq!(run(&["é!"], &["è", "é", "?"]).0, ["è", "", "é?", ""]);
    }
}
