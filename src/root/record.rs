//! The root step after `configure`: writes into the ledger who the runner is now, and makes its files reachable for jobs.
//!
//! Runs before any job can have touched the files. Must not start a process or open a network connection, and
//! leaves the ledger alone when it already says it.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use tracing::info;

use crate::contract::manifest::Manifest;
use crate::ledger::{Ledger, Runner};
use crate::model::shown;
use crate::root::stop::invocation;
use crate::root::{leftovers, link};
use crate::state::start::{Start, existing, host_name, now};
use crate::state::{SETTINGS, Snapshot};
use crate::sys::Dir;

/// How long to wait for another process that works on the same registration.
const PATIENCE: Duration = Duration::from_secs(60);

/// Records the present registration, and links logs and credentials into the work directory.
///
/// # Errors
///
/// If there is no registration, if it is not the one that was asked for, or if ledger or links cannot be written.
pub fn run(start: &Start, ledger_directory: &Path) -> Result<()> {
    let manifest = start.manifest()?;
    // What `configure` left running could still change what is read here.
    leftovers::refuse(&manifest.instance)?;
    let (_, state) = existing("state", &start.state_directory)?;
    let (_, dir) = existing("ledger", ledger_directory)?;
    let ledger =
        Ledger::new(dir).with_context(|| format!("Failed to use ledger directory {}", ledger_directory.display()))?;
    let _lock = ledger.must_lock(&manifest.instance, PATIENCE)?;
    if let Some(invocation) = invocation()
        && ledger.was_stopped(&manifest.instance, &invocation)?
    {
        // The unit is being stopped, and this step is only here because systemd runs all that are left.
        return Ok(());
    }
    record(&manifest, &ledger, &state)?;
    link::make(start, &state)
}

fn record(manifest: &Manifest, ledger: &Ledger, state: &Dir) -> Result<()> {
    let Some(mut entry) = ledger.load(&manifest.instance)? else {
        bail!("The ledger has no entry of runner {}: `prepare` has to run first", manifest.instance.as_str());
    };
    let snapshot = Snapshot::read(state)?;
    let faults = snapshot.faults();
    let Some(settings) = snapshot.identity().filter(|_| faults.is_empty() && !snapshot.staged) else {
        bail!("There is no complete registration to record: `configure` has to run first. {}", faults.join(", "));
    };
    if let Some(known) = &entry.runner {
        if known.id != settings.id {
            bail!(
                "{SETTINGS} names id {}, but the ledger names {}: restart the unit, which settles it",
                settings.id,
                known.id
            );
        }
        return Ok(());
    }
    if let Some(why) = settings.mismatch(&manifest.registration, Some(manifest.registration.name_on(&host_name()?))) {
        bail!("{SETTINGS} {why}: restart the unit, which registers the runner anew");
    }
    let runner = Runner {
        id: settings.id,
        name: settings.name.clone(),
        url: manifest.registration.url.as_str().into(),
        recorded_at: now()?,
    };
    let line = format!("Recorded runner {}, id {}, of {}", shown(&runner.name), runner.id, runner.url);
    // A runner that was taken over by its name lives on under its id, so it owes nothing.
    entry.debts.retain(|left| !left.is(&runner));
    entry.runner = Some(runner);
    entry.attempt = None;
    ledger.stage(&entry, &manifest.instance)?.commit()?;
    info!("{line}");
    Ok(())
}
