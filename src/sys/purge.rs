//! Emptying a directory that hostile processes filled and may still be changing.
//!
//! Works by handle only: every directory is opened below the one before it without following a link and
//! without crossing a mount; whatever is no directory is a name to unlink and is never opened. Trees deeper
//! than [`MAX_DEPTH`] are flattened: a directory found that deep is renamed into the top directory and emptied
//! from there, so neither the stack nor the number of open files grows with what a job built.

use std::ffi::{CStr, CString, OsStr};
use std::os::unix::ffi::OsStrExt as _;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::{Context as _, Result, anyhow, bail};
use nix::dir::Type;
use nix::errno::Errno;
use nix::fcntl::{RenameFlags, renameat2};
use nix::unistd::{UnlinkatFlags, unlinkat};

use super::Dir;
use super::dir::is_dot;

/// How many directories are held open below the top.
const MAX_DEPTH: usize = 32;

/// How often a directory may turn out not to be empty after everything in it was removed.
const MAX_PASSES: usize = 16;

/// How much was removed.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Purged {
    /// Everything that was no directory.
    pub files: u64,
    /// Directories.
    pub directories: u64,
}

/// Removes everything in `top`, but not `top` itself.
///
/// # Errors
///
/// Names the first entry that could not be removed and what it is: a mount point, an immutable file, or a
/// directory that somebody keeps filling. What was not removed by then is still there.
pub fn empty(top: &Dir) -> Result<Purged> {
    let purge = Purge { top, hoisted: AtomicU64::new(0), files: AtomicU64::new(0), directories: AtomicU64::new(0) };
    let mut passes = 0;
    loop {
        let hoisted = purge.hoisted.load(Ordering::Relaxed);
        let directories = purge.unlink_files()?;
        purge.remove_trees(directories)?;
        if top.is_empty()? {
            break;
        }
        // Flattening is progress; a pass that flattened nothing should have left nothing.
        if purge.hoisted.load(Ordering::Relaxed) == hoisted {
            passes += 1;
        }
        if passes == MAX_PASSES {
            bail!("Failed to empty a directory: something keeps filling it; stop the processes of the runner's user");
        }
    }
    Ok(Purged { files: purge.files.into_inner(), directories: purge.directories.into_inner() })
}

struct Purge<'a> {
    top: &'a Dir,
    hoisted: AtomicU64,
    files: AtomicU64,
    directories: AtomicU64,
}

impl Purge<'_> {
    /// Unlinks what lies directly in the top directory and returns its directories.
    fn unlink_files(&self) -> Result<Vec<CString>> {
        let mut directories = Vec::new();
        self.sweep(self.top, |name| {
            directories.push(name.to_owned());
            Ok(())
        })?;
        Ok(directories)
    }

    /// Removes the named trees, on as many threads as there are processors.
    fn remove_trees(&self, names: Vec<CString>) -> Result<()> {
        let processors = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let workers = processors.min(names.len()).min(8);
        if workers < 2 {
            return names.iter().try_for_each(|name| self.remove_tree(self.top, name, 0));
        }
        let queue = Mutex::new(names.into_iter());
        let next = || queue.lock().ok().and_then(|mut names| names.next());
        std::thread::scope(|scope| {
            let work = || {
                while let Some(name) = next() {
                    self.remove_tree(self.top, &name, 0)?;
                }
                Ok(())
            };
            // A unit at its TasksMax= gets fewer threads; this one does the rest.
            let spawn = |_| std::thread::Builder::new().spawn_scoped(scope, work).ok();
            let others: Vec<_> = (1..workers).filter_map(spawn).collect();
            let mine = work();
            others.into_iter().map(|other| other.join().map_err(|_| anyhow!("A worker died"))?).fold(mine, Result::and)
        })
    }

    /// Removes the directory `name` of `parent` with all it contains.
    fn remove_tree(&self, parent: &Dir, name: &CStr, depth: usize) -> Result<()> {
        for _ in 0..MAX_PASSES {
            let dir = match parent.open_dir(OsStr::from_bytes(name.to_bytes())) {
                Ok(dir) => dir,
                Err(Errno::ENOENT) => return Ok(()),
                // Somebody exchanged the directory for something else; that is a name to unlink.
                Err(Errno::ENOTDIR | Errno::ELOOP) => {
                    if unlink(parent, name)? {
                        return Ok(());
                    }
                    continue;
                }
                Err(error) => return Err(blocked(name, error, "open")),
            };
            self.sweep(&dir, |child| {
                if depth + 1 < MAX_DEPTH { self.remove_tree(&dir, child, depth + 1) } else { self.hoist(&dir, child) }
            })?;
            match unlinkat(parent, name, UnlinkatFlags::RemoveDir) {
                Ok(()) => {
                    self.directories.fetch_add(1, Ordering::Relaxed);
                    return Ok(());
                }
                Err(Errno::ENOENT) => return Ok(()),
                // Filled again, or exchanged: look once more.
                Err(Errno::ENOTEMPTY | Errno::EEXIST | Errno::ENOTDIR) => {}
                Err(error) => return Err(blocked(name, error, "remove")),
            }
        }
        bail!("Failed to remove {}: something keeps filling it; stop the processes of the runner's user", shown(name));
    }

    /// Unlinks everything in `dir` that is no directory, and calls `on_directory` for the rest.
    fn sweep(&self, dir: &Dir, mut on_directory: impl FnMut(&CStr) -> Result<()>) -> Result<()> {
        let mut listing = dir.list()?;
        let mut files = 0;
        for entry in listing.iter() {
            let entry = entry.context("Failed to list a directory")?;
            let name = entry.file_name();
            if is_dot(name.to_bytes()) {
                continue;
            }
            if entry.file_type() == Some(Type::Directory) || !unlink(dir, name)? {
                on_directory(name)?;
            } else {
                files += 1;
            }
        }
        self.files.fetch_add(files, Ordering::Relaxed);
        Ok(())
    }

    /// Renames a directory that lies too deep into the top directory.
    fn hoist(&self, dir: &Dir, name: &CStr) -> Result<()> {
        loop {
            let number = self.hoisted.fetch_add(1, Ordering::Relaxed);
            let new = format!(".purge-{number}");
            match renameat2(dir, name, self.top, new.as_str(), RenameFlags::RENAME_NOREPLACE) {
                Ok(()) | Err(Errno::ENOENT) => return Ok(()),
                Err(Errno::EEXIST) => {}
                Err(error) => return Err(blocked(name, error, "move")),
            }
        }
    }
}

/// Unlinks `name`; `false` means that it is a directory.
fn unlink(dir: &Dir, name: &CStr) -> Result<bool> {
    match unlinkat(dir, name, UnlinkatFlags::NoRemoveDir) {
        Ok(()) | Err(Errno::ENOENT) => Ok(true),
        Err(Errno::EISDIR) => Ok(false),
        Err(error) => Err(blocked(name, error, "remove")),
    }
}

fn shown(name: &CStr) -> String {
    name.to_bytes().escape_ascii().to_string()
}

fn blocked(name: &CStr, error: Errno, verb: &str) -> anyhow::Error {
    let name = shown(name);
    match error {
        Errno::EXDEV | Errno::EBUSY => {
            anyhow!(
                "Failed to {verb} {name}: a file system is mounted on it, which is never crossed; unmount it or keep it elsewhere"
            )
        }
        Errno::EPERM => {
            anyhow!("Failed to {verb} {name}: it or its directory is immutable, append-only or not ours; see lsattr(1)")
        }
        error => anyhow!(error).context(format!("Failed to {verb} {name}")),
    }
}
