//! Removing a tree that is too deep to hold every directory of it open.
//!
//! The way back up is `..`, which leads to wherever a hostile process moved the tree by then; so the directory
//! found there must be the one that was left on the way down, by device and inode number. Nothing is renamed: file
//! systems refuse that for reasons of their own (quota projects, subvolumes, layers).

use std::ffi::{CStr, CString, OsStr};
use std::os::unix::ffi::OsStrExt as _;
use std::sync::atomic::Ordering;

use anyhow::{Context as _, Result};
use nix::errno::Errno;
use nix::unistd::{UnlinkatFlags, unlinkat};

use super::{BATCH, MAX_PASSES, Purge, blocked, busy, unlink};
use crate::sys::Dir;

/// How many directories are held open, counted from the deepest one.
const OPEN: usize = 16;
/// How many names of directories are kept at a time, in the whole tree.
const NAMES: usize = 32 * BATCH;

/// A directory on the way down.
struct Level {
    name: CString,
    /// `None` while so many deeper ones are open.
    dir: Option<Dir>,
    identity: (u64, u64),
    /// Directories in it that are still to be removed; perhaps not all.
    children: Vec<CString>,
    passes: usize,
}

/// What became of a tree.
enum End {
    Removed,
    /// Somebody moved a part of it meanwhile.
    Disturbed,
}

impl Purge {
    /// Removes the directory `name` of `anchor` with all it contains, however deep that is.
    pub(super) fn remove_deep_tree(&self, anchor: &Dir, name: &CStr) -> Result<()> {
        for _ in 0..MAX_PASSES {
            if matches!(self.descend(anchor, name)?, End::Removed) {
                return Ok(());
            }
        }
        Err(busy(name))
    }

    fn descend(&self, anchor: &Dir, name: &CStr) -> Result<End> {
        let Some(first) = enter(anchor, name)? else { return Ok(End::Removed) };
        let mut way = vec![first];
        let mut names = 0;
        while let Some(mut level) = way.pop() {
            let Some(dir) = level.dir.take() else { return Ok(End::Disturbed) };
            if let Some(child) = level.children.pop() {
                names -= 1;
                let below = enter(&dir, &child)?;
                level.dir = Some(dir);
                way.push(level);
                if let Some(below) = below {
                    way.push(below);
                    if let Some(index) = way.len().checked_sub(OPEN + 1) {
                        way[index].dir = None;
                    }
                }
                continue;
            }
            let mut truncated = false;
            self.sweep(&dir, |child| {
                truncated = level.children.len() == NAMES / 2;
                if !truncated {
                    level.children.push(child.to_owned());
                }
                Ok(())
            })?;
            if !level.children.is_empty() {
                names += level.children.len();
                // Listing in large batches keeps wide directories cheap; those furthest up give their names back, and
                // list what is left of them once more when it is their turn.
                for above in way.iter_mut().filter(|above| !above.children.is_empty()) {
                    if names <= NAMES {
                        break;
                    }
                    names -= std::mem::take(&mut above.children).len();
                    above.passes = above.passes.saturating_sub(1);
                }
                level.passes += usize::from(!truncated);
                if level.passes > MAX_PASSES {
                    return Err(busy(&level.name));
                }
                level.dir = Some(dir);
                way.push(level);
                continue;
            }
            let above = match way.last_mut() {
                None => anchor,
                Some(above) => match climb(above, &dir)? {
                    Some(above) => above,
                    None => return Ok(End::Disturbed),
                },
            };
            match unlinkat(above, level.name.as_c_str(), UnlinkatFlags::RemoveDir) {
                Ok(()) => drop(self.directories.fetch_add(1, Ordering::Relaxed)),
                Err(Errno::ENOENT) => {}
                // Filled again, or exchanged: the directory above lists it once more.
                Err(Errno::ENOTEMPTY | Errno::EEXIST | Errno::ENOTDIR) if !way.is_empty() => {}
                Err(Errno::ENOTEMPTY | Errno::EEXIST | Errno::ENOTDIR) => return Ok(End::Disturbed),
                Err(error) => return Err(blocked(&level.name, error, "remove")),
            }
        }
        Ok(End::Removed)
    }
}

/// Opens the directory `name` of `above`; `None` if it is gone, or was something else and is unlinked now.
fn enter(above: &Dir, name: &CStr) -> Result<Option<Level>> {
    for _ in 0..MAX_PASSES {
        match above.open_dir(OsStr::from_bytes(name.to_bytes())) {
            Ok(dir) => {
                let identity = identity(&dir)?;
                return Ok(Some(Level { name: name.into(), dir: Some(dir), identity, children: vec![], passes: 0 }));
            }
            Err(Errno::ENOENT) => return Ok(None),
            Err(Errno::ENOTDIR | Errno::ELOOP) => {
                if unlink(above, name)? {
                    return Ok(None);
                }
            }
            Err(error) => return Err(blocked(name, error, "open")),
        }
    }
    Err(busy(name))
}

/// Returns the directory of `level`, opened again from `below` if it was closed; `None` if `below` is not in it any more.
fn climb<'a>(level: &'a mut Level, below: &Dir) -> Result<Option<&'a Dir>> {
    if level.dir.is_none() {
        let dir = below.open_parent().context("Failed to go back up in a deep tree")?;
        if identity(&dir)? != level.identity {
            return Ok(None);
        }
        level.dir = Some(dir);
    }
    Ok(level.dir.as_ref())
}

fn identity(dir: &Dir) -> Result<(u64, u64)> {
    let stat = dir.stat()?;
    Ok((stat.st_dev, stat.st_ino))
}
