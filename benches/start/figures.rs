//! Durations, their median and spread, and the table in which they are shown with their limits.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// How long a command takes, from its start to its end. It must succeed.
pub fn timed(command: &mut Command) -> Duration {
    // Not what Cargo sets: its library path alone makes every dynamic program slower.
    let path = std::env::var_os("PATH").unwrap_or_default();
    command.env_clear().env("PATH", path).stdout(Stdio::null()).stderr(Stdio::null());
    let start = Instant::now();
    let status = command.status().expect("the command runs");
    let time = start.elapsed();
    assert!(status.success(), "{command:?} ended with {status}");
    time
}

/// Durations of the same thing.
#[derive(Default)]
pub struct Samples(Vec<Duration>);

impl Samples {
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes a duration, and gives it back.
    pub fn add(&mut self, time: Duration) -> Duration {
        let at = self.0.partition_point(|other| *other < time);
        self.0.insert(at, time);
        time
    }

    /// The value below which this many hundredths lie.
    fn quantile(&self, hundredths: usize) -> f64 {
        self.0[((self.0.len() - 1) * hundredths + 50) / 100].as_secs_f64() * 1000.0
    }

    pub fn median(&self) -> f64 {
        self.quantile(50)
    }

    fn shown(&self) -> String {
        format!("{:8.2} ms ({:.2} to {:.2})", self.median(), self.quantile(10), self.quantile(90))
    }
}

/// What was measured, line by line.
pub struct Table {
    lines: Vec<String>,
    missed: bool,
}

impl Table {
    pub fn new() -> Self {
        Self { lines: Vec::new(), missed: false }
    }

    /// A figure without a limit.
    pub fn figure(&mut self, what: &str, samples: &Samples) {
        self.line(&format!("{what:<58} {}", samples.shown()));
    }

    /// Our durations against those of another program; at most `limit` times as long.
    pub fn compare(&mut self, what: &str, ours: &Samples, other: &str, theirs: &Samples, limit: f64) {
        let ratio = ours.median() / theirs.median();
        let verdict = self.verdict(ratio <= limit);
        self.line(&format!(
            "{what:<58} {}, {other} {}: ratio {ratio:.3}, limit {limit:.3}, {verdict}",
            ours.shown(),
            theirs.shown()
        ));
    }

    /// A figure with a limit.
    pub fn limit(&mut self, what: &str, figure: u64, limit: u64) {
        let verdict = self.verdict(figure <= limit);
        self.line(&format!("{what:<58} {figure:8}, limit {limit}, {verdict}"));
    }

    fn verdict(&mut self, good: bool) -> &'static str {
        self.missed |= !good;
        if good { "good" } else { "MISSED" }
    }

    fn line(&mut self, line: &str) {
        // At once as well: a run takes minutes.
        eprintln!("{line}");
        self.lines.push(line.into());
    }

    pub fn print(&self) {
        println!("\nmedian (10th to 90th hundredth)\n{}", self.lines.join("\n"));
    }

    /// Whether a limit was missed.
    pub fn missed(&self) -> bool {
        self.missed
    }
}
