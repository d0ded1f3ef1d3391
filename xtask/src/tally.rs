use crate::failure::Failure;
use std::time::Instant;

/// Counts of tests, by group.
pub(crate) struct Tally {
    start: Instant,
    now: Counts,
    rows: Vec<(String, Counts)>,
    failures: Vec<String>,
}

/// Tests that ended in each way.
#[derive(Clone, Copy, Default, PartialEq)]
pub(crate) struct Counts {
    passed: usize,
    failed: usize,
    skipped: usize,
}

impl Tally {
    pub(crate) fn new() -> Self {
        let (now, rows, failures) = Default::default();
        Self { start: Instant::now(), now, rows, failures }
    }

    /// Counts one check.
    pub(crate) fn step(&mut self, what: &str, good: bool) {
        let before = self.total();
        if good {
            self.now.passed += 1;
        } else {
            self.now.failed += 1;
        }
        self.group(what, before);
    }

    /// Counts what a line of a test runner's output reports: the result lines of Rust's test
    /// harness and of Node's, and plain `N passed, N failed`.
    pub(crate) fn read(&mut self, line: &str) {
        let line = plain(line);
        let line = line.trim();
        if let Some(rest) = line.strip_prefix("test result: ") {
            self.now.passed += number_before(rest, " passed").unwrap_or(0);
            self.now.failed += number_before(rest, " failed").unwrap_or(0);
            self.now.skipped += number_before(rest, " ignored").unwrap_or(0);
        } else if let Some(n) = after(line, &["ℹ pass ", "# pass "]) {
            self.now.passed += n;
        } else if let Some(n) = after(line, &["ℹ skipped ", "# skipped "]) {
            self.now.skipped += n;
        } else if let Some(n) = after(line, &["ℹ fail ", "# fail ", "ℹ cancelled ", "# cancelled "])
        {
            self.now.failed += n;
        } else if let Some((passed, failed)) = line.split_once(" passed, ")
            && let (Ok(passed), Some(Ok(failed))) =
                (passed.parse::<usize>(), failed.strip_suffix(" failed").map(str::parse::<usize>))
        {
            self.now.passed += passed;
            self.now.failed += failed;
        } else if let Some(name) =
            line.strip_prefix("test ").and_then(|l| l.strip_suffix(" ... FAILED"))
        {
            self.failures.push(name.to_owned());
        } else if let Some(name) = line.strip_prefix("✖ ").or_else(|| line.strip_prefix("not ok "))
        {
            self.failures.push(name.to_owned());
        }
    }

    /// The counts now.
    pub(crate) fn total(&self) -> Counts {
        self.now
    }

    /// Failures counted since then.
    pub(crate) fn failed_since(&self, then: Counts) -> usize {
        self.now.failed - then.failed
    }

    /// Puts what was counted since then in the summary.
    pub(crate) fn group(&mut self, what: &str, then: Counts) {
        let counts = Counts {
            passed: self.now.passed - then.passed,
            failed: self.now.failed - then.failed,
            skipped: self.now.skipped - then.skipped,
        };
        self.rows.push((what.to_owned(), counts));
    }

    /// Prints the summary; its last line is `N passed, N failed`.
    ///
    /// # Errors
    /// A failure that has been told, if a test failed or none was run.
    pub(crate) fn finish(&self) -> Result<(), Failure> {
        println!("\nSummary, after {} s", self.start.elapsed().as_secs());
        for (what, Counts { passed, failed, skipped }) in &self.rows {
            let mark = if *failed == 0 { "ok    " } else { "FAILED" };
            let skipped =
                if *skipped == 0 { String::new() } else { format!(" ({skipped} skipped)") };
            println!("  {mark} {passed:>5} passed {failed:>3} failed  {what}{skipped}");
        }
        let mut names = self.failures.clone();
        names.dedup();
        for name in names.iter().take(50) {
            println!("  failed: {name}");
        }
        let Counts { passed, failed, .. } = self.now;
        if passed + failed == 0 {
            println!("  nothing was run");
        }
        println!("{passed} passed, {failed} failed");
        if failed == 0 && passed > 0 { Ok(()) } else { Err(Failure::told()) }
    }
}

/// The line without colour codes.
fn plain(line: &str) -> String {
    let mut out = String::with_capacity(line.len());
    let mut chars = line.chars();
    while let Some(c) = chars.next() {
        if c == '\u{1b}' {
            chars.by_ref().find(|c| c.is_ascii_alphabetic());
        } else {
            out.push(c);
        }
    }
    out
}

fn number_before(text: &str, word: &str) -> Option<usize> {
    let head = &text[..text.find(word)?];
    head.rsplit(' ').next()?.parse().ok()
}

fn after(line: &str, heads: &[&str]) -> Option<usize> {
    heads.iter().find_map(|head| line.strip_prefix(head)?.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::Tally;

    fn counts(lines: &[&str]) -> (usize, usize, usize) {
        let mut tally = Tally::new();
        lines.iter().for_each(|line| tally.read(line));
        (tally.now.passed, tally.now.failed, tally.now.skipped)
    }

    #[test]
    fn reads_the_runners_results() {
        let rust =
            "test result: FAILED. 12 passed; 3 failed; 1 ignored; 0 measured; 0 filtered out";
        assert_eq!(counts(&[rust]), (12, 3, 1));
        assert_eq!(counts(&["ℹ tests 5", "ℹ pass 4", "ℹ fail 1"]), (4, 1, 0));
        assert_eq!(counts(&["\u{1b}[34mℹ pass 4\u{1b}[39m", "# fail 2", "# skipped 7"]), (4, 2, 7));
        assert_eq!(counts(&["7 passed, 2 failed"]), (7, 2, 0));
    }

    #[test]
    fn ignores_other_lines() {
        assert_eq!(counts(&["all 7 passed, hooray", "pass 4", "test a ... ok", ""]), (0, 0, 0));
    }
}
