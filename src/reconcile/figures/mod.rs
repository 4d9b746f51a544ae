//! What a pass tells about the runners in figures. Labels are names of runners, paths of credentials and words of ours: what
//! grows with every job or registration makes no series of its own.
//!
//! Figures that are not known are left out. The others say what the pass found when it began, so a debt that it paid is gone from
//! the next one's.

use std::collections::BTreeSet;
use std::path::Path;

use crate::contract::openmetrics::{Kind, Labels, Page};
use crate::ledger::Entry;
use crate::model::{Standing, package_version};
use crate::survey::Memory;
use crate::survey::Server;
use crate::survey::{Host, HostRunner};
use crate::sys::post;
use crate::units::Activity;

/// The name of the file; the collector reads those that end so.
pub const FILE: &str = "github-runners.prom";

/// For what runners are restarted, as the memory counts it, and how it is told; what else it counts are removals.
const RESTARTS: [(&str, &str); 4] =
    [("changed", "changed"), ("deadline", "deadline"), ("missing", "missing"), ("offline", "offline")];
const REMOVALS: [(&str, &str); 2] = [("removed", "former"), ("unknown", "unknown")];

/// Writes everything that is known; `is_left` says which of the found runners are still there.
#[must_use]
pub fn figures(host: &Host, memory: &Memory, is_left: impl Fn(&HostRunner) -> bool) -> Page {
    let runners: Vec<&HostRunner> = host.runners.iter().filter(|found| is_left(found)).collect();
    let mut page = Page::default();
    of_units(&mut page, &runners, memory);
    of_versions(&mut page, &runners, memory);
    of_registrations(&mut page, &runners);
    of_credentials(&mut page, &runners, memory);
    of_passes(&mut page, host, memory);
    page
}

/// Adds one value for each runner about which it is known.
fn each<V: std::fmt::Display>(
    page: &mut Page,
    runners: &[&HostRunner],
    (name, kind, help): (&str, Kind, &str),
    value: impl Fn(&HostRunner) -> Option<V>,
) {
    page.add(name, kind, help, runners.iter().filter_map(|found| Some((label(found), value(found)?))));
}

fn label(found: &HostRunner) -> Labels<'_> {
    vec![("runner", found.instance.as_str())]
}

fn entry(found: &HostRunner) -> Option<&Entry> {
    found.entry.as_ref()
}

fn of_units(page: &mut Page, runners: &[&HostRunner], memory: &Memory) {
    let up = ("github_runner_up", Kind::Gauge, "Whether the runner's unit is active.");
    each(page, runners, up, |found| Some(u8::from(found.situation.unit.activity == Activity::Active)));
    let busy = ("github_runner_busy", Kind::Gauge, "Whether the runner runs a job.");
    each(page, runners, busy, |found| {
        let seen = matches!(&found.situation.server, Server::Lists(Some(seen)) if seen.busy);
        Some(u8::from(seen || found.situation.unit.has_job))
    });
    let pending =
        ("github_runner_restart_pending", Kind::Gauge, "Whether a restart with another configuration is due.");
    each(page, runners, pending, |found| {
        found.configured.as_ref()?;
        let recall = memory.runners.get(found.instance.as_str());
        Some(u8::from(recall.is_some_and(|recall| recall.pending_since.is_some())))
    });
    let failures = (
        "github_runner_failures_in_a_row",
        Kind::Gauge,
        "How often the unit ended in a failure since its last good end.",
    );
    each(page, runners, failures, |found| Some(entry(found)?.last_exit.as_ref().map_or(0, |exit| exit.failures)));
    let version = |found: &&HostRunner| {
        let version = package_version(&found.configured.as_ref()?.manifest.listener)?.to_owned();
        Some((found.instance.as_str().to_owned(), version))
    };
    let versions: Vec<(String, String)> = runners.iter().filter_map(version).collect();
    page.add(
        "github_runner_version_info",
        Kind::Gauge,
        "The version of the configured runner package.",
        versions.iter().map(|(runner, version)| (vec![("runner", runner.as_str()), ("version", version.as_str())], 1)),
    );
}

/// Only what a server told: a version that nobody knows anything about is neither good nor bad.
fn of_versions(page: &mut Page, runners: &[&HostRunner], memory: &Memory) {
    let standing = |found: &HostRunner| Some(memory.version(&found.configured.as_ref()?.manifest));
    let current =
        ("github_runner_version_current", Kind::Gauge, "Whether there is no newer version of the runner package.");
    each(page, runners, current, |found| match standing(found)? {
        Standing::Unknown => None,
        standing => Some(u8::from(standing == Standing::Current)),
    });
    let deadline = (
        "github_runner_version_deadline_seconds",
        Kind::Gauge,
        "From when on, at the latest, GitHub gives no jobs to the version, in seconds since 1970.",
    );
    each(page, runners, deadline, |found| match standing(found)? {
        Standing::Behind(behind) if found.configured.as_ref()?.manifest.registration.url.is_hosted() => {
            Some(behind.until())
        }
        _ => None,
    });
}

