//! Small things that every scenario needs: running a program, waiting for a fact, looking at a file.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};

use crate::times::HANGS;

/// Runs a program to its end and returns its output; failing is an error.
pub fn run(program: &str, arguments: &[&str]) -> Result<String> {
    let output = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("Failed to run {program}"))?;
    ensure!(
        output.status.success(),
        "{program} {} ended with {}: {}",
        arguments.join(" "),
        output.status,
        String::from_utf8_lossy(&output.stderr).trim()
    );
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Asks until the answer is `Some`, for at most [`HANGS`]. Most of the time is for what is waited for: several machines
/// share the processors.
pub fn wait_for<T>(what: &str, ask: impl FnMut() -> Result<Option<T>>) -> Result<T> {
    wait_within(HANGS, what, ask)
}

/// The same with another limit.
pub fn wait_within<T>(limit: Duration, what: &str, mut ask: impl FnMut() -> Result<Option<T>>) -> Result<T> {
    let start = Instant::now();
    loop {
        let begin = Instant::now();
        if let Some(answer) = ask()? {
            return Ok(answer);
        }
        let asking = begin.elapsed();
        if start.elapsed() > limit {
            bail!("waited {} seconds in vain for {what}", limit.as_secs());
        }
        std::thread::sleep((asking * 2).clamp(Duration::from_millis(10), Duration::from_millis(200)));
    }
}

/// Sets the permission bits of a file.
pub fn set_mode(path: impl AsRef<Path>, mode: u32) -> Result<()> {
    fs::set_permissions(&path, Permissions::from_mode(mode))
        .with_context(|| format!("Failed to set the mode of {}", path.as_ref().display()))
}

/// Permission bits and owner of a file.
pub fn mode_and_owner(path: impl AsRef<Path>) -> Result<(u32, u32)> {
    let metadata =
        fs::symlink_metadata(&path).with_context(|| format!("Failed to look at {}", path.as_ref().display()))?;
    Ok((metadata.mode() & 0o7777, metadata.uid()))
}

/// The names in a directory, sorted.
pub fn names(path: impl AsRef<Path>) -> Result<Vec<String>> {
    let entries = fs::read_dir(&path).with_context(|| format!("Failed to list {}", path.as_ref().display()))?;
    let mut names = Vec::new();
    for entry in entries {
        names.push(entry?.file_name().to_string_lossy().into_owned());
    }
    names.sort();
    Ok(names)
}
