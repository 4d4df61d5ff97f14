//! Times as senders write them. Everything here is an argument or a result: nothing reads a clock.

use std::iter::repeat;

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::fmt::rfc2822;
use jiff::tz::TimeZone;

/// Milliseconds since 1970-01-01 UTC.
pub type Millis = i64;

/// Milliseconds in a day.
pub const DAY: Millis = 86_400_000;

/// Unit or format of a signed timestamp.
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

/// Writes a time as a text is written: `2026-11-26 10:00:00 UTC`, the same with ` +0100` for the ` UTC`, RFC 2822, or RFC 3339
/// for any other text with a `T`. All are in UTC; `None` for other texts.
#[cfg(feature = "sender")]
pub(crate) fn written_like(text: &str, at: Millis) -> Option<String> {
    let time = Timestamp::from_millisecond(at).ok()?;
    let form = if text.ends_with(" UTC") {
        "%Y-%m-%d %H:%M:%S UTC"
    } else if Timestamp::strptime("%Y-%m-%d %H:%M:%S %z", text).is_ok() {
        "%Y-%m-%d %H:%M:%S +0000"
    } else if rfc2822::DateTimeParser::new().parse_timestamp(text).is_ok() {
        "%a, %d %b %Y %H:%M:%S +0000"
    } else {
        return text.contains('T').then(|| to_rfc3339(at));
    };
    Some(time.strftime(form).to_string())
}

/// Reads the time of an event, in every form that a supported sender writes: a number that counts seconds, milliseconds,
/// microseconds or nanoseconds, with or without a fraction or an exponent; RFC 3339, also with a space for the `T`, with
/// ` UTC` or ` -0700` behind it, and without an offset, which then is UTC; RFC 2822; a date, which is its midnight in UTC.
#[must_use]
pub fn event_time(text: &str) -> Option<Millis> {
    let text = text.trim();
    if text.starts_with(|first: char| first.is_ascii_digit())
        && text
            .bytes()
            .all(|byte| matches!(byte, b'0'..=b'9' | b'.' | b'e' | b'E' | b'+'))
    {
        return count_of_time(text);
    }
    let utc = text.strip_suffix(" UTC").unwrap_or(text);
    let civil = || {
        let at = utc.parse::<DateTime>().ok()?;
        Some(at.to_zoned(TimeZone::UTC).ok()?.timestamp())
    };
    let at = text.parse::<Timestamp>().ok();
    let at = at.or_else(|| Timestamp::strptime("%Y-%m-%d %H:%M:%S%.f %z", text).ok());
    let at = at.or_else(civil);
    let at = at.or_else(|| rfc2822::DateTimeParser::new().parse_timestamp(text).ok());
    at.map(Timestamp::as_millisecond)
}

/// Reads a count since 1970. The size tells the unit: seconds below 10^11 (the year 5138), milliseconds below 10^14,
/// microseconds below 10^17, nanoseconds from there on.
fn count_of_time(text: &str) -> Option<Millis> {
    let (number, exponent) = match text.split_once(['e', 'E']) {
        Some((number, exponent)) => (number, exponent.parse::<usize>().ok()?),
        None => (text, 0),
    };
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let is_plain = |digits: &str| digits.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || !is_plain(whole) || !is_plain(fraction) || exponent > 20 {
        return None;
    }
    // The digits before the point, once the exponent has moved it, and three behind it.
    let moved: String = fraction.chars().chain(repeat('0')).take(exponent).collect();
    let rest = fraction.chars().skip(exponent).chain(repeat('0')).take(3);
    let whole: i128 = format!("{whole}{moved}").parse().ok()?;
    let thousandths: i128 = rest.collect::<String>().parse().ok()?;
    let millis = if whole < 100_000_000_000 {
        whole.checked_mul(1_000)?.checked_add(thousandths)?
    } else if whole < 100_000_000_000_000 {
        whole
    } else if whole < 100_000_000_000_000_000 {
        whole / 1_000
    } else {
        whole / 1_000_000
    };
    Millis::try_from(millis).ok()
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
    fn a_time_is_written_in_the_form_of_another() {
        for (old, new) in [
            ("2026-11-26T10:00:00Z", "2023-11-14T22:13:20.000Z"),
            ("2026-11-26T10:00:00-05:00", "2023-11-14T22:13:20.000Z"),
            ("2026-11-26 10:00:00 UTC", "2023-11-14 22:13:20 UTC"),
            ("2026-11-26 10:00:00 +0100", "2023-11-14 22:13:20 +0000"),
            (
                "Thu, 26 Nov 2026 10:00:00 +0000",
                "Tue, 14 Nov 2023 22:13:20 +0000",
            ),
            (
                "Fri, 27 Nov 2026 10:00:00 +0000",
                "Tue, 14 Nov 2023 22:13:20 +0000",
            ),
        ] {
            let written = written_like(old, 1_700_000_000_000);
            assert_eq!(written.as_deref(), Some(new));
            assert_eq!(event_time(new), Some(1_700_000_000_000));
        }
        assert_eq!(written_like("1700000000", 1_700_000_000_000), None);
    }

    #[test]
    fn event_times_come_in_every_form() {
        for text in [
            "1700000000",
            "1700000000000",
            "1700000000000000",
            "1700000000000000000",
            "1700000000.0004",
            "1.7e9",
            "1.7E+9",
            "1.700000000000e12",
            "1700000000000.7",
            "2023-11-14T22:13:20Z",
            "2023-11-14T22:13:20.000+00:00",
            "2023-11-14T23:13:20+01:00",
            "2023-11-14T23:13:20+0100",
            "2023-11-14 22:13:20Z",
            "2023-11-14T22:13:20",
            "2023-11-14 22:13:20",
            "2023-11-14T22:13:20.0001",
            "2023-11-14 22:13:20 UTC",
            "2023-11-14 15:13:20 -0700",
            "2023-11-14 15:13:20.000 -0700",
            "Tue, 14 Nov 2023 22:13:20 GMT",
            "Tue, 14 Nov 2023 23:13:20 +0100",
            " 1700000000 ",
        ] {
            assert_eq!(event_time(text), Some(1_700_000_000_000), "{text}");
        }
        assert_eq!(event_time("1700000000.5"), Some(1_700_000_000_500));
        assert_eq!(event_time("1.7000000005e9"), Some(1_700_000_000_500));
        assert_eq!(event_time("2023-11-14"), Some(1_699_920_000_000));
        for bad in [
            "yesterday",
            "",
            " ",
            "1700000000.x",
            "-5",
            "1e99",
            "1.2.3",
            "e9",
            "1e",
            "+1",
            "2023-02-30",
            "2023-11-14 22:13:20 CET",
            "22:13:20",
            "99999999999999999999999999999999999999999",
        ] {
            assert_eq!(event_time(bad), None, "{bad}");
        }
    }
}
