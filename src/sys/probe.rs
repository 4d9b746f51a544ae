//! Finding out what can be done in a directory before anything depends on it.

use std::ffi::{CString, OsStr};
use std::fs::OpenOptions;
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::OpenOptionsExt as _;

use anyhow::{Context as _, Result};
use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::sys::stat::{Mode, SFlag, fstat};
use nix::unistd::{Gid, Uid};

use super::Dir;
use super::dir::kind;
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
        // Whoever may not remove such a file may not open it for writing either. The magic link leads to what was examined.
        let path = format!("/proc/self/fd/{}", handle.as_raw_fd());
        let opened = OpenOptions::new().write(true).custom_flags(OFlag::O_NONBLOCK.bits()).open(path);
        match opened.map_err(|error| Errno::from_raw(error.raw_os_error().unwrap_or_default())) {
            Err(error @ (Errno::EPERM | Errno::EROFS)) => Err(blocked(&shown, error, "remove")),
            // Anything else is about writing only, such as a program that runs or a lease.
            _ => Ok(()),
        }
    }
}
