//! The work directory: where it may lie, who owns it, and making it.
//!
//! It is emptied at every start, so nothing is emptied that the service user could have put in the place of
//! another directory.

use std::path::Path;

use anyhow::{Context as _, Result, bail};
use nix::sys::stat::Mode;
use nix::unistd::{Gid, Uid};
use tracing::{info, warn};

use crate::model::system_directory_in;
use crate::sys::{Dir, Place};

/// Refuses work directories that must not be emptied.
///
/// # Errors
///
/// Names the directory that the work directory overlaps with.
pub(super) fn check(work: &Place, others: &[(&str, &Place)]) -> Result<()> {
    let path = work.resolved();
    if let Some(system) = system_directory_in(&path) {
        bail!(
            "Work directory {} is or contains {system}, and it is emptied at every start: choose a directory of its own",
            path.display()
        );
    }
    for (what, other) in others {
        if work.overlaps(other) {
            bail!(
                "Work directory {} overlaps with the {what} directory {}, and it is emptied at every start: choose a directory of its own",
                path.display(),
                other.resolved().display()
            );
        }
    }
    Ok(())
}

/// Opens the work directory, makes it if it is missing, and hands it to `owner`.
///
/// # Errors
///
/// If it belongs to another user and somebody else than root could have put it there.
pub(super) fn open(place: &Place, owner: (Uid, Gid)) -> Result<Dir> {
    let path = place.resolved();
    if place.is_through_link() {
        warn!(
            "The work directory is reached through a link; jobs get its real path {}, which tools such as actions/checkout insist on",
            path.display()
        );
    }
    let Some(dir) = place.open()? else {
        let dir = place.create(Mode::S_IRWXU)?;
        hand_over(&dir, owner, &path)?;
        info!("Made the work directory {} for user id {}", path.display(), owner.0);
        return Ok(dir);
    };
    let (present, _) = dir.owner()?;
    if present != owner.0 {
        refuse_unless_firm(place, present, owner.0)?;
        hand_over(&dir, owner, &path)?;
        info!("Handed the work directory {} from user id {present} to {}", path.display(), owner.0);
    }
    Ok(dir)
}

/// Refuses a work directory that [`open`] would not hand to `owner`; changes nothing.
///
/// # Errors
///
/// As [`open`].
pub(super) fn check_hand_over(place: &Place, owner: Uid) -> Result<()> {
    let Some(dir) = place.open()? else { return Ok(()) };
    let (present, _) = dir.owner()?;
    if present == owner { Ok(()) } else { refuse_unless_firm(place, present, owner) }
}

fn refuse_unless_firm(place: &Place, present: Uid, owner: Uid) -> Result<()> {
    if place.is_firm() {
        return Ok(());
    }
    bail!(
        "Work directory {} belongs to user id {present} instead of {owner}, and others than root could have put it there: give it to the service user, or choose a directory below one that root owns",
        place.resolved().display()
    );
}

fn hand_over(dir: &Dir, owner: (Uid, Gid), path: &Path) -> Result<()> {
    let give = || dir.close_to_others().and_then(|()| dir.give_to(owner));
    give().with_context(|| format!("Failed to hand over work directory {}", path.display()))
}
