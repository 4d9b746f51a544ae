//! The last step of a unit, as root, after everything of it has ended: say what the end means, and leave no registration
//! behind that nobody will use.
//!
//! Must not open a network connection, start a process but for `unit`, or take long: a stop waits for it. What cannot be
//! settled now is in the ledger for the next start.

pub(in crate::root) mod ending;
pub(in crate::root) mod memory;
mod unit;

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use tracing::{info, warn};

use crate::contract::manifest::Manifest;
use crate::contract::protocol::{Outcome, Verb};
use crate::ledger::{Draft, Entry, Exit, ExitKind, Ledger};
use crate::registration::ask::{Ask as _, Broker};
use crate::registration::attempt::{Resolution, gave_way, resolve};
use crate::registration::credential::Credential;
use crate::registration::paced::{Careful, Limits, PacedBroker};
use crate::registration::retire::pay;
use crate::root::prepare::room::shortage;
use crate::state::logs::{self, When};
use crate::state::purge::registration;
use crate::state::start::{Start, existing, now, walk};
use crate::state::{REGISTRATION_FILES, Snapshot, VERSION_REFUSED};
use crate::sys::{ControlGroup, Dir, EntryKind};

use ending::{Ending, Files, failures};

/// How long all of this may take.
const LIMIT: Duration = Duration::from_secs(20);
/// How long one look may take.
const LOOK: Duration = Duration::from_secs(8);

/// Settles the end of a run.
///
/// # Errors
///
/// If there is no ledger entry to write into, or if it cannot be written.
pub fn run(start: &Start, ledger_directory: &Path, socket: &Path) -> Result<()> {
    let end = Instant::now() + LIMIT;
    memory::let_go(&start.work_directory);
    let manifest = start.manifest()?;
    let (_, state) = existing("state", &start.state_directory)?;
    let (_, dir) = existing("ledger", ledger_directory)?;
    let ledger =
        Ledger::new(dir).with_context(|| format!("Failed to use ledger directory {}", ledger_directory.display()))?;
    let _lock = ledger.must_lock(&manifest.instance, LIMIT)?;
    let Some(stored) = ledger.load(&manifest.instance)? else {
        info!("Runner {} ended before it had a ledger entry", manifest.instance.as_str());
        return Ok(());
    };
    if let Some(lease) = stored.owner.lease(now()?) {
        // The start was refused for that, so nothing of this run is in the entry.
        info!("Runner {} ended; its ledger entry belongs to {lease}", manifest.instance.as_str());
        return Ok(());
    }
    let mut draft = Draft::new(&ledger, &manifest.instance, Some(stored.clone()), stored);
    let ending = Ending::of_unit();
    if ending.result == "exec-condition" {
        // An operator's condition did not hold: nothing ran, so nothing ended.
        return Ok(());
    }
    // A job can have made anything of its files; that must not keep its registration alive.
    let snapshot = Snapshot::read(&state).map_err(|error| warn!("{error:#}")).ok();
    let files = Files::of(snapshot.as_ref());
    // A token that cannot be read now opens nothing either.
    let credential = Credential::read(&manifest).ok();
    let api = credential.as_ref().map(Credential::is_of_api);
    let (place, url) = (manifest.credential_place(), &manifest.registration.url);
    let limits = Limits::new(&place, url, draft.entry.not_before);
    let broker = PacedBroker::new(Broker::kept(socket, &manifest.instance, &ledger), &place, url, limits);
    let broker = (api == Some(true)).then_some(broker);
    let (mut kind, mut said) = ending.meaning(manifest.registration.ephemeral, files);
    let stays_down = kind == ExitKind::NotStarted
        && draft.entry.attempt.is_some()
        && state.entry(VERSION_REFUSED).is_ok_and(|entry| entry == EntryKind::File);
    if stays_down {
        (kind, said) = (ExitKind::VersionDeprecated, "could not register, because its version is too old".into());
    }
    let shortage = memory::shortage(ControlGroup::own().as_ref(), &ending.result);
    if let Some(shortage) = &shortage {
        said = format!("{said}; {shortage}");
    }
    if kind == ExitKind::NotStarted
        && let Some(short) = room_shortage(start, &manifest, &state).unwrap_or_default()
    {
        said = format!("{said}; {short}");
    }
    let at = now()?;
    // Whoever puts a missing secret in place shall not have to wait.
    let (failures, alike) =
        if credential.is_some() { failures(draft.entry.last_exit.as_ref(), kind, at) } else { (0, 0) };
    let at = ending.counts_from(draft.entry.last_exit.as_ref(), at);
    // Before the server is asked: what comes then may take until systemd loses its patience.
    draft.entry.last_exit = Some(Exit { at, kind, said: said.clone(), failures, alike });
    if kind == ExitKind::JobDone {
        // Of use, unless the server says below that nobody took it.
        draft.entry.registrations.used = true;
        draft.entry.registrations.jobs += 1;
    }
    remark(draft.save());

    if let Some(broker) = &broker {
        if let Some(more) = settle_registration(broker, &mut draft, &manifest, snapshot.as_ref(), &state, end)? {
            said = format!("{said}; {more}");
        }
        if kind == ExitKind::VersionDeprecated
            && let Outcome::Ready { newest_runner: Some(newest), .. } =
                broker.ask(Verb::Preflight, end.saturating_duration_since(Instant::now()).min(LOOK)).outcome
        {
            said = format!("{said}; the newest is {newest}");
        }
    }
    let line = format!("Runner {}: {said}", manifest.instance.as_str());
    match kind {
        ExitKind::JobDone | ExitKind::Clean if shortage.is_none() => info!("{line}"),
        _ => warn!("{line}{}", advice(kind, &manifest, api)),
    }
    draft.entry.last_exit = Some(Exit { at, kind, said, failures, alike });
    draft.entry.not_before = broker.as_ref().and_then(PacedBroker::limited).or(draft.entry.not_before);
    draft.save()?;
    // Late, because the next start does it as well.
    let kept = walk("logs", &start.logs_directory).map(|place| logs::keep(&state, &place, &manifest.logs, When::End));
    if stays_down {
        // systemd by itself goes only by what the listener ends with, and would start it again and again.
        unit::keep_down(&manifest.instance);
    }
    kept
}

