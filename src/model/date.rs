//! Dates and times for people, from a number of seconds.

/// The day of `seconds` since 1970 in universal time, as in `2026-12-24`.
#[must_use]
pub fn date(seconds: u64) -> String {
    // Howard Hinnant's `civil_from_days`: years that begin in March, in eras of 400 years.
    let days = seconds / 86_400 + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    format!("{year}-{month:02}-{day:02}")
}

/// A time in universal time, as in `2026-12-24 10:00:00 UTC`.
#[must_use]
pub fn date_and_time(seconds: u64) -> String {
    let of_day = seconds % 86_400;
    format!("{} {:02}:{:02}:{:02} UTC", date(seconds), of_day / 3_600, of_day / 60 % 60, of_day % 60)
}

/// How long something took, in the largest unit that fits: `40 s`, `5 min`, `3 h`, `12 d`.
#[must_use]
pub fn span(seconds: u64) -> String {
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3_600 => format!("{} min", seconds / 60),
        3_600..172_800 => format!("{} h", seconds / 3_600),
        _ => format!("{} d", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_those_of_the_calendar() {
        for (seconds, day) in [
            (0, "1970-01-01"),
            (951_782_399, "2000-02-28"),
            (951_782_400, "2000-02-29"),
            (951_868_800, "2000-03-01"),
            (1_798_070_399, "2026-12-23"),
            (1_798_070_400, "2026-12-24"),
            (4_107_542_399, "2100-02-28"),
            (4_107_542_400, "2100-03-01"),
        ] {
            assert_eq!(date(seconds), day);
        }
    }

    #[test]
    fn spans_are_told_in_the_largest_unit_that_fits() {
        let told = [0, 59, 60, 3_599, 3_600, 172_799, 172_800, u64::MAX].map(span);
        assert_eq!(told, ["0 s", "59 s", "1 min", "59 min", "1 h", "47 h", "2 d", "213503982334601 d"]);
    }

    #[test]
    fn times_are_told_to_the_second() {
        assert_eq!(date_and_time(1_798_106_400), "2026-12-24 10:00:00 UTC");
        assert!(date_and_time(u64::MAX).ends_with("07:00:15 UTC"), "no number is too large");
    }
}
