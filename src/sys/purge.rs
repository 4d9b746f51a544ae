//! Emptying a directory that hostile processes filled and may still be changing.
//!
//! Works by handle only: every directory is opened below the one before it without following a link and
//! without crossing a mount; whatever is no directory is a name to unlink and is never opened. Deep trees are
//! removed with few open files, see `deep`, so neither depth nor width of what a job built stops its host.
//!
//! Work is shared among processors wherever the tree branches, because a work directory usually holds one
//! repository with everything in it. Names are handed on in batches, so memory does not grow with the width of a tree.
//!
//! Time is limited by what happens in it: as long as the tree gives way, emptying goes on until the caller's own time is over.

mod deep;
mod progress;

use std::ffi::{CStr, CString, OsStr};
use std::num::NonZero;
use std::os::unix::ffi::OsStrExt as _;
use std::sync::atomic::{AtomicIsize, AtomicU64, Ordering};
use std::sync::{Mutex, OnceLock};
use std::thread;
use std::time::Instant;

use anyhow::{Context as _, Result, anyhow};
use nix::dir::Type;
use nix::errno::Errno;
use nix::unistd::{UnlinkatFlags, unlinkat};

use super::Dir;
use super::dir::{EntryKind, is_dot};
use progress::Progress;

/// How many directories below the top each directory on the way is held open.
const MAX_DEPTH: usize = 32;

/// How often a directory may turn out not to be empty after everything in it was removed.
const MAX_PASSES: usize = 16;

/// How many names of directories are kept at a time, per directory held open.
const BATCH: usize = 128;

/// How many directories below the top work is still shared; bounds the threads that wait for each other.
const SHARED_DEPTH: usize = 8;

/// How many threads remove at the same time, at most.
const MAX_WORKERS: usize = 8;

/// How much was removed.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Purged {
    /// Everything that was no directory.
    pub files: u64,
    /// Directories.
    pub directories: u64,
}

/// Removes everything in `top`, but not `top` itself, and goes on until `end` at most.
///
/// # Errors
///
/// Names the first entry that could not be removed and what it is: a mount point, an immutable file, or a
/// directory that somebody keeps filling, that is too deep or that takes too long. What was removed by then stays removed.
pub fn empty(top: &Dir, end: Instant) -> Result<Purged> {
    let purge = Purge::new(end);
    for pass in 0.. {
        if top.is_empty()? {
            break;
        }
        if pass == MAX_PASSES {
            return Err(busy(c"a directory"));
        }
        purge.clear(top, 0)?;
    }
    Ok(purge.done())
}

/// The same, but leaves what is directly in `top`, has one of the names `kept` and is no directory.
///
/// # Errors
///
/// As [`empty`].
pub fn empty_but(top: &Dir, kept: &[&str], end: Instant) -> Result<Purged> {
    let purge = Purge::new(end);
    for _ in 0..MAX_PASSES {
        let mut more = false;
        for entry in top.list()?.iter() {
            let entry = entry.context("Failed to list a directory")?;
            let now = Instant::now();
            purge.progress.check(now, 0)?;
            let name = entry.file_name();
            let kept = kept.iter().find(|kept| kept.as_bytes() == name.to_bytes());
            if is_dot(name.to_bytes()) || kept.map(|kept| top.entry(kept)).transpose()? == Some(EntryKind::File) {
                continue;
            }
            more = true;
            if entry.file_type() == Some(Type::Directory) || !unlink(top, name)? {
                purge.remove_tree(top, name, 0)?;
            } else {
                purge.progress.made(now);
                purge.files.fetch_add(1, Ordering::Relaxed);
            }
        }
        if !more {
            return Ok(purge.done());
        }
    }
    Err(busy(c"a directory"))
}

struct Purge {
    /// When to give up.
    progress: Progress,
    /// Processors without a thread of this purge; below 0 for the moment in which one stops waiting for others.
    /// Looked up when there is something to share, because that takes longer than to empty a small directory.
    idle: OnceLock<AtomicIsize>,
    files: AtomicU64,
    directories: AtomicU64,
}

impl Purge {
    fn new(end: Instant) -> Self {
        Self {
            progress: Progress::new(end),
            idle: OnceLock::new(),
            files: AtomicU64::new(0),
            directories: AtomicU64::new(0),
        }
    }

    fn done(self) -> Purged {
        Purged { files: self.files.into_inner(), directories: self.directories.into_inner() }
    }

    /// Removes what is in `dir`, which lies `depth` directories below the top.
    fn clear(&self, dir: &Dir, depth: usize) -> Result<()> {
        if depth == MAX_DEPTH {
            return self.sweep(dir, depth, |name| self.remove_deep_tree(dir, name).map(|()| Sweep::On));
        }
        let mut batch = Vec::new();
        self.sweep(dir, depth, |name| {
            batch.push(name.to_owned());
            if batch.len() == BATCH {
                self.remove_trees(dir, std::mem::take(&mut batch), depth)?;
            }
            Ok(Sweep::On)
        })?;
        self.remove_trees(dir, batch, depth)
    }

