//! Replacing files and links: they appear complete or not at all.

use std::ffi::OsStr;
use std::io::Write as _;
use std::os::fd::OwnedFd;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result, bail};
use nix::errno::Errno;
use nix::fcntl::{OFlag, renameat};
use nix::sys::stat::{Mode, fchmod};
use nix::unistd::{Gid, Uid, UnlinkatFlags, fchown, symlinkat, unlinkat};

use super::Dir;

/// How often a temporary file may meet a name that somebody else took.
const TRIES: usize = 16;

impl Dir {
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
                // A hostile process made something of that name, which it can hardly do with one that depends on the clock.
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

    /// Removes it instead.
    ///
    /// # Errors
    ///
    /// As `unlinkat(2)`.
    pub fn discard(mut self) -> Result<()> {
        self.done = true;
        self.dir.unlink(&self.temporary).map(drop)
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
