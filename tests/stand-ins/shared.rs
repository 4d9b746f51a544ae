//! What both stand-ins need: instants as text, and digests.
//!
//! Small enough to be written here, so that the test programs pull in no calendar
//! library. Must not learn about runners or about GitHub.

#![allow(dead_code, reason = "each stand-in uses the part it needs")]

use std::{
    fmt::Write as _,
    time::{SystemTime, UNIX_EPOCH},
};

use sha2::{Digest, Sha256};

/// A moment of the proleptic Gregorian calendar, in UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Utc {
    year: u64,
    month: u64,
    day: u64,
    hour: u64,
    minute: u64,
    second: u64,
}

impl Utc {
    /// The present moment.
    pub fn now() -> Self {
        Self::from_unix(unix_now())
    }

    /// The moment `seconds` after the epoch. Method: Howard Hinnant, `civil_from_days`.
    pub fn from_unix(seconds: u64) -> Self {
        let days = seconds / 86_400 + 719_468;
        let era = days / 146_097;
        let day_of_era = days % 146_097;
        let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let shifted_month = (5 * day_of_year + 2) / 153;
        let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
        Self {
            year: era * 400 + year_of_era + u64::from(month <= 2),
            month,
            day: day_of_year - (153 * shifted_month + 2) / 5 + 1,
            hour: seconds / 3_600 % 24,
            minute: seconds / 60 % 60,
            second: seconds % 60,
        }
    }

    /// `2026-01-02 03:04:05Z`, the form .NET calls `u`.
    pub fn sortable(self) -> String {
        self.iso().replace('T', " ")
    }

    /// `2026-01-02T03:04:05Z`, the form of GitHub's answers.
    pub fn iso(self) -> String {
        let Self { year, month, day, hour, minute, second } = self;
        format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
    }

    /// `2026-01-02 03:04:05 UTC`, the form in the header about an API token's end.
    pub fn with_zone(self) -> String {
        self.sortable().replace('Z', " UTC")
    }

    /// `Fri, 02 Jan 2026 03:04:05 GMT`, the form of the `Date` header.
    pub fn http(self) -> String {
        let Self { year, month, day, hour, minute, second } = self;
        // Zeller's congruence counts from Saturday, and January as the 13th month.
        let (count, of_year) = if month < 3 { (month + 12, year - 1) } else { (month, year) };
        let weekday = (day + 13 * (count + 1) / 5 + of_year + of_year / 4 - of_year / 100 + of_year / 400) % 7;
        let weekday = ["Sat", "Sun", "Mon", "Tue", "Wed", "Thu", "Fri"][usize::try_from(weekday).unwrap_or_default()];
        let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
        let month = months[usize::try_from(month - 1).unwrap_or_default()];
        format!("{weekday}, {day:02} {month} {year:04} {hour:02}:{minute:02}:{second:02} GMT")
    }

    /// `20260102-030405`, the form in the names of the diagnostic logs.
    pub fn compact(self) -> String {
        let Self { year, month, day, hour, minute, second } = self;
        format!("{year:04}{month:02}{day:02}-{hour:02}{minute:02}{second:02}")
    }
}

/// Seconds since the epoch; zero on a clock set before it.
pub fn unix_now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |elapsed| elapsed.as_secs())
}

/// The SHA-256 of `bytes` in lower-case hexadecimal.
pub fn sha256(bytes: impl AsRef<[u8]>) -> String {
    Sha256::digest(bytes).iter().fold(String::new(), |mut text, byte| {
        // Writing to a string cannot fail.
        _ = write!(text, "{byte:02x}");
        text
    })
}

/// A version 4 look-alike GUID made from `seed`, the same one for the same seed.
pub fn guid(seed: &str) -> String {
    let hex = sha256(seed);
    let [a, b, c, d] = [&hex[..8], &hex[8..12], &hex[12..15], &hex[15..18]];
    format!("{a}-{b}-4{c}-8{d}-{}", &hex[18..30])
}