/// What kept the start from offering the runner, if that was too little room; it looks at the disks as the start did.
fn room_shortage(start: &Start, manifest: &Manifest, state: &Dir) -> Result<Option<String>> {
    let (place, work) = existing("work", &start.work_directory)?;
    shortage(manifest, [("work", &place.resolved(), &work), ("state", &start.state_directory, state)])
}

/// Takes back what will not be used any more; what came of it, as the end of a sentence.
fn settle_registration(
    broker: &Careful<'_>,
    draft: &mut Draft<'_>,
    manifest: &Manifest,
    snapshot: Option<&Snapshot>,
    state: &Dir,
    end: Instant,
) -> Result<Option<&'static str>> {
    let url = &manifest.registration.url;
    // What the ledger says and not the present configuration: a switch may have come in between.
    let ephemeral = draft.entry.is_ephemeral();
    let runner = draft.entry.runner.clone();
    if let Some(runner) = runner.filter(|_| ephemeral) {
        let id = runner.id;
        draft.entry.owe(runner, true, now()?);
        // On a full disk the entry still names it as the present one, which is enough for the broker.
        remark(draft.save());
        let deleted = pay(broker, draft, url, end).deleted;
        if draft.entry.debts.iter().any(|left| left.runner.id == id) {
            // Whether it was of use is the server's to say.
            draft.entry.registrations.used = false;
            return Ok(Some("its registration could not be taken back yet"));
        }
        if deleted.contains(&id) {
            // The server had not seen a job of it end, whatever the files say.
            let counts = &mut draft.entry.registrations;
            counts.jobs = counts.jobs.saturating_sub(u64::from(std::mem::take(&mut counts.used)));
        }
        forget(draft, state)?;
        return Ok(Some("no registration is left"));
    }
    let has_file = |name: &&str| state.entry(name).is_ok_and(|entry| entry != EntryKind::Absent);
    // Where the ledger never knew of one, the files alone name their runner, and a later start has it taken back.
    let had_one = draft.entry.registrations.total > 0;
    if ephemeral && had_one && draft.entry.attempt.is_none() && REGISTRATION_FILES.iter().any(has_file) {
        // `release` or a pass took it back, so nobody is asked unless something else is owed.
        pay(broker, draft, url, end);
        forget(draft, state)?;
        return Ok(Some("no registration is left"));
    }
    // A persistent registration that is complete stays, also one that `record` has not seen.
    let complete = snapshot.is_some_and(|snapshot| snapshot.faults().is_empty());
    if draft.entry.attempt.is_none() || (!ephemeral && complete) {
        return Ok(None);
    }
    if gave_way(draft, state)? {
        return Ok(Some("somebody else has its name, so nothing had been registered"));
    }
    match resolve(broker, draft, manifest.registration_interval, end)? {
        Resolution::TakenBack => {
            forget(draft, state)?;
            Ok(Some("what was registered was taken back"))
        }
        Resolution::Nothing => Ok(Some("nothing had been registered")),
        Resolution::Owed => Ok(Some("what was registered could not be taken back yet")),
        Resolution::Unclear(why) => {
            warn!("Nobody can tell whether anything was registered: {why}");
            Ok(Some("whether anything was registered is not known"))
        }
        Resolution::Open(why) => {
            info!("It is not known yet what was registered: {why}");
            Ok(Some("what was registered is found out at the next start"))
        }
    }
}

/// After the server, this host: the files of a registration that is gone open nothing any more.
fn forget(draft: &mut Draft<'_>, state: &Dir) -> Result<()> {
    registration(state)?;
    draft.entry = Entry { runner: None, attempt: None, ..draft.entry.clone() };
    draft.save()
}

fn remark(result: Result<()>) {
    if let Err(error) = result {
        warn!("{error:#}");
    }
}

/// What to do about an end, as more sentences; nothing if nothing helps.
pub(in crate::root) fn advice(kind: ExitKind, manifest: &Manifest, api: Option<bool>) -> String {
    match kind {
        ExitKind::VersionDeprecated => format!(
            ". GitHub no longer accepts {}: set `package` of this runner to a newer one, for example by updating nixpkgs, and switch",
            manifest.listener.display()
        ),
        ExitKind::Terminated if api == Some(false) => {
            let file = manifest.registration.token_file.as_ref().map_or("`tokenFile`", |file| file.as_str());
            format!(
                ". If the lines above say that the registration was deleted, put a new registration token into {file}, which registers anew at the next start"
            )
        }
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_ends_before_systemd_ends_it() {
        let contract = include_str!("../../../tests/fixtures/contract.json");
        let contract: serde_json::Value = serde_json::from_str(contract).unwrap();
        assert!(LIMIT.as_secs() < contract["seconds"]["stop"].as_u64().unwrap());
    }
}
