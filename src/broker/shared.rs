//! Small files that brokers of one credential leave for each other, and locks by which they wait for each other.
//!
//! systemd gives all brokers of one credential the same user and the same directory: `RUNTIME_DIRECTORY`, in memory,
//! of mode 0700. So nobody can be in there but root and those brokers, each of which holds the credential itself:
//! what lies there it could get from GitHub as well. Jobs run as other users and do not see it. Still no file is
//! believed that another user could have made or read, and without a directory of that kind nothing is kept at all.
//!
//! Must never make a question fail: a fault is a warning, and then it is as if nothing had been kept. Must not print
//! what a file holds, for that is a token. Must not know what is kept, nor what it is good for.

use std::ffi::CStr;
use std::fs::File;
use std::io::{Read as _, Write as _};
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use nix::dir::Dir;
use nix::errno::Errno;
use nix::fcntl::{AtFlags, Flock, FlockArg, OFlag, open, openat, renameat};
use nix::sys::stat::{Mode, SFlag, fstat, fstatat};
use nix::unistd::{Uid, UnlinkatFlags, getpid, unlinkat};

/// A token has a few hundred bytes.
const MAX_BYTES: u64 = 16 << 10;
/// What nobody has written for so many seconds is of no use to anybody: GitHub's tokens end after an hour.
const OLDEST: u64 = 60 * 60;
/// With this begin the names of locks.
const LOCK: &str = "lock-";
const OURS: Mode = Mode::S_IRUSR.union(Mode::S_IWUSR);
const OTHERS: Mode = Mode::S_IRWXG.union(Mode::S_IRWXO);

/// The directory of the brokers of one credential.
pub struct SharedDirectory(OwnedFd);

