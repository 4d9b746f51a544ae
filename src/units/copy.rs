//! A copy of a unit for the time when it is not configured any more and still runs.
//!
//! Works on the texts where systemd reads them, which only root can write.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use anyhow::{Context as _, Result};

use crate::contract::names::DIRECTORIES;
use crate::sys::read_if_there;

/// Keeps a copy of a running unit where systemd finds it once it is not configured any more: without a definition it would
/// forget to whom the processes belong, how they are stopped, and to settle the end. The copy is not started again. Tells
/// whether anything was written.
///
/// # Errors
///
/// As `read(2)` and `write(2)`.
pub fn keep(unit: &str) -> Result<bool> {
    keep_in(DIRECTORIES.map(Path::new), unit)
}

fn keep_in([configured, kept]: [&Path; 2], unit: &str) -> Result<bool> {
    let Some(text) = read_if_there(&configured.join(unit))? else { return Ok(false) };
    let text = String::from_utf8_lossy(&text);
    // The exit codes that force a start do so whatever `Restart=` says.
    let lines = text.lines().filter(|line| !line.starts_with("RestartForceExitStatus="));
    let lines = lines.map(|line| if line.starts_with("Restart=") { "Restart=no" } else { line });
    let copy = lines.collect::<Vec<_>>().join("\n") + "\n";
    let path = kept.join(unit);
    if read_if_there(&path)?.as_deref() == Some(copy.as_bytes()) {
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
pub fn forget(unit: &str) -> Result<bool> {
    let path = Path::new(DIRECTORIES[1]).join(unit);
    match fs::remove_file(&path) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error).with_context(|| format!("Failed to remove {}", path.display())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
