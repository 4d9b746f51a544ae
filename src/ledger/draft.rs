//! An entry while it is edited: what it is to say, and when that is written.

use anyhow::Result;

use super::directory::Ledger;
use super::entry::Entry;
use crate::model::InstanceName;
use crate::sys::Staged;

/// The entry of one runner, in memory and on disk.
#[derive(Debug)]
pub struct Draft<'a> {
    directory: &'a Ledger,
    instance: &'a InstanceName,
    stored: Option<Entry>,
    /// What the entry is to say; nothing is written before [`Draft::save`].
    pub entry: Entry,
}

impl<'a> Draft<'a> {
    /// Takes the entry as it was read, or the one to begin with.
    #[must_use]
    pub fn new(directory: &'a Ledger, instance: &'a InstanceName, stored: Option<Entry>, new: Entry) -> Self {
        let entry = stored.clone().unwrap_or(new);
        Self { directory, instance, stored, entry }
    }

    /// Puts the entry on disk, if that says something else.
    ///
    /// # Errors
    ///
    /// Any step of writing; the disk then has the entry of before.
    pub fn save(&mut self) -> Result<()> {
        if self.stored.as_ref() != Some(&self.entry) {
            self.directory.stage(&self.entry, self.instance)?.commit()?;
            self.stored = Some(self.entry.clone());
        }
        Ok(())
    }

    /// Writes a future entry beside the present one, so that the disk cannot be too full for it later.
    ///
    /// # Errors
    ///
    /// Any step of writing.
    pub fn stage(&self, entry: &Entry) -> Result<Staged<'a>> {
        self.directory.stage(entry, self.instance)
    }

    /// Finds out whether an entry could be written.
    ///
    /// # Errors
    ///
    /// As [`Draft::stage`].
    pub fn check_writable(&self) -> Result<()> {
        self.stage(&self.entry)?.discard()
    }

    /// Takes note that a staged entry is in place now.
    pub fn committed(&mut self, entry: Entry) {
        self.stored = Some(entry.clone());
        self.entry = entry;
    }
}
