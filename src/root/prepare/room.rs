//! Making room on a disk that jobs filled, so that they cannot keep the ledger from being written.

use anyhow::{Context as _, Result};
use nix::errno::Errno;
use tracing::warn;

use super::basis::{Basis, report};
use super::work;
use crate::ledger::Draft;
use crate::state::{logs, purge};

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
