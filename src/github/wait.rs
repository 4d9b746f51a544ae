//! Whether an answer is final, and how long to wait before asking again. Pure.
//!
//! Rules of GitHub (runner contract, 4.7): `retry-after` first; with no requests left, until the reset; else a minute
//! and more. Other refusals (401, 403, 404, 422) are final: repeating them would lock the credential out.

use std::time::Duration;

use crate::http::{Broken, Response};

/// The first wait after a failure of network or server.
const FIRST: Duration = Duration::from_millis(500);
/// No such wait becomes longer.
const LONGEST: Duration = Duration::from_secs(15);
/// The first wait for a limit whose end is not told.
const MINUTE: u64 = 60;

/// The header that tells how many more requests are taken before the limit.
pub const REMAINING: &str = "x-ratelimit-remaining";

/// What the moment allows.
pub struct Spare {
    /// Seconds since 1970.
    pub now: u64,
    /// How much time is left for all of it.
    pub left: Duration,
    /// From 0 to 1000.
    pub jitter: u32,
}

/// What to do with the result of an attempt.
#[derive(Debug, Eq, PartialEq)]
pub enum Verdict {
    /// It is final.
    Take,
    /// Ask again after this time.
    Again(Duration),
    /// Too many requests until this time, which is too late.
    Limited(u64),
    /// No useful answer in time: the end of a sentence.
    Unreachable(String),
}

/// Whether the server refused only because of too many requests. It did nothing then.
#[must_use]
pub fn is_limited(response: &Response) -> bool {
    let says_so = || {
        let message = response.message().unwrap_or_default().to_ascii_lowercase();
        message.contains("rate limit") || message.contains("abuse detection")
    };
    let told = response.header("retry-after").is_some() || response.header(REMAINING) == Some("0");
    response.status == 429 || (response.status == 403 && (told || says_so()))
}

/// Judges an attempt; `attempt` counts from 0.
#[must_use]
pub fn verdict(sent: &Result<Response, Broken>, attempt: u32, spare: &Spare) -> Verdict {
    let (why, told) = match sent {
        Ok(response) if is_limited(response) => {
            let wait = limit(response, attempt, spare.now);
            return if Duration::from_secs(wait) < spare.left {
                Verdict::Again(Duration::from_secs(wait))
            } else {
                Verdict::Limited(spare.now.saturating_add(wait))
            };
        }
        Ok(response) if response.status >= 500 => {
            (format!("GitHub answers with error {}", response.status), number(response, "retry-after"))
        }
        Ok(_) => return Verdict::Take,
        Err(broken) if broken.lasting => return Verdict::Unreachable(broken.why.clone()),
        Err(broken) => (broken.why.clone(), None),
    };
    let full = FIRST.saturating_mul(1 << attempt.min(10)).min(LONGEST);
    // Between half of it and all of it.
    let wait = (full / 2000 * (1000 + spare.jitter.min(1000))).max(Duration::from_secs(told.unwrap_or(0)));
    if wait < spare.left { Verdict::Again(wait) } else { Verdict::Unreachable(why) }
}

/// Seconds until the server may be asked again; at least one, whatever the server says.
fn limit(response: &Response, attempt: u32, now: u64) -> u64 {
    if let Some(told) = number(response, "retry-after") {
        return told.max(1);
    }
    if response.header(REMAINING) == Some("0")
        && let Some(reset) = number(response, "x-ratelimit-reset")
    {
        // By the server's own clock, if it shows it. One second more, because it counts whole ones.
        return reset.saturating_sub(response.server_time().unwrap_or(now)).saturating_add(1);
    }
    MINUTE << attempt.min(6)
}

