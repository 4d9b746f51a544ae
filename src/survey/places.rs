//! Where things are on a host, and opening them. Makes nothing but the directory in which passes remember.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use super::memory::Memory;
use crate::contract::fleet::{Declaration, Fleet};
use crate::ledger::Ledger;
use crate::state::start::{Start, expand};
use crate::sys::{Dir, Place};

/// The directories of this host in which runners are.
#[derive(Clone, Debug)]
pub struct Places {
    /// The ledger.
    pub ledger: PathBuf,
    /// The sockets of brokers.
    pub sockets: PathBuf,
    /// Below these, each runner has a directory of its own: state, logs, runtime.
    pub roots: [PathBuf; 3],
    /// What passes remember.
    pub memory: PathBuf,
    /// Where a pass may put sockets and manifests.
    pub runtime: PathBuf,
}

impl Places {
    /// What the steps of a start are told, outside of its unit.
    ///
    /// # Errors
    ///
    /// As [`expand`].
    pub fn start(&self, declared: &Declaration) -> Result<Start> {
        let own = |root: usize| self.roots[root].join(declared.instance.as_str());
        Ok(Start {
            manifest: declared.manifest.clone(),
            state_directory: own(0),
            work_directory: expand(&declared.work_directory.to_string_lossy())?,
            logs_directory: own(1),
        })
    }
}

impl Default for Places {
    fn default() -> Self {
        Self {
            ledger: "/var/lib/github-runner-registrations".into(),
            sockets: "/run/github-runner-broker".into(),
            roots: ["/var/lib/github-runner", "/var/log/github-runner", "/run/github-runner"].map(PathBuf::from),
            memory: "/var/lib/github-runner-reconcile".into(),
            runtime: "/run/github-runner-reconcile".into(),
        }
    }
}

/// Reads the fleet file.
///
/// # Errors
///
/// Names the file and what is wrong with it.
pub fn read_fleet(path: &Path) -> Result<Fleet> {
    let read = || Fleet::parse(&std::fs::read(path)?);
    read().with_context(|| format!("Failed to read the fleet file {}", path.display()))
}

/// Opens the ledger; `None` if no runner ever started here.
///
/// # Errors
///
/// As [`Ledger::new`].
pub fn open_ledger(places: &Places) -> Result<Option<Ledger>> {
    let dir = Place::walk(&places.ledger)?.open()?;
    let open =
        |dir| Ledger::new(dir).with_context(|| format!("Failed to use ledger directory {}", places.ledger.display()));
    dir.map(open).transpose()
}

/// Reads what the last pass remembered, without making the directory for it.
///
/// # Errors
///
/// As [`Place::walk`] and [`Place::open`].
pub fn read_memory(places: &Places) -> Result<Memory> {
    let dir = Place::walk(&places.memory)?.open()?;
    Ok(dir.map_or_else(Memory::default, |dir| Memory::load(&dir)))
}

/// Opens the directory in which passes remember, which is made if it is missing.
///
/// # Errors
///
/// As [`Place::create`].
pub fn memory_directory(places: &Places) -> Result<Dir> {
    let place = Place::walk(&places.memory)?;
    match place.open()? {
        Some(dir) => Ok(dir),
        None => place.create(nix::sys::stat::Mode::S_IRWXU),
    }
}
