//! The figures as lines for people.

use anyhow::{Context as _, Result};

use crate::samples::{Samples, verdict};

use super::start::Start;
use super::subject::Subject;
use super::{MANY, MANY_TARGET};

/// The starts of each subject, the first of which is the one to compare with.
pub fn starts(systemd: &str, subjects: &[Subject<'_>], starts: &[Vec<Start>]) -> Result<()> {
    let version = systemd.lines().next().unwrap_or_default();
    println!("{version}: from `systemctl start` to the exec of the listener");
    let samples: Vec<Samples> = starts.iter().map(|starts| of(starts)).collect();
    let base = samples.first().context("nothing was measured")?.median();
    for ((subject, starts), samples) in subjects.iter().zip(starts).zip(&samples) {
        let ratio = samples.median() / base;
        let judged = subject.target.map_or(String::new(), |target| {
            format!("of nixpkgs' {ratio:.2}, target {target:.2}, {}", verdict(ratio, target))
        });
        let brokers: Vec<usize> = starts.iter().map(|start| start.brokers).collect();
        let (steps, sandboxed) = subject.steps()?;
        println!(
            "figure {:<42} {} {judged:<40} brokers {}, steps {steps}, of them {sandboxed} in the sandbox",
            subject.what,
            shown(samples),
            range(&brokers)
        );
    }
    Ok(())
}

/// Many starts at once.
pub fn many(times: &Samples, brokers: &[usize]) {
    let what = format!("{MANY} ephemeral of one credential, to the last");
    let judged = format!("target {MANY_TARGET:.0} ms, {}", verdict(times.median(), MANY_TARGET));
    println!("figure {what:<42} {} {judged:<40} brokers {}", shown(times), range(brokers));
}

fn of(starts: &[Start]) -> Samples {
    let mut samples = Samples::new();
    for start in starts {
        samples.add(start.time);
    }
    samples
}

fn shown(samples: &Samples) -> String {
    format!("{:6.0} ms ({:.0} to {:.0})", samples.median(), samples.quantile(10), samples.quantile(90))
}

/// One number if all are the same.
fn range(numbers: &[usize]) -> String {
    let (least, most) = (numbers.iter().min().unwrap_or(&0), numbers.iter().max().unwrap_or(&0));
    if least == most { least.to_string() } else { format!("{least} to {most}") }
}
