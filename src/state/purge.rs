//! Removing what a registration left in its state directory.
//!
//! The mark of completeness goes first: half-purged state must never look like a registration.

use std::time::Instant;

use anyhow::Result;

use crate::state::{NAME_TAKEN, NIXPKGS_CONFIG, NIXPKGS_TOKEN, REGISTRATION_FILES, STAGED_TOKEN};
use crate::sys::{Dir, EntryKind, Purged, empty, empty_but};

/// What a later start could still decide by, besides the files of the registration.
const EVIDENCE: [&str; 4] = [STAGED_TOKEN, NAME_TAKEN, NIXPKGS_CONFIG, NIXPKGS_TOKEN];

/// Removes the files of a registration and leaves everything else. Returns how many there were.
///
/// # Errors
///
/// As `unlinkat(2)` and `fsync(2)`.
pub fn registration(state: &Dir) -> Result<u64> {
    let mut removed = 0;
    for name in REGISTRATION_FILES {
        // What a job made of such a name besides is no registration.
        if state.entry(name)? == EntryKind::File {
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

/// Removes what no later start decides by, until `end` at most, and finds out whether the rest could be removed. Returns
/// what there was.
///
/// Whoever stops after this has lost nothing: what makes up a registration is as it was.
///
/// # Errors
///
/// As [`empty`] and [`Dir::check_removable`].
pub fn all_but_registration(state: &Dir, end: Instant) -> Result<Purged> {
    let kept: Vec<&str> = REGISTRATION_FILES.into_iter().chain(EVIDENCE).collect();
    let purged = empty_but(state, &kept, end)?;
    kept.iter().try_for_each(|name| state.check_removable(name))?;
    Ok(purged)
}
