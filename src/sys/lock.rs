//! One process at a time: a lock on a file that is there for nothing else.
//!
//! The kernel lets go of it when its holder ends, however that happens, so there is no lock that somebody has to clean up.
//! Only for directories that nobody else can write: whoever can open the file can hold it.

use std::ffi::OsStr;
use std::fs::File;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg, OFlag};
use nix::sys::stat::{Mode, fstat};

use super::Dir;

const BETWEEN_TRIES: Duration = Duration::from_millis(20);

/// A lock that is held until it is dropped.
#[derive(Debug)]
pub struct Lock<'a> {
    dir: &'a Dir,
    name: String,
    held: Flock<File>,
}

impl Dir {
    /// Takes the lock file `name`, which is made if it is missing; waits for it until `limit` is over. `None` means that
    /// somebody else still has it.
    ///
    /// # Errors
    ///
    /// As `openat2(2)` and `flock(2)`.
    pub fn lock(&self, name: &str, limit: Duration) -> Result<Option<Lock<'_>>> {
        let end = Instant::now() + limit;
        loop {
            // Not for writing, so that a disk that became read-only is told by what fails to be written.
            let flags = OFlag::O_RDONLY | OFlag::O_CREAT;
            let file = self
                .open_below(OsStr::new(name), flags, Mode::S_IRUSR | Mode::S_IWUSR)
                .with_context(|| format!("Failed to open lock {name}"))?;
            match Flock::lock(File::from(file), FlockArg::LockExclusiveNonblock) {
                Ok(held) => {
                    // Its last holder may have removed it meanwhile, and then somebody else has another one.
                    let is_there =
                        fstat(&*held).with_context(|| format!("Failed to examine lock {name}"))?.st_nlink > 0;
                    if is_there {
                        return Ok(Some(Lock { dir: self, name: name.into(), held }));
                    }
                }
                Err((_, Errno::EWOULDBLOCK | Errno::EINTR)) => {
                    if Instant::now() >= end {
                        return Ok(None);
                    }
                    thread::sleep(BETWEEN_TRIES);
                }
                Err((_, error)) => return Err(error).with_context(|| format!("Failed to take lock {name}")),
            }
        }
    }
}

impl Lock<'_> {
    /// The file, open for reading; its times can be set.
    #[must_use]
    pub fn file(&self) -> &File {
        &self.held
    }

    /// Removes the file of a lock that nobody will need again. Whoever waits for it makes another one.
    ///
    /// # Errors
    ///
    /// As `unlinkat(2)`.
    pub fn remove(self) -> Result<()> {
        self.dir.unlink(&self.name).map(drop)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::Place;

    #[test]
    fn one_holder_at_a_time_and_a_removed_lock_is_no_lock() {
        let temporary = tempfile::tempdir().unwrap();
        let dir = Place::walk(&temporary.path().canonicalize().unwrap()).unwrap().open().unwrap().unwrap();
        let first = dir.lock("a.lock", Duration::ZERO).unwrap().unwrap();
        assert!(dir.lock("a.lock", Duration::ZERO).unwrap().is_none());
        assert!(dir.lock("b.lock", Duration::ZERO).unwrap().is_some());
        thread::scope(|scope| {
            let waiting = scope.spawn(|| dir.lock("a.lock", Duration::from_secs(300)).unwrap().is_some());
            first.remove().unwrap();
            assert!(waiting.join().unwrap());
        });
        let second = dir.lock("a.lock", Duration::ZERO).unwrap();
        assert!(second.is_some() && temporary.path().join("a.lock").exists());
    }
}