    /// Removes the named directories of `dir`, and starts threads for as long as processors are idle.
    fn remove_trees(&self, dir: &Dir, names: Vec<CString>, depth: usize) -> Result<()> {
        if names.len() < 2 || depth >= SHARED_DEPTH {
            return names.iter().try_for_each(|name| self.remove_tree(dir, name, depth));
        }
        let queue = Mutex::new(names.into_iter());
        let next = || queue.lock().ok().and_then(|mut names| names.next());
        let is_done = || queue.lock().map_or(true, |names| names.len() == 0);
        thread::scope(|scope| {
            let help = || {
                let mut done = Ok(());
                while let (Ok(()), Some(name)) = (&done, next()) {
                    done = self.remove_tree(dir, &name, depth);
                }
                self.idle().fetch_add(1, Ordering::Relaxed);
                done
            };
            let mut others = Vec::new();
            let mut mine = Ok(());
            while let (Ok(()), Some(name)) = (&mine, next()) {
                if !is_done() && self.claim_processor() {
                    match thread::Builder::new().spawn_scoped(scope, help) {
                        Ok(other) => others.push(other),
                        // A unit at its TasksMax= gets fewer threads; this one does the rest.
                        Err(_) => _ = self.idle().fetch_add(1, Ordering::Relaxed),
                    }
                }
                mine = self.remove_tree(dir, &name, depth);
            }
            if others.is_empty() {
                return mine;
            }
            // While this thread waits, the others may share what they have further down.
            self.idle().fetch_add(1, Ordering::Relaxed);
            let joined = others.into_iter().map(|other| other.join().map_err(|_| anyhow!("A worker died"))?);
            let result = joined.fold(mine, Result::and);
            self.idle().fetch_sub(1, Ordering::Relaxed);
            result
        })
    }

    fn idle(&self) -> &AtomicIsize {
        self.idle.get_or_init(|| {
            let processors = thread::available_parallelism().map_or(1, NonZero::get).min(MAX_WORKERS);
            AtomicIsize::new(processors.cast_signed() - 1)
        })
    }

    /// Whether a processor was idle, which now is not.
    fn claim_processor(&self) -> bool {
        self.idle().fetch_update(Ordering::Relaxed, Ordering::Relaxed, |idle| (idle > 0).then(|| idle - 1)).is_ok()
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
            self.clear(&dir, depth + 1)?;
            match unlinkat(parent, name, UnlinkatFlags::RemoveDir) {
                Ok(()) => {
                    self.removed_directory();
                    return Ok(());
                }
                Err(Errno::ENOENT) => return Ok(()),
                // Filled again, or exchanged: look once more.
                Err(Errno::ENOTEMPTY | Errno::EEXIST | Errno::ENOTDIR) => {}
                Err(error) => return Err(blocked(name, error, "remove")),
            }
        }
        Err(busy(name))
    }

    /// Unlinks everything in `dir` that is no directory, and calls `on_directory` for the rest, until that has enough.
    /// `dir` lies `depth` directories below the top.
    fn sweep(&self, dir: &Dir, depth: usize, mut on_directory: impl FnMut(&CStr) -> Result<Sweep>) -> Result<()> {
        let mut listing = dir.list()?;
        let mut files = 0;
        for entry in listing.iter() {
            let entry = entry.context("Failed to list a directory")?;
            let now = Instant::now();
            self.progress.check(now, depth)?;
            let name = entry.file_name();
            if is_dot(name.to_bytes()) {
                continue;
            }
            if entry.file_type() == Some(Type::Directory) || !unlink(dir, name)? {
                if matches!(on_directory(name)?, Sweep::Enough) {
                    break;
                }
            } else {
                self.progress.made(now);
                files += 1;
            }
        }
        self.files.fetch_add(files, Ordering::Relaxed);
        Ok(())
    }

    fn removed_directory(&self) {
        self.directories.fetch_add(1, Ordering::Relaxed);
        self.progress.made(Instant::now());
    }
}

/// Whether to look at what else is in a directory.
enum Sweep {
    On,
    Enough,
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

/// Somebody is faster than we are.
fn busy(name: &CStr) -> anyhow::Error {
    anyhow!(
        "Failed to remove {}: something keeps filling or moving it; stop the processes of the runner's user",
        shown(name)
    )
}

pub(super) fn blocked(name: &CStr, error: Errno, verb: &str) -> anyhow::Error {
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
        Errno::EROFS => {
            anyhow!(
                "Failed to {verb} {name}: it is read-only, as a file system or as a subvolume of btrfs; see `btrfs property`"
            )
        }
        error => anyhow!(error).context(format!("Failed to {verb} {name}")),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use nix::sys::stat::Mode;

    use super::*;
    use crate::sys::Place;

    #[test]
    fn a_directory_with_a_deep_tree_is_removed_and_time_that_is_over_says_so() {
        let temporary = tempfile::tempdir().unwrap();
        let path = temporary.path().canonicalize().unwrap().join("logs");
        std::fs::create_dir(&path).unwrap();
        let place = || Place::walk(&path).unwrap();
        let mut dir = place().open().unwrap().unwrap();
        for _ in 0..2_000 {
            dir = dir.make_dir(OsStr::new("d"), Mode::S_IRWXU).unwrap();
        }
        let over = Instant::now().checked_sub(Duration::from_secs(1)).unwrap();
        let error = format!("{:#}", place().remove(over).unwrap_err());
        assert!(error.contains("logs: Failed to empty a directory within 0 s"), "{error}");
        assert!(error.contains("the next try goes on with the rest"), "{error}");
        place().remove(Instant::now() + Duration::from_secs(3600)).unwrap();
        assert!(!path.exists());
    }
}
