//! The directory of a job: taking it, seeing whose it is, and taking everything of a job away.
//!
//! One rename takes a job's number together with the record that says which unit has it, so there is no moment at which
//! it is taken by nobody. A record's control group tells whether its unit still has processes: while it has, only that
//! unit ends the machine; afterwards anybody who is root may take away what is left.
//!
//! The job's directory is the last thing to go. Until then every step can be killed and is done again by whoever comes next:
//! `ended` of the unit, the next supervisor, or the rule at boot.

use std::fs::{self, File, TryLockError};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, PermissionsExt as _, chown};
use std::path::{Path, PathBuf};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result};
use rustix::mount::{UnmountFlags, unmount};

use super::record::{self, Record};
use super::settings::{NetworkMode, Settings};
use super::{arguments, network, range};
use crate::machines::Token;
use crate::sys::Place;

/// What nspawn keeps by the name of a machine, and leaves behind if it is killed.
const BY_NAME: [&str; 2] = ["/run/systemd/nspawn/unix-export", "/run/systemd/nspawn/propagate"];

/// What nspawn keeps by the number of a root directory.
const LOCKS: &str = "/run/systemd/nspawn/locks";

/// Says in a job's directory which root its nspawn locked: `DEVICE:INODE`.
const LOCKED: &str = "locked-root";

/// How the names of directories begin that are about to be taken.
const UNBORN: &str = ".new-";

/// Where everything is.
#[derive(Clone, Debug)]
pub struct Places {
    run: PathBuf,
    state: PathBuf,
    /// The group that may ask for machines.
    group: u32,
}

impl Places {
    /// Those of the settings, whose missing directories are made.
    ///
    /// # Errors
    ///
    /// As `mkdir(2)`; if `machines.sock` is missing, whose group all sockets have.
    pub fn open(settings: &Settings) -> Result<Self> {
        let socket = settings.run_directory.join("machines.sock");
        let group = fs::metadata(&socket).with_context(|| format!("Failed to find {}", socket.display()))?.gid();
        let places = Self { run: settings.run_directory.clone(), state: settings.state_directory.clone(), group };
        for (path, mode, group) in [
            (places.state.clone(), 0o700, 0),
            (places.state.join("jobs"), 0o700, 0),
            (places.slots(), 0o700, 0),
            (places.run.join("jobs"), 0o750, group),
        ] {
            make(&path, mode, group)?;
        }
        Ok(places)
    }

    /// Where the ranges of user ids are taken.
    #[must_use]
    pub fn slots(&self) -> PathBuf {
        self.run.join("slots")
    }

    /// Who changes the network's rules holds a lock on this file.
    #[must_use]
    pub fn rules(&self) -> PathBuf {
        self.run.join("rules.lock")
    }

    /// The directory of a job's sockets and record.
    #[must_use]
    pub fn job(&self, token: Token) -> PathBuf {
        self.run.join("jobs").join(token.to_string())
    }

    /// The directory of a machine's files.
    #[must_use]
    pub fn files(&self, token: Token) -> PathBuf {
        self.state.join("jobs").join(token.to_string())
    }

    /// Lets the group that may ask for machines, and nobody else, connect to `socket`.
    ///
    /// # Errors
    ///
    /// As `chown(2)`.
    pub fn share(&self, socket: &Path) -> Result<()> {
        let share = || {
            chown(socket, Some(0), Some(self.group))?;
            fs::set_permissions(socket, fs::Permissions::from_mode(0o660))
        };
        share().with_context(|| format!("Failed to set the rights of {}", socket.display()))
    }

    /// Takes the number of a job for the unit with this control group. `false` means that it is taken.
    ///
    /// # Errors
    ///
    /// As `mkdir(2)` and `rename(2)`.
    pub fn take(&self, token: Token, image: &str, group: &str, cache: Option<String>) -> Result<bool> {
        let unborn = self.run.join("jobs").join(format!("{UNBORN}{}", std::process::id()));
        let take = || -> Result<bool> {
            // Who can read a directory can hold a lock on it, for as long as he likes.
            make(&unborn, 0o710, self.group)?;
            let made = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
            let record = Record { image: image.into(), made, group: group.into(), cache };
            let path = unborn.join(record::FILE);
            fs::write(&path, serde_json::to_vec(&record)?)?;
            chown(&path, Some(0), Some(self.group))?;
            fs::set_permissions(&path, fs::Permissions::from_mode(0o640))?;
            match fs::rename(&unborn, self.job(token)) {
                Ok(()) => Ok(true),
                // The directory of a job is never empty while it stands.
                Err(error) if matches!(error.raw_os_error(), Some(code) if is_taken(code)) => {
                    fs::remove_dir_all(&unborn)?;
                    Ok(false)
                }
                Err(error) => Err(error.into()),
            }
        };
        take().with_context(|| format!("Failed to take the number of job {token}"))
    }

