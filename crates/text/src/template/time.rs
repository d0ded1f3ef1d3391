//! The date for `strftime_now`.

use serde::{Deserialize, Serialize};
use std::fmt::Write;

/// The time at the user's place. The host gives it: wasm has no clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Now {
    /// Seconds since 1970-01-01 00:00 UTC.
    pub unix_seconds: i64,
    /// Minutes to add to UTC for local time.
    pub utc_offset_minutes: i32,
}

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
const DAYS: [&str; 7] =
    ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];

struct Date {
    year: i64,
    /// From 0.
    month: usize,
    /// From 1.
    day: i64,
    /// From 0.
    day_of_year: i64,
}

impl Date {
    /// The civil date of a day counted from 1970-01-01
    /// ([Hinnant](https://howardhinnant.github.io/date_algorithms.html#civil_from_days)).
    fn from_days(days: i64) -> Self {
        let shifted = days + 719_468;
        let era = shifted.div_euclid(146_097);
        let of_era = shifted.rem_euclid(146_097);
        let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
        // The year begins in March here, so that the leap day is its last.
        let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let month = (5 * of_year + 2) / 153;
        let day = of_year - (153 * month + 2) / 5 + 1;
        let year = year_of_era + era * 400 + i64::from(month >= 10);
        let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
        let day_of_year = if month >= 10 { of_year - 306 } else { of_year + 59 + i64::from(leap) };
        Self { year, month: ((month + 2) % 12) as usize, day, day_of_year }
    }
}

/// Days from 1970-01-01 to a civil date
/// ([Hinnant](https://howardhinnant.github.io/date_algorithms.html#days_from_civil)).
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = year - i64::from(month <= 2);
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + of_year - 719_468
}

impl Now {
    /// A time that is written `2025-07-10T12:00:00`, taken as local time with no offset.
    pub fn parse(text: &str) -> Option<Self> {
        let (date, time) = text.split_once(['T', ' '])?;
        let numbers = |text: &str, by: char| -> Option<[i64; 3]> {
            let parts: Option<Vec<i64>> = text.split(by).map(|part| part.parse().ok()).collect();
            parts?.try_into().ok()
        };
        let [year, month, day] = numbers(date, '-')?;
        let [hour, minute, second] = numbers(time.trim_end_matches('Z'), ':')?;
        let real = (1..=9999).contains(&year)
            && (1..=12).contains(&month)
            && (1..=31).contains(&day)
            && (0..24).contains(&hour)
            && (0..60).contains(&minute)
            && (0..60).contains(&second);
        let days = days_from_civil(year, month, day);
        let date = Date::from_days(days);
        // The 31st of a month that has 30 days is a day of the next one.
        let exists = real && date.day == day && date.month as i64 + 1 == month;
        exists.then_some(Self {
            unix_seconds: days * 86_400 + hour * 3600 + minute * 60 + second,
            utc_offset_minutes: 0,
        })
    }

    /// Python's `strftime` in the C locale. A directive that is not known stays as it is.
    pub(super) fn format(self, format: &str) -> String {
        let local = self.unix_seconds.saturating_add(i64::from(self.utc_offset_minutes) * 60);
        let days = local.div_euclid(86_400);
        let seconds = local.rem_euclid(86_400);
        let date = Date::from_days(days);
        let day_name = DAYS[(days + 4).rem_euclid(7) as usize];
        let month_name = MONTHS[date.month];
        let (hour, minute) = (seconds / 3600, seconds / 60 % 60);
        let hour12 = if hour % 12 == 0 { 12 } else { hour % 12 };

        let mut out = String::new();
        let mut characters = format.chars();
        while let Some(c) = characters.next() {
            if c != '%' {
                out.push(c);
                continue;
            }
            let (mut directive, mut padded) = (characters.next(), true);
            if directive == Some('-') {
                (directive, padded) = (characters.next(), false);
            }
            let number = match directive {
                Some('Y') => (date.year, 4),
                Some('y') => (date.year.rem_euclid(100), 2),
                Some('m') => (date.month as i64 + 1, 2),
                Some('d') => (date.day, 2),
                Some('j') => (date.day_of_year + 1, 3),
                Some('H') => (hour, 2),
                Some('I') => (hour12, 2),
                Some('M') => (minute, 2),
                Some('S') => (seconds % 60, 2),
                Some('w') => ((days + 4).rem_euclid(7), 1),
                Some('s') => (self.unix_seconds, 1),
                other => {
                    match other {
                        Some('B') => out.push_str(month_name),
                        Some('b' | 'h') => out.push_str(&month_name[..3]),
                        Some('A') => out.push_str(day_name),
                        Some('a') => out.push_str(&day_name[..3]),
                        Some('p') => out.push_str(if hour < 12 { "AM" } else { "PM" }),
                        Some('e') => out.push_str(&format!("{:>2}", date.day)),
                        Some('F') => out.push_str(&self.format("%Y-%m-%d")),
                        Some('T' | 'X') => out.push_str(&self.format("%H:%M:%S")),
                        Some('R') => out.push_str(&self.format("%H:%M")),
                        Some('D' | 'x') => out.push_str(&self.format("%m/%d/%y")),
                        Some('c') => out.push_str(&self.format("%a %b %e %H:%M:%S %Y")),
                        Some('n') => out.push('\n'),
                        Some('t') => out.push('\t'),
                        Some('%') => out.push('%'),
                        // The time is a naive one, as in transformers.
                        Some('z' | 'Z') => {}
                        other => {
                            out.push('%');
                            out.extend(other);
                        }
                    }
                    continue;
                }
            };
            let width = if padded { number.1 } else { 1 };
            let _ = write!(out, "{:0width$}", number.0);
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::Now;

    #[test]
    fn known_dates() {
        // Python: datetime(2025, 7, 10, 12, 0).strftime(…)
        let now = Now { unix_seconds: 1_752_148_800, utc_offset_minutes: 0 };
        assert_eq!(
            now.format("%d %b %Y %H:%M:%S %A %-d %j %p %I %y %%"),
            "10 Jul 2025 12:00:00 Thursday 10 191 PM 12 25 %"
        );
        // datetime(2024, 2, 29, 23, 59), there and two hours east.
        let leap = Now { unix_seconds: 1_709_251_140, utc_offset_minutes: 0 };
        assert_eq!(leap.format("%F %T %j"), "2024-02-29 23:59:00 060");
        let east = Now { utc_offset_minutes: 120, ..leap };
        assert_eq!(east.format("%F %T %j"), "2024-03-01 01:59:00 061");
        let before = Now { unix_seconds: -1, utc_offset_minutes: 0 };
        assert_eq!(before.format("%F %a %j"), "1969-12-31 Wed 365");
        for (text, format) in [
            ("2025-07-10T12:00:00", "%Y-%m-%dT%H:%M:%S"),
            ("2024-02-29 23:59:01", "%Y-%m-%d %H:%M:%S"),
            ("1969-12-31T00:00:00Z", "%Y-%m-%dT%H:%M:%SZ"),
        ] {
            assert_eq!(Now::parse(text).map(|now| now.format(format)).as_deref(), Some(text));
        }
        for text in ["", "2025-07-10", "2025-02-29T00:00:00", "2025-13-01T00:00:00", "x-1-1T0:0:0"]
        {
            assert_eq!(Now::parse(text), None, "{text}");
        }
        let new_year = Now { unix_seconds: 1_735_689_600, utc_offset_minutes: 0 };
        assert_eq!(new_year.format("%F %j"), "2025-01-01 001");
    }
}
