//! The few forms in which GitHub writes times. Pure.

const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
const DAY: i64 = 24 * 60 * 60;

/// Days from 1970-01-01 to a day of the Gregorian calendar.
fn days(year: i64, month: i64, day: i64) -> i64 {
    // Years start in March here, so that the leap day is the last one.
    let year = if month <= 2 { year - 1 } else { year };
    let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

fn seconds(date: (i64, i64, i64), clock: &str, offset: i64) -> Option<u64> {
    let (year, month, day) = date;
    let mut parts = clock.split(':').map(|part| part.parse::<i64>().ok().filter(|part| (0..=60).contains(part)));
    let (hour, minute, second) = (parts.next()??, parts.next()??, parts.next()??);
    let fits = (1970..=9999).contains(&year) && (1..=12).contains(&month) && (1..=31).contains(&day) && hour < 24;
    if !fits || parts.next().is_some() {
        return None;
    }
    u64::try_from(days(year, month, day) * DAY + hour * 3600 + minute * 60 + second - offset).ok()
}

/// The value of `Date`, such as `Sun, 06 Nov 1994 08:49:37 GMT`, in seconds since 1970.
#[must_use]
pub fn http_date(text: &str) -> Option<u64> {
    let [_, day, month, year, clock, "GMT"] = text.split(' ').collect::<Vec<_>>()[..] else {
        return None;
    };
    let month = MONTHS.iter().zip(1..).find(|(name, _)| **name == month)?.1;
    seconds((year.parse().ok()?, month, day.parse().ok()?), clock, 0)
}

/// The value of `github-authentication-token-expiration`, such as `2026-12-24 10:00:00 UTC` or `… +0100`, in seconds
/// since 1970.
#[must_use]
pub fn expiration(text: &str) -> Option<u64> {
    let [date, clock, zone] = text.split(' ').collect::<Vec<_>>()[..] else {
        return None;
    };
    let mut parts = date.split('-').map(|part| part.parse::<i64>().ok());
    let date = (parts.next()??, parts.next()??, parts.next()??);
    if parts.next().is_some() {
        return None;
    }
    seconds(date, clock, offset(zone)?)
}

/// A time in a body, such as `2026-12-24T10:00:00Z`, in seconds since 1970.
#[must_use]
pub fn instant(text: &str) -> Option<u64> {
    let (date, clock) = text.strip_suffix('Z')?.split_once('T')?;
    expiration(&format!("{date} {clock} UTC"))
}

/// How many seconds a zone is ahead.
fn offset(zone: &str) -> Option<i64> {
    if matches!(zone, "UTC" | "GMT" | "Z") {
        return Some(0);
    }
    let (sign, digits) = match zone.split_at_checked(1)? {
        ("+", digits) => (1, digits),
        ("-", digits) => (-1, digits),
        _ => return None,
    };
    let digits = digits.replace(':', "");
    let number: i64 =
        digits.parse().ok().filter(|_| digits.len() == 4 && digits.bytes().all(|b| b.is_ascii_digit()))?;
    (number % 100 < 60).then_some(sign * (number / 100 * 3600 + number % 100 * 60))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::date_and_time;

    #[test]
    fn dates_of_the_server_are_read() {
        assert_eq!(http_date("Sun, 06 Nov 1994 08:49:37 GMT"), Some(784_111_777));
        assert_eq!(http_date("Thu, 29 Feb 2024 00:00:00 GMT"), Some(1_709_164_800));
        for text in
            ["", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun, 06 Nov 1994 08:49 GMT", "Sun, 06 Nov 1994 25:00:00 GMT"]
        {
            assert_eq!(http_date(text), None, "{text}");
        }
    }

    #[test]
    fn expirations_are_read_with_every_zone() {
        for (text, time) in [
            ("2026-12-24 10:00:00 UTC", Some(1_798_106_400)),
            ("2026-12-24 10:00:00 +0000", Some(1_798_106_400)),
            ("2026-12-24 11:00:00 +0100", Some(1_798_106_400)),
            ("2026-12-24 04:30:00 -05:30", Some(1_798_106_400)),
            ("2026-12-24", None),
            ("2026-13-24 10:00:00 UTC", None),
            ("2026-12-24 10:00:00 CET", None),
            ("2026-12-24 10:00:00 +1", None),
            ("2026-12-24 10:00:00 ü", None),
        ] {
            assert_eq!(expiration(text), time, "{text}");
        }
    }

    #[test]
    fn instants_are_read() {
        assert_eq!(instant("2026-12-24T10:00:00Z"), Some(1_798_106_400));
        for text in ["2026-12-24T10:00:00", "2026-12-24 10:00:00Z", "2026-12-24T10:00Z", "Z", "TZ", ""] {
            assert_eq!(instant(text), None, "{text}");
        }
    }

    #[test]
    fn readable_times_are_read_back() {
        for time in [0, 784_111_777, 951_782_400, 1_709_164_800, 1_798_106_400, 4_107_542_399] {
            assert_eq!(expiration(&date_and_time(time)), Some(time), "{}", date_and_time(time));
        }
    }
}
