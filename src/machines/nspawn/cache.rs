//! What a job keeps for the next job of its project: one directory for each project, and another one for its protected
//! branches, so that what anybody may push never gets into what is released.
//!
//! Its files have ids of a range that nobody else has, machines or users, and each machine sees them as its own. It has
//! no set-user-id programs and no devices. What is in it was written by hostile jobs, several at once: it is counted and
//! emptied by handles, and never read.

use std::ffi::OsStr;
use std::os::fd::AsFd as _;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context as _, Result, bail};
use nix::fcntl::AtFlags;
use nix::sys::stat::{Mode, SFlag, fstatat};
use nix::unistd::{Gid, Uid};

use super::settings::CacheStore;
use crate::machines::Cache;
use crate::sys::{Dir, Place, empty};

/// What is deeper counts as too much.
const DEEPEST: usize = 128;

/// What an entry takes at least, in bytes, so that a million empty files are not nothing.
const LEAST: u64 = 4_096;

/// The directory of a project's cache, below that of all.
#[must_use]
pub fn name(cache: Cache) -> String {
    format!("{}{}", cache.project, if cache.protected { "-protected" } else { "" })
}

/// Opens the directory of a project, makes it for `owner` if it is missing, and empties it if it is above the limit.
///
/// # Errors
///
/// If it cannot be made, or somebody else than root could exchange it.
pub fn open(store: &CacheStore, name: &str, owner: u32, end: Instant) -> Result<PathBuf> {
    let opened = || -> Result<PathBuf> {
        let all = Place::walk(&store.directory)?;
        if !all.is_firm() {
            bail!("somebody else than root could exchange {}", store.directory.display());
        }
        let all = match all.open()? {
            Some(all) => all,
            None => all.create(Mode::S_IRWXU)?,
        };
        let own = match all.open_dir(OsStr::new(name)) {
            Err(nix::errno::Errno::ENOENT) => {
                let own = all.make_dir(OsStr::new(name), Mode::from_bits_truncate(0o755))?;
                own.give_to((Uid::from_raw(owner), Gid::from_raw(owner)))?;
                own
            }
            own => own.context("Failed to open it")?,
        };
        limit(&own, store.limit, end)?;
        Ok(store.directory.join(name))
    };
    opened().with_context(|| format!("Failed to open the cache {name}"))
}

/// Empties the directory of a project if it is above the limit. A missing one is fine.
///
/// # Errors
///
/// If it cannot be counted or emptied.
pub fn check(store: &CacheStore, name: &str, end: Instant) -> Result<()> {
    let check = || {
        let Some(all) = Place::walk(&store.directory)?.open()? else { return Ok(()) };
        match all.open_dir(OsStr::new(name)) {
            Err(nix::errno::Errno::ENOENT) => Ok(()),
            own => limit(&own?, store.limit, end),
        }
    };
    check().with_context(|| format!("Failed to check the size of the cache {name} below {}", store.directory.display()))
}

fn limit(own: &Dir, limit: u64, end: Instant) -> Result<()> {
    let mut left = limit;
    if !fits(own, &mut left, 0, end)? {
        tracing::warn!("A cache has more than {limit} bytes and was emptied");
        empty(own, end)?;
    }
    Ok(())
}

/// Whether everything in `dir` has at most `left` bytes, which are taken off. What cannot be counted until `end` counts as
/// too much.
fn fits(dir: &Dir, left: &mut u64, depth: usize, end: Instant) -> Result<bool> {
    if depth == DEEPEST {
        return Ok(false);
    }
    let listing = dir.open_dir(OsStr::new(".")).context("Failed to list a directory")?;
    let mut listing =
        nix::dir::Dir::from_fd(listing.as_fd().try_clone_to_owned()?).context("Failed to list a directory")?;
    for entry in listing.iter() {
        let entry = entry.context("Failed to list a directory")?;
        if Instant::now() >= end {
            return Ok(false);
        }
        let name = entry.file_name();
        if matches!(name.to_bytes(), b"." | b"..") {
            continue;
        }
        // Another job may remove it at any moment.
        let Ok(stat) = fstatat(dir.as_fd(), name, AtFlags::AT_SYMLINK_NOFOLLOW) else { continue };
        let bytes = u64::try_from(stat.st_blocks).unwrap_or_default() * 512;
        let Some(less) = left.checked_sub(bytes.max(LEAST)) else { return Ok(false) };
        *left = less;
        if SFlag::from_bits_truncate(stat.st_mode & SFlag::S_IFMT.bits()) == SFlag::S_IFDIR
            && let Ok(inner) = dir.open_dir(OsStr::from_bytes(name.to_bytes()))
            && !fits(&inner, left, depth + 1, end)?
        {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Where a machine has the mount of its cache, below its directory of files.
#[must_use]
pub fn mount_point(files: &Path) -> PathBuf {
    files.join("cache")
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::time::Duration;

    use super::*;

    fn end() -> Instant {
        Instant::now() + Duration::from_secs(3_600)
    }

    #[test]
    fn protected_branches_have_a_cache_of_their_own() {
        assert_eq!(name(Cache { project: 7, protected: false }), "7");
        assert_eq!(name(Cache { project: 7, protected: true }), "7-protected");
    }

    #[test]
    fn what_is_above_the_limit_is_emptied_and_what_is_not_stays() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().canonicalize().unwrap();
        let own = nix::unistd::Uid::effective().as_raw();
        let store = |limit| CacheStore { directory: path.clone(), limit };
        let cache = open(&store(100_000), "7", own, end()).unwrap();
        fs::create_dir(cache.join("deep")).unwrap();
        fs::write(cache.join("deep/file"), vec![1; 50_000]).unwrap();
        check(&store(100_000), "7", end()).unwrap();
        assert!(cache.join("deep/file").exists());
        check(&store(50_000), "7", end()).unwrap();
        assert_eq!(fs::read_dir(&cache).unwrap().count(), 0);
        check(&store(1), "8", end()).unwrap();
        // Whatever its name is.
        let odd = cache.join(OsStr::from_bytes(b"\xff"));
        fs::create_dir(&odd).unwrap();
        fs::write(odd.join("file"), vec![1; 50_000]).unwrap();
        check(&store(50_000), "7", end()).unwrap();
        assert_eq!(fs::read_dir(&cache).unwrap().count(), 0);
        // What cannot be counted in time is not said to be small.
        fs::write(cache.join("file"), "").unwrap();
        assert!(check(&store(100_000), "7", Instant::now()).is_err());
        fs::remove_file(cache.join("file")).unwrap();
        // Empty files, and a link to something large, count as what they are.
        for number in 0..30 {
            fs::write(cache.join(number.to_string()), "").unwrap();
        }
        std::os::unix::fs::symlink("/", cache.join("link")).unwrap();
        check(&store(40 * LEAST), "7", end()).unwrap();
        assert_eq!(fs::read_dir(&cache).unwrap().count(), 31);
        open(&store(10 * LEAST), "7", own, end()).unwrap();
        assert_eq!(fs::read_dir(&cache).unwrap().count(), 0);
    }
}
