//! Registrations of orders: asking for one, finding out what an attempt made, giving one back.
//!
//! Each function is an errand: it asks the order's own broker, which takes name, labels and group from the manifest, and it
//! writes into the ledger what is about to be asked and what came of it. Nothing is deleted but by an id that the ledger has.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow};
use tracing::{info, warn};

use super::event::Acted;
use super::hands::{Hands, instance};
use super::looks;
use crate::contract::manifest::Manifest;
use crate::contract::protocol::{Issue, Outcome as Said, RemoteRunner, Verb, Whom};
use crate::frontend::ondemand::course::Outcome;
use crate::frontend::ondemand::label::Key;
use crate::frontend::ondemand::order::Order;
use crate::frontend::ondemand::settings::KindSettings;
use crate::ledger::{Attempt, Draft, Entry, NameHolder, Runner};
use crate::model::{InstanceName, shown};
use crate::registration::ask::{Ask as _, Broker};
use crate::registration::attempt::{Resolution, resolve};
use crate::registration::credential::Credential;
use crate::registration::jit::{JitRegistration, check};
use crate::registration::retire::{pay, reason};
use crate::state::start::now;

/// How long a registration may take, with all repetitions.
const PATIENCE: Duration = Duration::from_secs(60);
/// How long one look or one deletion may take.
const LOOK: Duration = Duration::from_secs(20);
/// How long finding out and giving back may take.
const DEBTS: Duration = Duration::from_secs(40);
/// Eight times this is longer than a broker lives, so that nothing is asked for any more that was asked for before; a fifth of it
/// is how long what is found is watched, in seconds.
const INTERVAL: u64 = 25;
/// How long the server is left alone after silence, after a debt that it keeps, and after an answer that nobody can do anything
/// about, in seconds.
const SILENCE: u64 = 15;
const KEPT: u64 = 60;
const UNCLEAR: u64 = 10 * 60;
/// GitHub removes an ephemeral runner that never connected after a day (runner contract); one more for clocks, in seconds.
const REAPED: u64 = 2 * 24 * 60 * 60;
/// Where a runner works in an image of machines.
const IN_MACHINES: &str = "/home/runner/actions-runner/_work";

/// Asks for a registration, whose machine has so many seconds to live.
#[must_use]
pub fn register(hands: &Hands, order: &Order, lifetime: u64) -> Acted {
    errand(hands, order, Outcome::NotAsked, |broker, draft, manifest| {
        make((hands, order, lifetime), broker, draft, manifest)
    })
}

/// Finds out what an attempt made, and takes that back.
#[must_use]
pub fn find_out(hands: &Hands, order: &Order) -> Acted {
    errand(hands, order, Outcome::Nothing, |broker, draft, _| {
        let end = Instant::now() + DEBTS;
        Ok(match resolve(broker, draft, INTERVAL, end)? {
            Resolution::Nothing | Resolution::TakenBack | Resolution::Owed => Acted::now(Outcome::Nothing),
            Resolution::Open(why) => {
                info!("Order {}: it is not known yet what was registered: {why}", order.key());
                wait(SILENCE)
            }
            Resolution::Unclear(why) => {
                let time = now()?;
                if draft.entry.attempt.as_ref().is_some_and(|attempt| time.saturating_sub(attempt.since) > REAPED) {
                    draft.entry.attempt = None;
                    draft.save()?;
                }
                warn!("Order {}: nobody can tell what was registered: {why}", order.key());
                wait(UNCLEAR)
            }
        })
    })
}

/// Has the runner deleted, unless it is busy.
#[must_use]
pub fn retire(hands: &Hands, order: &Order) -> Acted {
    errand(hands, order, Outcome::Nothing, |broker, draft, _| {
        let Some(runner) = draft.entry.runner.clone() else { return Ok(Acted::now(Outcome::Nothing)) };
        let said = broker.ask(Verb::Retire { id: runner.id, url: runner.url.clone() }, LOOK).outcome;
        match said {
            Said::Retired | Said::Gone => {
                draft.entry.runner = None;
                draft.save()?;
                Ok(Acted::now(Outcome::Nothing))
            }
            Said::Busy => Ok(Acted::now(Outcome::StillBusy)),
            other => Ok(silent(order, "take its registration back", &other)),
        }
    })
}

/// Has everything deleted that the ledger names of an order.
#[must_use]
pub fn settle(hands: &Hands, order: &Order) -> Acted {
    errand(hands, order, Outcome::Nothing, |broker, draft, manifest| {
        let time = now()?;
        if let Some(runner) = draft.entry.runner.take() {
            draft.entry.owe(runner, true, time);
            draft.save()?;
        }
        pay(broker, draft, &manifest.registration.url, Instant::now() + DEBTS);
        draft.entry.debts.retain(|debt| !debt.is_reaped(time));
        draft.save()?;
        if draft.entry.debts.is_empty() { Ok(Acted::now(Outcome::Nothing)) } else { Ok(wait(KEPT)) }
    })
}

/// Gives up the registration that an order has: it is a debt from now on.
///
/// # Errors
///
/// If the ledger cannot be read or written.
pub fn owe(hands: &Hands, key: &Key) -> Result<()> {
    let instance = instance(key)?;
    let ledger = hands.book.ledger();
    let Some(stored) = ledger.load(&instance)? else { return Ok(()) };
    let mut draft = Draft::new(ledger, &instance, Some(stored.clone()), stored);
    if let Some(runner) = draft.entry.runner.take() {
        draft.entry.owe(runner, true, now()?);
    }
    draft.save()
}

