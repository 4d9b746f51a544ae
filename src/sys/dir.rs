//! A directory by its handle.

use std::ffi::{OsStr, OsString};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;

use anyhow::{Context as _, Result, bail};
use nix::errno::Errno;
use nix::fcntl::{AtFlags, OFlag, OpenHow, ResolveFlag, openat, openat2, readlinkat};
use nix::sys::stat::{FileStat, Mode, SFlag, fchmod, fstat, fstatat, mkdirat};
use nix::unistd::{Gid, Uid, UnlinkatFlags, fchown, fsync, unlinkat};

/// Never leave the directory: no link, no mount point, no `..`.
const BELOW: ResolveFlag =
    ResolveFlag::RESOLVE_BENEATH.union(ResolveFlag::RESOLVE_NO_SYMLINKS).union(ResolveFlag::RESOLVE_NO_XDEV);

/// How often something may be moved away while it is opened before it counts as a mount point.
const MOVES: usize = 16;

/// Where file systems put what their repair finds; it comes with the file system.
const LOST_AND_FOUND: &[u8] = b"lost+found";

/// Whom the kernel names as owner where an id has no counterpart.
pub const NOBODY: u32 = 65534;

/// An open directory. All names that its methods take are single names, without a slash.
#[derive(Debug)]
pub struct Dir {
    pub(super) fd: OwnedFd,
}

/// What a single name in a directory stands for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum EntryKind {
    /// Nothing has this name.
    Absent,
    /// Something that can be unlinked: everything but a directory.
    File,
    /// A directory.
    Directory,
}

impl Dir {
    pub(super) fn from_fd(fd: OwnedFd) -> Self {
        Self { fd }
    }

    /// Kind, owner, mode and identity of the directory itself.
    ///
    /// # Errors
    ///
    /// As `fstat(2)`.
    pub fn stat(&self) -> Result<FileStat> {
        fstat(&self.fd).context("Failed to examine an open directory")
    }

    /// User and group id of the owner, as this process sees them; [`NOBODY`] for one that has no id here.
    ///
    /// # Errors
    ///
    /// As [`Dir::stat`].
    pub fn owner(&self) -> Result<(Uid, Gid)> {
        let stat = self.stat()?;
        Ok((Uid::from_raw(stat.st_uid), Gid::from_raw(stat.st_gid)))
    }

    /// Gives the directory itself to `owner`.
    ///
    /// # Errors
    ///
    /// As `fchown(2)`.
    pub fn give_to(&self, (uid, gid): (Uid, Gid)) -> Result<()> {
        fchown(&self.fd, Some(uid), Some(gid)).with_context(|| format!("Failed to hand a directory to user id {uid}"))
    }

    /// Opens the directory `name`.
    ///
    /// # Errors
    ///
    /// As `openat2(2)`; `EXDEV` means a mount point, `ELOOP` a link.
    pub fn open_dir(&self, name: &OsStr) -> nix::Result<Self> {
        self.open_strictly(name, OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC, Mode::empty())
            .map(Self::from_fd)
    }

    /// Opens the directory above. Who moved the tree decides which one that is, so the caller has to check its
    /// identity.
    ///
    /// # Errors
    ///
    /// As `openat(2)`.
    pub(super) fn open_parent(&self) -> nix::Result<Self> {
        let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        openat(&self.fd, c"..", flags, Mode::empty()).map(Self::from_fd)
    }

    /// Makes the directory `name` with exactly `mode` and opens it.
    ///
    /// # Errors
    ///
    /// As `mkdirat(2)`; also if somebody exchanged the new directory for one that is not ours.
    pub fn make_dir(&self, name: &OsStr, mode: Mode) -> Result<Self> {
        let shown = name.display();
        mkdirat(&self.fd, name, Mode::S_IRWXU).with_context(|| format!("Failed to make directory {shown}"))?;
        let dir = self.open_dir(name).with_context(|| format!("Failed to open the new directory {shown}"))?;
        if dir.owner()?.0 != Uid::effective() {
            bail!("Directory {shown} was exchanged while it was made");
        }
        fchmod(&dir.fd, mode).with_context(|| format!("Failed to set the mode of directory {shown}"))?;
        Ok(dir)
    }

    /// What `name` stands for.
    ///
    /// # Errors
    ///
    /// As `fstatat(2)`, except that a missing name is [`EntryKind::Absent`].
    pub fn entry(&self, name: &str) -> Result<EntryKind> {
        match fstatat(&self.fd, name, AtFlags::AT_SYMLINK_NOFOLLOW) {
            Err(Errno::ENOENT) => Ok(EntryKind::Absent),
            Err(error) => Err(error).with_context(|| format!("Failed to examine {name}")),
            Ok(stat) if kind(&stat) == SFlag::S_IFDIR => Ok(EntryKind::Directory),
            Ok(_) => Ok(EntryKind::File),
        }
    }

    /// Whether the directory has no entries.
    ///
    /// # Errors
    ///
    /// As `readdir(3)`.
    pub fn is_empty(&self) -> Result<bool> {
        self.has_only(is_dot)
    }

    /// Whether the directory has no entries but what every new disk has.
    ///
    /// # Errors
    ///
    /// As `readdir(3)`.
    pub fn is_as_new(&self) -> Result<bool> {
        self.has_only(|name| is_dot(name) || name == LOST_AND_FOUND)
    }

