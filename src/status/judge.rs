//! From what was found about a runner to what is said about it, and what of that is a fault.
//!
//! Pure: nothing here reads, asks or prints.

use super::report::{
    ConfigurationNow, ConfigurationState, CredentialKind, CredentialNow, LastExit, OwnerNow, Registration,
    RegistrationState, Report, Row, UnitNow, UnitState, VERSION,
};
use crate::contract::fleet::{Fleet, RestartPolicy};
use crate::contract::manifest::CredentialPlace;
use crate::contract::names::{PASS, PASS_TIMER};
use crate::contract::protocol::RemoteRunner;
use crate::ledger::{Entry, ExitKind, Owner, Runner};
use crate::model::{Behind, Standing, TokenKind, TokenType, date, date_and_time, package_version, plain, span};
use crate::registration::credential::Credential;
use crate::survey::{Host, HostRunner, Memory, Server};
use crate::units::{Activity, Unit};

/// How long a unit may be on its way, and then not be seen by the server, before that is a fault, in seconds: ephemeral runners do so after every job.
const SETTLING: u64 = 60;
/// From when on before its end a credential that expires is a fault, in seconds.
pub const WARNED: u64 = 14 * 24 * 60 * 60;

/// Says everything about the runners of a host.
#[must_use]
pub fn judge(fleet: &Fleet, host: &Host, memory: &Memory, now: u64) -> Report {
    let unreadable = host.unreadable.iter().map(|(name, why)| {
        let declared = fleet.instances.iter().any(|declared| declared.instance.as_str() == name);
        unreadable(name, declared, why)
    });
    let mut runners: Vec<Row> =
        host.runners.iter().map(|found| row(found, fleet, host, memory, now)).chain(unreadable).collect();
    runners.sort_by_cached_key(|row| (!row.declared, in_order(&row.instance), row.instance.clone()));
    let well = runners.iter().all(|row| row.faults.is_empty());
    Report {
        version: VERSION,
        at: now,
        well,
        passes: fleet.passes,
        last_pass: memory.last_pass,
        faults: vec![],
        runners,
        on_demand: None,
    }
}

/// What is wrong with the passes that this host makes, by their timer and their service.
#[must_use]
pub fn passes(timer: &Unit, service: &Unit) -> Vec<String> {
    let mut faults = Vec::new();
    if timer.activity != Activity::Active {
        faults.push(format!("No passes are made, because their timer does not run: start {PASS_TIMER}"));
    }
    if service.activity == Activity::Failed {
        faults.push(format!("The last pass failed, see `journalctl --unit {PASS}`"));
    }
    faults
}

/// A key by which `builder-2` comes before `builder-10`: pieces of text and the numbers after them.
fn in_order(name: &str) -> Vec<(String, u64)> {
    let mut pieces = Vec::new();
    let mut rest = name;
    while !rest.is_empty() {
        let (text, digits) = rest.split_at(rest.find(|c: char| c.is_ascii_digit()).unwrap_or(rest.len()));
        let (digits, after) = digits.split_at(digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(digits.len()));
        pieces.push((text.to_owned(), digits.parse().unwrap_or_default()));
        rest = after;
    }
    pieces
}

fn unreadable(name: &str, declared: bool, why: &str) -> Row {
    let registration =
        Registration { state: RegistrationState::Unknown, why: None, job: None, id: None, name: None, url: None };
    Row {
        instance: name.into(),
        declared,
        owner: None,
        unit: None,
        registration,
        configuration: None,
        last_exit: None,
        credential: CredentialNow { kind: CredentialKind::Unknown, file: None, fault: None, expires: None },
        runner_version: None,
        newest_version: None,
        version_deadline: None,
        may: vec![],
        debts: 0,
        said: None,
        faults: vec![format!("could not be looked at: {}", plain(why))],
    }
}

