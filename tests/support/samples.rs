//! Durations of the same thing, their median and spread, and what a target makes of them.

use std::time::Duration;

/// Durations, the shortest one first.
#[derive(Default)]
pub struct Samples(Vec<Duration>);

impl Samples {
    /// None so far.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes a duration, and gives it back.
    pub fn add(&mut self, time: Duration) -> Duration {
        let at = self.0.partition_point(|other| *other < time);
        self.0.insert(at, time);
        time
    }

    /// In milliseconds.
    pub fn median(&self) -> f64 {
        self.quantile(50)
    }

    /// The value in milliseconds below which this many hundredths lie. There has to be one.
    pub fn quantile(&self, hundredths: usize) -> f64 {
        self.0[((self.0.len() - 1) * hundredths + 50) / 100].as_secs_f64() * 1000.0
    }
}

/// What a figure that should be at most `target` is called.
pub fn verdict(figure: f64, target: f64) -> &'static str {
    if figure <= target { "reached" } else { "missed" }
}
