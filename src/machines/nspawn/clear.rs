//! Taking everything of a job away whose processes are gone.
//!
//! Every step can be killed and is done again by whoever comes next. Nothing that a machine wrote is opened by path here:
//! its files are removed by handles, and everything else is of root.

use std::fs::{self, File, TryLockError};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::time::Instant;

use anyhow::{Context as _, Result};
use rustix::mount::{UnmountFlags, unmount};

use super::claim::{LOCKED, Places, UNBORN};
use super::record::{self, Record};
use super::settings::{NetworkMode, Settings};
use super::{arguments, network, range};
use crate::machines::Token;
use crate::sys::{LastLink, Place, read_regular_file};

/// What nspawn keeps by the name of a machine, and leaves behind if it is killed.
const BY_NAME: [&str; 2] = ["/run/systemd/nspawn/unix-export", "/run/systemd/nspawn/propagate"];

/// What nspawn keeps by the number of a root directory.
const LOCKS: &str = "/run/systemd/nspawn/locks";

impl Places {
    /// Takes everything of a job away whose processes are gone, if its record is still the one that was `seen`: meanwhile
    /// another unit may have taken the number.
    ///
    /// # Errors
    ///
    /// The first step that fails; what it would have removed still stands, and the job's directory too.
    pub fn clear(
        &self,
        token: Token,
        seen: Option<&Record>,
        settings: &Settings,
        end: Instant,
        patience: Turn,
    ) -> Result<()> {
        let clear = || -> Result<()> {
            let job = self.job(token);
            let Some(_turn) = turn(&job, patience)? else { return Ok(()) };
            if Record::read(&job)?.as_ref() != seen {
                return Ok(());
            }
            let slots = range::taken_by(&self.slots(), token)?;
            for slot in &slots {
                network::disconnect(*slot)?;
            }
            for directory in BY_NAME {
                forget(&Path::new(directory).join(arguments::name(token)))?;
            }
            if let Ok(Ok(Some(locked))) = read_regular_file(&job.join(LOCKED), 64, LastLink::Refuse)
                && let Some(name) = lock_name(&locked)
            {
                unlink(&Path::new(LOCKS).join(name))?;
            }
            self.remove_files(token, end)?;
            for slot in slots {
                range::free(&self.slots(), slot)?;
            }
            if settings.network.mode == NetworkMode::Private {
                network::forget_rules(&self.slots(), &self.rules())?;
            }
            remove_job(&job)
        };
        clear().with_context(|| format!("Failed to take away what job {token} left"))
    }

    /// Takes away what a machine wrote, which may be there without anything else after a power cut.
    ///
    /// # Errors
    ///
    /// If something is left.
    pub fn remove_files(&self, token: Token, end: Instant) -> Result<()> {
        let files = Place::walk(&self.files(token))?;
        if files.open()?.is_some() {
            files.remove(end)?;
        }
        Ok(())
    }

    /// Takes away the directories of supervisors that were killed before they took a number.
    ///
    /// # Errors
    ///
    /// As `rmdir(2)`.
    pub fn forget_unborn(&self) -> Result<()> {
        for (name, path) in self.entries()? {
            let process = name.strip_prefix(UNBORN);
            if process.is_some_and(|process| !Path::new("/proc").join(process).exists()) {
                fs::remove_dir_all(&path).with_context(|| format!("Failed to remove {}", path.display()))?;
            }
        }
        Ok(())
    }
}

/// What to do while somebody else takes a job away.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Turn {
    /// Wait until that one is done, or was killed.
    Wait,
    /// Leave it to that one.
    Try,
}

/// One after another takes a job away, for as long as the file is open. `None` means that somebody did it meanwhile, or
/// does it.
fn turn(job: &Path, patience: Turn) -> Result<Option<File>> {
    let open = || {
        let directory = File::open(job)?;
        match patience {
            Turn::Wait => directory.lock()?,
            Turn::Try => match directory.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => return Ok(None),
                Err(TryLockError::Error(error)) => return Err(error),
            },
        }
        let (ours, there) = (directory.metadata()?, fs::metadata(job)?);
        Ok::<_, std::io::Error>(((ours.dev(), ours.ino()) == (there.dev(), there.ino())).then_some(directory))
    };
    match open() {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        opened => opened.with_context(|| format!("Failed to lock {}", job.display())),
    }
}

/// The record goes last but one: without it nobody knows whose the directory is, and nothing else is left then.
fn remove_job(job: &Path) -> Result<()> {
    let remove = || -> std::io::Result<()> {
        for entry in fs::read_dir(job)? {
            let entry = entry?;
            if entry.file_name() != record::FILE {
                fs::remove_file(entry.path())?;
            }
        }
        match fs::remove_file(job.join(record::FILE)) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        fs::remove_dir(job)
    };
    match remove() {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("Failed to remove {}", job.display()))
        }
        _ => Ok(()),
    }
}

/// A directory of nspawn that may still be a mount point. Nothing that a machine wrote is below it: it is of root.
fn forget(path: &Path) -> Result<()> {
    // It is none, or is no mount point: then removing it says what is wrong.
    _ = unmount(path, UnmountFlags::DETACH | UnmountFlags::NOFOLLOW);
    match fs::remove_dir(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("Failed to remove {}", path.display()))
        }
        _ => Ok(()),
    }
}

fn unlink(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("Failed to remove {}", path.display()))
        }
        _ => Ok(()),
    }
}

/// What nspawn calls the lock of the root that was noted.
fn lock_name(noted: &[u8]) -> Option<String> {
    let (device, inode) = std::str::from_utf8(noted).ok()?.split_once(':')?;
    let (device, inode): (u64, u64) = (device.parse().ok()?, inode.parse().ok()?);
    Some(format!("inode-{device}:{inode}"))
}

#[cfg(test)]
#[path = "clear_tests.rs"]
mod tests;
