//! Parts an answer into reasoning and text.

const OPEN: &str = "<think>";
const CLOSE: &str = "</think>";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Nothing but white space so far: a `<think>` may come.
    Start,
    /// Inside, white space at the beginning still to be dropped.
    Opened,
    Reasoning,
    /// After `</think>`, white space still to be dropped.
    Closed,
    Text,
}

/// A model's reasoning stands between `<think>` and `</think>` at the beginning of its answer.
/// White space around the tags belongs to them. Later tags are text like any other.
#[derive(Clone, Debug)]
pub(crate) struct Reasoning {
    phase: Phase,
    held: String,
}

impl Reasoning {
    /// `inside`: the prompt ended with an opened `<think>`. `split` false: everything is text.
    pub(crate) fn new(inside: bool, split: bool) -> Self {
        let phase = match (split, inside) {
            (false, _) => Phase::Text,
            (true, false) => Phase::Start,
            (true, true) => Phase::Opened,
        };
        Self { phase, held: String::new() }
    }

    /// Appends what is certain now to `text` and `reasoning`.
    pub(crate) fn push(&mut self, part: &str, text: &mut String, reasoning: &mut String) {
        if self.phase == Phase::Text {
            text.push_str(part);
            return;
        }
        self.held.push_str(part);
        loop {
            match self.phase {
                Phase::Start => {
                    let answer = self.held.trim_start();
                    if let Some(rest) = answer.strip_prefix(OPEN) {
                        self.held = rest.to_owned();
                        self.phase = Phase::Opened;
                    } else if OPEN.starts_with(answer) {
                        return;
                    } else {
                        self.phase = Phase::Text;
                    }
                }
                Phase::Opened | Phase::Closed => {
                    let blank = self.held.len() - self.held.trim_start().len();
                    self.held.drain(..blank);
                    if self.held.is_empty() {
                        return;
                    }
                    let inside = self.phase == Phase::Opened;
                    self.phase = if inside { Phase::Reasoning } else { Phase::Text };
                }
                Phase::Reasoning => {
                    if let Some(at) = self.held.find(CLOSE) {
                        reasoning.push_str(self.held[..at].trim_end());
                        self.held.drain(..at + CLOSE.len());
                        self.phase = Phase::Closed;
                        continue;
                    }
                    let keep = self.held.len() - undecided(&self.held);
                    reasoning.extend(self.held.drain(..keep));
                    return;
                }
                Phase::Text => {
                    text.push_str(&self.held);
                    self.held.clear();
                    return;
                }
            }
        }
    }

    /// The end of the answer: what was held is no tag.
    pub(crate) fn finish(&mut self, text: &mut String, reasoning: &mut String) {
        match self.phase {
            Phase::Start | Phase::Text => text.push_str(&self.held),
            Phase::Opened | Phase::Reasoning => reasoning.push_str(self.held.trim_end()),
            Phase::Closed => {}
        }
        self.held.clear();
    }
}

/// Bytes at the end of `held` that are white space before a tag, a tag's beginning, or both.
fn undecided(held: &str) -> usize {
    let tag = (1..CLOSE.len()).rev().find(|&size| held.ends_with(&CLOSE[..size])).unwrap_or(0);
    held.len() - held[..held.len() - tag].trim_end().len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(inside: bool, parts: &[&str]) -> (String, String) {
        let mut machine = Reasoning::new(inside, true);
        let (mut text, mut reasoning) = (String::new(), String::new());
        for part in parts {
            machine.push(part, &mut text, &mut reasoning);
        }
        machine.finish(&mut text, &mut reasoning);
        (text, reasoning)
    }

    #[test]
    fn any_cut_gives_the_same_parts() {
        let cases = [
            (false, "<think>\nfirst < then\n\n</think>\n\nHello  ", "Hello  ", "first < then"),
            (false, " \n<think></think>Hi", "Hi", ""),
            (true, "so </thin </think> Hi", "Hi", "so </thin"),
            (false, "  Hi <think>x</think>", "  Hi <think>x</think>", ""),
            (false, "<think>never closed \n", "", "never closed"),
            (false, "<thin", "<thin", ""),
            (true, "a </think>", "", "a"),
            (false, "<think>a</think>b</think>c", "b</think>c", "a"),
        ];
        for (inside, answer, text, reasoning) in cases {
            for size in 1..=answer.len() {
                let parts: Vec<_> = answer
                    .as_bytes()
                    .chunks(size)
                    .map(|p| std::str::from_utf8(p).unwrap())
                    .collect();
                let got = run(inside, &parts);
                assert_eq!(
                    (got.0.as_str(), got.1.as_str()),
                    (text, reasoning),
                    "{answer:?} {size}"
                );
            }
        }
    }

    #[test]
    fn text_is_not_held_longer_than_needed() {
        let mut machine = Reasoning::new(false, true);
        let (mut text, mut reasoning) = (String::new(), String::new());
        machine.push("<t", &mut text, &mut reasoning);
        assert_eq!(text, "");
        machine.push("r>", &mut text, &mut reasoning);
        assert_eq!(text, "<tr>");
    }
}
