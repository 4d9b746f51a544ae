//! The control group of this process, as far as the kernel counts memory there.
//!
//! Only of the second version; where the first one has the memory, nothing is known.

use std::fs;
use std::path::{Path, PathBuf};

/// Where the kernel shows control groups.
const ROOT: &str = "/sys/fs/cgroup";
/// Where systemd puts the commands of a unit that manages its control group itself.
const COMMANDS: &str = "/.control";

/// A control group.
#[derive(Clone, Debug)]
pub struct ControlGroup {
    root: PathBuf,
    path: PathBuf,
}

impl ControlGroup {
    /// The one of the unit that this process belongs to.
    #[must_use]
    pub fn own() -> Option<Self> {
        Self::find(&fs::read_to_string("/proc/self/cgroup").ok()?, Path::new(ROOT))
    }

    /// The one that `membership`, as cgroups(7) describes it, names below `root`.
    #[must_use]
    pub fn find(membership: &str, root: &Path) -> Option<Self> {
        let path = membership.lines().find_map(|line| line.strip_prefix("0::/"))?;
        let path = path.strip_suffix(COMMANDS).unwrap_or(path);
        Some(Self { root: root.into(), path: root.join(path) })
    }

    /// How many of its processes the kernel ended for lack of memory, since the group was made.
    #[must_use]
    pub fn killed_for_memory(&self) -> Option<u64> {
        number(&self.path.join("memory.events"), "oom_kill")
    }

    /// Whether it was the limit of this very group that was met.
    #[must_use]
    pub fn met_own_limit(&self) -> bool {
        number(&self.path.join("memory.events.local"), "oom").is_some_and(|times| times > 0)
    }

    /// The least memory that it and the groups above it may have, in bytes; `None` if there is no limit.
    #[must_use]
    pub fn memory_limit(&self) -> Option<u64> {
        let groups = self.path.ancestors().take_while(|path| path.starts_with(&self.root));
        groups.filter_map(|path| fs::read_to_string(path.join("memory.max")).ok()?.trim().parse().ok()).min()
    }

    /// Whether a group above it has a limit.
    #[must_use]
    pub fn is_limited_above(&self) -> bool {
        let above = self.path.ancestors().skip(1).take_while(|path| path.starts_with(&self.root));
        let limit = |path: &Path| fs::read_to_string(path.join("memory.max")).ok();
        above.filter_map(limit).any(|limit| limit.trim() != "max")
    }
}

/// The number after a word at the beginning of a line.
fn number(file: &Path, word: &str) -> Option<u64> {
    let text = fs::read_to_string(file).ok()?;
    text.lines().find_map(|line| line.strip_prefix(word)?.strip_prefix(' ')?.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_least_limit_of_all_groups_above_counts() {
        let temporary = tempfile::tempdir().unwrap();
        let write = |group: &str, limit: &str| {
            let group = temporary.path().join(group);
            fs::create_dir_all(&group).unwrap();
            fs::write(group.join("memory.max"), limit).unwrap();
        };
        let group = || ControlGroup::find("0::/pool.slice/a.service", temporary.path()).unwrap();
        assert_eq!(group().memory_limit(), None, "nothing is known");
        write("pool.slice/a.service", "max\n");
        assert_eq!(group().memory_limit(), None);
        write("pool.slice", "4096\n");
        assert_eq!(group().memory_limit(), Some(4096));
        write("pool.slice/a.service", "8192\n");
        assert_eq!(group().memory_limit(), Some(4096));
        write("pool.slice/a.service", "1024\n");
        assert_eq!(group().memory_limit(), Some(1024));
    }
}
