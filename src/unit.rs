//! What a runner's unit consists of: as a digest, so that somebody can tell later whether the unit that runs is still the one
//! that is configured, and as a copy for the time when it is not configured any more.
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

use crate::model::{InstanceName, hex};

/// Where NixOS and administrators put units and their drop-ins; see systemd.unit(5).
const DIRECTORIES: [&str; 2] = ["/etc/systemd/system", "/run/systemd/system"];

/// The unit of a runner.
#[must_use]
pub fn name(instance: &InstanceName) -> String {
    format!("github-runner-{}.service", instance.as_str())
}

/// The digest of the texts of a runner's unit, by what systemd takes of them: the first that is found, and every drop-in
/// once. `None` if there is none, or if they are not those of `manifest`: while a switch is under way, the files are those
/// of the new configuration and what systemd runs is still the old one.
///
/// # Errors
///
/// As `read(2)`.
pub fn digest(instance: &InstanceName, manifest: &Path) -> Result<Option<String>> {
    digest_in(&DIRECTORIES.map(Path::new), &name(instance), manifest)
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
    paths.find_map(|path| read(&path).transpose()).transpose()
}

fn read(path: &Path) -> Result<Option<Vec<u8>>> {
    match fs::read(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(|| format!("Failed to read {}", path.display())),
    }
}

/// The texts of the drop-ins by their names, of which the first directory has the say.
fn drop_ins(directories: &[&Path], unit: &str) -> Result<Vec<Vec<u8>>> {
    let mut found = BTreeMap::new();
    for directory in directories {
        for path in in_order(&directory.join(format!("{unit}.d")))? {
            if let Some(text) = read(&path)? {
                found.entry(path.file_name().map(ToOwned::to_owned)).or_insert(text);
            }
        }
    }
    Ok(found.into_values().collect())
}

/// Keeps a copy of a running unit where systemd finds it once it is not configured any more: without a definition it would
/// forget to whom the processes belong, how they are stopped, and to settle the end. The copy is not started again. Tells
/// whether anything was written.
///
/// # Errors
///
/// As `read(2)` and `write(2)`.
pub fn keep(instance: &InstanceName) -> Result<bool> {
    keep_in(DIRECTORIES.map(Path::new), &name(instance))
}

fn keep_in([configured, kept]: [&Path; 2], unit: &str) -> Result<bool> {
    let Some(text) = read(&configured.join(unit))? else { return Ok(false) };
    let text = String::from_utf8_lossy(&text);
    // The exit codes that force a start do so whatever `Restart=` says.
    let lines = text.lines().filter(|line| !line.starts_with("RestartForceExitStatus="));
    let lines = lines.map(|line| if line.starts_with("Restart=") { "Restart=no" } else { line });
    let copy = lines.collect::<Vec<_>>().join("\n") + "\n";
    let path = kept.join(unit);
    if read(&path)?.as_deref() == Some(copy.as_bytes()) {
        return Ok(false);
    }
    // Complete or not at all, for a systemd that reloads just now.
    let new = kept.join(format!(".{unit}.new"));
    let write = || fs::write(&new, &copy).and_then(|()| fs::rename(&new, &path));
    write().with_context(|| format!("Failed to keep a copy of {unit}"))?;
    Ok(true)
}

/// Removes what [`keep`] wrote. Tells whether it was there.
///
/// # Errors
///
/// As `unlink(2)`.
pub fn forget(instance: &InstanceName) -> Result<bool> {
    let path = Path::new(DIRECTORIES[1]).join(name(instance));
    match fs::remove_file(&path) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error).with_context(|| format!("Failed to remove {}", path.display())),
    }
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

    #[test]
    fn a_kept_unit_is_that_of_the_configuration_but_is_not_started_again() {
        let temporary = tempfile::tempdir().unwrap();
        let (etc, run) = (temporary.path().join("etc"), temporary.path().join("run"));
        fs::create_dir(&etc).unwrap();
        fs::create_dir(&run).unwrap();
        let keep = || keep_in([&etc, &run], "a.service").unwrap();
        assert!(!keep());
        fs::write(
            etc.join("a.service"),
            "[Service]\nRestart=always\nRestartSec=1s\nRestartForceExitStatus=2\nDynamicUser=true\n",
        )
        .unwrap();
        assert!(keep() && !keep(), "once");
        let copy = fs::read_to_string(run.join("a.service")).unwrap();
        assert_eq!(copy, "[Service]\nRestart=no\nRestartSec=1s\nDynamicUser=true\n");
        assert_eq!(fs::read_dir(&run).unwrap().count(), 1);
    }
}
