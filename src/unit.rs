//! What a runner's unit consists of, as a digest: so that somebody can tell later whether the unit that runs is still the
//! one that is configured.
//!
//! Reads the texts where systemd reads them, which only root can write. Must not ask systemd: it only says what it has
//! loaded, not what a unit that runs was started from.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use sha2::{Digest as _, Sha256};

use crate::model::{InstanceName, hex};

/// Where NixOS and administrators put units and their drop-ins; see systemd.unit(5).
const DIRECTORIES: [&str; 2] = ["/etc/systemd/system", "/run/systemd/system"];

/// The unit of a runner.
#[must_use]
pub fn name(instance: &InstanceName) -> String {
    format!("github-runner-{}.service", instance.as_str())
}

/// The digest of the texts of a runner's unit; `None` if it has none.
///
/// # Errors
///
/// As `read(2)`.
pub fn digest(instance: &InstanceName) -> Result<Option<String>> {
    digest_in(&DIRECTORIES.map(Path::new), &name(instance))
}

fn digest_in(directories: &[&Path], unit: &str) -> Result<Option<String>> {
    let mut hash = Sha256::new();
    let mut found = false;
    for directory in directories {
        let drop_ins = directory.join(format!("{unit}.d"));
        for path in [vec![directory.join(unit)], in_order(&drop_ins)?].concat() {
            match fs::read(&path) {
                Ok(text) => {
                    found = true;
                    // The length keeps two texts from running into each other.
                    hash.update((text.len() as u64).to_le_bytes());
                    hash.update(text);
                }
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                Err(error) => return Err(error).with_context(|| format!("Failed to read {}", path.display())),
            }
        }
    }
    Ok(found.then(|| hex(&hash.finalize())))
}

/// The drop-ins of a directory in the order in which systemd reads them.
fn in_order(directory: &Path) -> Result<Vec<PathBuf>> {
    let list = || -> std::io::Result<Vec<PathBuf>> {
        let mut paths = Vec::new();
        for entry in fs::read_dir(directory)? {
            paths.push(entry?.path());
        }
        Ok(paths)
    };
    let mut paths = match list() {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(vec![]),
        paths => paths.with_context(|| format!("Failed to list {}", directory.display()))?,
    };
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "conf"));
    paths.sort();
    Ok(paths)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_text_of_a_unit_counts() {
        let temporary = tempfile::tempdir().unwrap();
        let (etc, run) = (temporary.path().join("etc"), temporary.path().join("run"));
        fs::create_dir_all(etc.join("a.service.d")).unwrap();
        let digest = || digest_in(&[&etc, &run], "a.service").unwrap();
        assert_eq!(digest(), None);
        let mut seen = Vec::new();
        for (name, text) in [
            ("a.service", "[Service]"),
            ("a.service.d/b.conf", "1"),
            ("a.service.d/a.conf", "2"),
            ("a.service.d/a.conf", "21"),
        ] {
            fs::write(etc.join(name), text).unwrap();
            assert!(!seen.contains(&digest()), "{name} {text}");
            seen.push(digest());
        }
        fs::write(etc.join("b.service"), "").unwrap();
        fs::write(etc.join("a.service.d/note"), "").unwrap();
        assert_eq!(seen.last(), Some(&digest()));
    }
}
