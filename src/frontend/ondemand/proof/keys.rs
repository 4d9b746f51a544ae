//! When the keys of ID tokens are asked for: a cache that decides, and asks nobody. Pure.
//!
//! Anybody can send a token that names a key that nobody has, so how often that makes a request is limited. Keys that are no
//! longer shown by the issuer are not trusted for long.

use crate::contract::workflow::SigningKey;

/// Younger keys are used without asking, in seconds.
const FRESH: u64 = 60 * 60;
/// Older ones are not used, even if the issuer cannot be reached.
const LONGEST_AGE: u64 = 6 * 60 * 60;
/// Between two times of asking.
const SPACING: u64 = 60;
/// The most times of asking in [`PERIOD`].
const MOST_FETCHES: u32 = 20;
/// Over which they are counted.
const PERIOD: u64 = 60 * 60;

/// What to do about a token.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Step {
    /// Judge it by the keys that are there, whether its key is among them or not.
    Judge,
    /// Get the keys first.
    Fetch,
    /// There are no keys that may be used, and none may be got for so many seconds.
    Wait(u64),
}

/// The keys of one issuer, and when they were asked for. All times are in seconds since 1970.
#[derive(Clone, Debug, Default)]
pub struct KeyCache {
    keys: Vec<SigningKey>,
    fetched_at: Option<u64>,
    asked_at: Option<u64>,
    period: u64,
    asked: u32,
}

impl KeyCache {
    /// The keys that may be used now; none if they are too old.
    #[must_use]
    pub fn keys(&self, now: u64) -> &[SigningKey] {
        if self.is_younger(LONGEST_AGE, now) { &self.keys } else { &[] }
    }

    /// What to do about a token that names the key `kid`.
    #[must_use]
    pub fn step(&self, kid: &str, now: u64) -> Step {
        let is_known = self.keys(now).iter().any(|key| key.kid == kid);
        if is_known && self.is_younger(FRESH, now) {
            return Step::Judge;
        }
        match self.wait(now) {
            0 => Step::Fetch,
            seconds if self.keys(now).is_empty() => Step::Wait(seconds),
            _ => Step::Judge,
        }
    }

    /// To be called before the issuer is asked, so that a failure counts as well.
    pub fn asks(&mut self, now: u64) {
        if self.period_ends() <= now || now < self.period {
            (self.period, self.asked) = (now, 0);
        }
        self.asked += 1;
        self.asked_at = Some(now);
    }

    /// The issuer's present keys; the former ones are gone.
    pub fn got(&mut self, keys: Vec<SigningKey>, now: u64) {
        (self.keys, self.fetched_at) = (keys, Some(now));
    }

    /// How long nobody may be asked.
    fn wait(&self, now: u64) -> u64 {
        // A clock that was set back must not lead to a wait without end.
        let spaced = self.asked_at.filter(|at| *at <= now).map_or(0, |at| (at + SPACING).saturating_sub(now));
        let is_full = self.asked >= MOST_FETCHES && self.period <= now;
        let counted = if is_full { self.period_ends().saturating_sub(now) } else { 0 };
        spaced.max(counted)
    }

    fn period_ends(&self) -> u64 {
        self.period + PERIOD
    }

    fn is_younger(&self, age: u64, now: u64) -> bool {
        self.fetched_at.is_some_and(|at| at <= now && now - at < age)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_790_000_000;

    fn key(kid: &str) -> SigningKey {
        SigningKey { kid: kid.into(), n: "AQ".into(), e: "AQAB".into() }
    }

    fn with(kid: &str) -> KeyCache {
        let mut cache = KeyCache::default();
        assert_eq!(cache.step(kid, NOW), Step::Fetch);
        cache.asks(NOW);
        cache.got(vec![key(kid)], NOW);
        cache
    }

    #[test]
    fn a_known_key_is_asked_for_once_an_hour() {
        let cache = with("a");
        for (age, step) in [(0, Step::Judge), (FRESH - 1, Step::Judge), (FRESH, Step::Fetch)] {
            assert_eq!(cache.step("a", NOW + age), step, "{age}");
        }
    }

    #[test]
    fn strangers_keys_make_one_request_a_minute_and_twenty_an_hour() {
        let mut cache = with("a");
        let mut fetches = 1;
        for second in 0..PERIOD {
            if cache.step(&format!("stranger-{second}"), NOW + second) == Step::Fetch {
                cache.asks(NOW + second);
                fetches += 1;
                assert_eq!(cache.step("stranger", NOW + second + SPACING - 1), Step::Judge);
            }
        }
        assert_eq!(fetches, MOST_FETCHES);
        assert_eq!(cache.step("stranger", NOW + PERIOD), Step::Fetch);
        // Meanwhile known keys go on being good.
        assert_eq!(cache.step("a", NOW + FRESH - 1), Step::Judge);
    }

    #[test]
    fn a_new_key_is_found_when_the_issuer_has_changed_them_and_the_old_one_is_gone() {
        let mut cache = with("a");
        assert_eq!(cache.step("b", NOW + SPACING), Step::Fetch);
        cache.asks(NOW + SPACING);
        cache.got(vec![key("b")], NOW + SPACING);
        assert_eq!(cache.keys(NOW + SPACING), [key("b")]);
        assert_eq!(cache.step("b", NOW + SPACING), Step::Judge);
    }

    #[test]
    fn without_the_issuer_keys_are_used_for_some_hours_and_no_longer() {
        let mut cache = with("a");
        let later = NOW + LONGEST_AGE - 1;
        cache.asks(later);
        assert_eq!((cache.step("a", later), cache.keys(later).len()), (Step::Judge, 1));
        assert_eq!((cache.step("a", later + 1), cache.keys(later + 1).len()), (Step::Wait(SPACING - 1), 0));
        assert_eq!(cache.step("a", later + SPACING), Step::Fetch);
    }

    #[test]
    fn a_clock_that_was_set_back_makes_keys_be_asked_for() {
        let cache = with("a");
        assert_eq!((cache.step("a", NOW - 100), cache.keys(NOW - 100).len()), (Step::Fetch, 0));
    }
}
