//! A broker for a runner that has no unit: one that is not configured any more, or the runner of an order.
//!
//! systemd makes it for each connection, in the sandbox that the module gave, so it alone holds the credential. Nothing is
//! asked here, and what is written is a manifest, which holds no secret.

use std::ffi::OsString;
use std::fs::{DirBuilder, Permissions};
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use sha2::{Digest as _, Sha256};

use crate::contract::manifest::Manifest;
use crate::model::hex;
use crate::units::Door;

/// How many bytes of a digest name a socket.
const SOCKET_NAME: usize = 8;

/// Where such brokers are reached, and what they are given.
#[derive(Clone, Copy, Debug)]
pub struct Transient<'a> {
    /// A directory of root that everybody can enter: manifests, and in `doors`, which is closed, the sockets.
    pub runtime: &'a Path,
    /// Where the entries of their runners are.
    pub ledger: &'a Path,
    /// Their sandbox, as properties of systemd.
    pub properties: &'a [String],
}

impl Transient<'_> {
    /// Opens a door to a broker with this manifest; it is closed when it is dropped.
    ///
    /// # Errors
    ///
    /// If a file or the socket cannot be made.
    pub fn open(&self, manifest: &Manifest) -> Result<Door> {
        let (instance, place) = (manifest.instance.as_str(), manifest.credential_place());
        let written = self.write(manifest)?;
        let secret = place.file().unwrap_or_default();
        let entry = self.ledger.join(format!("{instance}.json"));
        let mut properties = self.properties.to_vec();
        properties.push(format!("LoadCredential=credential:{secret}"));
        properties.push(format!("LoadCredential=ledger:{}", entry.display()));
        // What stands for a file that is not there, and is in no such file: systemd would hang up without a word.
        properties.extend(["credential", "ledger"].map(|name| format!("SetCredential={name}:no file\\n")));
        let program = std::env::current_exe().context("Failed to find this program")?;
        let program: [OsString; 4] = [program.into(), "broker".into(), "--manifest".into(), written.into()];
        let doors = self.runtime.join("doors");
        make(&doors, 0o700)?;
        // A path of a socket has at most 107 bytes, and a runner's name can have most of them.
        let name = hex(&Sha256::digest(instance)[..SOCKET_NAME]);
        Door::open(doors.join(name), &properties, &place.environment, &program)
    }

    /// Removes what [`Transient::open`] wrote for a runner of which nothing is left.
    ///
    /// # Errors
    ///
    /// As `unlink(2)`.
    pub fn forget(&self, instance: &str) -> Result<()> {
        match std::fs::remove_file(self.manifest(instance)) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(error).with_context(|| format!("Failed to remove the manifest of {instance}"))
            }
            _ => Ok(()),
        }
    }

    fn manifest(&self, instance: &str) -> PathBuf {
        self.runtime.join(format!("{instance}.json"))
    }

    /// Writes the manifest where the broker's own user can read it.
    fn write(&self, manifest: &Manifest) -> Result<PathBuf> {
        make(self.runtime, 0o755)?;
        let path = self.manifest(manifest.instance.as_str());
        let text = manifest.to_text()?;
        let write = || -> Result<()> {
            std::fs::write(&path, text)?;
            std::fs::set_permissions(&path, Permissions::from_mode(0o644))?;
            Ok(())
        };
        write().with_context(|| format!("Failed to write {}", path.display()))?;
        Ok(path)
    }
}

fn make(directory: &Path, mode: u32) -> Result<()> {
    let result = DirBuilder::new().recursive(true).mode(mode).create(directory);
    result.with_context(|| format!("Failed to make {}", directory.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_runner_with_the_longest_name_has_a_door_where_the_desk_has_them() {
        let home = tempfile::tempdir().unwrap();
        // As long as the path of the desk, whose name is no secret.
        let length = "/run/github-runner-on-demand/manifests".len();
        let runtime = home.path().join("r".repeat(length.saturating_sub(home.path().as_os_str().len() + 1).max(1)));
        let text = include_bytes!("../../tests/fixtures/manifest-v2.json");
        let mut manifest = Manifest::parse(text).unwrap();
        manifest.instance = "n".repeat(64).try_into().unwrap();
        let brokers = Transient { runtime: &runtime, ledger: home.path(), properties: &[] };
        let door = brokers.open(&manifest).unwrap();
        assert!(door.socket().exists() && runtime.as_os_str().len() >= length);
    }
}
