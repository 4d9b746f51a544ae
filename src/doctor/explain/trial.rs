//! Runs of a command by systemd, each in a unit of its own below `/run`, which are gone afterwards.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::io::{self, ErrorKind, Read as _, Seek as _, SeekFrom};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use nix::fcntl::{Flock, FlockArg};

use super::copy::Sandbox;
use super::search::Trial;
use crate::contract::names::DIRECTORIES;

/// What all of it is called, and where it lies.
const NAME: &str = "github-runner-explain";
const HOME: &str = "/run/github-runner-explain";
/// Held by whoever makes copies.
const LOCK: &str = "/run/github-runner-explain.lock";
/// What the command writes, each run into a file of its number: root's.
const OUTPUT: &str = "/run/github-runner-explain/output";
/// The most of its output that is shown, in bytes.
const MOST_OUTPUT: u64 = 16 << 10;

/// The text of a unit and of its drop-ins.
///
/// # Errors
///
/// Systemd does not know it.
pub fn definition(unit: &str) -> Result<String> {
    let shown = Command::new("systemctl")
        .args(["cat", "--no-pager", "--", unit])
        .stdin(Stdio::null())
        .output()
        .context("Failed to run systemctl")?;
    if !shown.status.success() {
        bail!("systemd does not know {unit}: switch to a configuration that has the runner");
    }
    Ok(String::from_utf8_lossy(&shown.stdout).into_owned())
}

/// Copies of one sandbox, in which one command runs.
pub struct Copies<'a> {
    sandbox: &'a Sandbox,
    limit: u64,
    runs: usize,
    units: Vec<PathBuf>,
    _lock: Flock<fs::File>,
}

impl<'a> Copies<'a> {
    /// Prepares runs of `command`.
    ///
    /// # Errors
    ///
    /// Somebody else does the same now, or any step of writing.
    pub fn open(sandbox: &'a Sandbox, command: &[OsString], limit: Duration) -> Result<Self> {
        // `/run` is root's, so nobody else puts a file there.
        let file = fs::File::create(LOCK).with_context(|| format!("Failed to open {LOCK}"))?;
        let Ok(lock) = Flock::lock(file, FlockArg::LockExclusiveNonblock) else {
            bail!("Somebody else runs `explain` now: wait until it has ended");
        };
        forget_others()?;
        fs::create_dir(HOME).with_context(|| format!("Failed to make {HOME}"))?;
        let copies = Self { sandbox, limit: limit.as_secs(), runs: 0, units: vec![], _lock: lock };
        fs::set_permissions(HOME, fs::Permissions::from_mode(0o755))?;
        fs::create_dir(OUTPUT)?;
        fs::set_permissions(OUTPUT, fs::Permissions::from_mode(0o700))?;
        let script = Path::new(HOME).join("command");
        fs::write(&script, as_script(command))?;
        fs::set_permissions(&script, fs::Permissions::from_mode(0o644))?;
        // Forgets what others left loaded. From now on each name is new, and its unit is read when it is started.
        systemctl(&["daemon-reload"])?;
        Ok(copies)
    }

    /// How often the command ran.
    #[must_use]
    pub fn runs(&self) -> usize {
        self.runs
    }

    /// Tries with what `lift` puts behind the unit's lines for a set of them.
    pub fn lifting<F: Fn(&[usize]) -> Vec<String>>(&mut self, lift: F) -> Lifting<'_, 'a, F> {
        Lifting { copies: self, lift }
    }

    /// What it wrote when it ran for this time, counted from 0.
    ///
    /// # Errors
    ///
    /// As `read(2)`.
    pub fn output(run: usize) -> Result<Vec<u8>> {
        let path = Path::new(OUTPUT).join(run.to_string());
        let read = || -> io::Result<Vec<u8>> {
            let mut file = fs::File::open(path)?;
            let (end, mut text) = (file.metadata()?.len(), vec![]);
            file.seek(SeekFrom::Start(end.saturating_sub(MOST_OUTPUT)))?;
            file.take(MOST_OUTPUT).read_to_end(&mut text)?;
            Ok(text)
        };
        read().context("Failed to read what the command wrote")
    }

    fn write(&mut self, number: usize, lifted: &[String]) -> Result<String> {
        let name = format!("{NAME}-{number}");
        let lifted: Vec<&str> = lifted.iter().map(String::as_str).collect();
        let (script, output) = (Path::new(HOME).join("command"), Path::new(OUTPUT).join(number.to_string()));
        let path = Path::new(DIRECTORIES[1]).join(format!("{name}.service"));
        self.units.push(path.clone());
        fs::write(&path, self.sandbox.unit(&name, &lifted, &script, &output, self.limit))
            .with_context(|| format!("Failed to write {}", path.display()))?;
        Ok(format!("{name}.service"))
    }
}

/// Copies from which something is lifted.
pub struct Lifting<'c, 'a, F> {
    copies: &'c mut Copies<'a>,
    lift: F,
}

impl<F: Fn(&[usize]) -> Vec<String>> Trial for Lifting<'_, '_, F> {
    fn works(&mut self, set: &[usize]) -> Result<bool> {
        let Self { copies, lift } = self;
        let unit = copies.write(copies.runs, &lift(set))?;
        copies.runs += 1;
        // Of a unit that runs once the start ends with its program.
        systemctl_status(&["start", "--quiet", "--", &unit])
    }
}

impl Drop for Copies<'_> {
    fn drop(&mut self) {
        for unit in &self.units {
            drop(fs::remove_file(unit));
        }
        drop(fs::remove_dir_all(HOME));
        drop(systemctl(&["daemon-reload"]));
    }
}

/// Removes what a run left that was killed.
fn forget_others() -> Result<()> {
    let is_ours = |name: &str| name.starts_with(&format!("{NAME}-")) && name.ends_with(".service");
    for entry in fs::read_dir(DIRECTORIES[1])?.flatten() {
        if entry.file_name().to_str().is_some_and(is_ours) {
            fs::remove_file(entry.path())?;
        }
    }
    match fs::remove_dir_all(HOME) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            Err(error).with_context(|| format!("Failed to remove {HOME}"))
        }
        _ => Ok(()),
    }
}

fn systemctl_status(arguments: &[&str]) -> Result<bool> {
    let mut command = Command::new("systemctl");
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    Ok(command.status().context("Failed to run systemctl")?.success())
}

fn systemctl(arguments: &[&str]) -> Result<()> {
    if systemctl_status(arguments)? { Ok(()) } else { bail!("systemctl {} failed", arguments.join(" ")) }
}

/// A script that is the command: each argument as it is.
fn as_script(command: &[OsString]) -> Vec<u8> {
    let mut text = b"exec".to_vec();
    for argument in command {
        text.extend_from_slice(b" '");
        for byte in OsStr::as_bytes(argument) {
            match byte {
                b'\'' => text.extend_from_slice(b"'\\''"),
                byte => text.push(*byte),
            }
        }
        text.push(b'\'');
    }
    text.push(b'\n');
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_keeps_its_arguments_whatever_is_in_them() {
        let hostile = ["-c", "a b", "it's", "$HOME `id` \\ \"x\"", "", "%n\nnext"];
        let command: Vec<OsString> = ["printf", "%s|"].iter().chain(&hostile).map(OsString::from).collect();
        let ran = Command::new("/bin/sh").arg("-c").arg(OsStr::from_bytes(&as_script(&command))).output().unwrap();
        assert_eq!(String::from_utf8(ran.stdout).unwrap(), hostile.map(|one| format!("{one}|")).concat());
    }
}
