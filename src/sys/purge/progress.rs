//! When emptying a directory is given up: when nothing moves any more, or when the caller's time is over.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

/// How long nothing may be removed or entered. No disk that works needs so long for one of these.
const STANDSTILL: Duration = Duration::from_secs(60);

/// From how many directories in each other on depth is what takes the time. No work has so many.
const TOO_DEEP: usize = 10_000;

/// Shared by all threads of one purge.
pub(super) struct Progress {
    begin: Instant,
    end: Instant,
    /// When something was removed or entered last, in milliseconds after the beginning.
    last: AtomicU64,
}

impl Progress {
    pub(super) fn new(end: Instant) -> Self {
        Self { begin: Instant::now(), end, last: AtomicU64::new(0) }
    }

    /// Notes that something was removed or entered.
    pub(super) fn made(&self, now: Instant) {
        self.last.fetch_max(self.since_begin(now), Ordering::Relaxed);
    }

    /// Whether to go on, `depth` directories below the top.
    ///
    /// # Errors
    ///
    /// Says which limit was met.
    pub(super) fn check(&self, now: Instant, depth: usize) -> Result<()> {
        let still = self.since_begin(now).saturating_sub(self.last.load(Ordering::Relaxed));
        if Duration::from_millis(still) > STANDSTILL {
            bail!(
                "Failed to empty a directory: nothing in it could be removed for {} s; see whether its disk works",
                still / 1000
            );
        }
        if now <= self.end {
            return Ok(());
        }
        let seconds = now.duration_since(self.begin).as_secs();
        if depth >= TOO_DEEP {
            bail!(
                "Failed to empty a directory within {seconds} s: it is too deep, with more than {depth} directories in each other; what was removed stays removed, and the next try goes on with the rest"
            );
        }
        bail!(
            "Failed to empty a directory within {seconds} s, although it gave way all the time; stop the processes of the runner's user, which may be filling it. What was removed stays removed, and the next try goes on with the rest"
        );
    }

    fn since_begin(&self, now: Instant) -> u64 {
        u64::try_from(now.saturating_duration_since(self.begin).as_millis()).unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    #[test]
    fn a_tree_that_gives_way_has_all_the_time_of_the_caller() {
        let progress = Progress::new(Instant::now() + 10 * MINUTE);
        for minute in 0..10 {
            let now = progress.begin + minute * MINUTE;
            progress.check(now, 0).unwrap();
            progress.made(now);
        }
        progress.made(progress.end);
        let error = progress.check(progress.end + MINUTE / 2, 0).unwrap_err().to_string();
        assert!(error.contains("gave way all the time"), "{error}");
    }

    #[test]
    fn one_that_does_not_is_given_up_after_a_minute() {
        let progress = Progress::new(Instant::now() + 10 * MINUTE);
        progress.made(progress.begin + MINUTE);
        progress.check(progress.begin + 2 * MINUTE, 0).unwrap();
        let error = progress.check(progress.begin + 2 * MINUTE + MINUTE / 4, 0).unwrap_err().to_string();
        assert!(error.contains("nothing in it could be removed for 75 s"), "{error}");
    }

    #[test]
    fn depth_is_named_as_the_reason_when_it_is_the_reason() {
        let progress = Progress::new(Instant::now() + MINUTE);
        let late = progress.end + MINUTE / 2;
        progress.made(late);
        let error = progress.check(late, 350_000).unwrap_err().to_string();
        assert!(error.contains("it is too deep, with more than 350000 directories in each other"), "{error}");
        assert!(!progress.check(late, 32).unwrap_err().to_string().contains("too deep"));
    }
}
