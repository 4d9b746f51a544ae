//! Reading files whose content, kind and size somebody else may have chosen: what is found is checked by its
//! descriptor before it is read.

use std::ffi::OsStr;
use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read as _};
use std::os::fd::{AsFd as _, AsRawFd as _, BorrowedFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use anyhow::{Context as _, Result};
use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::sys::stat::{FileStat, Mode, SFlag, fstat};
use nix::unistd::Uid;

use super::Dir;
use super::dir::kind;

/// Holds nearly every file that is read here, so that it takes one read and not one per doubling.
const INITIAL_BYTES: usize = 2048;

/// Why a name does not hold a file that may be read or replaced.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum FileFault {
    /// It is a link, a directory, a fifo, a socket or a device; the text says which.
    Kind(&'static str),
    /// Somebody holds a second name for the same file.
    HardLinks(u64),
    /// It belongs to this user instead of an expected one.
    Owner(u32),
    /// It has this many bytes, more than allowed.
    Size(u64),
    /// Another file system is mounted on it.
    MountPoint,
}

impl fmt::Display for FileFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Kind(kind) => write!(f, "is {kind}"),
            Self::HardLinks(links) => write!(f, "has {links} hard links"),
            Self::Owner(uid) => write!(f, "belongs to user id {uid}"),
            Self::Size(size) => write!(f, "has {size} bytes, more than expected"),
            Self::MountPoint => f.write_str("is a mount point"),
        }
    }
}

impl std::error::Error for FileFault {}

impl Dir {
    /// Reads the whole regular file `name`, which must have one name only, belong to one of `owners` and
    /// have at most `max` bytes.
    ///
    /// The outer error is one of the system, the inner one says what `name` is instead. `None` means that
    /// there is no such name. Special files are never opened for reading, so a fifo cannot hold us up.
    ///
    /// # Errors
    ///
    /// As `openat2(2)` and `read(2)`.
    pub fn read_file(
        &self,
        name: &str,
        owners: &[Uid],
        max: u64,
    ) -> Result<std::result::Result<Option<Vec<u8>>, FileFault>> {
        match self.examine(name, owners, max)? {
            Ok(None) => Ok(Ok(None)),
            Ok(Some(handle)) => read_handle(handle.as_fd(), max)
                .with_context(|| format!("Failed to read {name}"))
                .map(|read| read.map(Some)),
            Err(fault) => Ok(Err(fault)),
        }
    }

    /// Opens the regular file `name` for reading, of any size; otherwise as [`Dir::read_file`].
    ///
    /// # Errors
    ///
    /// As `openat2(2)`.
    pub fn open_file(&self, name: &str, owners: &[Uid]) -> Result<std::result::Result<Option<File>, FileFault>> {
        match self.examine(name, owners, u64::MAX)? {
            Ok(None) => Ok(Ok(None)),
            Ok(Some(handle)) => open_handle(handle.as_fd())
                .with_context(|| format!("Failed to open {name}"))
                .map(|opened| opened.map(Some)),
            Err(fault) => Ok(Err(fault)),
        }
    }

    /// An `O_PATH` handle of the regular file `name`, if that is what it is.
    fn examine(&self, name: &str, owners: &[Uid], max: u64) -> Result<std::result::Result<Option<OwnedFd>, FileFault>> {
        let handle = match self.open_below(OsStr::new(name), OFlag::O_PATH, Mode::empty()) {
            Ok(handle) => handle,
            Err(Errno::ENOENT) => return Ok(Ok(None)),
            Err(Errno::ELOOP) => return Ok(Err(FileFault::Kind("a symbolic link"))),
            Err(Errno::EXDEV) => return Ok(Err(FileFault::MountPoint)),
            Err(error) => return Err(error).with_context(|| format!("Failed to open {name}")),
        };
        let stat = fstat(&handle).with_context(|| format!("Failed to examine {name}"))?;
        Ok(fault_of(&stat, owners, max).map_or(Ok(Some(handle)), Err))
    }
}

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

fn fault_of(stat: &FileStat, owners: &[Uid], max: u64) -> Option<FileFault> {
    let size = u64::try_from(stat.st_size).unwrap_or(u64::MAX);
    match kind(stat) {
        SFlag::S_IFREG => {}
        SFlag::S_IFLNK => return Some(FileFault::Kind("a symbolic link")),
        SFlag::S_IFDIR => return Some(FileFault::Kind("a directory")),
        SFlag::S_IFIFO => return Some(FileFault::Kind("a fifo")),
        SFlag::S_IFSOCK => return Some(FileFault::Kind("a socket")),
        _ => return Some(FileFault::Kind("a device")),
    }
    if stat.st_nlink != 1 {
        return Some(FileFault::HardLinks(stat.st_nlink));
    }
    if !owners.is_empty() && !owners.contains(&Uid::from_raw(stat.st_uid)) {
        return Some(FileFault::Owner(stat.st_uid));
    }
    (size > max).then_some(FileFault::Size(size))
}

/// Reads what an `O_PATH` handle of a checked regular file stands for. The size is held to `max` again,
/// because the file may grow in the meantime.
fn read_handle(handle: BorrowedFd<'_>, max: u64) -> Result<std::result::Result<Vec<u8>, FileFault>> {
    let file = match open_handle(handle)? {
        Ok(file) => file,
        Err(fault) => return Ok(Err(fault)),
    };
    // One read for the content and one for its end, instead of growing from 32 bytes on.
    let mut content = Vec::with_capacity(INITIAL_BYTES);
    file.take(max + 1).read_to_end(&mut content)?;
    if content.len() as u64 > max {
        return Ok(Err(FileFault::Size(content.len() as u64)));
    }
    Ok(Ok(content))
}

/// Opens what an `O_PATH` handle of a checked regular file stands for.
fn open_handle(handle: BorrowedFd<'_>) -> Result<std::result::Result<File, FileFault>> {
    // The magic link leads to the very inode that was checked, so this is no second look-up of a name.
    let path = format!("/proc/self/fd/{}", handle.as_raw_fd());
    // Without O_NONBLOCK, a lease on the file could hold us up for as long as its holder likes.
    let opened = OpenOptions::new().read(true).custom_flags(OFlag::O_NONBLOCK.bits()).open(path);
    match opened {
        Err(error) if error.kind() == ErrorKind::WouldBlock => {
            Ok(Err(FileFault::Kind("held by a lease of another process")))
        }
        opened => Ok(Ok(opened?)),
    }
}

/// The content of a file that only root can write; `None` if there is none.
///
/// # Errors
///
/// As `read(2)`.
pub fn read_if_there(path: &Path) -> Result<Option<Vec<u8>>> {
    match std::fs::read(path) {
        Ok(content) => Ok(Some(content)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(|| format!("Failed to read {}", path.display())),
    }
}
