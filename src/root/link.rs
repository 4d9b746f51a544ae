//! Makes logs and credentials reachable from the work directory, where the runner's own tools look for them.
//!
//! Root does it, so that a start in which the service user has nothing to do needs no step in the sandbox. Only names in
//! an open directory of that user are made; where the links lead is never looked at.

use std::ffi::OsStr;

use anyhow::{Result, bail};

use crate::state::start::{Start, existing};
use crate::state::{DIAGNOSTICS, REGISTRATION_FILES};
use crate::sys::{Dir, EntryKind};

/// Links the logs of this run and every file of the registration that exists into the work directory. `state` is the
/// state directory.
///
/// # Errors
///
/// If the work directory is missing or not the service user's, or a link cannot be made.
pub(super) fn make(start: &Start, state: &Dir) -> Result<()> {
    let (place, work) = existing("work", &start.work_directory)?;
    let (owner, present) = (state.owner()?.0, work.owner()?.0);
    if present != owner {
        bail!(
            "Work directory {} belongs to user id {present} instead of {owner}, to whom this start gave it: restart the unit",
            place.resolved().display()
        );
    }
    // The listener makes it; those of earlier runs are root's.
    work.replace_link(DIAGNOSTICS, start.state_directory.join(DIAGNOSTICS).as_os_str())?;
    for name in REGISTRATION_FILES {
        if state.entry(name)? != EntryKind::Absent {
            work.replace_link(name, OsStr::new(&start.state_directory.join(name)))?;
        }
    }
    Ok(())
}