fn row(found: &HostRunner, fleet: &Fleet, host: &Host, memory: &Memory, now: u64) -> Row {
    let recall = memory.runners.get(found.instance.as_str());
    let entry = found.entry.as_ref();
    let listener = found.configured.as_ref().map(|configured| configured.manifest.listener.as_path());
    let mut row = Row {
        instance: found.instance.as_str().into(),
        declared: found.configured.is_some(),
        owner: entry.and_then(owner),
        unit: Some(unit(&found.unit, &found.situation.unit)),
        registration: registration(found, host),
        configuration: configuration(found, recall.and_then(|recall| recall.pending_since)),
        last_exit: entry.and_then(last_exit),
        credential: credential(found, memory),
        runner_version: listener.and_then(package_version).map(plain),
        newest_version: newest_version(found, memory).map(|version| plain(&version)),
        version_deadline: behind(found, memory).map(|behind| behind.until()),
        may: fleet
            .get(&found.instance)
            .map(|declared| declared.may.iter().map(|word| plain(word)).collect())
            .unwrap_or_default(),
        debts: entry.map_or(0, |entry| entry.debts.len()),
        said: recall.and_then(|recall| recall.said.as_deref()).map(plain),
        faults: vec![],
    };
    row.faults = match (row.declared, found.lease(now)) {
        (true, None) => faults(&row, found, fleet.passes, memory, now),
        (true, Some(lease)) => vec![format!("cannot start, because its ledger entry belongs to {lease}")],
        // Whether it is well is its owner's to say.
        (false, Some(_)) => vec![],
        (false, None) => vec![former(&row, &found.gone(), fleet.passes)],
    };
    row
}

fn owner(entry: &Entry) -> Option<OwnerNow> {
    match &entry.owner {
        Owner::Declared => None,
        Owner::Other(lease) => Some(OwnerNow { name: plain(&lease.name), until: lease.until }),
    }
}

fn unit(name: &str, unit: &Unit) -> UnitNow {
    let state = match unit.activity {
        Activity::Active => UnitState::Active,
        Activity::Starting => UnitState::Starting,
        Activity::Stopping => UnitState::Stopping,
        Activity::Inactive => UnitState::Inactive,
        Activity::Failed => UnitState::Failed,
    };
    UnitNow { name: name.into(), state, since: unit.since, has_job: unit.has_job }
}

fn registration(found: &HostRunner, host: &Host) -> Registration {
    let runner = found.entry.as_ref().and_then(|entry| entry.runner.as_ref());
    let (state, why) = match runner {
        None => (RegistrationState::None, None),
        Some(runner) => match (seen_state(found, host, runner), found.situation.unit.has_job) {
            // Its own processes say so.
            ((RegistrationState::Online | RegistrationState::Unknown, why), true) => (RegistrationState::Busy, why),
            (seen, _) => seen,
        },
    };
    Registration {
        state,
        why: why.map(|why| plain(&why)),
        job: None,
        id: runner.map(|runner| runner.id),
        name: runner.map(|runner| plain(&runner.name)),
        url: runner.map(|runner| plain(&runner.url)),
    }
}

fn seen_state(found: &HostRunner, host: &Host, runner: &Runner) -> (RegistrationState, Option<String>) {
    let home = found.configured.as_ref().map(|configured| configured.manifest.registration.url.as_str());
    if home != Some(runner.url.as_str()) {
        // Of a former runner, or of the address that was configured before: somebody else may have asked there.
        return match host.lists.get(&runner.url) {
            // By ascending id.
            Some(list) => {
                let at = list.binary_search_by_key(&runner.id, |seen| seen.id).ok();
                (state(at.map(|at| &list[at])), None)
            }
            None => (RegistrationState::Unknown, Some("nobody asked at its address".into())),
        };
    }
    match &found.situation.server {
        Server::NoCredential => {
            let why = "a registration token cannot ask GitHub";
            (RegistrationState::Unknown, Some(why.into()))
        }
        Server::Silent(why) => (RegistrationState::Unknown, Some(why.clone())),
        Server::Lists(seen) => (state(seen.as_ref()), None),
    }
}

fn state(seen: Option<&RemoteRunner>) -> RegistrationState {
    match seen {
        None => RegistrationState::Missing,
        Some(seen) if seen.busy => RegistrationState::Busy,
        Some(seen) if seen.online => RegistrationState::Online,
        Some(_) => RegistrationState::Offline,
    }
}

