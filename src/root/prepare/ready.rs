//! Whether this host can do everything that a new registration needs, found out before the server is asked to delete the
//! old one.
//!
//! Nothing is removed here that a later start decides by, so a start that stops here has lost nothing.

use anyhow::{Context as _, Result};
use tracing::warn;

use super::basis::{Basis, report};
use super::room::{is_full, purge};
use super::{jit, room, work};
use crate::contract::manifest::Method;
use crate::ledger::Draft;
use crate::state::STAGED_TOKEN;
use crate::state::purge::all_but_registration;

/// More than the files of a registration have together.
const ROOM: usize = 32 * 1024;

/// Empties the work directory and the state directory as far as they can be emptied already, and finds out whether the
/// rest will be possible.
///
/// # Errors
///
/// What is not possible, and why.
pub(super) fn check(found: &Basis<'_>, draft: &Draft<'_>, method: Method) -> Result<()> {
    if method == Method::Jit {
        jit::work_folder(found)?;
    }
    // Every start does that, whatever is decided.
    work::empty(found)?;
    found.work.check_writable(".probe", 0, found.owner).context("Failed to write into the work directory")?;
    let purged = all_but_registration(found.state, found.end).context("Failed to purge the state directory")?;
    report("Removed from the state directory what is no registration", purged.files, purged.directories);
    room::check(found)?;
    let has_room = || {
        let written = found.state.check_writable(STAGED_TOKEN, ROOM, found.owner);
        written.context("Failed to write into the state directory")
    };
    if let Err(error) = has_room() {
        if !is_full(&error) {
            return Err(error);
        }
        warn!("{error:#}; making room first");
        purge(found)?;
        has_room()?;
    }
    draft.check_writable()
}
