//! A directory by its handle.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::io::{Read as _, Write as _};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result, bail};
use nix::errno::Errno;
use nix::fcntl::{AtFlags, OFlag, OpenHow, ResolveFlag, openat, openat2, readlinkat, renameat};
use nix::sys::stat::{FileStat, Mode, SFlag, fchmod, fstat, fstatat, mkdirat};
use nix::unistd::{Gid, Uid, UnlinkatFlags, fchown, fsync, symlinkat, unlinkat};

/// Never leave the directory: no link, no mount point, no `..`.
const BELOW: ResolveFlag =
    ResolveFlag::RESOLVE_BENEATH.union(ResolveFlag::RESOLVE_NO_SYMLINKS).union(ResolveFlag::RESOLVE_NO_XDEV);

/// How often a temporary file may meet a name that somebody else took.
const TRIES: usize = 16;

/// Holds nearly every file that is read here, so that it takes one read and not one per doubling.
const INITIAL_BYTES: usize = 2048;

/// An open directory. All names that its methods take are single names, without a slash.
#[derive(Debug)]
pub struct Dir {
    fd: OwnedFd,
}

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

/// What a single name in a directory stands for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Entry {
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

    /// User and group id of the owner, as this process sees them.
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

    /// Takes the right to write away from everybody but the owner, also where an access control list gave it.
    ///
    /// # Errors
    ///
    /// As `fchmod(2)`.
    pub fn close_to_others(&self) -> Result<()> {
        let mode = Mode::from_bits_truncate(self.stat()?.st_mode) & !(Mode::S_IWGRP | Mode::S_IWOTH);
        fchmod(&self.fd, mode).context("Failed to change the mode of a directory")
    }

    /// Opens the directory `name`.
    ///
    /// # Errors
    ///
    /// As `openat2(2)`; `EXDEV` means a mount point, `ELOOP` a link.
    pub fn open_dir(&self, name: &OsStr) -> nix::Result<Self> {
        let how = OpenHow::new().flags(OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC).resolve(BELOW);
        openat2(&self.fd, name, how).map(Self::from_fd)
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
    /// As `fstatat(2)`, except that a missing name is [`Entry::Absent`].
    pub fn entry(&self, name: &str) -> Result<Entry> {
        match fstatat(&self.fd, name, AtFlags::AT_SYMLINK_NOFOLLOW) {
            Err(Errno::ENOENT) => Ok(Entry::Absent),
            Err(error) => Err(error).with_context(|| format!("Failed to examine {name}")),
            Ok(stat) if kind(&stat) == SFlag::S_IFDIR => Ok(Entry::Directory),
            Ok(_) => Ok(Entry::File),
        }
    }

    /// Whether the directory has no entries.
    ///
    /// # Errors
    ///
    /// As `readdir(3)`.
    pub fn is_empty(&self) -> Result<bool> {
        for entry in self.list()?.iter() {
            let entry = entry.context("Failed to list a directory")?;
            if !is_dot(entry.file_name().to_bytes()) {
                return Ok(false);
            }
        }
        Ok(true)
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
        let handle = match self.open_below(OsStr::new(name), OFlag::O_PATH, Mode::empty()) {
            Ok(handle) => handle,
            Err(Errno::ENOENT) => return Ok(Ok(None)),
            Err(Errno::ELOOP) => return Ok(Err(FileFault::Kind("a symbolic link"))),
            Err(Errno::EXDEV) => return Ok(Err(FileFault::MountPoint)),
            Err(error) => return Err(error).with_context(|| format!("Failed to open {name}")),
        };
        let stat = fstat(&handle).with_context(|| format!("Failed to examine {name}"))?;
        if let Some(fault) = fault_of(&stat, owners, max) {
            return Ok(Err(fault));
        }
        read_handle(handle.as_fd(), max).with_context(|| format!("Failed to read {name}")).map(|read| read.map(Some))
    }

    /// Replaces the file `name`: it appears complete with its mode and owner, or not at all.
    ///
    /// # Errors
    ///
    /// Any step of writing; the directory then holds what it held before.
    pub fn replace_file(&self, name: &str, content: &[u8], mode: Mode, owner: Option<(Uid, Gid)>) -> Result<()> {
        self.stage_file(name, content, mode, owner)?.commit()
    }

    /// Writes the future content of `name` beside it, down to the disk; [`Staged::commit`] puts it in place.
    ///
    /// # Errors
    ///
    /// Any step of writing.
    pub fn stage_file(&self, name: &str, content: &[u8], mode: Mode, owner: Option<(Uid, Gid)>) -> Result<Staged<'_>> {
        let (temporary, fd) = self.create_beside(name)?;
        let staged = Staged { dir: self, temporary, name: name.into(), done: false };
        let mut file = std::fs::File::from(fd);
        file.write_all(content).with_context(|| format!("Failed to write {}", staged.temporary))?;
        if let Some((uid, gid)) = owner {
            fchown(&file, Some(uid), Some(gid))
                .with_context(|| format!("Failed to hand {} to user id {uid}", staged.temporary))?;
        }
        fchmod(&file, mode).with_context(|| format!("Failed to set the mode of {}", staged.temporary))?;
        file.sync_all().with_context(|| format!("Failed to flush {}", staged.temporary))?;
        Ok(staged)
    }

    /// Creates an empty file beside `name`, with a name that nobody else holds.
    fn create_beside(&self, name: &str) -> Result<(String, OwnedFd)> {
        let flags = OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_EXCL;
        let mut temporary = format!("{name}.new");
        for _ in 0..TRIES {
            match unlinkat(&self.fd, temporary.as_str(), UnlinkatFlags::NoRemoveDir) {
                Ok(()) | Err(Errno::ENOENT | Errno::EISDIR) => {}
                Err(error) => return Err(error).with_context(|| format!("Failed to remove {temporary}")),
            }
            match self.open_below(OsStr::new(&temporary), flags, Mode::S_IRUSR | Mode::S_IWUSR) {
                Ok(fd) => return Ok((temporary, fd)),
                // A hostile process made something of that name, which it could not do with one it cannot guess.
                Err(Errno::EEXIST | Errno::EISDIR | Errno::ELOOP) => {}
                Err(error) => return Err(error).with_context(|| format!("Failed to create {temporary}")),
            }
            let time = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
            temporary = format!("{name}.new{}", time.subsec_nanos());
        }
        bail!("Failed to create {temporary}: something keeps taking that name; stop the processes of the runner's user")
    }

    /// Makes `name` a link to `target`, in place of whatever link or file had that name.
    ///
    /// # Errors
    ///
    /// As `symlinkat(2)` and `renameat(2)`; a directory of that name is left alone and is an error.
    pub fn replace_link(&self, name: &str, target: &OsStr) -> Result<()> {
        match symlinkat(target, &self.fd, name) {
            Ok(()) => return Ok(()),
            Err(Errno::EEXIST) if self.link_target(name)?.as_deref() == Some(target) => return Ok(()),
            Err(Errno::EEXIST) => {}
            Err(error) => return Err(error).with_context(|| format!("Failed to make link {name}")),
        }
        let temporary = format!("{name}.new");
        self.unlink(&temporary)?;
        symlinkat(target, &self.fd, temporary.as_str()).with_context(|| format!("Failed to make link {temporary}"))?;
        renameat(&self.fd, temporary.as_str(), &self.fd, name)
            .with_context(|| format!("Failed to put link {name} in place"))
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
    /// `RestrictSUIDSGID=` makes `openat2(2)` fail with `ENOSYS`, because a filter cannot look at its flags. In
    /// such a sandbox, where only the steps of the service user run, a mount point goes unnoticed; a link
    /// never does. Purging needs the strict form, see [`Dir::open_dir`].
    fn open_below(&self, name: &OsStr, flags: OFlag, mode: Mode) -> nix::Result<OwnedFd> {
        if name.as_bytes().contains(&b'/') || name == ".." {
            return Err(Errno::EINVAL);
        }
        let flags = flags | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        match openat2(&self.fd, name, OpenHow::new().flags(flags).mode(mode).resolve(BELOW)) {
            Err(Errno::ENOSYS) => openat(&self.fd, name, flags, mode),
            opened => opened,
        }
    }
}

