//! Taking back what a former owner of a directory, or a job in it, gave to others.
//!
//! Only the directory itself is dealt with. It stays the same inode, because a mount, a quota project or a subvolume of the
//! administrator may hang on it; with its mode closed, a descriptor that was handed on finds nothing in it by name.

use anyhow::{Context as _, Result};
use nix::errno::Errno;
use nix::sys::stat::{Mode, fchmod};
use nix::unistd::{Gid, Uid};
use rustix::fs::{IFlags, flistxattr, fremovexattr, ioctl_getflags, ioctl_setflags};

use super::Dir;

/// Lists of access rights, for the directory and for what is made in it. They go past mode and umask.
const ACCESS_LISTS: [&str; 2] = ["system.posix_acl_access", "system.posix_acl_default"];

/// What an owner can set on a directory, and what everything that is made in it inherits.
const FLAGS: IFlags = IFlags::SYNC
    .union(IFlags::DIRSYNC)
    .union(IFlags::NOATIME)
    .union(IFlags::NODUMP)
    .union(IFlags::NOCOW)
    .union(IFlags::COMPRESSED)
    .union(IFlags::UNRM)
    .union(IFlags::SECURE_REMOVAL)
    .union(IFlags::TOPDIR);

/// As many bytes of names as the kernel hands out.
const LONGEST_LIST: usize = 64 * 1024;

/// Whether all attributes could be seen.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[must_use]
pub enum Attributes {
    /// None of a user is left.
    Gone,
    /// There are more than the kernel can list, so those of users are still there.
    TooMany,
}

impl Dir {
    /// Makes the directory `owner`'s, with exactly `mode` and nothing that opens it to others.
    ///
    /// # Errors
    ///
    /// As `fchown(2)`, `fchmod(2)` and `fremovexattr(2)`.
    pub fn claim(&self, owner: (Uid, Gid), mode: Mode) -> Result<Attributes> {
        // First the owner, because the one before could undo all the rest.
        if self.owner()? != owner {
            self.give_to(owner)?;
        }
        // The mode limits what a list can give, so the directory is closed from here on.
        if self.stat()?.st_mode & 0o7777 != mode.bits() {
            fchmod(&self.fd, mode).context("Failed to change the mode of a directory")?;
        }
        self.drop_access_lists()
    }

    /// Removes what gives rights beyond the mode, and whatever else users attached to the directory.
    ///
    /// # Errors
    ///
    /// As `flistxattr(2)`, `fremovexattr(2)` and `ioctl_iflags(2)`. A file system without such things is fine.
    pub fn drop_access_lists(&self) -> Result<Attributes> {
        self.drop_flags()?;
        for name in ACCESS_LISTS {
            self.remove_attribute(name.as_bytes())?;
        }
        let mut names = vec![0; LONGEST_LIST];
        let length = match flistxattr(&self.fd, names.as_mut_slice()).map_err(number) {
            Ok(length) => length,
            Err(Errno::EOPNOTSUPP) => 0,
            Err(Errno::E2BIG) => return Ok(Attributes::TooMany),
            Err(error) => return Err(error).context("Failed to list the attributes of a directory"),
        };
        for name in names[..length].split(|byte| *byte == 0).filter(|name| name.starts_with(b"user.")) {
            self.remove_attribute(name)?;
        }
        Ok(Attributes::Gone)
    }

    fn drop_flags(&self) -> Result<()> {
        let flags = match ioctl_getflags(&self.fd).map_err(number) {
            Ok(flags) => flags,
            Err(Errno::ENOTTY | Errno::EOPNOTSUPP | Errno::ENOSYS | Errno::EINVAL) => return Ok(()),
            Err(error) => return Err(error).context("Failed to read the flags of a directory"),
        };
        if !flags.intersects(FLAGS) {
            return Ok(());
        }
        match ioctl_setflags(&self.fd, flags - FLAGS).map_err(number) {
            // It showed more than it lets anybody change.
            Ok(()) | Err(Errno::EOPNOTSUPP) => Ok(()),
            Err(error) => Err(error).context("Failed to clear the flags of a directory"),
        }
    }

    fn remove_attribute(&self, name: &[u8]) -> Result<()> {
        match fremovexattr(&self.fd, name).map_err(number) {
            Ok(()) | Err(Errno::ENODATA | Errno::EOPNOTSUPP) => Ok(()),
            Err(error) => {
                Err(error).with_context(|| format!("Failed to remove attribute {} of a directory", name.escape_ascii()))
            }
        }
    }
}

pub(super) fn number(error: rustix::io::Errno) -> Errno {
    Errno::from_raw(error.raw_os_error())
}
