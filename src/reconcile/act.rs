//! Carrying out what was decided about one runner, under the lock of its ledger entry and only if the entry is still the one
//! that was decided about.
//!
//! The server first, then the ledger, then systemd: a crash in between leaves a registration that is gone and a unit that
//! still runs, which the next pass finds missing.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};

use super::plan::{Cause, Decision, Why};
use crate::contract::fleet::Declaration;
use crate::contract::protocol::{Outcome, Verb, Whom};
use crate::ledger::{Draft, Entry, Ledger, Owner, Runner};
use crate::model::{InstanceName, date_and_time};
use crate::registration::ask::{Ask, Broker};
use crate::registration::attempt::{Resolution, resolve};
use crate::registration::pace::limited;
use crate::registration::retire::{pay, reason};
use crate::survey::Memory;
use crate::survey::counted::counted;
use crate::survey::lists::Silences;
use crate::survey::{Configuration, HostRunner};
use crate::units::{Activity, Units};

/// How long one question may take, and taking back what one runner owes.
const PATIENCE: Duration = Duration::from_secs(20);

/// What a pass acts with.
pub struct Hands<'a> {
    /// The ledger.
    pub ledger: &'a Ledger,
    /// What runs the units.
    pub units: &'a dyn Units,
    /// The sockets of brokers.
    pub sockets: &'a Path,
    /// Whether the next start of a declared runner would register it, as far as that can be known before.
    pub would_start: &'a dyn Fn(&Declaration) -> Result<()>,
    /// What is remembered.
    pub memory: &'a mut Memory,
    /// The ways on which nobody answered in this pass.
    pub silent: Silences,
    /// Seconds since 1970.
    pub now: u64,
}

impl Hands<'_> {
    /// Until when the server wants no more requests with this credential; also if that was met in this pass.
    #[must_use]
    pub fn limited(&self, credential: &str) -> Option<u64> {
        limited(self.memory.credentials.get(credential)?.limited, self.now)
    }

    /// Reads the entry of a runner again, under its lock; `None` also if something else owns it by now.
    ///
    /// # Errors
    ///
    /// As [`Ledger::load`].
    pub fn load(&self, instance: &InstanceName) -> Result<Option<Entry>> {
        Ok(self.ledger.load(instance)?.filter(|entry| entry.owner.lease(self.now).is_none()))
    }
}

/// Carries a decision out; what came of it, as a sentence about the runner.
///
/// # Errors
///
/// Anything that keeps it from being done now; the next pass decides again.
pub fn act(hands: &mut Hands<'_>, found: &HostRunner, decision: &Decision) -> Result<String> {
    let Some(configured) = &found.configured else { return Ok(unconfigured(found, decision)) };
    match decision {
        Decision::Leave(why) => Ok(told(why, hands, found)),
        Decision::Restart(cause) => restart(hands, found, configured, *cause),
        Decision::RetireThenRestart(runner) => retire_then_restart(hands, found, configured, runner),
        Decision::CutShort => cut_short(hands, found),
        Decision::Pay => settle_debts(hands, found, configured),
        Decision::Dissolve => Ok("is configured".into()),
    }
}

/// What is said about a runner that is not configured and is left as it is.
fn unconfigured(found: &HostRunner, decision: &Decision) -> String {
    let gone = found.gone();
    match decision {
        Decision::Leave(Why::Leased(lease)) => format!("belongs to {lease}, so it is left alone"),
        Decision::Leave(Why::Busy) => format!("{gone}, and runs a job, which is waited for"),
        _ => format!("{gone}, and is being started or stopped, which is waited for"),
    }
}

fn told(why: &Why, hands: &Hands<'_>, found: &HostRunner) -> String {
    let since = hands.memory.runners.get(found.instance.as_str()).and_then(|recall| recall.pending_since);
    let due = since.map_or_else(String::new, |since| format!("is to be restarted since {}", date_and_time(since)));
    match why {
        Why::Fine => "runs as configured".into(),
        Why::Stopped => "does not run".into(),
        Why::Moving => "is being started or stopped".into(),
        Why::Busy => format!("{due} and runs a job, which is waited for"),
        Why::Silent(why) => format!("{due}; it is not known whether it is idle: {why}"),
        Why::Unprepared(why) => format!("{due}, and keeps its registration until it could register anew: {why}"),
        Why::NotOurs(policy) => {
            let word = if *policy == crate::contract::fleet::RestartPolicy::Never { "never" } else { "immediate" };
            format!("{due}; its `restartPolicy` is \"{word}\", so it is left alone")
        }
        Why::Watched(Cause::Missing) => "runs, but GitHub does not list it; that is watched".into(),
        Why::Watched(_) => "runs, but GitHub lists it as offline; that is watched".into(),
        Why::Leased(lease) => format!("belongs to {lease}, so its declared unit does not start before"),
    }
}

/// Restarts a unit whose time is over, unless it restarted by itself meanwhile.
fn cut_short(hands: &mut Hands<'_>, found: &HostRunner) -> Result<String> {
    let Some(_lock) = hands.ledger.lock(&found.instance, Duration::ZERO)? else { return Ok(is_moving()) };
    if as_found(hands, found)?.is_none() {
        return Ok(is_moving());
    }
    hands.units.restart(&found.unit)?;
    hands.memory.count("deadline");
    Ok("restarts although it may run a job, because its `drainTimeout` is over".into())
}

