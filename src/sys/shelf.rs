//! Copying files out of a directory that hostile processes can write, into one that they cannot.
//!
//! A copy is a new file of our own: whoever still holds the old one open cannot change it.

use std::ffi::OsStr;
use std::fs::File;
use std::os::fd::AsFd as _;
use std::time::{Duration, SystemTime};

use anyhow::{Context as _, Result};
use nix::errno::Errno;
use nix::fcntl::{AtFlags, OFlag};
use nix::sys::stat::{FileStat, Mode, fchmod, fstatat};
use nix::unistd::{Uid, UnlinkatFlags, unlinkat};

use super::Dir;
use super::dir::{is_dot, kind};

/// An entry of a directory.
#[derive(Clone, Debug)]
pub struct Listed {
    /// Its name, if that is UTF-8.
    pub name: Option<String>,
    /// Whom it belongs to.
    pub owner: Uid,
    /// Whether it is a regular file with one name only.
    pub is_file: bool,
    /// Its bytes.
    pub size: u64,
    /// When its content was changed last.
    pub modified: SystemTime,
}

impl Listed {
    fn new(name: &OsStr, stat: &FileStat) -> Self {
        Self {
            name: name.to_str().map(ToOwned::to_owned),
            owner: Uid::from_raw(stat.st_uid),
            is_file: kind(stat) == nix::sys::stat::SFlag::S_IFREG && stat.st_nlink == 1,
            size: u64::try_from(stat.st_size).unwrap_or(0),
            modified: SystemTime::UNIX_EPOCH + Duration::from_secs(u64::try_from(stat.st_mtime).unwrap_or(0)),
        }
    }
}

impl Dir {
    /// The first `most` entries, in no order.
    ///
    /// # Errors
    ///
    /// As `readdir(3)` and `fstatat(2)`.
    pub fn look(&self, most: usize) -> Result<Vec<Listed>> {
        use std::os::unix::ffi::OsStrExt as _;
        let mut found = Vec::new();
        for entry in self.list()?.iter() {
            let entry = entry.context("Failed to list a directory")?;
            let name = entry.file_name();
            if is_dot(name.to_bytes()) {
                continue;
            }
            if found.len() == most {
                break;
            }
            match fstatat(self, name, AtFlags::AT_SYMLINK_NOFOLLOW) {
                Ok(stat) => found.push(Listed::new(OsStr::from_bytes(name.to_bytes()), &stat)),
                Err(Errno::ENOENT) => {}
                Err(error) => return Err(error).context("Failed to examine an entry of a directory"),
            }
        }
        Ok(found)
    }

    /// Makes the file `name`, which must not exist, for root alone to write and its group to read.
    ///
    /// # Errors
    ///
    /// As `openat2(2)`.
    pub fn create_file(&self, name: &str) -> Result<File> {
        let flags = OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_EXCL;
        let mode = Mode::S_IRUSR | Mode::S_IWUSR | Mode::S_IRGRP;
        let file =
            self.open_below(OsStr::new(name), flags, mode).with_context(|| format!("Failed to create {name}"))?;
        Ok(File::from(file))
    }

    /// Sets the mode of the directory itself.
    ///
    /// # Errors
    ///
    /// As `fchmod(2)`.
    pub fn set_mode(&self, mode: Mode) -> Result<()> {
        fchmod(self.as_fd(), mode).context("Failed to change the mode of a directory")
    }

    /// Removes the directory `name` if it is empty. Tells whether it is gone.
    ///
    /// # Errors
    ///
    /// As `unlinkat(2)`.
    pub fn remove_if_empty(&self, name: &str) -> Result<bool> {
        match unlinkat(self, name, UnlinkatFlags::RemoveDir) {
            Ok(()) | Err(Errno::ENOENT) => Ok(true),
            Err(Errno::ENOTEMPTY | Errno::EEXIST) => Ok(false),
            Err(error) => Err(error).with_context(|| format!("Failed to remove {name}")),
        }
    }
}
