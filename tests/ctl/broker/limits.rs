//! Limits of GitHub are kept.

use std::time::Duration;

use github_runners::contract::protocol::{Issue, Outcome, Verb};

use super::harness::Stand;
use crate::github::Fault;
use crate::times::{APART, AT_ONCE};

fn limited(status: u16, seconds: u64) -> Fault {
    Fault { headers: [("retry-after".into(), seconds.to_string())].into(), ..Fault::next("", status) }
}

#[test]
fn a_short_wait_is_waited_for() {
    for status in [403, 429] {
        let stand = Stand::new();
        stand.inject(limited(status, 2));
        let told = stand.ask(&Verb::Issue(Issue::Token));
        assert!(matches!(told.answer.outcome, Outcome::Token(_)));
        assert!(told.took >= Duration::from_secs(2), "{:?}", told.took);
        assert_eq!(stand.seen().len(), 2);
    }
}

#[test]
fn a_long_wait_is_told_at_once() {
    let stand = Stand::new();
    stand.inject(limited(429, 600));
    let told = stand.ask(&Verb::Issue(Issue::Token));
    let Outcome::RateLimited(until) = told.answer.outcome else { panic!("{}", told.journal) };
    let ahead = until.saturating_sub(stand.github.state().now());
    assert!((600 - APART..=600).contains(&ahead), "{ahead}");
    assert!(told.took < AT_ONCE);
    assert_eq!(stand.seen().len(), 1);
}

#[test]
fn an_end_that_nobody_can_wait_for_is_told_at_once() {
    let last = u64::MAX.to_string();
    let reset =
        [("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", &last), ("date", "Thu, 01 Jan 1970 00:00:00 GMT")];
    for headers in [&reset[..], &[("retry-after", "99999999999999999999999")]] {
        let stand = Stand::new();
        let headers = headers.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
        stand.inject(Fault { headers, ..Fault::next("", 403) });
        let told = stand.ask(&Verb::Issue(Issue::Token));
        let Outcome::RateLimited(until) = told.answer.outcome else { panic!("{}", told.journal) };
        assert!(until > 1 << 60, "{until}");
        assert_eq!(stand.seen().len(), 1);
    }
}

#[test]
fn the_end_of_the_hour_is_told() {
    let stand = Stand::new();
    stand.github.change(|state| state.rate_limit = 0).unwrap();
    let told = stand.ask(&Verb::Preflight);
    let Outcome::RateLimited(until) = told.answer.outcome else { panic!("{}", told.journal) };
    assert!(until.abs_diff(stand.github.state().rate_reset) <= APART, "{until}");
}
