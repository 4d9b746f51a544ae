//! Room on disks: how much there has to be for a runner to be offered to the server, and making some where jobs filled a disk,
//! so that they cannot keep the ledger from being written.

use std::path::Path;

use anyhow::{Context as _, Result, bail};
use nix::errno::Errno;
use tracing::warn;

use super::basis::{Basis, report};
use super::work;
use crate::contract::manifest::Manifest;
use crate::ledger::Draft;
use crate::model::MemorySize;
use crate::state::{logs, purge};
use crate::sys::Dir;

/// Refuses to offer a runner that has less room than the configuration asks for. Comes after everything is removed that a
/// start removes, and before the server is asked for a registration.
///
/// # Errors
///
/// Names the directory, the room that is left and the way out.
pub(super) fn check(found: &Basis<'_>) -> Result<()> {
    let places = [("work", &*found.work_path, &found.work), ("state", found.state_path, found.state)];
    match shortage(found.manifest, places)? {
        Some(short) => bail!(
            "The runner is not offered to GitHub, because {short}: make room there, or set `minFreeSpace` to less; the unit tries again by itself"
        ),
        None => Ok(()),
    }
}

/// Which of these directories, of which each has a name, has less room left than the configuration asks for.
///
/// # Errors
///
/// As `fstatvfs(3)`.
pub(in crate::root) fn shortage(manifest: &Manifest, places: [(&str, &Path, &Dir); 2]) -> Result<Option<String>> {
    let Some(MemorySize::Bytes(least)) = manifest.min_free_space else { return Ok(None) };
    for (what, path, dir) in places {
        let free = dir.free()?;
        if free < least {
            let (path, free, least) = (path.display(), free >> 20, least >> 20);
            return Ok(Some(format!("{what} directory {path} has {free} MiB left, and `minFreeSpace` is {least} MiB")));
        }
    }
    Ok(None)
}

/// Saves the entry. If a job filled the disk, its files go first: those in the work directory, what it logged, and those
/// in the state directory if it is to be purged anyway, because the old entry tells all that they do.
pub(super) fn save(found: &Basis<'_>, draft: &mut Draft<'_>, registers: bool) -> Result<()> {
    let Err(error) = draft.save() else { return Ok(()) };
    if !is_full(&error) {
        return Err(error);
    }
    warn!("{error:#}; making room first");
    work::empty(found)?;
    logs::discard(found.state, found.end)?;
    if registers {
        purge(found)?;
    }
    draft.save()
}

/// Empties the state directory.
pub(super) fn purge(found: &Basis<'_>) -> Result<()> {
    let purged = purge::state(found.state, found.end).context("Failed to purge the state directory")?;
    report("Purged the state directory", purged.files, purged.directories);
    Ok(())
}

/// Whether there is no room on a disk, as opposed to a disk that cannot be written at all.
pub(super) fn is_full(error: &anyhow::Error) -> bool {
    let number = |cause: &(dyn std::error::Error + 'static)| {
        let error = cause.downcast_ref::<std::io::Error>().and_then(std::io::Error::raw_os_error).map(Errno::from_raw);
        error.or_else(|| cause.downcast_ref::<Errno>().copied())
    };
    error.chain().filter_map(number).any(|error| matches!(error, Errno::ENOSPC | Errno::EDQUOT))
}