    /// Notes which root directory nspawn is going to lock.
    ///
    /// # Errors
    ///
    /// As `write(2)`.
    pub fn note_root(&self, token: Token, root: &Path) -> Result<()> {
        let note = || {
            let stat = fs::metadata(root)?;
            fs::write(self.job(token).join(LOCKED), format!("{}:{}", stat.dev(), stat.ino()))
        };
        note().context("Failed to note the root of a machine")
    }

    /// The numbers of all jobs whose directory stands, and what their records say. `None` is a directory whose removal began.
    ///
    /// # Errors
    ///
    /// As `readdir(3)`.
    pub fn standing(&self) -> Result<Vec<(Token, Option<Record>)>> {
        let mut found = Vec::new();
        for (name, path) in self.entries()? {
            if let Ok(number) = name.parse() {
                found.push((Token(number), Record::read(&path)?));
            }
        }
        Ok(found)
    }

    fn entries(&self) -> Result<Vec<(String, PathBuf)>> {
        let list = || {
            let entries = fs::read_dir(self.run.join("jobs"))?.collect::<std::io::Result<Vec<_>>>()?;
            Ok::<_, std::io::Error>(entries)
        };
        let entries = list().context("Failed to list the jobs")?;
        Ok(entries.iter().filter_map(|entry| Some((entry.file_name().to_str()?.to_owned(), entry.path()))).collect())
    }

    /// Takes everything of a job away whose processes are gone, if its record is still the one that was `seen`: meanwhile
    /// another unit may have taken the number.
    ///
    /// # Errors
    ///
    /// The first step that fails; what it would have removed still stands, and the job's directory too.
    pub fn clear(
        &self,
        token: Token,
        seen: Option<&Record>,
        settings: &Settings,
        end: Instant,
        patience: Turn,
    ) -> Result<()> {
        let clear = || -> Result<()> {
            let job = self.job(token);
            let Some(_turn) = turn(&job, patience)? else { return Ok(()) };
            if Record::read(&job)?.as_ref() != seen {
                return Ok(());
            }
            let slots = range::taken_by(&self.slots(), token)?;
            for slot in &slots {
                network::disconnect(*slot)?;
            }
            let mut rests: Vec<PathBuf> =
                BY_NAME.iter().map(|directory| Path::new(directory).join(arguments::name(token))).collect();
            for rest in rests.drain(..) {
                forget(&rest)?;
            }
            if let Ok(Ok(Some(locked))) =
                crate::sys::read_regular_file(&job.join(LOCKED), 64, crate::sys::LastLink::Refuse)
                && let Some(name) = lock_name(&locked)
            {
                unlink(&Path::new(LOCKS).join(name))?;
            }
            self.remove_files(token, end)?;
            for slot in slots {
                range::free(&self.slots(), slot)?;
            }
            if settings.network.mode == NetworkMode::Private {
                network::forget_rules(&self.slots(), &self.rules())?;
            }
            remove_job(&job)
        };
        clear().with_context(|| format!("Failed to take away what job {token} left"))
    }

    /// Takes away what a machine wrote, which may be there without anything else after a power cut.
    ///
    /// # Errors
    ///
    /// If something is left.
    pub fn remove_files(&self, token: Token, end: Instant) -> Result<()> {
        let files = Place::walk(&self.files(token))?;
        if files.open()?.is_some() {
            files.remove(end)?;
        }
        Ok(())
    }

    /// Takes away the directories of supervisors that were killed before they took a number.
    ///
    /// # Errors
    ///
    /// As `rmdir(2)`.
    pub fn forget_unborn(&self) -> Result<()> {
        for (name, path) in self.entries()? {
            let process = name.strip_prefix(UNBORN);
            if process.is_some_and(|process| !Path::new("/proc").join(process).exists()) {
                fs::remove_dir_all(&path).with_context(|| format!("Failed to remove {}", path.display()))?;
            }
        }
        Ok(())
    }
}

/// What to do while somebody else takes a job away.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Turn {
    /// Wait until that one is done, or was killed.
    Wait,
    /// Leave it to that one.
    Try,
}

/// One after another takes a job away, for as long as the file is open. `None` means that somebody did it meanwhile, or
/// does it.
fn turn(job: &Path, patience: Turn) -> Result<Option<File>> {
    let open = || {
        let directory = File::open(job)?;
        match patience {
            Turn::Wait => directory.lock()?,
            Turn::Try => match directory.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => return Ok(None),
                Err(TryLockError::Error(error)) => return Err(error),
            },
        }
        let (ours, there) = (directory.metadata()?, fs::metadata(job)?);
        Ok::<_, std::io::Error>(((ours.dev(), ours.ino()) == (there.dev(), there.ino())).then_some(directory))
    };
    match open() {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        opened => opened.with_context(|| format!("Failed to lock {}", job.display())),
    }
}