/// The entry of a runner, if it still speaks of the run that was decided about, and of its owner.
fn as_found(hands: &Hands<'_>, found: &HostRunner) -> Result<Option<Entry>> {
    let entry = hands.load(&found.instance)?;
    let run = |entry: &Entry| (entry.owner.clone(), entry.runner.clone(), entry.started.clone());
    Ok(entry.filter(|entry| found.entry.as_ref().map(run) == Some(run(entry))))
}

/// Restarts a unit for a cause.
fn restart(hands: &mut Hands<'_>, found: &HostRunner, configured: &Configuration, cause: Cause) -> Result<String> {
    // What the server says of one that it does not see is known already.
    if let Err(why) = restart_idle(hands, found, configured, cause == Cause::Changed)? {
        return Ok(told(&why, hands, found));
    }
    hands.memory.count(cause.word());
    if cause != Cause::Changed
        && let Some(recall) = hands.memory.runners.get_mut(found.instance.as_str())
    {
        recall.cure(hands.now);
    }
    Ok(match cause {
        Cause::Changed => "restarts with its new configuration".into(),
        Cause::Missing => "restarts, because GitHub does not list it any more".into(),
        Cause::Offline => "restarts, because GitHub has listed it as offline for ten minutes".into(),
    })
}

/// Restarts a unit that runs and is idle, whose registration is kept; `looks` tells whether the server is asked first. The
/// inner error says why it was not done now.
///
/// # Errors
///
/// If systemd cannot be asked or refuses.
pub fn restart_idle(
    hands: &mut Hands<'_>,
    found: &HostRunner,
    configured: &Configuration,
    looks: bool,
) -> Result<Result<(), Why>> {
    let Some(_lock) = hands.ledger.lock(&found.instance, Duration::ZERO)? else { return Ok(Err(Why::Moving)) };
    let Some(entry) = as_found(hands, found)? else { return Ok(Err(Why::Moving)) };
    let recorded = entry.runner.as_ref();
    // A list is some seconds old by now; a job that came since is seen here.
    if let Some(runner) = recorded.filter(|_| looks && configured.can_ask()) {
        let whom = Whom::Id { id: runner.id, url: runner.url.clone() };
        match ask(hands, found, configured, Verb::Observe(whom)) {
            Outcome::Seen(Some(seen)) if seen.busy => return Ok(Err(Why::Busy)),
            Outcome::Seen(_) => {}
            outcome => return Ok(Err(Why::Silent(reason(&outcome)))),
        }
    }
    match look(hands, found)? {
        (_, true) => return Ok(Err(Why::Busy)),
        (Activity::Active, false) => {}
        _ => return Ok(Err(Why::Moving)),
    }
    hands.units.restart(&found.unit)?;
    Ok(Ok(()))
}

/// Deletes the registration, after which the runner can be given no job, and restarts the unit.
fn retire_then_restart(
    hands: &mut Hands<'_>,
    found: &HostRunner,
    configured: &Configuration,
    runner: &Runner,
) -> Result<String> {
    if let Err(why) = retire_and_restart(hands, found, configured, runner)? {
        return Ok(told(&why, hands, found));
    }
    hands.memory.count(Cause::Changed.word());
    Ok(format!("was idle: took id {} back, and restarts with its new configuration", runner.id))
}

/// Has the server delete the registration of an idle runner and restarts its unit, unless the start would not register it
/// again. The inner error says why it was not done now.
///
/// # Errors
///
/// As [`retire_idle`].
pub fn retire_and_restart(
    hands: &mut Hands<'_>,
    found: &HostRunner,
    configured: &Configuration,
    runner: &Runner,
) -> Result<Result<(), Why>> {
    if let Err(error) = (hands.would_start)(&configured.declared) {
        return Ok(Err(Why::Unprepared(format!("{error:#}"))));
    }
    retire_idle(hands, found, configured, runner, |units| units.restart(&found.unit))
}

