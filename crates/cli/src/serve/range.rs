//! `Range` requests: <https://www.rfc-editor.org/rfc/rfc9110#section-14>.

/// Which bytes of a file a request wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    /// All of them.
    Whole,
    /// `first..=last`; both are in the file.
    Part { first: u64, last: u64 },
    /// None that the file has.
    Nothing,
}

/// Reads a `Range` header for a file of `length` bytes. What is malformed, of another unit, or asks
/// for several ranges is answered with the whole file, as the specification allows.
pub(super) fn wanted(header: Option<&str>, length: u64) -> Wanted {
    let Some(spec) = header.and_then(|h| h.trim().strip_prefix("bytes=")) else {
        return Wanted::Whole;
    };
    let Some((first, last)) = spec.split_once('-') else { return Wanted::Whole };
    let (first, last) = (first.trim(), last.trim());
    if first.is_empty() {
        return match number(last) {
            Some(0) => Wanted::Nothing,
            Some(_) if length == 0 => Wanted::Nothing,
            Some(n) => Wanted::Part { first: length.saturating_sub(n), last: length - 1 },
            None => Wanted::Whole,
        };
    }
    let Some(first) = number(first) else { return Wanted::Whole };
    let last = if last.is_empty() { Some(u64::MAX) } else { number(last) };
    match last {
        None => Wanted::Whole,
        Some(last) if last < first => Wanted::Whole,
        Some(_) if first >= length => Wanted::Nothing,
        Some(last) => Wanted::Part { first, last: last.min(length - 1) },
    }
}

/// Digits only; a figure past `u64` is as good as the largest.
fn number(text: &str) -> Option<u64> {
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    digits.then(|| text.parse().unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::{Wanted, wanted};

    #[test]
    fn parts() {
        let part = |header| wanted(Some(header), 100);
        assert_eq!(part("bytes=0-9"), Wanted::Part { first: 0, last: 9 });
        assert_eq!(part("bytes=90-"), Wanted::Part { first: 90, last: 99 });
        assert_eq!(part("bytes=90-1000"), Wanted::Part { first: 90, last: 99 });
        assert_eq!(part("bytes=99-99999999999999999999999"), Wanted::Part { first: 99, last: 99 });
        assert_eq!(part("bytes=-10"), Wanted::Part { first: 90, last: 99 });
        assert_eq!(part("bytes=-1000"), Wanted::Part { first: 0, last: 99 });
    }

    #[test]
    fn unsatisfiable() {
        assert_eq!(wanted(Some("bytes=100-"), 100), Wanted::Nothing);
        assert_eq!(wanted(Some("bytes=-0"), 100), Wanted::Nothing);
        assert_eq!(wanted(Some("bytes=0-"), 0), Wanted::Nothing);
        assert_eq!(wanted(Some("bytes=-5"), 0), Wanted::Nothing);
    }

    #[test]
    fn everything_else_is_the_whole() {
        assert_eq!(wanted(None, 100), Wanted::Whole);
        for header in [
            "bytes=5-4",
            "bytes=a-b",
            "bytes=-",
            "bytes=",
            "lines=0-1",
            "bytes=0-1,5-6",
            "bytes=+1-2",
        ] {
            assert_eq!(wanted(Some(header), 100), Wanted::Whole, "{header}");
        }
    }
}
