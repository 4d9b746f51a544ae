//! The last step of an order's unit, as root, after everything of it has ended: say what the end means, keep the logs, and
//! leave nothing of the job.
//!
//! systemd removes the directories of the unit by itself, but in PID 1, level by level, and everything else on the host waits
//! meanwhile. So whatever a job made of them is taken away here, by handle and within a limit. What takes longer is told.
//! Must not open a network connection, start a process, or touch the ledger.

use std::ffi::OsStr;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow};
use tracing::{info, warn};

use crate::contract::manifest::Manifest;
use crate::ledger::ExitKind;
use crate::root::settle::ending::{Ending, Files};
use crate::root::settle::{advice, memory};
use crate::state::Snapshot;
use crate::state::logs::{self, When};
use crate::state::start::{Start, possible, walk};
use crate::sys::{ControlGroup, Dir, Place, empty, on_host};

/// How long all of this may take.
const LIMIT: Duration = Duration::from_secs(20);

/// What systemd calls an end whose time was over.
const TIMEOUT: &str = "timeout";

/// Clears what an order left.
///
/// # Errors
///
/// Everything that could not be taken away, and why. All the rest is gone.
pub fn run(start: &Start) -> Result<()> {
    let begin = Instant::now();
    memory::let_go(&start.work_directory);
    let mut faults = Vec::new();
    match possible("state", &start.state_directory) {
        Ok((_, Some(state))) => {
            // What the listener left says how it ended, and its logs are there.
            faults.extend(tell(start, &state).err());
            // The secrets first, and time left for the rest.
            let emptied = empty(&state, begin + LIMIT / 2).context("Failed to empty the state directory");
            faults.extend(emptied.err());
        }
        Ok((_, None)) => {}
        Err(error) => faults.push(error),
    }
    let work = possible("work", &start.work_directory).and_then(|(_, work)| match work {
        Some(work) => empty(&work, begin + LIMIT).map(drop).context("Failed to empty the work directory"),
        None => Ok(()),
    });
    faults.extend(work.err());
    remove(start);
    if faults.is_empty() {
        return Ok(());
    }
    let faults: Vec<String> = faults.iter().map(|fault| format!("{fault:#}")).collect();
    Err(anyhow!("{}", faults.join(". ")))
}

/// Says how the unit ended, and keeps the listener's logs.
fn tell(start: &Start, state: &Dir) -> Result<()> {
    let manifest = start.manifest()?;
    let ending = Ending::of_unit();
    // Otherwise an operator's condition did not hold: nothing ran, so nothing ended.
    if ending.result != "exec-condition" {
        say(&manifest, &ending, state);
    }
    logs::keep(state, &walk("logs", &start.logs_directory)?, &manifest.logs, When::End);
    Ok(())
}

fn say(manifest: &Manifest, ending: &Ending, state: &Dir) {
    let snapshot = Snapshot::read(state).map_err(|error| warn!("{error:#}")).ok();
    // All of them run one job, whatever the manifest says.
    let (kind, mut said) = ending.meaning(true, Files::of(snapshot.as_ref()));
    let is_over = ending.result == TIMEOUT && ending.code.is_some();
    if is_over {
        said.push_str("; its time was over");
    }
    let shortage = memory::shortage(ControlGroup::own().as_ref(), &ending.result);
    let is_good = matches!(kind, ExitKind::JobDone | ExitKind::Clean) && !is_over && shortage.is_none();
    if let Some(shortage) = shortage {
        said = format!("{said}; {shortage}");
    }
    let line = format!("Runner {}: {said}", manifest.instance.as_str());
    if is_good {
        info!("{line}");
    } else {
        warn!("{line}{}", advice(kind, manifest, Some(true)));
    }
}

/// Removes both directories if they are empty, and the one around them, which systemd leaves: one for each order, until the
/// host boots again.
///
/// Nothing is lost if that fails, as it does for what something is mounted on. systemd comes next for the directories.
fn remove(start: &Start) {
    let gone = |path: &Path| -> Result<bool> {
        let (Some(above), Some(name)) = (path.parent(), path.file_name().and_then(OsStr::to_str)) else {
            return Ok(false);
        };
        Place::walk(above)?.open()?.map_or(Ok(true), |above| above.remove_if_empty(name))
    };
    let all = || -> Result<()> {
        for path in [&start.state_directory, &start.work_directory] {
            gone(path)?;
        }
        start.state_directory.parent().map_or(Ok(false), gone).map(drop)
    };
    // In the view of the unit they may be mount points.
    let removed = on_host(all).context("Failed to see the host's files").and_then(|removed| removed);
    if let Err(error) = removed {
        info!("systemd has to remove the directories of this order: {error:#}");
    }
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
