//! The directory of a job: taking it, and seeing whose it is. `clear` takes everything of a job away.
//!
//! One rename takes a job's number together with the record that says which unit has it, so there is no moment at which
//! it is taken by nobody. A record's control group tells whether its unit still has processes: while it has, only that
//! unit ends the machine; afterwards anybody who is root may take away what is left.
//!
//! The job's directory is the last thing to go. Until then every step can be killed and is done again by whoever comes next:
//! `ended` of the unit, the next supervisor, or the rule at boot.

use std::fs;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, PermissionsExt as _, chown};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result};

use super::record::{self, Record};
use super::settings::Settings;
use crate::machines::Token;

/// Says in a job's directory which root its nspawn locked: `DEVICE:INODE`.
pub(super) const LOCKED: &str = "locked-root";

/// How the names of directories begin that are about to be taken.
pub(super) const UNBORN: &str = ".new-";

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

    /// Everything in the directory of jobs: names and paths.
    pub(super) fn entries(&self) -> Result<Vec<(String, PathBuf)>> {
        let list = || {
            let entries = fs::read_dir(self.run.join("jobs"))?.collect::<std::io::Result<Vec<_>>>()?;
            Ok::<_, std::io::Error>(entries)
        };
        let entries = list().context("Failed to list the jobs")?;
        Ok(entries.iter().filter_map(|entry| Some((entry.file_name().to_str()?.to_owned(), entry.path()))).collect())
    }
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
