//! `github-runnerctl doctor`: everything that can be checked before a runner starts, each fault with its way out; and
//! what the next start would do.
//!
//! For root, on the host itself. It changes nothing, neither here nor on GitHub, but for modules that the kernel loads to
//! answer. It takes no lock, and opens no connection but to brokers, which it asks for nothing but what they can see, and to
//! servers of machines, which it asks nothing. A check that cannot be made is a finding, and no reason to leave out the next one.

mod audience;
mod classes;
mod entry;
pub mod explain;
mod finding;
pub mod fleet;
mod host;
#[cfg(feature = "gitlab")]
mod machines;
mod next;
mod ondemand;
mod options;
mod paths;
mod preflight;
mod room;
mod runner;

use std::io::{self, IsTerminal as _, Write as _};
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};
use nix::unistd::Uid;

use crate::contract::fleet::{Declaration, Fleet};
use crate::contract::protocol::Verb;
use crate::frontend::ondemand::operate;
use crate::survey::{Places, read_fleet};
use crate::sys::memory;
use crate::units::{Systemd, Units};
use runner::Subject;

pub use finding::{Finding, Group, Level, Look, Report};
pub use options::Options;

/// Runs the command: exit code 0 without faults, 1 with some, 2 if it was called in the wrong way.
#[must_use]
pub fn main(instance: Option<&str>, start_check: bool, fleet: &Path) -> ExitCode {
    let places = Places::default();
    let (nix, nix_conf) = (Path::new("/nix"), Path::new("/etc/nix/nix.conf"));
    let (on_demand, machines) = (operate::Places::default().settings, Path::new("/etc/gitlab-nspawn/settings.json"));
    let options =
        Options { fleet, instance, start_check, places: &places, nix, nix_conf, on_demand: &on_demand, machines };
    let report = if Uid::effective().is_root() {
        run(&options, &Systemd::default()).map(|report| with_machines(report, &options))
    } else {
        Err(anyhow::anyhow!("Only root can read what `doctor` checks: run it with `sudo`"))
    };
    let report = match report {
        Ok(report) => report,
        Err(error) => {
            tracing::error!("{error:#}");
            return ExitCode::from(2);
        }
    };
    print(&report)
}

/// Shows a report; the exit code says whether it has faults.
#[must_use]
pub fn print(report: &Report) -> ExitCode {
    let mut out = io::stdout().lock();
    let signs = out.is_terminal();
    let plain = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    let text = report.render(Look { signs, colours: signs && !plain });
    if let Err(error) = out.write_all(text.as_bytes()).context("Failed to write") {
        tracing::error!("{error:#}");
        return ExitCode::FAILURE;
    }
    if report.count(Level::Fault) > 0 { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

/// Adds the section about machines, which are of the host and of no runner.
#[cfg(feature = "gitlab")]
fn with_machines(mut report: Report, options: &Options<'_>) -> Report {
    let asked = options.instance.is_none() && !options.start_check;
    report.groups.extend(machines::group(options.machines).filter(|_| asked));
    report
}

#[cfg(not(feature = "gitlab"))]
fn with_machines(report: Report, _: &Options<'_>) -> Report {
    report
}

/// Makes the checks.
///
/// # Errors
///
/// Only if the named runner is not declared. Faults are findings.
pub fn run(options: &Options<'_>, units: &dyn Units) -> Result<Report> {
    let mut host = Group { title: "This host".into(), findings: vec![] };
    let fleet = match read_fleet(options.fleet) {
        Ok(fleet) => fleet,
        Err(error) => {
            let remedy = "switch to a configuration with runners, or name the file with `--fleet`";
            host.findings.push(Finding::fault("fleet file", format!("{error:#}"), remedy));
            return Ok(Report { groups: vec![host] });
        }
    };
    let declared = chosen(&fleet, options)?;
    let subjects: Vec<Subject<'_>> = declared.iter().map(|declared| Subject::read(options, declared)).collect();
    if options.start_check {
        return Ok(Report { groups: subjects.iter().map(|subject| subject.start_check(units)).collect() });
    }
    let number = match fleet.instances.len() {
        1 => "1 runner".into(),
        more => format!("{more} runners"),
    };
    host.findings.push(Finding::good("fleet file", format!("declares {number}")));
    host.findings.extend(host::findings(options, fleet.passes, units));
    if options.instance.is_none() {
        let sizes: Vec<u64> = subjects.iter().filter_map(Subject::own_room).collect();
        host.findings.extend(memory().ok().and_then(|memory| room::together(&sizes, memory)));
    }
    let mut brokers: Vec<_> = subjects.iter().map(Subject::broker).collect();
    let answers = preflight::ask_all(&mut brokers, &Verb::Preflight, preflight::PATIENCE);
    // Nobody waits once more for a server that did not answer.
    let with_more = subjects.iter().zip(&answers);
    let mut brokers: Vec<_> = with_more.map(|(subject, said)| subject.broker_about_audience(said.as_ref())).collect();
    let audiences = preflight::ask_all(&mut brokers, &Verb::Audience, preflight::SHORT_PATIENCE);
    let names: Vec<&str> = declared.iter().map(|declared| declared.unit.as_str()).collect();
    let shown = units.show(&names).map_err(|error| format!("{error:#}"));
    let mut groups = vec![host];
    let asked = answers.iter().zip(&audiences);
    for ((subject, declared), (answer, audience)) in subjects.iter().zip(declared).zip(asked) {
        let unit = shown.as_ref().map(|shown| shown.get(&declared.unit).cloned().unwrap_or_default());
        groups.push(subject.check(&unit.map_err(String::clone), units, [answer.as_ref(), audience.as_ref()]));
    }
    if options.instance.is_none() {
        groups.extend(ondemand::group(options, units));
    }
    Ok(Report { groups })
}

/// The runners to look at.
fn chosen<'a>(fleet: &'a Fleet, options: &Options<'_>) -> Result<Vec<&'a Declaration>> {
    let Some(name) = options.instance else { return Ok(fleet.instances.iter().collect()) };
    let found = fleet.instances.iter().find(|declared| declared.instance.as_str() == name);
    let Some(found) = found else {
        let names: Vec<&str> = fleet.instances.iter().map(|declared| declared.instance.as_str()).collect();
        bail!(
            "There is no runner `{}` in {}; it declares: {}",
            name.escape_debug(),
            options.fleet.display(),
            names.join(", ")
        );
    };
    Ok(vec![found])
}
