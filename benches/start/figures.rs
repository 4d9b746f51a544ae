//! How long a command takes, and the table in which durations are shown with their targets.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::samples::{Samples, verdict};

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

/// What was measured, line by line.
pub struct Table {
    lines: Vec<String>,
    missed: usize,
}

impl Table {
    pub fn new() -> Self {
        Self { lines: Vec::new(), missed: 0 }
    }

    /// A figure without a target.
    pub fn figure(&mut self, what: &str, samples: &Samples) {
        self.line(&format!("{what:<58} {}", shown(samples)));
    }

    /// Our durations against those of something else; at most `target` times as long.
    pub fn compare(&mut self, what: &str, ours: &Samples, other: &str, theirs: &Samples, target: f64) {
        let ratio = ours.median() / theirs.median();
        let verdict = self.verdict(ratio, target);
        self.line(&format!(
            "{what:<58} {}, {other} {}: ratio {ratio:.3}, target {target:.3}, {verdict}",
            shown(ours),
            shown(theirs)
        ));
    }

    /// A number of KiB with a target.
    pub fn kib(&mut self, what: &str, figure: f64, target: f64) {
        let verdict = self.verdict(figure, target);
        self.line(&format!("{:<58} {figure:8.0}, target {target:.0}, {verdict}", format!("{what}, KiB")));
    }

    fn verdict(&mut self, figure: f64, target: f64) -> &'static str {
        self.missed += usize::from(figure > target);
        verdict(figure, target)
    }

    fn line(&mut self, line: &str) {
        // At once as well: a run takes minutes.
        eprintln!("{line}");
        self.lines.push(line.into());
    }

    pub fn print(&self) {
        println!("\nmedian (10th to 90th hundredth)\n{}\n{} missed", self.lines.join("\n"), self.missed);
    }
}

fn shown(samples: &Samples) -> String {
    format!("{:8.2} ms ({:.2} to {:.2})", samples.median(), samples.quantile(10), samples.quantile(90))
}
