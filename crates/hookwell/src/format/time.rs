//! Times as senders write them. Everything here is an argument or a result: nothing reads a clock.

use jiff::Timestamp;

/// Milliseconds since 1970-01-01 UTC.
pub type Millis = i64;

/// Milliseconds in a day.
pub const DAY: Millis = 86_400_000;

/// What a signed timestamp counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Seconds since 1970, digits only.
    Seconds,
    /// Milliseconds since 1970, digits only.
    Millis,
    /// RFC 3339 with an offset.
    Rfc3339,
}

impl Unit {
    /// Every unit by its name in a recipe.
    pub const NAMES: [(&'static str, Self); 3] = [
        ("s", Self::Seconds),
        ("ms", Self::Millis),
        ("rfc3339", Self::Rfc3339),
    ];

    /// Reads a timestamp; `None` for signs, leading zeros, white space and whatever else no sender writes.
    #[must_use]
    pub fn parse(self, text: &str) -> Option<Millis> {
        match self {
            Self::Seconds => digits(text)?.checked_mul(1000),
            Self::Millis => digits(text),
            Self::Rfc3339 => rfc3339(text),
        }
    }

    /// Writes a time as a sender would.
    #[must_use]
    pub fn format(self, at: Millis) -> String {
        match self {
            Self::Seconds => (at / 1000).to_string(),
            Self::Millis => at.to_string(),
            Self::Rfc3339 => to_rfc3339(at),
        }
    }
}

fn digits(text: &str) -> Option<Millis> {
    let plain = text.bytes().all(|byte| byte.is_ascii_digit())
        && (text.len() == 1 || !text.starts_with('0'));
    plain.then(|| text.parse().ok())?
}

fn rfc3339(text: &str) -> Option<Millis> {
    text.parse::<Timestamp>()
        .ok()
        .map(Timestamp::as_millisecond)
}

/// Writes a time as RFC 3339 in UTC with milliseconds; far outside the calendar, the number itself.
#[must_use]
pub fn to_rfc3339(at: Millis) -> String {
    Timestamp::from_millisecond(at).map_or_else(|_| at.to_string(), |time| format!("{time:.3}"))
}

/// Reads the time of an event: RFC 3339, or a number that counts seconds below 100 000 000 000 (the year 5138) and
/// milliseconds from there on.
#[must_use]
pub fn event_time(text: &str) -> Option<Millis> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let Some(number) = digits(whole) else {
        return rfc3339(text);
    };
    if number >= 100_000_000_000 {
        return Some(number);
    }
    let millis: String = fraction.chars().chain("000".chars()).take(3).collect();
    number.checked_mul(1000)?.checked_add(millis.parse().ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signed_timestamps_are_plain_digits() {
        assert_eq!(Unit::Seconds.parse("1700000000"), Some(1_700_000_000_000));
        assert_eq!(Unit::Millis.parse("1700000000000"), Some(1_700_000_000_000));
        for bad in [
            "",
            "+1",
            "-1",
            "01",
            "1 ",
            "1.0",
            "1e9",
            "٣",
            "99999999999999999999",
            "9223372036854775807",
        ] {
            assert_eq!(Unit::Seconds.parse(bad), None, "{bad}");
        }
        assert_eq!(
            Unit::Rfc3339.parse("2026-11-21T00:00:00+01:00"),
            Unit::Rfc3339.parse("2026-11-20T23:00:00Z")
        );
        assert_eq!(Unit::Rfc3339.parse("2026-11-21"), None);
    }

    #[test]
    fn what_is_written_reads_back() {
        for unit in [Unit::Seconds, Unit::Millis, Unit::Rfc3339] {
            assert_eq!(
                unit.parse(&unit.format(1_700_000_000_000)),
                Some(1_700_000_000_000)
            );
        }
        assert_eq!(to_rfc3339(1_700_000_000_123), "2023-11-14T22:13:20.123Z");
    }

    #[test]
    fn event_times_come_in_every_form() {
        let at = Some(1_700_000_000_000);
        for text in [
            "1700000000",
            "1700000000000",
            "1700000000.0004",
            "2023-11-14T22:13:20Z",
        ] {
            assert_eq!(event_time(text), at, "{text}");
        }
        assert_eq!(event_time("1700000000.5"), Some(1_700_000_000_500));
        for bad in ["yesterday", "", "1700000000.x", "-5"] {
            assert_eq!(event_time(bad), None, "{bad}");
        }
    }
}
