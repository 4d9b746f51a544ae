//! Finding out what can be done in a directory before anything depends on it.

use std::ffi::{CString, OsStr};

use anyhow::{Context as _, Result};
use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::sys::stat::{Mode, SFlag, fstat};
use nix::sys::statvfs::{FsFlags, fstatvfs};
use nix::unistd::{Gid, Uid};
use rustix::fs::{AtFlags, StatxAttributes, StatxFlags, statx};

use super::Dir;
use super::dir::kind;
use super::own::number;
use super::purge::blocked;

impl Dir {
    /// Whether a file `name` of `size` bytes could be put in place for `owner`: writes it beside that name and removes it
    /// again.
    ///
    /// # Errors
    ///
    /// As [`Dir::stage_file`]; also if nothing can be removed from the directory.
    pub fn check_writable(&self, name: &str, size: usize, owner: (Uid, Gid)) -> Result<()> {
        self.stage_file(name, &vec![0; size], Mode::S_IRUSR, Some(owner))?.discard()
    }

    /// Whether the file `name` could be removed, as far as it depends on that file: not if it is immutable, append-only or
    /// mounted. Changes nothing. What is not there can be removed.
    ///
    /// # Errors
    ///
    /// The reason, with the way out.
    pub fn check_removable(&self, name: &str) -> Result<()> {
        let shown = CString::new(name)?;
        let handle = match self.open_below(OsStr::new(name), OFlag::O_PATH, Mode::empty()) {
            Ok(handle) => handle,
            // Links can be neither immutable nor mounted on.
            Err(Errno::ENOENT | Errno::ELOOP) => return Ok(()),
            Err(error) => return Err(blocked(&shown, error, "remove")),
        };
        let stat = fstat(&handle).with_context(|| format!("Failed to examine {name}"))?;
        if kind(&stat) != SFlag::S_IFREG {
            return Ok(());
        }
        // Not by opening it for writing, which fs-verity refuses as well, and a job can turn that on.
        let found = statx(&handle, c"", AtFlags::EMPTY_PATH, StatxFlags::BASIC_STATS)
            .map_err(number)
            .with_context(|| format!("Failed to examine {name}"))?;
        let kept = StatxAttributes::IMMUTABLE | StatxAttributes::APPEND;
        if found.stx_attributes.intersects(kept) {
            return Err(blocked(&shown, Errno::EPERM, "remove"));
        }
        let disk = fstatvfs(&handle).with_context(|| format!("Failed to examine the disk of {name}"))?;
        if disk.flags().contains(FsFlags::ST_RDONLY) {
            return Err(blocked(&shown, Errno::EROFS, "remove"));
        }
        Ok(())
    }
}
