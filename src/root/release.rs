//! The first step of a stop, as root, while the listener still runs: have the server delete an ephemeral registration that
//! is idle, so that no job comes between the listener's end and its sign-off.
//!
//! Writes nothing: `settle`, which follows, finds it gone and says so in the ledger. Whatever fails here, the stop goes on.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result};
use tracing::info;

use crate::contract::protocol::{Outcome, Verb};
use crate::ledger::{Entry, Ledger};
use crate::registration::ask::{Ask as _, Broker};
use crate::registration::credential::Credential;
use crate::registration::held::{Held, Limits};
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
    // The listener ended by itself, so there is nothing to be ahead of.
    if std::env::var_os("EXIT_CODE").is_some() {
        return Ok(());
    }
    let manifest = start.manifest()?;
    let (_, dir) = existing("ledger", ledger_directory)?;
    let ledgers =
        Ledger::new(dir).with_context(|| format!("Failed to use ledger directory {}", ledger_directory.display()))?;
    let Some(entry) = ledgers.load(&manifest.instance)?.filter(Entry::is_ephemeral) else { return Ok(()) };
    let Some(runner) = entry.runner else { return Ok(()) };
    if !Credential::read(&manifest).is_ok_and(|credential| credential.is_of_api()) {
        return Ok(());
    }
    let name = manifest.instance.as_str();
    let (place, url) = (manifest.credential_place(), &manifest.registration.url);
    let limits = Limits::new(&place, url, entry.not_before);
    let broker = Held::new(Broker { socket, instance: &manifest.instance }, &place, url, limits);
    match broker.ask(Verb::Retire { id: runner.id, url: runner.url }, LIMIT).outcome {
        Outcome::Retired => info!("Took back the registration of {name}, id {}, before it is stopped", runner.id),
        Outcome::Gone => {}
        Outcome::Busy => info!("Runner {name} runs a job, which ends with this stop"),
        outcome => info!("Could not take back the registration of {name} before it is stopped: {}", reason(&outcome)),
    }
    Ok(())
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
