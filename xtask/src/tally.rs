/// Counts of tests passed and failed, by group.
#[derive(Default)]
pub(crate) struct Tally {
    passed: usize,
    failed: usize,
    rows: Vec<(String, usize, usize)>,
    failures: Vec<String>,
}

/// Counts at some moment.
#[derive(Clone, Copy, PartialEq)]
pub(crate) struct Mark {
    passed: usize,
    failed: usize,
}

impl Tally {
    /// Counts one check.
    pub(crate) fn step(&mut self, what: &str, good: bool) {
        let before = self.total();
        if good {
            self.passed += 1;
        } else {
            self.failed += 1;
        }
        self.group(what, before);
    }

    /// Counts what a line of a test runner's output reports: the result lines of Rust's test
    /// harness and of Node's, and plain `N passed, N failed`.
    pub(crate) fn read(&mut self, line: &str) {
        let line = plain(line);
        let line = line.trim();
        if let Some(rest) = line.strip_prefix("test result: ") {
            self.passed += number_before(rest, " passed").unwrap_or(0);
            self.failed += number_before(rest, " failed").unwrap_or(0);
        } else if let Some(n) = after(line, &["ℹ pass ", "# pass "]) {
            self.passed += n;
        } else if let Some(n) = after(line, &["ℹ fail ", "# fail ", "ℹ cancelled ", "# cancelled "])
        {
            self.failed += n;
        } else if let Some((passed, failed)) = line.split_once(" passed, ")
            && let (Ok(passed), Some(Ok(failed))) =
                (passed.parse::<usize>(), failed.strip_suffix(" failed").map(str::parse::<usize>))
        {
            self.passed += passed;
            self.failed += failed;
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
    pub(crate) fn total(&self) -> Mark {
        Mark { passed: self.passed, failed: self.failed }
    }

    /// Failures counted since `mark`.
    pub(crate) fn failed_since(&self, mark: Mark) -> usize {
        self.failed - mark.failed
    }

    /// Puts what was counted since `mark` in the summary.
    pub(crate) fn group(&mut self, what: &str, mark: Mark) {
        self.rows.push((what.to_owned(), self.passed - mark.passed, self.failed - mark.failed));
    }

    /// Prints the summary; its last line is `N passed, N failed`. True if nothing failed.
    pub(crate) fn finish(&self) -> bool {
        println!("\nSummary");
        for (what, passed, failed) in &self.rows {
            let mark = if *failed == 0 { "ok    " } else { "FAILED" };
            println!("  {mark} {passed:>5} passed {failed:>3} failed  {what}");
        }
        let mut names = self.failures.clone();
        names.dedup();
        for name in names.iter().take(50) {
            println!("  failed: {name}");
        }
        if self.passed + self.failed == 0 {
            println!("  nothing was run");
        }
        println!("{} passed, {} failed", self.passed, self.failed);
        self.failed == 0 && self.passed > 0
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

    fn counts(lines: &[&str]) -> (usize, usize) {
        let mut tally = Tally::default();
        lines.iter().for_each(|line| tally.read(line));
        (tally.passed, tally.failed)
    }

    #[test]
    fn reads_the_runners_results() {
        let rust =
            "test result: FAILED. 12 passed; 3 failed; 1 ignored; 0 measured; 0 filtered out";
        assert_eq!(counts(&[rust]), (12, 3));
        assert_eq!(counts(&["ℹ tests 5", "ℹ pass 4", "ℹ fail 1"]), (4, 1));
        assert_eq!(counts(&["\u{1b}[34mℹ pass 4\u{1b}[39m", "# fail 2"]), (4, 2));
        assert_eq!(counts(&["7 passed, 2 failed"]), (7, 2));
    }

    #[test]
    fn ignores_other_lines() {
        assert_eq!(counts(&["all 7 passed, hooray", "pass 4", "test a ... ok", ""]), (0, 0));
    }
}
