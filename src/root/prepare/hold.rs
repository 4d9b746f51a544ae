//! Whether a start is made at all: before everything else, as the condition of the unit.
//!
//! systemd goes only by what the listener ends with when it keeps a unit down, and knows nothing of the steps before. So
//! after a start that can but fail in the same way, this one says no, once: whoever then starts the unit wants it tried.
//! Must not change anything; what is wrong here is told by the steps that follow.

use std::path::Path;

use super::read::{Instructions, is_news};
use crate::contract::names::runner_stem;
use crate::ledger::{Entry, Ledger, Owner};
use crate::state::start::{Start, possible};

/// Why the start is not made; `None` if it is.
#[must_use]
pub fn held(start: &Start, ledger_directory: &Path) -> Option<String> {
    let manifest = start.manifest().ok()?;
    let entry = entry(&manifest.instance, ledger_directory)
        .filter(|entry| entry.stays_down && entry.owner == Owner::Declared)?;
    let told = Instructions::read(start).ok()?;
    if is_news(&told.text(start), Some(&entry)) {
        return None;
    }
    let said = entry.last_exit.map_or_else(String::new, |exit| format!(" {}", exit.said));
    Some(format!(
        "Runner {0}{said}, so it stays down: set `package` to a newer one than {1}, for example by updating nixpkgs, and switch. `systemctl start {2}` tries it all the same",
        manifest.instance.as_str(),
        manifest.listener.display(),
        runner_stem(&manifest.instance)
    ))
}

fn entry(instance: &crate::model::InstanceName, directory: &Path) -> Option<Entry> {
    let (_, dir) = possible("ledger", directory).ok()?;
    Ledger::new(dir?).ok()?.load(instance).ok()?
}