/// Has the server delete the registration of an idle runner, strikes it out of the ledger, and goes on with `then`, all
/// under the lock of the entry. The inner error says why it was not done now.
///
/// # Errors
///
/// If the ledger cannot be read or written, or as `then`.
pub fn retire_idle(
    hands: &mut Hands<'_>,
    found: &HostRunner,
    configured: &Configuration,
    runner: &Runner,
    then: impl FnOnce(&dyn Units) -> Result<()>,
) -> Result<Result<(), Why>> {
    let Some(_lock) = hands.ledger.lock(&found.instance, Duration::ZERO)? else { return Ok(Err(Why::Moving)) };
    let Some(entry) = as_found(hands, found)?.filter(|entry| entry.runner.as_ref() == Some(runner)) else {
        return Ok(Err(Why::Moving));
    };
    let (activity, has_job) = look(hands, found)?;
    if matches!(activity, Activity::Starting | Activity::Stopping) {
        return Ok(Err(Why::Moving));
    }
    let mut draft = Draft::new(hands.ledger, &found.instance, Some(entry.clone()), entry);
    // Written before the server is asked, so that a full disk cannot come between the two.
    let without = Entry { runner: None, ..draft.entry.clone() };
    let staged = draft.stage(&without)?;
    let verb = Verb::Retire { id: runner.id, url: runner.url.clone() };
    match ask(hands, found, configured, verb) {
        Outcome::Retired => {}
        // Of one that just ends after its last job the server knows nothing any more.
        Outcome::Gone if !has_job => {}
        Outcome::Gone | Outcome::Busy => return Ok(Err(Why::Busy)),
        // The present credential does not reach the former address; what is there is a debt from the next start on.
        Outcome::Refused(_) if runner.url != configured.manifest.registration.url.as_str() && !has_job => {
            then(hands.units)?;
            return Ok(Ok(()));
        }
        outcome => return Ok(Err(Why::Silent(reason(&outcome)))),
    }
    staged.commit()?;
    draft.committed(without);
    then(hands.units)?;
    Ok(Ok(()))
}

/// Takes back what the ledger owes for a runner that is configured; what came of it, as a sentence about it.
///
/// # Errors
///
/// If the ledger cannot be read or written.
pub fn settle_debts(hands: &mut Hands<'_>, found: &HostRunner, configured: &Configuration) -> Result<String> {
    let credential = configured.credential_key();
    if let Some(until) = hands.limited(&credential) {
        return Ok(format!("owes former registrations: {}", reason(&Outcome::RateLimited(until))));
    }
    let Some(_lock) = hands.ledger.lock(&found.instance, Duration::ZERO)? else { return Ok(is_moving()) };
    let Some(entry) = hands.load(&found.instance)? else { return Ok(is_moving()) };
    let mut draft = Draft::new(hands.ledger, &found.instance, Some(entry.clone()), entry);
    let running = hands.units.show(&[&found.unit])?.get(&found.unit).map(|unit| unit.activity);
    let at_rest = matches!(running, Some(Activity::Inactive | Activity::Failed));
    let socket = hands.sockets.join(found.instance.as_str());
    let broker = Broker::kept(&socket, &found.instance, hands.ledger);
    let (url, place) = (&configured.manifest.registration.url, configured.manifest.credential_place());
    let broker = counted(broker, &place, url, hands.memory, hands.now);
    owed(&broker, &mut draft, configured, at_rest, hands.now)
}

fn owed(
    broker: &dyn Ask,
    draft: &mut Draft<'_>,
    configured: &Configuration,
    at_rest: bool,
    now: u64,
) -> Result<String> {
    let end = Instant::now() + PATIENCE;
    let url = &configured.manifest.registration.url;
    // While it runs, whoever registered it just now may be about to record it.
    if at_rest && draft.entry.runner.is_none() && draft.entry.attempt.is_some() {
        match resolve(broker, draft, configured.manifest.registration_interval, end)? {
            Resolution::Open(why) | Resolution::Unclear(why) => {
                return Ok(format!("asked for a registration of which it is not known what came: {why}"));
            }
            Resolution::Nothing | Resolution::TakenBack | Resolution::Owed => {}
        }
    }
    if at_rest
        && draft.entry.owner != Owner::Declared
        && let Some(runner) = draft.entry.runner.take()
    {
        // Its owner's time is over, and whoever is declared registers anew.
        let ephemeral = draft.entry.is_ephemeral();
        draft.entry.owe(runner, ephemeral, now);
        draft.entry.owner = Owner::Declared;
        draft.save()?;
    }
    let silence = pay(broker, draft, url, end).silence;
    draft.save()?;
    let left = draft.entry.debts.len();
    Ok(match (left, silence) {
        (0, _) => "owes nothing any more".into(),
        (_, Some(why)) => format!("still owes {left} former registrations: {why}"),
        (_, None) => format!("still owes {left} former registrations, of which GitHub does not let go yet"),
    })
}

fn ask(hands: &mut Hands<'_>, found: &HostRunner, configured: &Configuration, verb: Verb) -> Outcome {
    let socket = hands.sockets.join(found.instance.as_str());
    let broker = Broker::once(&socket, &found.instance);
    let (url, place) = (&configured.manifest.registration.url, configured.manifest.credential_place());
    counted(broker, &place, url, hands.memory, hands.now).ask(verb, PATIENCE).outcome
}

/// What the unit does and whether it has a job, as of now.
fn look(hands: &Hands<'_>, found: &HostRunner) -> Result<(Activity, bool)> {
    let shown = hands.units.show(&[&found.unit])?;
    let unit = shown.get(&found.unit).context("systemd does not know the unit any more")?;
    Ok((unit.activity, unit.has_job))
}

fn is_moving() -> String {
    "is being started or stopped".into()
}

/// Whether an entry names anything that the server may still have.
#[must_use]
pub fn is_clear(entry: &Entry) -> bool {
    entry.runner.is_none() && entry.debts.is_empty() && entry.attempt.is_none()
}

#[cfg(test)]
#[path = "act_tests.rs"]
mod tests;