/// Opens a way to the order's broker, and does something with it. A fault of this host comes to `otherwise`, is told, and is
/// tried again.
fn errand(
    hands: &Hands,
    order: &Order,
    otherwise: Outcome,
    act: impl FnOnce(&Broker<'_>, &mut Draft<'_>, &Manifest) -> Result<Acted>,
) -> Acted {
    let key = order.key();
    let run = || -> Result<Acted> {
        let (manifest, instance) = (hands.manifest(&key)?, instance(&key)?);
        let credential = Credential::read(&manifest)?;
        let registration = manifest.registration.to_object().map_err(|error| anyhow!(error))?;
        let ledger = hands.book.ledger();
        let new = Entry {
            credential: Some(manifest.credential_place()),
            ..Entry::new(&instance, registration, credential.digest()?)
        };
        let mut draft = Draft::new(ledger, &instance, ledger.load(&instance)?, new);
        let mut act = Some(act);
        let mut acted = None;
        hands.doors.with(&manifest, &mut |socket: &Path| {
            let broker = Broker::kept(socket, &instance, ledger);
            acted = act.take().map(|act| act(&broker, &mut draft, &manifest));
        })?;
        acted.context("No broker was asked")?
    };
    run().unwrap_or_else(|error| {
        warn!("Order {key}: {error:#}");
        Acted { github_wait: SILENCE, ..Acted::now(otherwise) }
    })
}

fn make(
    (hands, order, lifetime): (&Hands, &Order, u64),
    broker: &Broker<'_>,
    draft: &mut Draft<'_>,
    manifest: &Manifest,
) -> Result<Acted> {
    let key = order.key();
    match broker.ask(Verb::Observe(Whom::Name), LOOK).outcome {
        Said::Seen(None) => {}
        Said::Seen(Some(seen)) => return Ok(taken(&key, &seen)),
        Said::Refused(why) => return Ok(refused(&key, &why)),
        // Nothing was asked for, so this was no attempt.
        other => {
            let acted = silent(order, "look who has its name", &other);
            return Ok(Acted { outcome: Outcome::NotAsked, ..acted });
        }
    }
    let time = now()?;
    draft.entry.attempt = Some(Attempt { since: time, before: NameHolder::Nobody, host: None });
    draft.entry.registrations.total += 1;
    draft.entry.registrations.last = Some(time);
    draft.save()?;
    let verb = Verb::Issue(Issue::Jit { work_folder: work_folder(hands, &key) });
    let (id, name, files) = match broker.ask(verb, PATIENCE).outcome {
        Said::Jit { id, name, files } => (id, name, files),
        Said::NameTaken(seen) => {
            draft.entry.attempt = None;
            draft.save()?;
            return Ok(taken(&key, &seen));
        }
        // The attempt stays open: an earlier try of the same request may have had its effect.
        Said::Refused(why) => return Ok(refused(&key, &why)),
        other => return Ok(silent(order, "register its runner", &other)),
    };
    // Before the files: if they turn out bad or this desk dies, somebody knows whom to take back.
    let url = manifest.registration.url.as_str().to_owned();
    let runner = Runner { id, name: name.clone(), url, recorded_at: now()? };
    draft.entry.debts.retain(|debt| !debt.is(&runner));
    (draft.entry.runner, draft.entry.attempt) = (Some(runner), None);
    draft.save()?;
    if let Err(error) = check(&files, id, &name) {
        return Ok(refused(&key, &format!("GitHub's JIT configuration cannot be used: {error:#}")));
    }
    let (repository, run) = (order.repository.clone(), order.run);
    let registration = JitRegistration { id, name, files, repository, run, deadline: now()? + lifetime };
    hands.put(&key, &registration)?;
    info!("Order {key}: registered runner {}, id {id}", shown(&registration.name));
    Ok(Acted::now(Outcome::Registered))
}

fn taken(key: &Key, seen: &RemoteRunner) -> Acted {
    warn!("Order {key}: a runner that is not this host's has its name, id {}", seen.id);
    Acted::now(Outcome::NameTaken)
}

fn refused(key: &Key, why: &str) -> Acted {
    warn!("Order {key}: GitHub registers no runner: {why}");
    Acted::now(Outcome::NotRegistered(why.into()))
}

/// An answer that is none: it is asked again, but not at once.
fn silent(order: &Order, what: &str, said: &Said) -> Acted {
    warn!("Order {}: failed to {what}: {}", order.key(), reason(said));
    match said {
        Said::RateLimited(until) => Acted { limited: Some(looks::left(*until)), ..wait(SILENCE) },
        Said::Refused(_) | Said::NotOurs(_) => wait(UNCLEAR),
        _ => wait(SILENCE),
    }
}

fn wait(seconds: u64) -> Acted {
    Acted { github_wait: seconds, ..Acted::now(Outcome::Nothing) }
}

/// Where the jobs of an order run, as GitHub is to write it into the files.
fn work_folder(hands: &Hands, key: &Key) -> String {
    match hands.class(key).map(|class| &class.kind) {
        Some(KindSettings::Local { work_directory, .. }) => work_directory.replace("%i", &key.stem()),
        _ => IN_MACHINES.into(),
    }
}

/// What the ledger says of an order.
///
/// # Errors
///
/// If it cannot be read.
pub fn entry(hands: &Hands, key: &Key) -> Result<Option<Entry>> {
    let instance: InstanceName = instance(key)?;
    hands.book.ledger().load(&instance)
}
