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
use nix::errno::Errno;
use tracing::{info, warn};

use crate::contract::manifest::Manifest;
use crate::ledger::ExitKind;
use crate::root::settle::ending::{Ending, Files};
use crate::root::settle::{advice, memory};
use crate::state::logs::{self, When};
use crate::state::start::{Start, possible, volume, walk};
use crate::state::{Snapshot, purge};
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
    // What the listener left says how it ended, and its logs are there.
    let told = possible("state", &start.state_directory);
    let told = told.and_then(|(_, state)| state.map_or(Ok(()), |state| tell(start, &state)));
    // In the view of the unit there still is what was taken off, and the directories are mount points. Where nothing may be
    // done to the host's view, nothing was mounted there.
    let left = on_host(|| remove(start, begin)).unwrap_or_else(|_| remove(start, begin));
    let faults: Vec<String> = told.err().into_iter().chain(left).map(|fault| format!("{fault:#}")).collect();
    if faults.is_empty() {
        return Ok(());
    }
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
    // The secrets before everything that may take a while.
    let purged = purge::registration(state);
    logs::keep(state, &walk("logs", &start.logs_directory)?, &manifest.logs, When::End);
    purged.map(drop)
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

/// Removes both directories with all that is in them, and the one around them, which systemd leaves: one for each order, until
/// the host boots again. Returns what could not be removed.
fn remove(start: &Start, begin: Instant) -> Vec<anyhow::Error> {
    // With time left for the second one.
    let directories =
        [("state", &start.state_directory, begin + LIMIT / 2), ("work", &start.work_directory, begin + LIMIT)];
    let removed = directories.map(|(what, path, end)| {
        let removed = take_off(path).and_then(|()| Place::walk(path)?.open()?.map_or(Ok(()), |dir| clear(&dir, end)));
        removed.and_then(|()| forget(path)).with_context(|| format!("Failed to empty the {what} directory"))
    });
    let around = start.state_directory.parent().map_or(Ok(()), forget);
    removed.into_iter().chain([around]).filter_map(Result::err).collect()
}

/// Takes off what `place` mounted: then all that is in it is gone at once.
fn take_off(path: &Path) -> Result<()> {
    volume(&Place::walk(path)?).take_off().map(drop)
}

fn clear(dir: &Dir, end: Instant) -> Result<()> {
    empty(dir, end).map(drop)
}

/// Removes a directory if it is empty. One on which an administrator mounted something stays.
fn forget(path: &Path) -> Result<()> {
    let (Some(above), Some(name)) = (path.parent(), path.file_name().and_then(OsStr::to_str)) else { return Ok(()) };
    let Some(above) = Place::walk(above)?.open()? else { return Ok(()) };
    match above.remove_if_empty(name) {
        Err(error) if error.downcast_ref() == Some(&Errno::EBUSY) => Ok(()),
        removed => removed.map(drop),
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
