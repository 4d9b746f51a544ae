//! Makes logs and credentials reachable from the work directory, where the runner's own tools look for them.

use std::ffi::OsStr;

use anyhow::Result;

use crate::state::start::{Start, existing};
use crate::state::{DIAGNOSTICS, REGISTRATION_FILES};
use crate::sys::EntryKind;

/// Links the logs of this run and every credential file that exists into the work directory.
///
/// # Errors
///
/// If a directory is missing or a link cannot be made.
pub fn run(start: &Start) -> Result<()> {
    let (_, work) = existing("work", &start.work_directory)?;
    let (_, state) = existing("state", &start.state_directory)?;
    // The listener makes it; those of earlier runs are root's.
    work.replace_link(DIAGNOSTICS, start.state_directory.join(DIAGNOSTICS).as_os_str())?;
    for name in REGISTRATION_FILES {
        if state.entry(name)? != EntryKind::Absent {
            work.replace_link(name, OsStr::new(&start.state_directory.join(name)))?;
        }
    }
    Ok(())
}
