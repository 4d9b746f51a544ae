//! Files by their path, where nobody but the administrator can change the path: the token file, and files of the
//! store. What is found at the end is checked before it is read.

use std::fs::OpenOptions;
use std::os::fd::AsFd as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use anyhow::{Context as _, Result};
use nix::fcntl::OFlag;
use nix::sys::stat::fstat;

use super::FileFault;
use super::dir::{fault_of, kind, read_handle};

/// What to do if the file itself is a link.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum LastLink {
    /// Read what it leads to.
    Follow,
    /// Report it.
    Refuse,
}

/// Reads the whole regular file at `path`, of at most `max` bytes. `None` means that there is none.
///
/// The outer error is one of the system, the inner one says what is there instead.
///
/// # Errors
///
/// As `open(2)` and `read(2)`.
pub fn read_regular_file(
    path: &Path,
    max: u64,
    last_link: LastLink,
) -> Result<std::result::Result<Option<Vec<u8>>, FileFault>> {
    let flags = match last_link {
        LastLink::Follow => OFlag::O_PATH,
        LastLink::Refuse => OFlag::O_PATH | OFlag::O_NOFOLLOW,
    };
    let opened = OpenOptions::new().read(true).custom_flags(flags.bits()).open(path);
    let handle = match opened {
        Ok(handle) => handle,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Ok(None)),
        Err(error) => return Err(error).with_context(|| format!("Failed to open {}", path.display())),
    };
    let mut stat = fstat(&handle).with_context(|| format!("Failed to examine {}", path.display()))?;
    if kind(&stat) == nix::sys::stat::SFlag::S_IFREG {
        // The administrator may well keep a second name for the file.
        stat.st_nlink = 1;
    }
    if let Some(fault) = fault_of(&stat, &[], max) {
        return Ok(Err(fault));
    }
    read_handle(handle.as_fd(), max)
        .with_context(|| format!("Failed to read {}", path.display()))
        .map(|read| read.map(Some))
}
