//! What a start has read and found good, before it changes anything. All that follows the decision works on this.

use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context as _, Result};
use nix::sys::stat::Mode;
use nix::unistd::{Gid, Uid};
use tracing::info;

use crate::contract::manifest::Manifest;
use crate::registration::credential::Credential;
use crate::registration::paced::Careful;
use crate::state::STAGED_TOKEN;
use crate::sys::Dir;

/// What a start has read and found good, before it changes anything.
pub(super) struct Basis<'a> {
    pub(super) manifest: &'a Manifest,
    pub(super) credential: &'a Credential,
    /// Absent if the credential is not one of the API.
    pub(super) broker: Option<Careful<'a>>,
    pub(super) state: &'a Dir,
    /// As the unit names it.
    pub(super) state_path: &'a Path,
    /// Numeric, as the state directory has it.
    pub(super) owner: (Uid, Gid),
    pub(super) work: Dir,
    /// Whom the work directory is for.
    pub(super) heir: Heir,
    /// As the listener is to see it.
    pub(super) work_path: PathBuf,
    /// When to stop emptying directories.
    pub(super) end: Instant,
}

impl Basis<'_> {
    /// Hands the service user what it registers with.
    pub(super) fn stage(&self, secret: &str) -> Result<()> {
        self.state
            .replace_file(STAGED_TOKEN, secret.as_bytes(), Mode::S_IRUSR, Some(self.owner))
            .context("Failed to stage the token for the service user")
    }
}

/// Whom a work directory is for.
#[derive(Clone, Copy)]
pub(in crate::root) struct Heir {
    pub(super) owner: (Uid, Gid),
    pub(super) mode: Mode,
    /// Whether what is in the directory is known to be this runner's.
    pub(super) knows: bool,
}

impl Heir {
    pub(in crate::root) fn new(owner: (Uid, Gid), manifest: &Manifest, knows: bool) -> Self {
        Self { owner, mode: Mode::from_bits_truncate(manifest.work_dir_mode.bits()), knows }
    }
}

/// Says what was removed, if anything was.
pub(in crate::root) fn report(what: &str, files: u64, directories: u64) {
    if files + directories > 0 {
        let plural = |count, one: &str, many: &str| format!("{count} {}", if count == 1 { one } else { many });
        info!("{what}: {}, {}", plural(files, "file", "files"), plural(directories, "directory", "directories"));
    }
}