/// The record goes last but one: without it nobody knows whose the directory is, and nothing else is left then.
fn remove_job(job: &Path) -> Result<()> {
    let remove = || -> std::io::Result<()> {
        for entry in fs::read_dir(job)? {
            let entry = entry?;
            if entry.file_name() != record::FILE {
                fs::remove_file(entry.path())?;
            }
        }
        match fs::remove_file(job.join(record::FILE)) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        fs::remove_dir(job)
    };
    match remove() {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("Failed to remove {}", job.display()))
        }
        _ => Ok(()),
    }
}

/// A directory of nspawn that may still be a mount point. Nothing that a machine wrote is below it: it is of root.
fn forget(path: &Path) -> Result<()> {
    // It is none, or is no mount point: then removing it says what is wrong.
    _ = unmount(path, UnmountFlags::DETACH | UnmountFlags::NOFOLLOW);
    match fs::remove_dir(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("Failed to remove {}", path.display()))
        }
        _ => Ok(()),
    }
}

fn unlink(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("Failed to remove {}", path.display()))
        }
        _ => Ok(()),
    }
}

/// What nspawn calls the lock of the root that was noted.
fn lock_name(noted: &[u8]) -> Option<String> {
    let (device, inode) = std::str::from_utf8(noted).ok()?.split_once(':')?;
    let (device, inode): (u64, u64) = (device.parse().ok()?, inode.parse().ok()?);
    Some(format!("inode-{device}:{inode}"))
}

fn is_taken(code: i32) -> bool {
    [rustix::io::Errno::EXIST, rustix::io::Errno::NOTEMPTY].iter().any(|errno| errno.raw_os_error() == code)
}

fn make(path: &Path, mode: u32, group: u32) -> Result<()> {
    let make = || {
        match fs::DirBuilder::new().mode(mode).create(path) {
            // Who made it may have been killed before the next step.
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
            new => new?,
        }
        chown(path, Some(0), Some(group))?;
        fs::set_permissions(path, fs::Permissions::from_mode(mode))
    };
    make().with_context(|| format!("Failed to make {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Places in a directory, and settings that name it.
    fn places(root: &Path) -> (Places, Settings) {
        let text = format!(
            r#"{{"machines": {{"images": {{"a": {{"root": "/a"}}}}, "network": {{"mode": "none"}},
                "runDirectory": "{0}/run", "stateDirectory": "{0}/state"}}}}"#,
            root.display()
        );
        fs::create_dir(root.join("run")).unwrap();
        fs::write(root.join("run/machines.sock"), "").unwrap();
        let settings = Settings::parse(text.as_bytes()).unwrap();
        (Places::open(&settings).unwrap(), settings)
    }

    #[test]
    fn who_saw_an_earlier_machine_of_a_number_takes_nothing_of_the_later_one_away() {
        if !nix::unistd::Uid::effective().is_root() {
            return;
        }
        let directory = tempfile::tempdir().unwrap();
        let (places, settings) = places(&directory.path().canonicalize().unwrap());
        let token = Token(1);
        let end = || Instant::now() + std::time::Duration::from_secs(3_600);
        assert!(places.take(token, "a", "/one", None).unwrap());
        let (_, seen) = places.standing().unwrap().remove(0);
        places.clear(token, seen.as_ref(), &settings, end(), Turn::Wait).unwrap();
        assert!(!places.job(token).exists());
        assert!(places.take(token, "a", "/two", None).unwrap());
        for seen in [seen.as_ref(), None] {
            places.clear(token, seen, &settings, end(), Turn::Wait).unwrap();
            assert!(places.job(token).join(record::FILE).exists(), "{seen:?}");
        }
    }

    #[test]
    fn who_only_tries_leaves_a_job_to_the_one_that_takes_it_away() {
        let directory = tempfile::tempdir().unwrap();
        let held = turn(directory.path(), Turn::Wait).unwrap().unwrap();
        assert!(turn(directory.path(), Turn::Try).unwrap().is_none());
        drop(held);
        assert!(turn(directory.path(), Turn::Try).unwrap().is_some());
    }

    #[test]
    fn the_group_of_the_runner_reaches_a_socket_but_cannot_lock_the_directory() {
        if !nix::unistd::Uid::effective().is_root() {
            return;
        }
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path().canonicalize().unwrap();
        let (places, settings) = places(&root);
        places.take(Token(1), "a", "/one", None).unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().mode() & 0o7777;
        assert_eq!(mode(&places.job(Token(1))), 0o710);
        // As if who made it had been killed before it had its rights.
        fs::set_permissions(root.join("run/jobs"), fs::Permissions::from_mode(0o700)).unwrap();
        Places::open(&settings).unwrap();
        assert_eq!(mode(&root.join("run/jobs")), 0o750);
    }

    #[test]
    fn only_numbers_become_the_name_of_a_lock() {
        assert_eq!(lock_name(b"65024:1933384").as_deref(), Some("inode-65024:1933384"));
        for text in ["", "1", "../x:1", "1:2/3", "1:-2", "\u{e9}:1"] {
            assert_eq!(lock_name(text.as_bytes()), None, "{text}");
        }
    }
}
