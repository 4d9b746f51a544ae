//! What one pass remembers for the next. Nothing in it is needed to be right: without it passes only take longer to judge,
//! so a damaged file is told and forgotten.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result};
use nix::sys::stat::Mode;
use nix::unistd::Uid;
use serde::{Deserialize, Serialize};
use tracing::warn;

use crate::contract::manifest::Manifest;
use crate::model::{Releases, Standing as OfVersion, package_version};
use crate::sys::Dir;

const FILE: &str = "memory.json";
const VERSION: u64 = 1;
const MAX_BYTES: u64 = 16 << 20;

/// Everything that is remembered.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Memory {
    version: u64,
    /// When the last pass began, in seconds since 1970.
    pub last_pass: Option<u64>,
    /// How long it took, in milliseconds.
    pub took: u64,
    /// About each runner.
    pub runners: BTreeMap<String, Recall>,
    /// Since when runners are seen that are nobody's, by address and id.
    pub unknown: BTreeMap<String, u64>,
    /// About each credential, see `CredentialPlace::key`.
    pub credentials: BTreeMap<String, Standing>,
    /// How often runners were restarted, by cause.
    pub restarts: BTreeMap<String, u64>,
    /// How many requests the server was sent.
    pub requests: u64,
    /// What each host says about releases of the runner.
    #[serde(default)]
    pub releases: BTreeMap<String, Releases>,
}

/// What is remembered about one runner.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Recall {
    /// Since when a restart is due.
    pub pending_since: Option<u64>,
    /// From which unit the run was started that it is due for, as the ledger has it.
    #[serde(default)]
    pub pending_from: Option<String>,
    /// Since when the server does not see it as running.
    pub lost: Option<Absence>,
    /// How often it was restarted for that without success.
    pub cures: u32,
    /// When it was restarted for that last.
    pub cured_at: Option<u64>,
    /// How often its debts were to be paid without an end of them.
    #[serde(default)]
    pub payments: u32,
    /// Before this time that is not tried again.
    #[serde(default)]
    pub pay_after: Option<u64>,
    /// What was said about it last, so that it is said once.
    pub said: Option<String>,
}

impl Recall {
    /// Notes that it was restarted because the server did not see it.
    pub fn cure(&mut self, now: u64) {
        self.cures = self.cures.saturating_add(1);
        (self.cured_at, self.lost) = (Some(now), None);
    }
}

/// A registration that the server does not see as running.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Absence {
    /// Its id.
    pub id: u64,
    /// Whether it is not listed at all, or as offline.
    pub missing: bool,
    /// Since when, in seconds since 1970.
    pub since: u64,
}

/// How a credential stands with the server.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Standing {
    /// Until when the server wants no more requests with it.
    pub limited: Option<u64>,
    /// How many requests are left before its limit.
    pub remaining: Option<u64>,
    /// When it expires.
    pub expires: Option<u64>,
    /// How many passes in a row got no answer with it.
    #[serde(default)]
    pub silent: u32,
}

impl Memory {
    /// Reads what the last pass remembered.
    #[must_use]
    pub fn load(dir: &Dir) -> Self {
        let read = || -> Result<Option<Self>> {
            let Some(text) = dir.read_file(FILE, &[Uid::effective()], MAX_BYTES)?? else { return Ok(None) };
            Ok(Some(serde_json::from_slice(&text)?))
        };
        match read() {
            Ok(Some(memory)) if memory.version == VERSION => memory,
            Ok(None) => Self { version: VERSION, ..Self::default() },
            Ok(Some(_)) => {
                warn!("Began anew to remember what passes see, because another release wrote it");
                Self { version: VERSION, ..Self::default() }
            }
            Err(error) => {
                warn!("Began anew to remember what passes see: {error:#}");
                Self { version: VERSION, ..Self::default() }
            }
        }
    }

    /// Writes it for the next pass.
    ///
    /// # Errors
    ///
    /// Any step of writing.
    pub fn save(&self, dir: &Dir) -> Result<()> {
        let text = serde_json::to_vec_pretty(self).context("Failed to write what was seen as JSON")?;
        dir.replace_file(FILE, &text, Mode::S_IRUSR | Mode::S_IWUSR, None).context("Failed to remember what was seen")
    }

    /// How the version of the runner package of `manifest` stands to what its server says.
    #[must_use]
    pub fn version(&self, manifest: &Manifest) -> OfVersion {
        let releases = self.releases.get(&manifest.registration.url.host());
        let version = package_version(&manifest.listener);
        releases.zip(version).map_or(OfVersion::Unknown, |(releases, version)| releases.standing(version))
    }

    /// Counts a restart.
    pub fn count(&mut self, cause: &str) {
        *self.restarts.entry(cause.to_owned()).or_default() += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::Place;

    #[test]
    fn what_was_seen_is_read_again_and_a_damaged_file_is_begun_anew() {
        let temporary = tempfile::tempdir().unwrap();
        let dir = Place::walk(&temporary.path().canonicalize().unwrap()).unwrap().open().unwrap().unwrap();
        let mut memory = Memory::load(&dir);
        memory.count("changed");
        memory.runners.insert("a".into(), Recall { pending_since: Some(7), ..Recall::default() });
        memory.save(&dir).unwrap();
        assert_eq!(Memory::load(&dir), memory);
        for damaged in ["{", "{\"version\":9}", "[]"] {
            std::fs::write(temporary.path().join(FILE), damaged).unwrap();
            assert_eq!(Memory::load(&dir), Memory { version: VERSION, ..Memory::default() });
        }
    }
}
