//! How often something may happen, from whom and all together. Pure.
//!
//! Held in memory: a desk that starts anew is generous once. The limits that money depends on are counted in the book.

use std::collections::BTreeMap;

use super::refusal::{Limit, Refusal};
use super::source::Source;

/// How many sources are remembered. With more, those that have been quiet for longest are forgotten.
const MOST_SOURCES: usize = 4_096;

/// A store that fills up evenly and is emptied by one for each event.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct Bucket {
    /// Milliseconds of filling that are in it.
    level: u64,
    at: u64,
}

/// How many events there may be: so many at once, and one each so many milliseconds from then on.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct Rate {
    burst: u64,
    each: u64,
}

/// From one source: 10 a minute, 20 at once.
const REQUESTS: Rate = Rate { burst: 20, each: 6_000 };
/// Look-ups at GitHub for proofs: 60 a minute and 1,000 an hour, of the 5,000 that a credential has.
const LOOKS: [Rate; 2] = [Rate { burst: 60, each: 1_000 }, Rate { burst: 1_000, each: 3_600 }];

impl Bucket {
    fn full(rate: Rate, now: u64) -> Self {
        Self { level: rate.burst * rate.each, at: now }
    }

    /// What is in it at `now`, in milliseconds since any fixed moment. A clock that was set back fills nothing.
    fn fill(&mut self, rate: Rate, now: u64) {
        self.level = (self.level + now.saturating_sub(self.at)).min(rate.burst * rate.each);
        self.at = now;
    }

    /// How many milliseconds are missing for one event.
    fn lacks(&self, rate: Rate) -> u64 {
        rate.each.saturating_sub(self.level)
    }
}

/// Requests by their source.
#[derive(Clone, Debug, Default)]
pub struct Requests {
    sources: BTreeMap<Source, Bucket>,
}

impl Requests {
    /// Counts a request at `now`, in milliseconds.
    ///
    /// # Errors
    ///
    /// [`Limit::Requests`]; such a request counts as well, so whoever does not wait gets nothing at all.
    pub fn take(&mut self, source: Source, now: u64) -> Result<(), Refusal> {
        if self.sources.len() >= MOST_SOURCES && !self.sources.contains_key(&source) {
            self.forget(now);
        }
        let bucket = self.sources.entry(source).or_insert_with(|| Bucket::full(REQUESTS, now));
        bucket.fill(REQUESTS, now);
        let lacks = bucket.lacks(REQUESTS);
        bucket.level = bucket.level.saturating_sub(REQUESTS.each);
        if lacks > 0 { Err(Refusal::Limit(Limit::Requests, lacks.div_ceil(1_000))) } else { Ok(()) }
    }

    /// Forgets those whose store is full again, which are as new, and if there are none, the quietest.
    fn forget(&mut self, now: u64) {
        self.sources.retain(|_, bucket| {
            bucket.fill(REQUESTS, now);
            bucket.level < REQUESTS.burst * REQUESTS.each
        });
        if self.sources.len() >= MOST_SOURCES
            && let Some(quietest) =
                self.sources.iter().max_by_key(|(_, bucket)| bucket.level).map(|(source, _)| *source)
        {
            self.sources.remove(&quietest);
        }
    }
}

/// Look-ups at GitHub, all together.
#[derive(Clone, Debug)]
pub struct Looks {
    buckets: [Bucket; 2],
}

impl Looks {
    /// None so far, at `now` in milliseconds.
    #[must_use]
    pub fn new(now: u64) -> Self {
        Self { buckets: LOOKS.map(|rate| Bucket::full(rate, now)) }
    }

    /// Counts so many look-ups, or none if there are not so many left.
    ///
    /// # Errors
    ///
    /// [`Refusal::Busy`] with the time until there are.
    pub fn take(&mut self, count: u64, now: u64) -> Result<(), Refusal> {
        let pairs = || LOOKS.into_iter().zip([0, 1]);
        for (rate, at) in pairs() {
            self.buckets[at].fill(rate, now);
        }
        let lacks = pairs().map(|(rate, at)| (count * rate.each).saturating_sub(self.buckets[at].level)).max();
        match lacks {
            Some(lacks) if lacks > 0 => Err(Refusal::Busy(lacks.div_ceil(1_000))),
            _ => {
                for (rate, at) in pairs() {
                    self.buckets[at].level -= count * rate.each;
                }
                Ok(())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(at: u32) -> Source {
        Source::of(std::net::IpAddr::V4(at.into()))
    }

    #[test]
    fn a_source_has_twenty_at_once_and_ten_a_minute() {
        let mut requests = Requests::default();
        let mut take = |now| requests.take(source(1), now);
        assert!((0..20).all(|_| take(0).is_ok()));
        assert_eq!(take(0), Err(Refusal::Limit(Limit::Requests, 6)));
        assert_eq!(take(3_000), Err(Refusal::Limit(Limit::Requests, 3)));
        // The refused one at 3 s took the half that was there.
        assert!(take(8_999).is_err());
        let mut good = 0;
        for minute in 1..=60 {
            good += (0..10).filter(|at| take(60_000 * minute + 6_000 * at).is_ok()).count();
        }
        assert!((595..=600).contains(&good), "{good}");
        assert!(requests.take(source(2), 0).is_ok(), "others have their own");
    }

    #[test]
    fn whoever_asks_without_a_pause_gets_nothing() {
        let mut requests = Requests::default();
        let good = (0..1_000).filter(|at| requests.take(source(1), at * 100).is_ok()).count();
        assert!(good <= 21, "{good}");
    }

    #[test]
    fn a_million_sources_take_no_more_memory_than_some() {
        let mut requests = Requests::default();
        for _ in 0..20 {
            assert!(requests.take(source(0), 0).is_ok());
        }
        for at in 1..20_000 {
            assert!(requests.take(source(at), 0).is_ok());
        }
        assert!(requests.sources.len() <= MOST_SOURCES);
        assert!(requests.take(source(0), 0).is_err(), "the busiest is not forgotten");
        assert!(requests.take(source(1), 1_000_000).is_ok());
        requests.forget(2_000_000);
        assert_eq!(requests.sources.len(), 0);
    }

    #[test]
    fn looks_are_sixty_a_minute_and_a_thousand_an_hour() {
        let mut looks = Looks::new(0);
        assert!((0..30).all(|_| looks.take(2, 0).is_ok()));
        assert_eq!(looks.take(2, 0), Err(Refusal::Busy(2)));
        assert!(looks.take(1, 1_000).is_ok(), "the refused ones took nothing");
        let mut looks = Looks::new(0);
        let in_an_hour = (0..3_600).filter(|second| looks.take(1, second * 1_000).is_ok()).count();
        assert!((1_900..=2_000).contains(&in_an_hour), "a thousand at first, and a thousand more: {in_an_hour}");
        let next = (3_600..7_200).filter(|second| looks.take(1, second * 1_000).is_ok()).count();
        assert!((990..=1_010).contains(&next), "{next}");
    }

    #[test]
    fn a_clock_that_is_set_back_gives_nothing_away() {
        let mut looks = Looks::new(1_000_000);
        assert!((0..60).all(|_| looks.take(1, 1_000_000).is_ok()));
        assert!(looks.take(1, 0).is_err());
        assert!(looks.take(1, 1_000).is_ok(), "nor takes it anything for long");
    }
}