/// A lock. Dropping it gives it back, and so does the end of the process.
pub struct SharedLock(#[expect(dead_code, reason = "it only has to live")] Flock<File>);

impl SharedDirectory {
    /// Opens the directory that systemd gave. `None` without one, or if others could be in there.
    pub fn open() -> Option<Self> {
        let path = std::env::var_os("RUNTIME_DIRECTORY").filter(|path| !path.is_empty())?;
        Self::at(Path::new(&path))
            .inspect_err(|why| tracing::warn!("Nothing is shared with other brokers: RUNTIME_DIRECTORY {why}"))
            .ok()
    }

    fn at(path: &Path) -> Result<Self, String> {
        // A link on the way is one of systemd's; whose directory it leads to is checked.
        let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        let directory = open(path, flags, Mode::empty()).map_err(|error| format!("cannot be opened: {error}"))?;
        check(&directory, SFlag::S_IFDIR)?;
        Ok(Self(directory))
    }

    /// What the file `name` holds. `None` without one, or if it is not as [`SharedDirectory::write`] makes it.
    pub fn read(&self, name: &str) -> Option<Vec<u8>> {
        self.try_read(name).unwrap_or_else(|why| {
            tracing::warn!("Ignored {name}, which brokers share, because it {why}");
            None
        })
    }

    fn try_read(&self, name: &str) -> Result<Option<Vec<u8>>, String> {
        let Some(file) = self.open_file(name, OFlag::O_RDONLY)? else { return Ok(None) };
        let mut content = Vec::new();
        file.take(MAX_BYTES + 1).read_to_end(&mut content).map_err(|error| format!("cannot be read: {error}"))?;
        if content.len() as u64 > MAX_BYTES {
            return Err(format!("has more than {MAX_BYTES} bytes"));
        }
        Ok(Some(content))
    }

    /// Makes the file `name`, complete or not at all, and removes what is old at the time `now`.
    pub fn write(&self, name: &str, content: &[u8], now: u64) {
        if let Err(error) = self.sweep(now) {
            tracing::warn!("Failed to look for what brokers do not need to share any more: {error}");
        }
        if let Err(error) = self.try_write(name, content) {
            tracing::warn!("Failed to write {name}, which brokers share: {error}");
        }
    }

    fn try_write(&self, name: &str, content: &[u8]) -> std::io::Result<()> {
        let temporary = format!("{name}.{}.new", getpid());
        // One of a process of the same number that was killed.
        self.forget(&temporary);
        let flags = OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        let mut file = File::from(openat(&self.0, temporary.as_str(), flags, OURS)?);
        // Nothing is flushed: the directory is in memory.
        file.write_all(content)
            .and_then(|()| Ok(renameat(&self.0, temporary.as_str(), &self.0, name)?))
            .inspect_err(|_| self.forget(&temporary))
    }

    /// Removes the file `name`, if it is there.
    pub fn forget(&self, name: &str) {
        match unlinkat(&self.0, name, UnlinkatFlags::NoRemoveDir) {
            Ok(()) | Err(Errno::ENOENT) => {}
            Err(error) => tracing::warn!("Failed to remove {name}, which brokers share: {error}"),
        }
    }

    /// Takes the lock of this name. As long as another broker has it, `wait` is called, which tells whether to try again;
    /// `None` if not, or if there can be no lock.
    ///
    /// The file stays: a lock on one that was removed would keep nobody out.
    pub fn lock<E>(&self, name: &str, mut wait: impl FnMut() -> Result<bool, E>) -> Result<Option<SharedLock>, E> {
        let no_lock = |why: String| {
            tracing::warn!("Cannot wait for other brokers, because {name} {why}");
            Ok(None)
        };
        let name = format!("{LOCK}{name}");
        let mut file = match self.open_file(&name, OFlag::O_RDWR | OFlag::O_CREAT) {
            Ok(Some(file)) => file,
            Ok(None) => return no_lock("was removed".into()),
            Err(why) => return no_lock(why),
        };
        loop {
            match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
                Ok(lock) => return Ok(Some(SharedLock(lock))),
                Err((back, Errno::EWOULDBLOCK)) => {
                    if !wait()? {
                        return Ok(None);
                    }
                    file = back;
                }
                Err((_, error)) => return no_lock(format!("cannot be locked: {error}")),
            }
        }
    }

    /// Opens the file `name` if it is as it must be; `None` if there is none.
    fn open_file(&self, name: &str, flags: OFlag) -> Result<Option<File>, String> {
        // Without O_NONBLOCK a fifo would hold us up.
        let flags = flags | OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC;
        let file = match openat(&self.0, name, flags, OURS) {
            Err(Errno::ENOENT) => return Ok(None),
            Err(Errno::ELOOP) => return Err("is a link".into()),
            opened => opened.map_err(|error| format!("cannot be opened: {error}"))?,
        };
        check(&file, SFlag::S_IFREG)?;
        Ok(Some(file.into()))
    }

    /// Removes what was written long ago: a credential that was replaced leaves such files behind. Locks stay.
    fn sweep(&self, now: u64) -> nix::Result<()> {
        let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        for entry in Dir::openat(&self.0, ".", flags, Mode::empty())?.iter() {
            let entry = entry?;
            let Ok(name) = CStr::to_str(entry.file_name()) else { continue };
            if name.starts_with(LOCK) || name.starts_with('.') {
                continue;
            }
            // Gone already, or not to be examined: another broker's business then.
            let Ok(stat) = fstatat(&self.0, name, AtFlags::AT_SYMLINK_NOFOLLOW) else { continue };
            if u64::try_from(stat.st_mtime).is_ok_and(|written| written.saturating_add(OLDEST) < now) {
                self.forget(name);
            }
        }
        Ok(())
    }
}

/// Makes sure that it is of this kind, and that no other user can have made or read it; the end of a sentence if not.
fn check(file: impl AsFd, kind: SFlag) -> Result<(), String> {
    let stat = fstat(file).map_err(|error| format!("cannot be examined: {error}"))?;
    if SFlag::from_bits_truncate(stat.st_mode & SFlag::S_IFMT.bits()) != kind {
        return Err("is of another kind than it should be".into());
    }
    if stat.st_uid != Uid::effective().as_raw() {
        return Err(format!("belongs to user id {}", stat.st_uid));
    }
    let mode = Mode::from_bits_truncate(stat.st_mode);
    if mode.intersects(OTHERS) {
        return Err(format!("is open to others, with mode {:03o}", mode.bits()));
    }
    Ok(())
}
