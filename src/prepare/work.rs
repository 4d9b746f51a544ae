//! The work directory: where it may lie, who owns it, and making it.
//!
//! It is emptied at every start, so nothing is emptied that the service user could have put in the place of
//! another directory.

use std::path::Path;

use anyhow::{Context as _, Result, bail};
use nix::errno::Errno;
use nix::sys::stat::Mode;
use nix::unistd::{Gid, Uid};
use tracing::{info, warn};

use super::empty_work;
use crate::model::{MemorySize, system_directory_in};
use crate::start::volume;
use crate::sys::{Dir, Mounted, Place, memory, on_host};

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

/// Opens the work directory like [`open`], with an empty file system of its own on it that holds no more than `size`.
/// Where the administrator mounted one, that is it.
///
/// # Errors
///
/// As [`open`] and `mount(2)`. That the host does not let root mount anything is none.
pub(super) fn open_own(path: &Path, size: MemorySize, owner: (Uid, Gid)) -> Result<Dir> {
    let renewed = match on_host(|| renew(path, size, owner)) {
        Ok(renewed) => renewed?,
        Err(error) => Err(error),
    };
    if let Err(error) = renewed {
        warn!(
            "Failed to give the work directory {} a file system of its own: {error}. This host lets root mount nothing, so a job that fills the directory fills what is around it; set `workDir` to a directory on a disk of its own",
            path.display()
        );
    }
    open(&Place::walk(path)?, owner)
}

/// Exchanges the file system of a work directory for a new one.
fn renew(path: &Path, size: MemorySize, owner: (Uid, Gid)) -> Result<Result<(), Errno>> {
    // Of an end that was cut off.
    volume(&Place::walk(path)?).take_off()?;
    let dir = open(&Place::walk(path)?, owner)?;
    let place = Place::walk(path)?;
    if volume(&place).mounted()? == Mounted::Other {
        return Ok(Ok(()));
    }
    // What lies below would take room unseen.
    empty_work(&dir)?;
    match volume(&place).put_on(size.of(memory()?), owner) {
        Err(error) if !matches!(error, Errno::EPERM | Errno::EACCES) => {
            Err(error).with_context(|| format!("Failed to mount a file system on work directory {}", path.display()))
        }
        done => Ok(done),
    }
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