    fn has_only(&self, expected: impl Fn(&[u8]) -> bool) -> Result<bool> {
        for entry in self.list()?.iter() {
            let entry = entry.context("Failed to list a directory")?;
            if !expected(entry.file_name().to_bytes()) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// The names of all entries that are UTF-8, sorted.
    ///
    /// # Errors
    ///
    /// As `readdir(3)`.
    pub fn names(&self) -> Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in self.list()?.iter() {
            let entry = entry.context("Failed to list a directory")?;
            match entry.file_name().to_str() {
                Ok(name) if !is_dot(name.as_bytes()) => names.push(name.to_owned()),
                _ => {}
            }
        }
        names.sort_unstable();
        Ok(names)
    }

    /// Where the link `name` points to; `None` if `name` is no link.
    ///
    /// # Errors
    ///
    /// As `readlinkat(2)`.
    pub fn link_target(&self, name: &str) -> Result<Option<OsString>> {
        match readlinkat(&self.fd, name) {
            Ok(target) => Ok(Some(target)),
            Err(Errno::EINVAL | Errno::ENOENT) => Ok(None),
            Err(error) => Err(error).with_context(|| format!("Failed to read link {name}")),
        }
    }

    /// Removes the name `name`, whatever it stands for, unless it is a directory. Tells whether it was there.
    ///
    /// # Errors
    ///
    /// As `unlinkat(2)`, except that a missing name is fine.
    pub fn unlink(&self, name: &str) -> Result<bool> {
        match unlinkat(&self.fd, name, UnlinkatFlags::NoRemoveDir) {
            Ok(()) => Ok(true),
            Err(Errno::ENOENT) => Ok(false),
            Err(error) => Err(error).with_context(|| format!("Failed to remove {name}")),
        }
    }

    /// Flushes the directory itself, so that renames and removals in it survive a power cut.
    ///
    /// # Errors
    ///
    /// As `fsync(2)`.
    pub fn sync(&self) -> Result<()> {
        fsync(&self.fd).context("Failed to flush a directory")
    }

    /// The entries, by a handle of their own, so that two listings do not disturb each other.
    pub(super) fn list(&self) -> Result<nix::dir::Dir> {
        let fd = self
            .open_below(OsStr::new("."), OFlag::O_RDONLY | OFlag::O_DIRECTORY, Mode::empty())
            .context("Failed to open a directory for listing")?;
        nix::dir::Dir::from_fd(fd).context("Failed to list a directory")
    }

    /// Opens `name` without following a link or crossing a mount.
    ///
    /// `RestrictSUIDSGID=` makes `openat2(2)` fail with `ENOSYS`, because a filter cannot look at its flags; older
    /// filters, of containers above all, say `EPERM` to every call that they do not know. In such a sandbox a mount
    /// point goes unnoticed; a link never does. Where `EPERM` is meant, the plain form says it again. Purging needs the
    /// strict form, see [`Dir::open_dir`].
    pub(super) fn open_below(&self, name: &OsStr, flags: OFlag, mode: Mode) -> nix::Result<OwnedFd> {
        if name.as_bytes().contains(&b'/') || name == ".." {
            return Err(Errno::EINVAL);
        }
        let flags = flags | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        match self.open_strictly(name, flags, mode) {
            Err(Errno::ENOSYS | Errno::EPERM) => openat(&self.fd, name, flags, mode),
            opened => opened,
        }
    }

    /// The kernel also says `EXDEV` of what somebody moved out of this directory while it was opened. A mount point
    /// stays one.
    fn open_strictly(&self, name: &OsStr, flags: OFlag, mode: Mode) -> nix::Result<OwnedFd> {
        let open = || openat2(&self.fd, name, OpenHow::new().flags(flags).mode(mode).resolve(BELOW));
        (1..MOVES).map(|_| open()).find(|opened| !matches!(opened, Err(Errno::EXDEV))).unwrap_or_else(open)
    }
}

impl AsFd for Dir {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

pub(super) fn is_dot(name: &[u8]) -> bool {
    matches!(name, b"." | b"..")
}

pub(super) fn kind(stat: &FileStat) -> SFlag {
    SFlag::from_bits_truncate(stat.st_mode & SFlag::S_IFMT.bits())
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::{fs, thread};

    use super::*;
    use crate::sys::Place;

    #[test]
    fn what_is_moved_away_while_it_is_opened_is_no_mount_point() {
        let temporary = tempfile::tempdir().unwrap();
        let [here, there] = ["here", "there"].map(|name| temporary.path().canonicalize().unwrap().join(name));
        fs::create_dir_all(here.join("d")).unwrap();
        fs::create_dir(&there).unwrap();
        let dir = Place::walk(&here).unwrap().open().unwrap().unwrap();
        let over = AtomicBool::new(false);
        let fault = thread::scope(|scope| {
            scope.spawn(|| {
                while !over.load(Ordering::Relaxed) {
                    fs::rename(here.join("d"), there.join("d")).unwrap();
                    fs::rename(there.join("d"), here.join("d")).unwrap();
                }
            });
            let opened = (0..50_000).map(|_| dir.open_dir(OsStr::new("d")));
            let fault = opened.filter_map(Result::err).find(|error| *error != Errno::ENOENT);
            over.store(true, Ordering::Relaxed);
            fault
        });
        assert_eq!(fault, None);
    }
}
