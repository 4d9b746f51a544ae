//! Removing what a registration left in its state directory.
//!
//! The mark of completeness goes first: half-purged state must never look like a registration.

use std::time::Instant;

use anyhow::Result;

use crate::state::REGISTRATION_FILES;
use crate::sys::{Dir, Entry, Purged, empty};

/// Removes the files of a registration and leaves everything else. Returns how many there were.
///
/// # Errors
///
/// As `unlinkat(2)` and `fsync(2)`.
pub fn registration(state: &Dir) -> Result<u64> {
    let mut removed = 0;
    for name in REGISTRATION_FILES {
        // What a job made of such a name besides is no registration.
        if state.entry(name)? == Entry::File {
            removed += u64::from(state.unlink(name)?);
        }
    }
    state.sync()?;
    Ok(removed)
}

/// Empties the whole directory, until `end` at most. Returns what there was.
///
/// # Errors
///
/// As [`registration`] and [`empty`].
pub fn state(state: &Dir, end: Instant) -> Result<Purged> {
    let files = registration(state)?;
    let purged = empty(state, end)?;
    state.sync()?;
    Ok(Purged { files: purged.files + files, ..purged })
}