fn configuration(found: &HostRunner, pending_since: Option<u64>) -> Option<ConfigurationNow> {
    let wanted = found.situation.wanted?;
    let runs = found.situation.unit.activity == Activity::Active;
    let (state, since) = match (wanted.outdated, runs) {
        (false, _) => (ConfigurationState::Current, None),
        (true, true) => (ConfigurationState::Pending, pending_since),
        (true, false) => (ConfigurationState::NextStart, None),
    };
    Some(ConfigurationNow { state, since, policy: wanted.policy })
}

fn last_exit(entry: &Entry) -> Option<LastExit> {
    let exit = entry.last_exit.as_ref()?;
    Some(LastExit { at: exit.at, kind: exit.kind, said: plain(&exit.said), failures: exit.failures })
}

fn credential(found: &HostRunner, memory: &Memory) -> CredentialNow {
    let place = match &found.configured {
        Some(configured) => Some(configured.manifest.credential_place()),
        None => found.entry.as_ref().and_then(|entry| entry.credential.clone()),
    };
    let read = found.configured.as_ref().map(|configured| configured.credential.as_ref());
    let kind = match read {
        Some(Ok(Credential::App)) => CredentialKind::App,
        Some(Ok(Credential::Token(_, TokenKind::Access))) => CredentialKind::AccessToken,
        Some(Ok(Credential::Token(_, TokenKind::Registration))) => CredentialKind::RegistrationToken,
        Some(Err(_)) | None => place.as_ref().map_or(CredentialKind::Unknown, configured_kind),
    };
    let file = place.as_ref().and_then(CredentialPlace::file);
    let standing = found.credential_key().and_then(|credential| memory.credentials.get(&credential));
    let expires = standing.and_then(|standing| standing.expires);
    let fault = read.and_then(Result::err).map(|why| plain(why));
    CredentialNow { kind, file: file.map(plain), fault, expires }
}

/// The kind of one that was not read.
fn configured_kind(place: &CredentialPlace) -> CredentialKind {
    match (&place.github_app, place.token_type) {
        (Some(_), _) => CredentialKind::App,
        (None, TokenType::Access) => CredentialKind::AccessToken,
        (None, TokenType::Registration) => CredentialKind::RegistrationToken,
        (None, TokenType::Auto) => CredentialKind::Unknown,
    }
}

/// What is wrong with a declared runner.
fn faults(row: &Row, found: &HostRunner, passes: bool, memory: &Memory, now: u64) -> Vec<String> {
    let unit = &found.situation.unit;
    let age = unit.since.map_or(u64::MAX, |since| now.saturating_sub(since));
    let settles = age < SETTLING;
    let failures = row.last_exit.as_ref().map_or(0, |exit| exit.failures);
    let mut faults = Vec::new();
    match unit.activity {
        Activity::Active => faults.extend(unseen(row, settles)),
        Activity::Starting if failures > 0 => {
            faults.push(format!("is being started again, failures in a row: {failures}"));
        }
        Activity::Starting | Activity::Stopping if settles => {}
        Activity::Starting => faults.push(format!("has been starting for {}", span(age))),
        Activity::Stopping => faults.push(format!("has been stopping for {}", span(age))),
        Activity::Inactive | Activity::Failed if !unit.is_defined => faults.push("has no unit".into()),
        Activity::Inactive | Activity::Failed if is_too_old(row) => faults.push(
            "stays down, because GitHub does not accept its version any more: set `package` to a newer one and switch"
                .into(),
        ),
        Activity::Inactive => faults.push("does not run".into()),
        Activity::Failed => faults.push(format!("has failed: {}", plain(&unit.result))),
    }
    if let Some(ConfigurationNow { state: ConfigurationState::Pending, since, policy }) = row.configuration {
        let since = since.map_or_else(String::new, |since| format!(" since {}", date_and_time(since)));
        let left = match policy {
            RestartPolicy::WhenIdle if passes => "",
            RestartPolicy::WhenIdle => "; passes are off, so it waits for `github-runnerctl reconcile`",
            RestartPolicy::Immediate => "; its `restartPolicy` is \"immediate\", so passes leave it alone",
            RestartPolicy::Never => "; its `restartPolicy` is \"never\", so passes leave it alone",
        };
        faults.push(format!("is to be restarted with another configuration{since}{left}"));
    }
    faults.extend(behind(found, memory).and_then(|behind| outdated(row, &behind, now)));
    if row.debts > 0 {
        faults.push(format!("left registrations behind that GitHub may still list: {}", row.debts));
    } else if found.situation.known.as_ref().is_some_and(|known| known.owes) && !settles {
        faults.push("tried to register, and it is not known what came of it".into());
    }
    if let Some(why) = &row.credential.fault {
        faults.push(format!("cannot use its credential: {why}"));
    }
    match row.credential.expires {
        Some(end) if end <= now => faults.push(format!("has a credential that expired on {}", date(end))),
        Some(end) if end - now < WARNED => {
            faults.push(format!("has a credential that expires on {}, in {}", date(end), span(end - now)));
        }
        _ => {}
    }
    faults
}