/// Whether the list of the configured address is the one that says something about its registration.
fn is_at_home(found: &HostRunner) -> bool {
    let Some(configured) = &found.configured else { return false };
    let runner = entry(found).and_then(|entry| entry.runner.as_ref());
    runner.is_none_or(|runner| runner.url == configured.manifest.registration.url.as_str())
}

fn of_registrations(page: &mut Page, runners: &[&HostRunner]) {
    let listed = |found: &HostRunner| match &found.situation.server {
        Server::Lists(seen) if is_at_home(found) => Some(seen.clone()),
        _ => None,
    };
    let registered = ("github_runner_registered", Kind::Gauge, "Whether GitHub lists the runner.");
    each(page, runners, registered, |found| Some(u8::from(listed(found)?.is_some())));
    let online = ("github_runner_online", Kind::Gauge, "Whether GitHub lists the runner as online.");
    each(page, runners, online, |found| Some(u8::from(listed(found)?.is_some_and(|seen| seen.online))));
    let total = ("github_runner_registrations_total", Kind::Counter, "How often the runner asked for a registration.");
    each(page, runners, total, |found| Some(entry(found)?.registrations.total));
    let jobs =
        ("github_runner_jobs_total", Kind::Counter, "Jobs that an ephemeral runner did; of others it is not known.");
    each(page, runners, jobs, |found| {
        let entry = entry(found).filter(|entry| entry.is_ephemeral())?;
        Some(entry.registrations.jobs)
    });
    let debts = ("github_runner_debts", Kind::Gauge, "Former registrations that GitHub may still list.");
    each(page, runners, debts, |found| Some(entry(found)?.debts.len()));
}

/// The labels of a credential: its file, and of an App the owner of the installation.
fn by_owner(credential: &str) -> Labels<'_> {
    match credential.split_once(' ') {
        Some((file, owner)) => vec![("credential", file), ("owner", owner)],
        None => vec![("credential", credential)],
    }
}

fn of_credentials(page: &mut Page, runners: &[&HostRunner], memory: &Memory) {
    // The memory also has those of whom is not left any more.
    let used: BTreeSet<String> = runners.iter().filter_map(|found| found.credential_key()).collect();
    let standings = || memory.credentials.iter().filter(|(credential, _)| used.contains(*credential));
    page.add(
        "github_runner_token_expiry_seconds",
        Kind::Gauge,
        "When the credential expires, in seconds since 1970.",
        standings().filter_map(|(credential, standing)| Some((by_owner(credential), standing.expires?))),
    );
    page.add(
        "github_runners_api_rate_limit_remaining",
        Kind::Gauge,
        "How many more requests GitHub took from the credential before its limit, when it was asked last.",
        standings().filter_map(|(credential, standing)| Some((by_owner(credential), standing.remaining?))),
    );
}

fn of_passes(page: &mut Page, host: &Host, memory: &Memory) {
    let counts = |causes: &'static [(&'static str, &'static str)]| {
        causes
            .iter()
            .map(|(key, cause)| (vec![("reason", *cause)], memory.restarts.get(*key).copied().unwrap_or_default()))
    };
    page.add("github_runner_restarts_total", Kind::Counter, "Restarts by passes, on this host.", counts(&RESTARTS));
    page.add(
        "github_runners_removed_total",
        Kind::Counter,
        "Runners taken back by passes: not configured any more, or offline and of no ledger.",
        counts(&REMOVALS),
    );
    let one = |value: u64| [(vec![], value)];
    page.add(
        "github_runners_api_requests_total",
        Kind::Counter,
        "Requests to GitHub that passes caused.",
        one(memory.requests),
    );
    let unreadable = u64::try_from(host.unreadable.len()).unwrap_or(u64::MAX);
    page.add("github_runners_unreadable", Kind::Gauge, "Runners that the pass could not look at.", one(unreadable));
    let (seconds, rest) = (memory.took / 1_000, memory.took % 1_000);
    page.add(
        "github_runners_reconcile_duration_seconds",
        Kind::Gauge,
        "How long the last pass took.",
        [(vec![], format!("{seconds}.{rest:03}"))],
    );
    page.add(
        "github_runners_last_reconcile_seconds",
        Kind::Gauge,
        "When the last pass began, in seconds since 1970.",
        memory.last_pass.map(|time| (vec![], time)),
    );
}

/// Writes the file; what keeps it from being written is a warning, because figures are no reason for a pass to fail.
pub fn tell(directory: &Path, page: &Page) {
    if let Err(error) = post(directory, FILE, page.text().as_bytes()) {
        tracing::warn!("{error:#}");
    }
}

#[cfg(test)]
mod tests;
