//! Removing a tree that is too deep to hold every directory of it open.
//!
//! The way back up is `..`, which leads to wherever a hostile process moved the tree by then; so the directory
//! found there must be the one that was left on the way down, by device and inode number. Nothing is renamed: file
//! systems refuse that for reasons of their own (quota projects, subvolumes, layers).

mod way;

use std::ffi::{CStr, OsStr};
use std::os::unix::ffi::OsStrExt as _;
use std::time::Instant;

use anyhow::{Context as _, Result};
use nix::errno::Errno;
use nix::unistd::{UnlinkatFlags, unlinkat};

use super::{MAX_DEPTH, MAX_PASSES, Purge, Sweep, blocked, busy, unlink};
use crate::sys::Dir;
use way::{Level, NAMES, Way};

/// What became of a tree.
enum End {
    Removed,
    /// What is left of it is less deep: it had more directories in each other than are remembered at a time.
    Shortened,
    /// Somebody moved a part of it meanwhile.
    Disturbed,
}

impl Purge {
    /// Removes the directory `name` of `anchor` with all it contains, however deep that is.
    pub(super) fn remove_deep_tree(&self, anchor: &Dir, name: &CStr) -> Result<()> {
        let mut disturbed = 0;
        while disturbed < MAX_PASSES {
            match self.descend(anchor, name)? {
                End::Removed => return Ok(()),
                End::Shortened => {}
                End::Disturbed => disturbed += 1,
            }
        }
        Err(busy(name))
    }

    fn descend(&self, anchor: &Dir, name: &CStr) -> Result<End> {
        let Some(first) = self.enter(anchor, name)? else { return Ok(End::Removed) };
        let mut way = Way::default();
        way.push(first);
        while let Some(mut level) = way.pop() {
            let Some(dir) = level.dir.take() else { return Ok(End::Disturbed) };
            if let Some(child) = way.next_child(&mut level) {
                let below = self.enter(&dir, &child)?;
                level.dir = Some(dir);
                way.push(level);
                if let Some(below) = below {
                    way.push(below);
                }
                continue;
            }
            let mut names = Vec::new();
            // No more than are kept: whoever lists all of a wide directory again and again is never done with it.
            self.sweep(&dir, MAX_DEPTH + way.depth(), |child| {
                names.push(child.to_owned());
                Ok(if names.len() == NAMES / 2 { Sweep::Enough } else { Sweep::On })
            })?;
            if !names.is_empty() {
                level.passes += usize::from(names.len() < NAMES / 2);
                if level.passes > MAX_PASSES {
                    return Err(busy(&level.name));
                }
                level.dir = Some(dir);
                way.push_with_names(level, names);
                continue;
            }
            let is_cut = way.is_cut();
            let above = match way.last_mut() {
                None if is_cut => return Ok(End::Shortened),
                None => anchor,
                Some(above) => match climb(above, &dir)? {
                    Some(above) => above,
                    None => return Ok(End::Disturbed),
                },
            };
            match unlinkat(above, level.name.as_c_str(), UnlinkatFlags::RemoveDir) {
                Ok(()) => self.removed_directory(),
                Err(Errno::ENOENT) => {}
                // Filled again, or exchanged: the directory above lists it once more.
                Err(Errno::ENOTEMPTY | Errno::EEXIST | Errno::ENOTDIR) if way.depth() > 0 => {}
                Err(Errno::ENOTEMPTY | Errno::EEXIST | Errno::ENOTDIR) => return Ok(End::Disturbed),
                Err(error) => return Err(blocked(&level.name, error, "remove")),
            }
        }
        Ok(End::Removed)
    }

    /// Opens the directory `name` of `above`; `None` if it is gone, or was something else and is unlinked now.
    fn enter(&self, above: &Dir, name: &CStr) -> Result<Option<Level>> {
        for _ in 0..MAX_PASSES {
            match above.open_dir(OsStr::from_bytes(name.to_bytes())) {
                Ok(dir) => {
                    self.progress.made(Instant::now());
                    let identity = identity(&dir)?;
                    return Ok(Some(Level::new(name.into(), dir, identity)));
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
