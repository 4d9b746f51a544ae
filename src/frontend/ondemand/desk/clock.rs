//! The desk's time: that of its start, and what has passed since by a clock that nobody sets.
//!
//! Deadlines are moments, and a host's clock can be set while jobs run. A desk that followed a jump would end all of them at
//! once, or do nothing until an old moment comes again. The next desk goes by the new time.

use std::time::Duration;

use anyhow::{Context as _, Result};
use nix::time::{ClockId, clock_gettime};
use tracing::warn;

use crate::state::start::now;

/// Clocks that are kept right move by less, in seconds.
const JUMP: u64 = 60;

/// A time that never jumps.
#[derive(Debug)]
pub struct Clock {
    began: Duration,
    at: u64,
    is_told: bool,
}

impl Clock {
    /// Begins with the host's time.
    ///
    /// # Errors
    ///
    /// If that is before 1970.
    pub fn begin() -> Result<Self> {
        Ok(Self { began: boot()?, at: now()?, is_told: false })
    }

    /// Seconds since 1970.
    #[must_use]
    pub fn now(&self) -> u64 {
        self.at + self.passed().as_secs()
    }

    /// When it was started, in seconds since 1970.
    #[must_use]
    pub fn start(&self) -> u64 {
        self.at
    }

    /// The same in milliseconds.
    #[must_use]
    pub fn milliseconds(&self) -> u64 {
        let passed = u64::try_from(self.passed().as_millis()).unwrap_or(u64::MAX);
        self.at.saturating_mul(1_000).saturating_add(passed)
    }

    /// Seconds since 1970 by the host's clock, by which others sign and date things.
    #[must_use]
    pub fn host(&self) -> u64 {
        now().unwrap_or_else(|_| self.now())
    }

    fn passed(&self) -> Duration {
        boot().map_or(Duration::ZERO, |boot| boot.saturating_sub(self.began))
    }

    /// Tells once that the host's clock was set.
    pub fn watch(&mut self) {
        let Ok(host) = now() else { return };
        if !self.is_told && jumped(self.now(), host) {
            self.is_told = true;
            warn!(
                "The clock of this host was set. Orders go on by the time of before. A desk that is started anew goes by the new time, by which jobs may be over: restart it when no order is open"
            );
        }
    }

    /// Lets so many seconds pass.
    #[cfg(test)]
    pub fn advance(&mut self, seconds: u64) {
        self.at += seconds;
    }
}

/// The time since this host booted, the time in which it slept included.
fn boot() -> Result<Duration> {
    clock_gettime(ClockId::CLOCK_BOOTTIME).map(Duration::from).context("Failed to read the clock of this boot")
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
        let clock = Clock { began: boot().unwrap(), at: 5_000, is_told: false };
        assert!((5_000..5_600).contains(&clock.now()), "whatever the host says");
        let since_boot = Clock { began: Duration::ZERO, ..clock };
        let passed = boot().unwrap().as_secs();
        assert!((5_000 + passed..5_600 + passed).contains(&since_boot.now()));
        assert!(since_boot.milliseconds() / 1_000 >= 5_000 + passed);
    }
}
