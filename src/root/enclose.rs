//! A file system of its own, in memory, for a directory that jobs write: whoever fills it fills nothing else, and all that a job
//! made of it is gone at once when it is taken off, however much and however deep that is.
//!
//! It has to be mounted in the host's view, see [`on_host`]. Where the administrator mounted one, that is it.

use std::path::Path;
use std::time::Instant;

use anyhow::{Context as _, Result};
use nix::errno::Errno;
use nix::unistd::{Gid, Uid};

use crate::model::MemorySize;
use crate::state::start::volume;
use crate::sys::{ControlGroup, Dir, MountState, NOBODY, Place, empty, memory, on_host};

/// How much a file system may hold: a part of what the configuration says.
#[derive(Clone, Copy)]
pub(super) struct Room {
    /// What the configuration says.
    pub(super) size: MemorySize,
    /// Of how many equal parts this is one.
    pub(super) parts: u64,
}

/// Exchanges the file system of the directory at `path` for an empty one of `owner`'s. What lies below is removed until `end`;
/// `open` opens it, and refuses one that must not be emptied. The inner error says why it goes without.
///
/// # Errors
///
/// As `open`, [`empty`] and `mount(2)`. That the host does not let root mount anything is none.
pub(super) fn enclose(
    path: &Path,
    room: Room,
    owner: (Uid, Gid),
    end: Instant,
    open: &(dyn Fn(&Place) -> Result<Dir> + Sync),
) -> Result<Result<(), &'static str>> {
    match on_host(|| renew(path, room, owner, end, open)) {
        Ok(renewed) => renewed,
        Err(error) if is_forbidden(error) => Ok(Err("this host lets root mount nothing")),
        Err(error) => Err(error).with_context(|| format!("Failed to give {} a file system of its own", path.display())),
    }
}

fn is_forbidden(error: Errno) -> bool {
    matches!(error, Errno::EPERM | Errno::EACCES | Errno::ENOSYS)
}

fn renew(
    path: &Path,
    room: Room,
    owner: (Uid, Gid),
    end: Instant,
    open: &(dyn Fn(&Place) -> Result<Dir> + Sync),
) -> Result<Result<(), &'static str>> {
    // Of an end that was cut off.
    volume(&Place::walk(path)?).take_off()?;
    if let Some(dir) = Place::walk(path)?.open()?
        && dir.owner()?.0.as_raw() == NOBODY
    {
        // Newer systemds show it to the unit under the number of its user, and would not show what is mounted on it.
        return Ok(Err("`RuntimeDirectoryPreserve` lets systemd keep it for a dynamic user"));
    }
    let dir = open(&Place::walk(path)?)?;
    let place = Place::walk(path)?;
    if volume(&place).mounted()? == MountState::Other {
        return Ok(Ok(()));
    }
    // What lies below would take room unseen.
    empty(&dir, end).with_context(|| format!("Failed to empty {}", path.display()))?;
    // Its pages count as memory of the unit and belong to no process, so a full one must leave room for those.
    let limit = ControlGroup::own().and_then(|group| group.memory_limit());
    let bytes = limit.map_or(u64::MAX, |limit| limit / 2).min(room.size.of(memory()?)) / room.parts;
    match volume(&place).put_on(bytes, owner) {
        Ok(()) => Ok(Ok(())),
        Err(error) if is_forbidden(error) => Ok(Err("this host lets root mount nothing")),
        Err(error) => Err(error).with_context(|| format!("Failed to mount a file system on {}", path.display())),
    }
}