impl AsFd for Dir {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

/// A file that is complete on disk, but does not have its name yet. Dropping it removes it.
#[derive(Debug)]
pub struct Staged<'a> {
    dir: &'a Dir,
    temporary: String,
    name: String,
    done: bool,
}

impl Staged<'_> {
    /// Gives the file its name, in place of the one that had it, and flushes the directory.
    ///
    /// # Errors
    ///
    /// As `renameat(2)` and `fsync(2)`.
    pub fn commit(mut self) -> Result<()> {
        renameat(&self.dir.fd, self.temporary.as_str(), &self.dir.fd, self.name.as_str())
            .with_context(|| format!("Failed to put {} in place", self.name))?;
        self.done = true;
        self.dir.sync()
    }
}

impl Drop for Staged<'_> {
    fn drop(&mut self) {
        if !self.done
            && let Err(error) = self.dir.unlink(&self.temporary)
        {
            tracing::warn!("{error:#}");
        }
    }
}

pub(super) fn is_dot(name: &[u8]) -> bool {
    matches!(name, b"." | b"..")
}

pub(super) fn kind(stat: &FileStat) -> SFlag {
    SFlag::from_bits_truncate(stat.st_mode & SFlag::S_IFMT.bits())
}

pub(super) fn fault_of(stat: &FileStat, owners: &[Uid], max: u64) -> Option<FileFault> {
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
pub(super) fn read_handle(handle: BorrowedFd<'_>, max: u64) -> Result<std::result::Result<Vec<u8>, FileFault>> {
    use std::os::fd::AsRawFd as _;
    // The magic link leads to the very inode that was checked, so this is no second look-up of a name.
    let path = format!("/proc/self/fd/{}", handle.as_raw_fd());
    // Without O_NONBLOCK, a lease on the file could hold us up for as long as its holder likes.
    let opened = std::fs::OpenOptions::new().read(true).custom_flags(OFlag::O_NONBLOCK.bits()).open(path);
    let file = match opened {
        Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {
            return Ok(Err(FileFault::Kind("held by a lease of another process")));
        }
        opened => opened?,
    };
    // One read for the content and one for its end, instead of growing from 32 bytes on.
    let mut content = Vec::with_capacity(INITIAL_BYTES);
    file.take(max + 1).read_to_end(&mut content)?;
    if content.len() as u64 > max {
        return Ok(Err(FileFault::Size(content.len() as u64)));
    }
    Ok(Ok(content))
}
