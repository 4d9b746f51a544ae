//! The files of the ledger: one entry for each runner, in a directory that only root can enter.

use std::time::Duration;

use anyhow::{Context as _, Result, anyhow, bail};
use nix::sys::stat::Mode;
use nix::unistd::Uid;
use tracing::warn;

use super::entry::Entry;
use crate::model::InstanceName;
use crate::sys::{Dir, Lock, Staged};

const MAX_BYTES: u64 = 1 << 20;

/// The directory of the ledger.
#[derive(Debug)]
pub struct Ledger {
    pub(super) dir: Dir,
}

impl Ledger {
    /// Takes an open directory, which nobody but its owner may be able to enter.
    ///
    /// # Errors
    ///
    /// If it belongs to somebody else, or if others can enter or change it.
    pub fn new(dir: Dir) -> Result<Self> {
        let stat = dir.stat()?;
        if Uid::from_raw(stat.st_uid) != Uid::effective() {
            bail!("it belongs to user id {}: give it to root", stat.st_uid);
        }
        if stat.st_mode & (Mode::S_IRWXG | Mode::S_IRWXO).bits() != 0 {
            bail!("others than its owner have access to it: set its mode to 0700");
        }
        Ok(Self { dir })
    }

    /// Takes the entry of a runner for this process alone; waits for it until `limit` is over. `None` means that another
    /// step or pass still works on it.
    ///
    /// # Errors
    ///
    /// As [`Dir::lock`].
    pub fn lock(&self, instance: &InstanceName, limit: Duration) -> Result<Option<Lock<'_>>> {
        self.dir.lock(&format!("{}.lock", instance.as_str()), limit)
    }

    /// The same for steps that cannot go on without it.
    ///
    /// # Errors
    ///
    /// Also if the limit is over.
    pub fn must_lock(&self, instance: &InstanceName, limit: Duration) -> Result<Lock<'_>> {
        self.lock(instance, limit)?.with_context(|| {
            format!("Another process works on the registration of {}; it is tried again", instance.as_str())
        })
    }

    /// The runners that have an entry, sorted.
    ///
    /// # Errors
    ///
    /// As `readdir(3)`.
    pub fn instances(&self) -> Result<Vec<InstanceName>> {
        let names = self.dir.names().context("Failed to list the ledger")?;
        let entries = names.iter().filter_map(|name| name.strip_suffix(".json"));
        Ok(entries.filter_map(|name| name.to_owned().try_into().ok()).collect())
    }

    /// Removes the entry of a runner of which nothing is left.
    ///
    /// # Errors
    ///
    /// As `unlinkat(2)` and `fsync(2)`.
    pub fn remove(&self, instance: &InstanceName) -> Result<()> {
        self.dir.unlink(&mark_name(instance))?;
        self.dir.unlink(&file_name(instance))?;
        self.dir.sync()
    }

    /// Reads the entry of a runner. `None` means that there is none, or nothing of it after a power cut.
    ///
    /// # Errors
    ///
    /// An entry that cannot be read is an error and not an absent one: it may name registrations that have to
    /// be taken back.
    pub fn load(&self, instance: &InstanceName) -> Result<Option<Entry>> {
        let name = file_name(instance);
        let read = self.dir.read_file(&name, &[Uid::effective()], MAX_BYTES);
        let explain = || {
            format!(
                "Failed to read ledger entry {name}; if it cannot be restored, remove it, and the runner registers anew"
            )
        };
        let text = read.and_then(|read| read.map_err(|fault| anyhow!("it {fault}"))).with_context(explain)?;
        let Some(text) = text else { return Ok(None) };
        if Entry::is_blank(&text) {
            warn!("Ledger entry {name} is empty, as a power cut leaves a file: going on as if there were none");
            return Ok(None);
        }
        Entry::parse(&text, instance).map(Some).with_context(explain)
    }

    /// Notes that a run of a runner's unit was told to stop before it was prepared. Nothing else that is known changes.
    ///
    /// # Errors
    ///
    /// Any step of writing.
    pub fn mark_stopped(&self, instance: &InstanceName, invocation: &str) -> Result<()> {
        let mode = Mode::S_IRUSR | Mode::S_IWUSR;
        self.dir.replace_file(&mark_name(instance), invocation.as_bytes(), mode, None)
    }

    /// Whether this very run was told to stop before it was prepared.
    ///
    /// # Errors
    ///
    /// If that cannot be read.
    pub fn was_stopped(&self, instance: &InstanceName, invocation: &str) -> Result<bool> {
        let read = self.dir.read_file(&mark_name(instance), &[Uid::effective()], MAX_BYTES)?;
        Ok(read?.is_some_and(|mark| mark == invocation.as_bytes()))
    }

    /// Writes the future entry beside the present one; [`Staged::commit`] puts it in place.
    ///
    /// # Errors
    ///
    /// Any step of writing.
    pub fn stage(&self, entry: &Entry, instance: &InstanceName) -> Result<Staged<'_>> {
        let name = file_name(instance);
        let mut text = serde_json::to_vec_pretty(entry).context("Failed to write ledger entry as JSON")?;
        text.push(b'\n');
        if text.len() as u64 > MAX_BYTES {
            bail!("Ledger entry {name} would become too large to be read again");
        }
        self.dir
            .stage_file(&name, &text, Mode::S_IRUSR | Mode::S_IWUSR, None)
            .with_context(|| format!("Failed to write ledger entry {name}"))
    }
}

fn mark_name(instance: &InstanceName) -> String {
    format!("{}.stopped", instance.as_str())
}

fn file_name(instance: &InstanceName) -> String {
    format!("{}.json", instance.as_str())
}
