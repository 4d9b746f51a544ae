//! What a runner's unit consists of, as a digest: the ledger keeps that of the last start, so that somebody can tell later
//! whether the unit that runs is still the one that is configured.
//!
//! Works on the texts where systemd reads them, which only root can write. Must not ask systemd: it only says what it has
//! loaded, not what a unit that runs was started from.

use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use sha2::{Digest as _, Sha256};

use crate::contract::names::{DIRECTORIES, runner};
use crate::model::{InstanceName, hex};
use crate::sys::read_if_there;

/// The digest of the texts of a runner's unit, by what systemd takes of them: the first that is found, and every drop-in
/// once. `None` if there is none, or if they are not those of `manifest`: while a switch is under way, the files are those
/// of the new configuration and what systemd runs is still the old one.
///
/// # Errors
///
/// As `read(2)`.
pub fn digest(instance: &InstanceName, manifest: &Path) -> Result<Option<String>> {
    digest_in(&DIRECTORIES.map(Path::new), &runner(instance), manifest)
}

fn digest_in(directories: &[&Path], unit: &str, manifest: &Path) -> Result<Option<String>> {
    let mut hash = Sha256::new();
    let mut is_of_manifest = false;
    let fragments = directories.iter().map(|directory| directory.join(unit));
    let Some(fragment) = first(fragments)? else { return Ok(None) };
    for text in [vec![fragment], drop_ins(directories, unit)?].concat() {
        is_of_manifest |= text
            .split(|byte| byte.is_ascii_whitespace() || *byte == b'"')
            .any(|word| word == manifest.as_os_str().as_bytes());
        // The length keeps two texts from running into each other.
        hash.update((text.len() as u64).to_le_bytes());
        hash.update(text);
    }
    Ok(is_of_manifest.then(|| hex(&hash.finalize())))
}

/// The text of the first of these files that there is.
fn first(mut paths: impl Iterator<Item = PathBuf>) -> Result<Option<Vec<u8>>> {
    paths.find_map(|path| read_if_there(&path).transpose()).transpose()
}

/// The texts of the drop-ins by their names, of which the first directory has the say.
fn drop_ins(directories: &[&Path], unit: &str) -> Result<Vec<Vec<u8>>> {
    let mut found = BTreeMap::new();
    for directory in directories {
        for path in in_order(&directory.join(format!("{unit}.d")))? {
            if let Some(text) = read_if_there(&path)? {
                found.entry(path.file_name().map(ToOwned::to_owned)).or_insert(text);
            }
        }
    }
    Ok(found.into_values().collect())
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
        fs::create_dir_all(run.join("a.service.d")).unwrap();
        let digest = || digest_in(&[&etc, &run], "a.service", Path::new("/m.json")).unwrap();
        assert_eq!(digest(), None);
        fs::write(etc.join("a.service"), "ExecStart=a --manifest /m.json.old").unwrap();
        assert_eq!(digest(), None, "a unit of another manifest");
        let mut seen = Vec::new();
        for (name, text) in [
            ("a.service", "ExecStart=a --manifest /m.json --x"),
            ("a.service.d/b.conf", "1"),
            ("a.service.d/a.conf", "2"),
            ("a.service.d/a.conf", "21"),
        ] {
            fs::write(etc.join(name), text).unwrap();
            assert!(digest().is_some() && !seen.contains(&digest()), "{name} {text}");
            seen.push(digest());
        }
        fs::write(run.join("a.service.d/c.conf"), "3").unwrap();
        assert!(!seen.contains(&digest()));
        fs::remove_file(run.join("a.service.d/c.conf")).unwrap();
        fs::write(etc.join("b.service"), "").unwrap();
        fs::write(etc.join("a.service.d/note"), "").unwrap();
        fs::write(run.join("a.service"), "a copy").unwrap();
        fs::write(run.join("a.service.d/a.conf"), "a copy").unwrap();
        assert_eq!(seen.last(), Some(&digest()));
    }
}
