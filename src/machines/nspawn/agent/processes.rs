//! Which processes a stage started, and how all of them are ended.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::Read as _;
use std::os::fd::AsFd;

use anyhow::{Context as _, Result};
use nix::dir::Dir;
use nix::fcntl::{OFlag, openat};
use nix::sys::signal::{Signal, kill};
use nix::sys::stat::Mode;
use nix::unistd::Pid;
use rustix::process::{WaitOptions, WaitStatus, wait};

/// The line of a process is far shorter.
const MAX_STAT: u64 = 4_096;

/// All processes below this one, as `processes`, an open `/proc`, shows them. Dead ones that nobody waited for are none.
///
/// # Errors
///
/// If `/proc` cannot be listed.
pub fn below_us(processes: &File) -> Result<BTreeSet<Pid>> {
    let own = i32::try_from(std::process::id()).context("Failed to find the own number")?;
    let mut children: BTreeMap<i32, Vec<i32>> = BTreeMap::new();
    let mut dead = BTreeSet::new();
    for process in numbers(processes)? {
        // It may end at any moment.
        if let Some((parent, is_dead)) = parent(processes, process) {
            children.entry(parent).or_default().push(process);
            if is_dead {
                dead.insert(process);
            }
        }
    }
    let mut found = BTreeSet::new();
    let mut open = vec![own];
    while let Some(process) = open.pop() {
        for child in children.remove(&process).unwrap_or_default() {
            open.push(child);
            if !dead.contains(&child) {
                found.insert(Pid::from_raw(child));
            }
        }
    }
    Ok(found)
}

/// Sends `signal` to all of them. One that is gone is fine.
pub fn signal(processes: &BTreeSet<Pid>, signal: Signal) {
    for process in processes {
        // There is nothing to be done about one that is gone, and all others are ours.
        _ = kill(*process, signal);
    }
}

/// Kills all processes below this one: they are stopped first, so that none of them makes new ones while others are killed.
///
/// # Errors
///
/// As [`below_us`].
pub fn kill_all(processes: &File) -> Result<()> {
    if std::process::id() == 1 {
        // All others of the machine, in one moment; there is nothing to do if there are none.
        _ = kill(Pid::from_raw(-1), Signal::SIGKILL);
        return Ok(());
    }
    let mut stopped = BTreeSet::new();
    loop {
        let found = below_us(processes)?;
        let fresh: BTreeSet<Pid> = found.difference(&stopped).copied().collect();
        if fresh.is_empty() {
            signal(&found, Signal::SIGKILL);
            return Ok(());
        }
        signal(&fresh, Signal::SIGSTOP);
        stopped.extend(fresh);
    }
}

/// Takes note of the end of all children that ended, and gives back how `leader` did, if it was among them.
pub fn reap_until(leader: Option<i32>) -> Option<WaitStatus> {
    let mut found = None;
    while let Ok(Some((process, status))) = wait(WaitOptions::NOHANG) {
        if leader == Some(process.as_raw_pid()) {
            found = Some(status);
        }
    }
    found
}

/// Takes note of the end of all children that ended.
pub fn reap() {
    reap_until(None);
}

fn numbers(processes: &File) -> Result<Vec<i32>> {
    let own = openat(processes.as_fd(), ".", OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC, Mode::empty())
        .context("Failed to open /proc")?;
    let mut listing = Dir::from_fd(own).context("Failed to list /proc")?;
    let mut found = Vec::new();
    for entry in listing.iter() {
        let entry = entry.context("Failed to list /proc")?;
        found.extend(entry.file_name().to_str().ok().and_then(|name| name.parse::<i32>().ok()));
    }
    Ok(found)
}

/// The parent of a process, and whether the process is dead.
fn parent(processes: &File, process: i32) -> Option<(i32, bool)> {
    let path = format!("{process}/stat");
    let opened = openat(processes.as_fd(), path.as_str(), OFlag::O_RDONLY | OFlag::O_CLOEXEC, Mode::empty()).ok()?;
    let mut text = Vec::new();
    File::from(opened).take(MAX_STAT).read_to_end(&mut text).ok()?;
    fields(&text)
}

/// State and parent follow the name, which is in brackets and may hold anything.
fn fields(stat: &[u8]) -> Option<(i32, bool)> {
    let end = stat.iter().rposition(|byte| *byte == b')')?;
    let mut fields = std::str::from_utf8(stat.get(end + 1..)?).ok()?.split_ascii_whitespace();
    let state = fields.next()?;
    Some((fields.next()?.parse().ok()?, matches!(state, "Z" | "X")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_cannot_pretend_to_be_another_parent() {
        assert_eq!(fields(b"7 (bash) S 5 7 7 0"), Some((5, false)));
        assert_eq!(fields(b"7 (x) S 1 ) Z 5 7"), Some((5, true)));
        assert_eq!(fields(b"7 (\xff\xfe) R 5 7"), Some((5, false)));
        for broken in [&b""[..], b"7 (bash", b"7 (bash) S", b"7 (bash) S x"] {
            assert_eq!(fields(broken), None);
        }
    }

    #[test]
    fn children_are_found_and_strangers_are_not() {
        let processes = File::open("/proc").unwrap();
        let mut child = std::process::Command::new("sleep").arg("3600").spawn().unwrap();
        let pid = Pid::from_raw(child.id().cast_signed());
        let found = below_us(&processes).unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(found.contains(&pid));
        assert!(!found.contains(&Pid::from_raw(1)) && !found.contains(&Pid::this()));
        assert!(!below_us(&processes).unwrap().contains(&pid));
    }
}