/// The number in a header; one that is too large for the type is as good as the largest.
#[must_use]
pub fn number(response: &Response, header: &str) -> Option<u64> {
    let text = response.header(header)?.trim();
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, headers: &[(&str, &str)], message: &str) -> Response {
        let headers = headers.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
        Response { status, headers, body: format!(r#"{{"message":"{message}"}}"#).into() }
    }

    fn at(left: u64, jitter: u32) -> Spare {
        Spare { now: 1000, left: Duration::from_secs(left), jitter }
    }

    #[test]
    fn final_answers_are_never_repeated() {
        for status in [200, 201, 204, 301, 401, 403, 404, 409, 422] {
            assert_eq!(verdict(&Ok(answer(status, &[], "Not Found")), 0, &at(60, 0)), Verdict::Take, "{status}");
        }
    }

    #[test]
    fn limits_are_waited_for_if_there_is_time() {
        let again = |seconds| Verdict::Again(Duration::from_secs(seconds));
        let none_left = ("x-ratelimit-remaining", "0");
        for (status, headers, message, attempt, left, expected) in [
            (429, &[("retry-after", "7")][..], "", 0, 60, again(7)),
            (403, &[("retry-after", "7")], "", 0, 60, again(7)),
            (429, &[("retry-after", "0")], "", 0, 60, again(1)),
            (429, &[("retry-after", "61")], "", 0, 60, Verdict::Limited(1061)),
            (403, &[none_left, ("x-ratelimit-reset", "1010")], "", 0, 60, again(11)),
            (403, &[none_left, ("x-ratelimit-reset", "900")], "", 0, 60, again(1)),
            (403, &[none_left, ("x-ratelimit-reset", "5000")], "", 0, 60, Verdict::Limited(5001)),
            (
                403,
                &[none_left, ("x-ratelimit-reset", "784111787"), ("date", "Sun, 06 Nov 1994 08:49:37 GMT")],
                "",
                0,
                60,
                again(11),
            ),
            (403, &[], "You have exceeded a secondary rate limit", 0, 90, again(60)),
            (403, &[], "You have exceeded a secondary rate limit", 1, 90, Verdict::Limited(1120)),
            (403, &[("x-ratelimit-remaining", "12")], "Resource not accessible", 0, 60, Verdict::Take),
        ] {
            assert_eq!(
                verdict(&Ok(answer(status, headers, message)), attempt, &at(left, 0)),
                expected,
                "{status} {headers:?}"
            );
        }
    }

    #[test]
    fn a_limit_without_a_believable_end_is_neither_waited_for_nor_ignored() {
        const ENDLESS: &str = "99999999999999999999999";
        let none_left = ("x-ratelimit-remaining", "0");
        let long_ago = ("date", "Thu, 01 Jan 1970 00:00:00 GMT");
        let last = u64::MAX.to_string();
        for headers in [
            &[none_left, ("x-ratelimit-reset", &last), long_ago][..],
            &[none_left, ("x-ratelimit-reset", &last)],
            &[none_left, ("x-ratelimit-reset", ENDLESS), long_ago],
            &[("retry-after", &last)],
            &[("retry-after", ENDLESS)],
        ] {
            let judged = verdict(&Ok(answer(403, headers, "")), 0, &at(60, 0));
            assert!(matches!(judged, Verdict::Limited(until) if until > 1 << 60), "{headers:?}: {judged:?}");
            let judged = verdict(&Ok(answer(503, headers, "")), 0, &at(60, 0));
            assert!(!matches!(judged, Verdict::Again(wait) if wait < Duration::from_millis(250)), "{judged:?}");
        }
        let far = [none_left, ("x-ratelimit-reset", "1790000000"), long_ago];
        assert_eq!(verdict(&Ok(answer(403, &far, "")), 0, &at(60, 0)), Verdict::Limited(1_790_001_001));
        for told in ["", "-1", "+1", "1e9", "soon"] {
            let judged = verdict(&Ok(answer(429, &[("retry-after", told)], "")), u32::MAX, &at(60, 0));
            assert_eq!(judged, Verdict::Limited(1000 + (MINUTE << 6)), "{told}");
        }
        for told in ["0", "000"] {
            let judged = verdict(&Ok(answer(429, &[("retry-after", told)], "")), 0, &at(60, 0));
            assert_eq!(judged, Verdict::Again(Duration::from_secs(1)), "{told}");
        }
    }

    #[test]
    fn failures_are_repeated_ever_more_slowly() {
        let broken = Err(Broken { why: "the connection was refused".into(), lasting: false });
        let wait = |attempt, jitter| verdict(&broken, attempt, &at(60, jitter));
        let millis = |millis| Verdict::Again(Duration::from_millis(millis));
        assert_eq!((wait(0, 0), wait(0, 1000), wait(0, 9999)), (millis(250), millis(500), millis(500)));
        assert_eq!((wait(2, 0), wait(20, 1000), wait(u32::MAX, 0)), (millis(1000), millis(15_000), millis(7_500)));
        assert_eq!(verdict(&Ok(answer(503, &[("retry-after", "9")], "")), 0, &at(60, 0)), millis(9_000));
        assert_eq!(
            verdict(&Ok(answer(502, &[], "")), 9, &at(5, 0)),
            Verdict::Unreachable("GitHub answers with error 502".into())
        );
        assert_eq!(verdict(&broken, 9, &at(5, 0)), Verdict::Unreachable("the connection was refused".into()));
        let lasting = Err(Broken { why: "the certificate is unknown".into(), lasting: true });
        assert_eq!(verdict(&lasting, 0, &at(60, 0)), Verdict::Unreachable("the certificate is unknown".into()));
    }
}