fn is_too_old(row: &Row) -> bool {
    row.last_exit.as_ref().is_some_and(|exit| exit.kind == ExitKind::VersionDeprecated)
}

fn newest_version(found: &HostRunner, memory: &Memory) -> Option<String> {
    let manifest = &found.configured.as_ref()?.manifest;
    match memory.version(manifest) {
        Standing::Unknown => None,
        Standing::Current => package_version(&manifest.listener).map(str::to_owned),
        Standing::Behind(behind) => Some(behind.newest),
    }
}

/// How its version is behind where that has consequences.
fn behind(found: &HostRunner, memory: &Memory) -> Option<Behind> {
    let manifest = &found.configured.as_ref()?.manifest;
    match memory.version(manifest) {
        Standing::Behind(behind) if manifest.registration.url.is_hosted() => Some(behind),
        _ => None,
    }
}

/// What is wrong with a version that GitHub soon gives no jobs.
fn outdated(row: &Row, behind: &Behind, now: u64) -> Option<String> {
    let until = behind.until();
    let (version, newest) = (row.runner_version.as_deref().unwrap_or_default(), plain(&behind.newest));
    let latest = if behind.exact { "" } else { " at the latest" };
    let when = match until.checked_sub(now) {
        None | Some(0) => format!("since {}", date(until)),
        Some(left) if left < WARNED => format!("from {} on", date(until)),
        Some(_) => return None,
    };
    Some(format!(
        "has version {version}, to which GitHub gives no jobs {when}{latest}; the newest is {newest}: set `package` to a newer one and switch"
    ))
}

/// What is wrong with how the server sees a runner that runs.
fn unseen(row: &Row, settles: bool) -> Option<String> {
    let registration = &row.registration;
    let said = match (registration.state, &registration.why) {
        _ if settles => return None,
        (RegistrationState::None, _) => "runs, but its registration is not known".into(),
        (RegistrationState::Offline, _) => "runs, but GitHub lists it as offline".into(),
        (RegistrationState::Missing, _) => "runs, but GitHub does not list it".into(),
        // What is wrong with a credential is told as that.
        _ if row.credential.fault.is_some() || row.credential.kind == CredentialKind::RegistrationToken => return None,
        (_, Some(why)) => format!("runs, but it is not known whether GitHub sees it: {why}"),
        (RegistrationState::Online | RegistrationState::Busy | RegistrationState::Unknown, None) => return None,
    };
    Some(said)
}

/// What is wrong with a runner that nobody wants any more; `gone` is how the pass began its sentence.
fn former(row: &Row, gone: &str, passes: bool) -> String {
    match &row.said {
        Some(said) if said.starts_with(&plain(gone)) => said.clone(),
        _ if !passes => {
            format!("{}, and passes are off: `github-runnerctl reconcile` takes back what it left", plain(gone))
        }
        _ => format!("{}; the next pass takes back what it left", plain(gone)),
    }
}

#[cfg(test)]
#[path = "judge_tests.rs"]
mod tests;
