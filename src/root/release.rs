//! The first step of a stop, as root, while the listener still runs: have the server delete an ephemeral registration that
//! is idle, so that no job comes between the listener's end and its sign-off.
//!
//! What is deleted is struck out of the ledger, so that `settle`, which follows, has nothing to ask. Whatever fails here, the
//! stop goes on: `settle` finds it gone, as it does after a kill before the ledger was written.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use tracing::{info, warn};

use crate::contract::protocol::{Outcome, Verb};
use crate::ledger::{Draft, Entry, Ledger, Runner};
use crate::model::InstanceName;
use crate::registration::ask::{Ask as _, Broker};
use crate::registration::credential::Credential;
use crate::registration::paced::{Limits, PacedBroker};
use crate::registration::retire::reason;
use crate::state::start::{Start, existing};

/// How long a stop waits for this; a host that shuts down has better things to do.
const LIMIT: Duration = Duration::from_secs(5);

/// Releases a runner from its registration before it is stopped.
///
/// # Errors
///
/// If manifest or ledger cannot be read. The server's silence is none.
pub fn run(start: &Start, ledger_directory: &Path, socket: &Path) -> Result<()> {
    let end = Instant::now() + LIMIT;
    // The listener ended by itself, so there is nothing to be ahead of.
    if std::env::var_os("EXIT_CODE").is_some() {
        return Ok(());
    }
    let manifest = start.manifest()?;
    let (_, dir) = existing("ledger", ledger_directory)?;
    let ledger =
        Ledger::new(dir).with_context(|| format!("Failed to use ledger directory {}", ledger_directory.display()))?;
    let Some(entry) = ledger.load(&manifest.instance)?.filter(Entry::is_ephemeral) else { return Ok(()) };
    let Some(runner) = entry.runner else { return Ok(()) };
    if !Credential::read(&manifest).is_ok_and(|credential| credential.is_of_api()) {
        return Ok(());
    }
    let name = manifest.instance.as_str();
    let (place, url) = (manifest.credential_place(), &manifest.registration.url);
    let limits = Limits::new(&place, url, entry.not_before);
    let broker = PacedBroker::new(Broker::once(socket, &manifest.instance), &place, url, limits);
    // Without the lock, for which a stop would wait: the entry names it, whoever else works on that.
    let outcome = broker.ask(Verb::Retire { id: runner.id, url: runner.url.clone() }, LIMIT).outcome;
    match &outcome {
        Outcome::Retired => info!("Took back the registration of {name}, id {}, before it is stopped", runner.id),
        Outcome::Gone => {}
        Outcome::Busy => info!("Runner {name} runs a job, which ends with this stop"),
        outcome => info!("Could not take back the registration of {name} before it is stopped: {}", reason(outcome)),
    }
    // What GitHub does not know any more may have done its job just now: that is for `settle` to judge.
    if outcome == Outcome::Retired
        && let Err(error) = strike(&ledger, &manifest.instance, &runner, end)
    {
        warn!("The ledger goes on naming id {}, which is gone: {error:#}", runner.id);
    }
    Ok(())
}

/// Strikes a runner that was deleted out of its entry, unless somebody did so meanwhile or is at it until `end`.
fn strike(ledger: &Ledger, instance: &InstanceName, runner: &Runner, end: Instant) -> Result<()> {
    let _lock = ledger.must_lock(instance, end.saturating_duration_since(Instant::now()))?;
    let Some(entry) = ledger.load(instance)?.filter(|entry| entry.runner.as_ref() == Some(runner)) else {
        return Ok(());
    };
    let mut draft = Draft::new(ledger, instance, Some(entry.clone()), entry);
    draft.entry.runner = None;
    draft.save()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_ends_before_systemd_ends_it() {
        let contract = include_str!("../../tests/fixtures/contract.json");
        let contract: serde_json::Value = serde_json::from_str(contract).unwrap();
        assert!(LIMIT.as_secs() < contract["seconds"]["stop"].as_u64().unwrap());
    }
}
