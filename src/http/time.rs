//! The few forms in which servers write times. Pure.

use time::format_description::BorrowedFormatItem;
use time::macros::format_description;
use time::{OffsetDateTime, PrimitiveDateTime};

type Form = [BorrowedFormatItem<'static>];

const HTTP: &Form =
    format_description!("[weekday repr:short], [day] [month repr:short] [year] [hour]:[minute]:[second] GMT");
const WITH_UTC: &Form = format_description!("[year]-[month]-[day] [hour]:[minute]:[second] UTC");
const WITH_OFFSET: &Form = format_description!(
    "[year]-[month]-[day] [hour]:[minute]:[second] [offset_hour sign:mandatory][optional [:]][offset_minute]"
);
const IN_A_BODY: &Form = format_description!("[year]-[month]-[day]T[hour]:[minute]:[second]Z");

/// The value of `Date`, such as `Sun, 06 Nov 1994 08:49:37 GMT`, in seconds since 1970.
#[must_use]
pub fn http_date(text: &str) -> Option<u64> {
    utc(text, HTTP)
}

/// The value of `github-authentication-token-expiration`, such as `2026-12-24 10:00:00 UTC` or `… +0100`, in seconds
/// since 1970.
#[must_use]
pub fn expiration(text: &str) -> Option<u64> {
    utc(text, WITH_UTC).or_else(|| seconds(OffsetDateTime::parse(text, WITH_OFFSET).ok()?))
}

/// A time in a body, such as `2026-12-24T10:00:00Z`, in seconds since 1970.
#[must_use]
pub fn instant(text: &str) -> Option<u64> {
    utc(text, IN_A_BODY)
}

fn utc(text: &str, form: &Form) -> Option<u64> {
    seconds(PrimitiveDateTime::parse(text, form).ok()?.assume_utc())
}

fn seconds(time: OffsetDateTime) -> Option<u64> {
    u64::try_from(time.unix_timestamp()).ok()
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
