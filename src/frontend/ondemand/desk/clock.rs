//! The desk's time: that of its start, and what has passed since by a clock that nobody sets.
//!
//! Deadlines are moments, and a host's clock can be set while jobs run. A desk that followed a jump would end all of them at
//! once, or do nothing until an old moment comes again. The next desk goes by the new time.

use std::time::Instant;

use anyhow::Result;
use tracing::warn;

use crate::state::start::now;

/// Clocks that are kept right move by less, in seconds.
const JUMP: u64 = 60;

/// A time that never jumps.
#[derive(Debug)]
pub struct Clock {
    began: Instant,
    at: u64,
    is_told: bool,
}

impl Clock {
    /// Begins with the host's time.
    ///
    /// # Errors
    ///
    /// If that is before 1970.
    pub fn start() -> Result<Self> {
        Ok(Self { began: Instant::now(), at: now()?, is_told: false })
    }

    /// Seconds since 1970.
    #[must_use]
    pub fn now(&self) -> u64 {
        self.at + self.began.elapsed().as_secs()
    }

    /// Milliseconds since the start.
    #[must_use]
    pub fn milliseconds(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// Tells once that the host's clock was set.
    pub fn watch(&mut self) {
        let Ok(host) = now() else { return };
        if !self.is_told && jumped(self.now(), host) {
            self.is_told = true;
            warn!(
                "The clock of this host was set: open orders go on by the time of before; restart the desk for the new one"
            );
        }
    }

    /// Lets so many seconds pass.
    #[cfg(test)]
    pub fn advance(&mut self, seconds: u64) {
        self.began -= std::time::Duration::from_secs(seconds);
    }
}

fn jumped(own: u64, host: u64) -> bool {
    own.abs_diff(host) > JUMP
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_no_clock_drifts_by_is_a_jump() {
        for (host, is_jump) in [(1_000, false), (1_060, false), (940, false), (1_061, true), (0, true)] {
            assert_eq!(jumped(1_000, host), is_jump, "{host}");
        }
    }

    #[test]
    fn time_passes_without_the_host_clock() {
        let mut clock = Clock { began: Instant::now(), at: 5_000, is_told: false };
        assert!((5_000..5_060).contains(&clock.now()), "whatever the host says");
        clock.advance(3_600);
        assert!((8_600..8_660).contains(&clock.now()) && clock.milliseconds() >= 3_600_000);
    }
}
