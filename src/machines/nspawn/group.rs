//! The control group of a job's unit: whether it still has processes, which of them the kernel kills first for lack of memory,
//! and how many it killed.

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

/// Where cgroups(7) of version 2 are: alone, or beside those of version 1.
const ROOTS: [&str; 2] = ["/sys/fs/cgroup", "/sys/fs/cgroup/unified"];

/// Where systemd puts `ExecStopPost=` of a unit that delegates its group.
const CONTROL: &str = "/.control";

/// The group of this process's unit: `/gitlab.slice/gitlab-nspawn@1.service`, say.
///
/// # Errors
///
/// If there are no control groups of version 2.
pub fn own() -> Result<String> {
    let text = fs::read_to_string("/proc/self/cgroup").context("Failed to find the own control group")?;
    let path = text.lines().find_map(|line| line.strip_prefix("0::"));
    let path = path.context("Failed to find the own control group: this host has none of version 2")?;
    Ok(path.strip_suffix(CONTROL).unwrap_or(path).to_owned())
}

/// Whether a process is left in a group. A group that does not exist has none.
#[must_use]
pub fn is_populated(group: &str) -> bool {
    let text = fs::read_to_string(directory(group).join("cgroup.events"));
    // The root of the hierarchy has no such file, and always has processes.
    text.map_or(group == "/", |text| text.lines().any(|line| line == "populated 1"))
}

/// How many processes the kernel killed for lack of memory; 0 where nobody counts.
#[must_use]
pub fn killed_for_memory(group: &str) -> u64 {
    let text = fs::read_to_string(directory(group).join("memory.events")).unwrap_or_default();
    text.lines().find_map(|line| line.strip_prefix("oom_kill ")?.parse().ok()).unwrap_or(0)
}

/// Takes from a machine's first process, and from all that follow from it, what protects its supervisor when memory is short.
/// Written by root of the host, it is also the least that any of them can ask for. nspawn's own option writes it as root of the
/// machine, who may not. Where an operator gave units less than nothing, machines keep that.
///
/// # Errors
///
/// As `read(2)` and `write(2)`.
pub fn expose(leader: u32) -> Result<()> {
    let path = format!("/proc/{leader}/oom_score_adj");
    let write = || -> io::Result<()> {
        if fs::read_to_string(&path)?.trim().starts_with('-') {
            fs::write(&path, "0")?;
        }
        Ok(())
    };
    write().with_context(|| format!("Failed to take the protection of its supervisor from a machine at {path}"))
}

/// How many control groups a machine may make. The kernel has 65,535 numbers for groups with a memory controller, for the whole
/// host; an init with containers has a few dozens.
const MOST: &str = "512";

/// Bounds the groups below the one that nspawn made for its machine, whose file is root's. A kernel or an nspawn without
/// it is fine.
///
/// # Errors
///
/// As `write(2)`.
pub fn bound(group: &str) -> Result<()> {
    let path = directory(group).join("payload/cgroup.max.descendants");
    match fs::File::options().write(true).open(&path).and_then(|mut file| file.write_all(MOST.as_bytes())) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("Failed to write {}", path.display()))
        }
        _ => Ok(()),
    }
}

fn directory(group: &str) -> PathBuf {
    let root = ROOTS.iter().map(Path::new).find(|root| root.join("cgroup.procs").exists());
    root.unwrap_or(Path::new(ROOTS[0])).join(group.trim_start_matches('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_with_this_process_is_populated_and_one_that_is_not_there_is_not() {
        let own = own().unwrap();
        assert!(is_populated(&own), "{own}");
        assert!(!is_populated("/no/such/group"));
        assert_eq!(killed_for_memory("/no/such/group"), 0);
    }
}
